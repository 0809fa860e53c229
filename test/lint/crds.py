#!/usr/bin/env python3
"""Lint of everything declarative: crds.py SOURCE_DIR [BUILD_DIR]. Prints what is wrong; exit code 1 if anything is.

- the generated manifests are what their scripts write;
- schemas are structural, described, and agree with defaults and printer columns;
- examples, catalogue and the wrong inputs of tests fit the schemas, and nothing in them would be pruned;
- no role is wider than meant.
"""
import datetime
import json
import pathlib
import re
import subprocess
import sys

import yaml

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
TYPES = {"string": str, "boolean": bool, "integer": int, "number": (int, float), "object": dict, "array": list}
COLUMN_TYPES = {"string": "string", "boolean": "boolean", "integer": "integer", "date": "string"}
KEEP, EITHER = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"
KNOWN = {"description", "type", "format", "enum", "pattern", "minimum", "default", "required", "properties",
         "additionalProperties", "items", "anyOf", KEEP, EITHER, "x-kubernetes-embedded-resource",
         "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type",
         "x-kubernetes-validations", "maxItems", "maxLength", "minLength"}
problems = []


def wrong(where, what):
    problems.append(f"{where}: {what}")


def is_type(value, kind):
    if kind in ("integer", "number") and isinstance(value, bool):
        return False
    return isinstance(value, TYPES[kind])


def documents(path):
    try:
        return [document for document in yaml.safe_load_all(path.read_text()) if document]
    except yaml.YAMLError as error:
        wrong(path.relative_to(ROOT), " ".join(str(error).split()))
        return []


# --- schemas --------------------------------------------------------------------------------------

def check_node(schema, where):
    """One node of a schema and all below it."""
    for key in schema.keys() - KNOWN:
        wrong(where, f"unknown keyword {key}")
    kind = schema.get("type")
    if schema.get(EITHER):
        if kind:
            wrong(where, "int-or-string with a type")
    elif kind not in TYPES:
        wrong(where, f"type is {kind}")
    properties = schema.get("properties", {})
    if kind == "object":
        if "properties" in schema and "additionalProperties" in schema:
            wrong(where, "properties and additionalProperties")
        if not ("properties" in schema or "additionalProperties" in schema or schema.get(KEEP)):
            wrong(where, "object without properties")
        if schema.get("x-kubernetes-embedded-resource") and not schema.get(KEEP):
            wrong(where, "embedded resource that is pruned")
    if (kind == "array") != ("items" in schema):
        wrong(where, "items without array, or array without items")
    for name in schema.get("required", []):
        if name not in properties:
            wrong(where, f"requires {name}, which it does not have")
    if "pattern" in schema:
        try:
            re.compile(schema["pattern"])
        except re.error as error:
            wrong(where, f"pattern: {error}")
    for key in schema.get("x-kubernetes-list-map-keys", []):
        item = schema["items"]
        if key not in item.get("required", []) and "default" not in item["properties"].get(key, {}):
            wrong(where, f"list key {key} is neither required nor defaulted")
    if "default" in schema:
        check_value(schema["default"], schema, f"{where} (default)")
    for name, child in properties.items():
        if not child.get("description", "").strip():
            wrong(f"{where}.{name}", "no description")
        check_node(child, f"{where}.{name}")
    for word in ("items", "additionalProperties"):
        if word in schema:
            check_node(schema[word], f"{where}[]")


def check_columns(version, where):
    for column in version.get("additionalPrinterColumns", []):
        if column["jsonPath"] == ".metadata.creationTimestamp":
            continue
        node = version["schema"]["openAPIV3Schema"]
        for part in column["jsonPath"].strip(".").split("."):
            node = node.get("properties", {}).get(part, {})
        if node.get("type") != COLUMN_TYPES[column["type"]]:
            wrong(where, f"column {column['name']}: {column['jsonPath']} is {node.get('type')}")
        elif column["type"] == "date" and node.get("format") != "date-time":
            wrong(where, f"column {column['name']} is not a time")


