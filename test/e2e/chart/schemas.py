#!/usr/bin/env python3
"""What a server says of our kinds: schemas.py explain | pruned GOT.json WANTED.yaml…

explain: reads the server's OpenAPI documents on stdin, one JSON document a line, and names each field of our kinds that
has no description: what `kubectl explain` would show as empty. pruned: names each field of WANTED that is not in GOT.
"""
import json
import sys

import yaml

OURS = ("com.appscode.stash.", "com.appscode.appcatalog.")


def undescribed(schema, where):
    for name, field in (schema.get("properties") or {}).items():
        place = f"{where}.{name}"
        if not field.get("description", "").strip():
            yield place
        yield from undescribed(field, place)
        for part in ("items", "additionalProperties"):
            if isinstance(field.get(part), dict):
                yield from undescribed(field[part], f"{place}[]")


def explain():
    kinds = fields = 0
    bad = []
    for line in sys.stdin:
        for name, schema in json.loads(line)["components"]["schemas"].items():
            if not name.startswith(OURS) or name.endswith("List"):
                continue
            kinds += 1
            fields += json.dumps(schema).count('"description"')
            if not schema.get("description"):
                bad.append(name)
            schema["properties"].pop("metadata")
            bad += undescribed(schema, name.rsplit(".", 1)[1])
    return kinds, fields, bad


def lost(wanted, got, where):
    if isinstance(wanted, dict) and isinstance(got, dict):
        for name, value in wanted.items():
            if name not in got:
                yield f"{where}.{name}"
            else:
                yield from lost(value, got[name], f"{where}.{name}")
    elif isinstance(wanted, list) and isinstance(got, list):
        if len(wanted) != len(got):
            yield f"{where}: {len(got)} items, not {len(wanted)}"
        for i, (one, other) in enumerate(zip(wanted, got)):
            yield from lost(one, other, f"{where}[{i}]")
    elif wanted != got:
        yield f"{where}: {got!r}, not {wanted!r}"


def pruned(got, *files):
    bad, n = [], 0
    stored = {(o["kind"], o["metadata"]["name"]): o for o in json.loads(open(got).read())["items"]}
    for thing in (thing for file in files for thing in yaml.load_all(open(file).read(), Loader=yaml.CSafeLoader)):
        if not thing:
            continue
        n += 1
        name = thing["kind"], thing["metadata"]["name"]
        if thing["kind"] == "Secret":
            thing.pop("stringData", None)  # written, never read back
        bad += lost(thing, stored.get(name, {}), "/".join(name))
    return n, bad


if __name__ == "__main__":
    if sys.argv[1] == "explain":
        n_kinds, n_fields, problems = explain()
        print(f"{n_kinds} kinds, {n_fields} descriptions, {len(problems)} fields without")
    else:
        n_things, problems = pruned(*sys.argv[2:])
        print(f"{n_things} objects, {len(problems)} fields lost")
    for problem in problems:
        print(" ", problem)
    sys.exit(1 if problems else 0)
