"""Facts: what a case saw, as lines "key = JSON", with what differs from run to run taken out.

Names of the case's namespace become NS, UIDs UID1, UID2 … in the order they are met, resourceVersions RV1 …, generated
names <generateName>GEN1 …, times TIME, tokens JWT.
"""
import json
import re

UID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
TIME = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( \+0000 UTC|Z)?( m=[+0-9.]+)?")
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]+")
ISSUER = re.compile(r"https://kubernetes\.default\.svc(\.cluster\.local)?")
QUOTED = re.compile(r'(resourceVersion\\?":\\?"|in record \()\d+')
EVENT = re.compile(r"\.[0-9a-f]{16}\b")
VERSIONS = re.compile(r"(resource version: )\d+( \(\d+\))?(, current: \d+)?")


def at(value, path):
    """The part of a tree at a path: a.b[0].c, a[name=x].b, a["with/dots"], a[*].b (a list), a[#] (its length)."""
    for word in re.findall(r'\["[^"]*"\]|\[[^\]]*\]|[^.\[\]]+', path):
        if value is None:
            return None
        if not word.startswith("["):
            value = value.get(word) if isinstance(value, dict) else None
        elif word.startswith('["'):
            value = value.get(word[2:-2]) if isinstance(value, dict) else None
        elif word == "[#]":
            value = len(value)
        elif word == "[*]":
            rest = path.split("[*]", 1)[1].lstrip(".")
            return [at(item, rest) for item in value] if rest else value
        elif "=" in word:
            key, _, wanted = word[1:-1].partition("=")
            value = next((item for item in value if isinstance(item, dict) and str(item.get(key)) == wanted), None)
        else:
            value = value[int(word[1:-1])] if len(value) > int(word[1:-1]) else None
    return value


def in_order(body):
    """An answer with its managers by operation and name: the server puts those of one operation by the second of their last
    write, which differs from run to run."""
    fields = at(body, "metadata.managedFields") if isinstance(body, dict) else None
    if isinstance(fields, list):
        fields.sort(key=lambda one: (one.get("operation", ""), one.get("manager", ""), one.get("subresource", "")))
    return body


class Normal:
    """Replaces what differs from run to run, one for each case."""

    def __init__(self, namespace):
        self.fixed = [(namespace, "NS")]
        self.uids, self.versions, self.names = {}, {}, {}
        self.prefixes = set()  # generateName of what was asked: a refusal shows the name too

    def learn(self, value):
        """Remembers generated names anywhere in an answer."""
        if isinstance(value, list):
            for item in value:
                self.learn(item)
        elif isinstance(value, dict):
            meta = value.get("metadata")
            if isinstance(meta, dict) and meta.get("generateName") and meta.get("name"):
                name, prefix = meta["name"], meta["generateName"]
                if name.startswith(prefix) and len(name) == len(prefix) + 5 and name not in self.names:
                    self.names[name] = f"{prefix}GEN{len(self.names) + 1}"
            for item in value.values():
                self.learn(item)

    def text(self, text, key):
        if key in ("resourceVersion", "involvedObject.resourceVersion") and text not in ("", "0"):
            return self.versions.setdefault(text, f"RV{len(self.versions) + 1}")
        if key == "continue" and text:
            return "CONTINUE"
        for name in sorted(self.names, key=len, reverse=True):
            text = text.replace(name, self.names[name])
        for prefix in self.prefixes:
            text = re.sub(re.escape(prefix) + r"[bcdfghjklmnpqrstvwxz2456789]{5}\b", prefix + "GEN", text)
        for old, new in self.fixed:
            text = text.replace(old, new)
        text = UID.sub(lambda m: self.uids.setdefault(m[0], f"UID{len(self.uids) + 1}"), text)
        text = ISSUER.sub("ISSUER", JWT.sub("JWT", text))
        text = TIME.sub(lambda m: "MICROTIME" if m[1] else "TIME", text)
        text = VERSIONS.sub(lambda m: m[1] + "RV" + (" (RV)" if m[2] else "") + (", current: RV" if m[3] else ""), text)
        text = QUOTED.sub(r"\1RV", text)
        return EVENT.sub(".HEX", text)

    def tree(self, value, key=""):
        if isinstance(value, dict):
            return {self.text(k, ""): self.tree(v, k) for k, v in value.items()}
        if isinstance(value, list):
            return [self.tree(v, key) for v in value]
        return self.text(value, key) if isinstance(value, str) else value


def flat(key, value, out):
    """A tree as leaves: out gets (key, JSON text)."""
    if isinstance(value, dict) and value and not key.endswith("fieldsV1"):
        for k in sorted(value):
            plain = re.fullmatch(r"[\w$-]+", k)
            flat(f"{key}.{k}" if plain else f'{key}["{k}"]', value[k], out)
    elif isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        for i, item in enumerate(value):
            flat(f"{key}[{i}]", item, out)
    else:
        out.append((key, json.dumps(value, ensure_ascii=False, sort_keys=True)))


def refusal(body):
    """A Status as facts. Causes have no order: several of them stand in the message as "[causes]"."""
    if not isinstance(body, dict) or body.get("kind") != "Status":
        return {}
    status = {k: body[k] for k in ("reason", "message", "details") if body.get(k)}
    causes = at(body, "details.causes")
    if causes:
        status["details"] = dict(body["details"], causes=sorted(causes, key=lambda c: json.dumps(c, sort_keys=True)))
        head, bracket, tail = body.get("message", "").partition(": [")
        words = [": ".join(filter(None, (c.get("field"), c.get("message")))) for c in causes]
        if len(causes) > 1 and bracket and all(word in tail for word in words):
            status["message"] = head + ": [causes]"
    return status


def read(path):
    """{case: {key: text}} of a file of facts, in order."""
    cases, case = {}, None
    with open(path) as f:
        for line in f.read().splitlines():
            if line.startswith("== "):
                case = cases.setdefault(line[3:], {})
            elif line and not line.startswith("#"):
                key, _, text = line.partition(" = ")
                case[key] = text
    return cases


def write(path, head, cases):
    with open(path, "w") as f:
        f.write(head)
        for case, facts in cases.items():
            f.write(f"\n== {case}\n")
            f.writelines(f"{key} = {text}\n" for key, text in facts.items())