def read_crds():
    """Checked CRDs as (apiVersion, kind) to schema."""
    schemas = {}
    for path in sorted((ROOT / "chart/templates/crds").glob("*.yaml")):
        where = path.relative_to(ROOT)
        for crd in documents(path):
            spec = crd["spec"]
            if crd["metadata"]["name"] != f"{spec['names']['plural']}.{spec['group']}":
                wrong(where, f"name {crd['metadata']['name']}")
            # kubectl apply keeps a copy in an annotation, which may have 256 KiB
            if len(json.dumps(crd)) > 250_000:
                wrong(where, "too large for kubectl apply")
            if [v["served"] and v["storage"] for v in spec["versions"]] != [True]:
                wrong(where, "not exactly one version, served and stored")
            for version in spec["versions"]:
                schema = version["schema"]["openAPIV3Schema"]
                if schema["properties"].pop("metadata") != {"type": "object"}:
                    wrong(where, "metadata may have nothing but its type")
                check_node(schema, f"{where} {spec['names']['kind']}")
                check_columns(version, where)
                if ("status" in schema["properties"]) != ("status" in version.get("subresources", {})):
                    wrong(where, "status without subresource, or the reverse")
                schemas[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    if len(schemas) != 10:
        wrong("chart/templates/crds", f"{len(schemas)} kinds, not 10")
    return schemas


# --- values ---------------------------------------------------------------------------------------

def check_format(value, schema, where):
    kind = schema.get("format")
    if kind == "date-time":
        try:
            datetime.datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            wrong(where, f"{value!r} is no time")
    elif kind == "int32" and not -2**31 <= value < 2**31:
        wrong(where, f"{value} does not fit int32")


def check_value(value, schema, where):
    """What the API server would refuse or prune."""
    if schema.get(EITHER):
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            wrong(where, f"{value!r} is neither integer nor string")
        elif isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
            wrong(where, f"{value!r} does not match {schema['pattern']}")
        return
    kind = schema["type"]
    if not is_type(value, kind):
        wrong(where, f"{value!r} is not of type {kind}")
        return
    if value not in schema.get("enum", [value]):
        wrong(where, f"{value!r} is not one of {', '.join(schema['enum'])}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        wrong(where, f"{value!r} does not match {schema['pattern']}")
    if "minimum" in schema and value < schema["minimum"]:
        wrong(where, f"{value} is less than {schema['minimum']}")
    check_format(value, schema, where)
    if kind == "array":
        for i, item in enumerate(value):
            check_value(item, schema["items"], f"{where}[{i}]")
        keys = schema.get("x-kubernetes-list-map-keys")
        if keys and len({tuple(item.get(key) for key in keys) for item in value}) < len(value):
            wrong(where, "two items with the same key")
    elif kind == "object":
        properties = schema.get("properties", {})
        for name in schema.get("required", []):
            if name not in value and "default" not in properties[name]:
                wrong(where, f"{name} is missing")
        for name, item in value.items():
            if name in properties:
                check_value(item, properties[name], f"{where}.{name}")
            elif "additionalProperties" in schema:
                check_value(item, schema["additionalProperties"], f"{where}.{name}")
            elif not schema.get(KEEP):
                wrong(where, f"{name} would be pruned")
        if schema.get("x-kubernetes-embedded-resource"):
            for name in ("apiVersion", "kind"):
                if not value.get(name):
                    wrong(where, f"{name} is missing")


def check_object(thing, schemas, where):
    version, kind = thing.get("apiVersion", ""), thing.get("kind", "")
    where = f"{where} {kind} {thing.get('metadata', {}).get('name')}"
    if not version or not kind or not thing.get("metadata", {}).get("name"):
        wrong(where, "no apiVersion, kind or name")
    elif (version, kind) in schemas:
        body = {name: value for name, value in thing.items() if name != "metadata"}
        check_value(body, schemas[version, kind], where)
    elif ".appscode.com/" in version:
        wrong(where, f"no such kind in {version}")


# --- rights ---------------------------------------------------------------------------------------

def check_role(role, where):
    name = role["metadata"]["name"]
    where = f"{where} {role['kind']} {name}"
    for rule in role.get("rules") or []:
        words = rule["apiGroups"] + rule["resources"] + rule["verbs"]
        for word in ("*", "escalate", "impersonate"):
            if word in words:
                wrong(where, f"has {word}")
        if "bind" in rule["verbs"] and not rule.get("resourceNames"):
            wrong(where, "bind without names")
        if "secrets" in rule["resources"]:
            own = role["kind"] == "Role" and (rule.get("resourceNames") or rule["verbs"] == ["create"])
            if not own and not (name.endswith("-job-secrets") and rule["verbs"] == ["get"]):
                wrong(where, "secrets")


def main():
    for script in sorted((ROOT / "chart").glob("gen-*.py")):
        done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True)
        if done.returncode:
            wrong(script.relative_to(ROOT), (done.stdout + done.stderr).strip())
    schemas = read_crds()
    paths = [path for folder in ("examples", "chart/manifests/catalog", "chart/manifests/rbac", "test/e2e/wrong")
             for path in sorted((ROOT / folder).glob("*.yaml"))]
    for path in paths:
        for thing in documents(path):
            check_object(thing, schemas, path.relative_to(ROOT))
            if thing.get("kind") in ("Role", "ClusterRole"):
                check_role(thing, path.relative_to(ROOT))
    for problem in problems:
        print(problem)
    print(f"{len(schemas)} kinds, {len(paths)} files of manifests, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
