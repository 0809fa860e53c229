#!/usr/bin/env python3
"""Writes manifests/catalog/*.yaml; with --check only says which of them are out of date."""
import pathlib
import re
import sys

from output import settle

CMAKE = pathlib.Path(__file__).parent.parent / "CMakeLists.txt"
VERSION = re.search(r"project\(stashd VERSION ([0-9.]+)", CMAKE.read_text()).group(1)

# name of Functions and Tasks, image, series of the database
ADDONS = [
    ("perconaxtradb", "stash-percona-xtradb", ["5.7", "8.0", "8.4"]),
    ("mariadb", "stash-mariadb", ["10.11"]),
]
OUTPUT = [{"name": "outputDir", "value": "/stash-tmp/output"}]

BACKEND = [
    "--provider=${REPOSITORY_PROVIDER:=}",
    "--bucket=${REPOSITORY_BUCKET:=}",
    "--endpoint=${REPOSITORY_ENDPOINT:=}",
    "--insecure-tls=${REPOSITORY_INSECURE_TLS:=}",
    "--region=${REPOSITORY_REGION:=}",
    "--path=${REPOSITORY_PREFIX:=}",
]
CACHE = ["--enable-cache=${ENABLE_CACHE:=true}", "--max-connections=${MAX_CONNECTIONS:=0}"]
WORKER = BACKEND + [
    "--storage-secret-name=${REPOSITORY_SECRET_NAME:=}",
    "--storage-secret-namespace=${REPOSITORY_SECRET_NAMESPACE:=}",
    "--scratch-dir=/stash-tmp", *CACHE,
    "--hostname=${HOSTNAME:=}",
]
NAMESPACE = "--namespace=${NAMESPACE:=default}"
SESSION = "--backupsession=${BACKUP_SESSION:=}"
APPBINDING = ["--appbinding=${TARGET_NAME:=}", "--appbinding-namespace=${TARGET_NAMESPACE:=}"]
OUTPUT_DIR = "--output-dir=${outputDir:=}"

BACKUP = [
    "backup-percona-xtradb", *WORKER,
    "--xtradb-args=${args:=--all-databases}",
    "--socat-retry=${socatRetry:=30}",
    "--wait-timeout=${waitTimeout:=300}",
    NAMESPACE, SESSION, *APPBINDING,
    *[f"--retention-keep-{span}=${{RETENTION_KEEP_{span.upper()}:=0}}"
      for span in ("last", "hourly", "daily", "weekly", "monthly", "yearly")],
    "--retention-keep-tags=${RETENTION_KEEP_TAGS:=}",
    "--retention-prune=${RETENTION_PRUNE:=false}",
    "--retention-dry-run=${RETENTION_DRY_RUN:=false}",
    OUTPUT_DIR,
]
RESTORE = [
    "restore-percona-xtradb", *WORKER,
    "--source-hostname=${SOURCE_HOSTNAME:=}",
    "--xtradb-args=${args:=}",
    "--target-app-replicas=${TARGET_APP_REPLICAS:=1}",
    "--wait-timeout=${waitTimeout:=300}",
    NAMESPACE, *APPBINDING,
    "--snapshot=${RESTORE_SNAPSHOTS:=}",
    "--existing-data=${existingData:=refuse}",
    OUTPUT_DIR,
]
# The two names of the storage Secret have no default here: without a Secret the Job must not start.
UPDATE_STATUS = [
    "update-status", *BACKEND, *CACHE, NAMESPACE, SESSION,
    "--storage-secret-name=${REPOSITORY_SECRET_NAME}",
    "--storage-secret-namespace=${REPOSITORY_SECRET_NAMESPACE}",
    "--invoker-kind=${INVOKER_KIND:=}",
    "--invoker-name=${INVOKER_NAME:=}",
    "--target-kind=${TARGET_KIND:=}",
    "--target-name=${TARGET_NAME:=}",
    "--target-namespace=${TARGET_NAMESPACE:=}",
    OUTPUT_DIR,
    "--metrics-enabled=true",
    "--scratch-dir=/stash-tmp",
    "--metrics-pushgateway-url=${PROMETHEUS_PUSHGATEWAY_URL:=}",
]


def head(kind, name, annotations=None):
    metadata = {"name": name, "labels": {"app.kubernetes.io/name": "stashd"}}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "stash.appscode.com/v1beta1", "kind": kind, "metadata": metadata}


def function(name, image, args):
    return {**head("Function", name, {"stash.appscode.com/secret-access": "mount"}),
            "spec": {"image": image, "args": args}}


def task(name):
    return {**head("Task", name),
            "spec": {"steps": [{"name": step, "params": OUTPUT} for step in (name, "update-status")]}}


def files():
    yield "manifests/catalog/update-status.yaml", [
        function("update-status", f"stashd:{VERSION}", UPDATE_STATUS)]
    for addon, image, series in ADDONS:
        for number in series:
            objects = []
            for direction, args in ("backup", BACKUP), ("restore", RESTORE):
                name = f"{addon}-{direction}-{number}"
                objects += [function(name, f"{image}:{VERSION}-{number}", args), task(name)]
            yield f"manifests/catalog/{addon}-{number}.yaml", objects


if __name__ == "__main__":
    sys.exit(settle("gen-catalog.py", dict(files())))
