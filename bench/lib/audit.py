"""What the API server itself wrote down about requests: by user, so that no program counts its own."""
import collections
import datetime
import json
import os
import time

WRITES = {"create", "update", "patch", "delete", "deletecollection"}


def seconds(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Audit:
    """The log from a mark on. path None: the cluster has none that can be read here, and nothing is counted."""

    def __init__(self, path):
        self.path = path

    def mark(self):
        return os.path.getsize(self.path) if self.path else 0

    def since(self, mark, user):
        """Completed requests of that user's. The server writes the log a moment late."""
        if not self.path:
            return []
        time.sleep(1)
        out = []
        with open(self.path, "rb") as f:
            f.seek(mark)
            for raw in f:
                if user.encode() not in raw:
                    continue
                try:
                    e = json.loads(raw)
                except ValueError:
                    continue  # the line that is being written
                if e.get("stage") == "ResponseComplete" and e["user"]["username"] == user:
                    out.append(e)
        return out


def resource(e):
    ref = e.get("objectRef", {})
    return ref.get("resource", "") + ("/" + ref["subresource"] if ref.get("subresource") else "")


def count(events):
    """{'create jobs': 500, …}; watches are not requests in this sense."""
    c = collections.Counter()
    for e in events:
        if e["verb"] in ("watch",):
            continue
        code = e.get("responseStatus", {}).get("code", 0)
        c[f"{e['verb']} {resource(e)}" + ("" if code < 400 else f" ({code})")] += 1
    return dict(sorted(c.items()))


def writes(events):
    return sum(e["verb"] in WRITES for e in events)


def reads(events):
    return sum(e["verb"] in ("get", "list") for e in events)


def creations(events, what):
    """{namespace/name: time the request came} of objects that were made."""
    out = {}
    for e in events:
        if e["verb"] == "create" and resource(e) == what and e.get("responseStatus", {}).get("code") == 201:
            ref = e["objectRef"]
            out[f"{ref.get('namespace', '')}/{ref.get('name', '')}"] = seconds(e["requestReceivedTimestamp"])
    return out
