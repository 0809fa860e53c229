#!/usr/bin/env python3
"""Lint of the Helm chart: chart.py SOURCE_DIR [BUILD_DIR]. Prints what is wrong; exit code 1 if anything is.

- helm lint passes, and each profile and switch renders to well-formed objects, no two of the same name;
- the schema refuses values that do not exist, and describes exactly those that do;
- every value is used by a template, every flag the templates set is one that stashd has;
- versions agree with the project's;
- the operator's rights and those of Jobs are the ones that chart/README.md documents;
- alerts and panels say the truth of two replicas and two releases (promtool).
Helm is the one of $HELM, else of the machine, else built by test/e2e/kube/build.
"""
import functools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import yaml

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
CHART = ROOT / "chart"
FULL = "stashd"
problems = []


def wrong(where, what):
    problems.append(f"{where}: {what}")


def find_helm():
    helm = os.environ.get("HELM") or shutil.which("helm")
    if helm:
        return helm
    folder = subprocess.run([ROOT / "test/e2e/kube/build", "helm"], check=True, stdout=subprocess.PIPE, text=True)
    return str(pathlib.Path(folder.stdout.strip()) / "helm")


def helm(verb, *args):
    return subprocess.run([HELM, verb, *args, "--kube-version", "1.36.0"], capture_output=True, text=True)


@functools.cache
def render(*args):
    """Objects of the chart as release "stashd" in namespace "stash", or None with a problem noted."""
    done = helm("template", FULL, str(CHART), "--namespace", "stash", *args)
    if done.returncode:
        wrong("helm template " + " ".join(args), done.stderr.strip())
        return None
    return [thing for thing in yaml.safe_load_all(done.stdout) if thing]


def key(thing):
    return thing["kind"], thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def is_hook(thing, event):
    return event in (thing["metadata"].get("annotations") or {}).get("helm.sh/hook", "").split(",")


# --- rendering ------------------------------------------------------------------------------------

EVERYTHING = ("metrics.serviceMonitor.enabled=true,metrics.prometheusRule.enabled=true,metrics.dashboard.enabled=true,"
              "networkPolicy.enabled=true,guard.enabled=true,watchNamespace=shop,secrets.access=listed,"
              "secrets.lendingNamespaces={shop},priorityClassName=p,serviceAccount.annotations.a=b,podAnnotations.a=b,"
              "podLabels.a=b,extraArgs={--x},imagePullSecrets[0].name=s,networkPolicy.apiServerCIDRs={10.0.0.0/8}")
PROFILES = {
    "defaults": [],
    "scale": ["-f", str(CHART / "values-scale.yaml")],
    "secure": ["-f", str(CHART / "values-secure.yaml")],
    "everything": ["--set", EVERYTHING],
    "external": ["--set", "metrics.pushgateway.mode=external,metrics.pushgateway.url=http://gateway:9091"],
    "least": ["--set", "metrics.enabled=false,metrics.pushgateway.mode=none,rbac.create=false,crds.install=false,"
                       "crds.wait=false,catalog.defaults=false,catalog.xtradb.enabled=false,catalog.mariadb.enabled=false,"
                       "serviceAccount.create=false,serviceAccount.name=mine,apf.enabled=false,replicaCount=1,"
                       "guard.enabled=false"],
    "unasked": ["--set", "metrics.enabled=false,webhooks.validating.enabled=false"],
}


def check_profiles():
    for name, args in PROFILES.items():
        objects = render(*args)
        if objects is None:
            continue
        lint = helm("lint", "--strict", str(CHART), *args)
        if lint.returncode:
            wrong(f"helm lint, {name}", lint.stdout.strip())
        seen = set()
        for thing in objects:
            if is_hook(thing, "post-delete"):
                continue
            if key(thing) in seen:
                wrong(name, f"{key(thing)} twice")
            seen.add(key(thing))
            if not (thing["metadata"].get("labels") or {}):
                wrong(name, f"{key(thing)} has no labels")
            if thing["kind"] == "Service" and not thing["spec"].get("ports"):
                wrong(name, f"{key(thing)} has no ports, which no server takes")
        kinds = [thing["kind"] for thing in objects]
        if name != "least" and (kinds.count("CustomResourceDefinition") != 10 or "Deployment" not in kinds):
            wrong(name, f"{kinds.count('CustomResourceDefinition')} CRDs, not 10, or no Deployment")
        made, gone = ([thing for thing in objects if thing["kind"] in ("Function", "Task") and is_hook(thing, event)]
                      for event in ("post-install", "post-delete"))
        if [key(thing) for thing in made] != [key(thing) for thing in gone] or bool(made) != (name != "least"):
            wrong(name, f"of the catalogue {len(made)} objects are made and {len(gone)} removed")


def check_selection():
    """Service, budget, policy and monitor select the operator's pods (its Service) and nothing else."""
    objects = render("--set", EVERYTHING) or []
    pods = {"operator": thing["spec"]["template"]["metadata"]["labels"] for thing in objects if thing["kind"] == "Deployment"}
    pods |= {thing["metadata"]["name"]: thing["metadata"]["labels"] for thing in objects if thing["kind"] in ("Pod", "Service")}
    wanted = {"Deployment": ["operator"], "Service": ["operator"], "PodDisruptionBudget": ["operator"],
              "NetworkPolicy": ["operator"], "ServiceMonitor": [FULL]}
    for thing in objects:
        spec = thing.get("spec") or {}
        selector = spec.get("podSelector") or spec.get("selector") or {}
        if thing["kind"] in wanted:
            labels = (selector.get("matchLabels") or selector).items()
            found = [name for name, has in pods.items() if labels and labels <= has.items()]
            if thing["kind"] == "ServiceMonitor":
                found = [name for name in found if name == FULL]  # of Services
            else:
                found = [name for name in found if name != FULL]  # of pods
            if found != wanted[thing["kind"]]:
                wrong("everything", f"{key(thing)} selects {found}")


def check_ways():
    """A replica reaches the one with the lead, to which it passes pushes on."""
    for mode in ("embedded", "none"):
        objects = render("--set", f"networkPolicy.enabled=true,metrics.pushgateway.mode={mode}") or []
        policy = next((thing["spec"] for thing in objects if thing["kind"] == "NetworkPolicy"), {})
        ways = [[port["port"] for port in rule["ports"]] for rule in policy.get("egress", [])
                if rule.get("to") == [{"podSelector": policy["podSelector"]}]]
        if ways != ([[8080]] if mode == "embedded" else []):
            wrong("networkPolicy", f"with mode {mode} the operator's pods reach each other at {ways}")


def check_arguments():
    """The dump's arguments and the client's are the defaults of their own Functions only, also when one is empty."""
    for backup, restore in (("", "--some"), ("--all", ""), ("", ""), ("--a", "--all-databases")):
        objects = render("--set", f"catalog.mariadb.backup.args={backup},catalog.mariadb.restore.args={restore}") or []
        for verb, args in (("backup", backup), ("restore", restore)):
            have = [thing["spec"]["args"] for thing in objects
                    if thing["kind"] == "Function" and thing["metadata"]["name"] == f"mariadb-{verb}-10.11"]
            if not have or f"--xtradb-args=${{args:={args}}}" not in have[0]:
                wrong("catalog", f"with arguments {backup!r} and {restore!r} those of {verb} are not {args!r}")


def check_names():
    """Another release has names of its own, everywhere; the plain files are what the default names render to."""
    done = helm("template", "other", str(CHART), "--namespace", "elsewhere", "--set", "metrics.serviceMonitor.enabled=true")
    for thing in yaml.safe_load_all(done.stdout):
        if not thing or thing["kind"] in ("CustomResourceDefinition", "Function", "Task"):
            continue
        text = json.dumps(thing)
        if not thing["metadata"]["name"].startswith("other-stashd"):
            wrong("release other", f"{key(thing)} has another's name")
        if '"namespace": "stash"' in text or '"stash"' in json.dumps(thing["metadata"].get("namespace")):
            wrong("release other", f"{key(thing)} is in namespace stash")
    rendered = {key(thing): thing for thing in render() or []}
    for path in sorted(CHART.glob("manifests/*/*.yaml")):
        for plain in yaml.safe_load_all(path.read_text()):
            thing = rendered.get(key(plain))
            if thing is None:
                wrong(path.relative_to(ROOT), f"{key(plain)} is not in the chart")
            elif [thing.get(part) for part in ("rules", "roleRef", "subjects", "spec")] != [
                    plain.get(part) for part in ("rules", "roleRef", "subjects", "spec")]:
                wrong(path.relative_to(ROOT), f"{key(plain)} differs in the chart")


# --- values ---------------------------------------------------------------------------------------

def leaves(values, schema, path=()):
    """Paths of values.yaml down to where the schema says that anything goes; says where the two differ."""
    properties = schema.get("properties")
    if properties is None:
        yield path
        return
    for name in sorted(set(properties) ^ set(values)):
        if path or name != "global":
            wrong("values.schema.json", f"{'.'.join((*path, name))} is in one of values.yaml and its schema only")
    if schema.get("additionalProperties") is not False:
        wrong("values.schema.json", f"{'.'.join(path)} allows unknown values")
    for name in sorted(set(properties) & set(values)):
        yield from leaves(values[name], properties[name], (*path, name))


def check_values():
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    paths = list(leaves(values, schema))
    templates = "\n".join(path.read_text() for path in sorted(CHART.glob("templates/**/*"))
                          if path.is_file() and path.parent.name != "crds")
    for path in paths:
        # With "with" and "range" a template names the last parts only.
        if not any(re.search(r"\." + r"\.".join(path[i:]) + r"\b", templates) for i in range(len(path))):
            wrong("values.yaml", f"{'.'.join(path)} is not used")
    # Helm minds the schema, and leaves() has seen all of it.
    for bad, word in (("nosuch=1", "nosuch"), ("catalog.mariadb.image.nosuch=1", "nosuch"),
                      ("secrets.lendingNamespaces={shop}", "lendingNamespaces"),
                      ("jobs.ttlAfterFinished=9m59s", "ttlAfterFinished")):
        if word not in helm("template", FULL, str(CHART), "--set", bad).stderr:
            wrong("values.schema.json", f"{bad} is accepted")
    comments = re.findall(r"^ *#", (CHART / "values.yaml").read_text(), re.M)
    return len(paths), len(comments)


def check_flags():
    settings = (ROOT / "core/cmd/stashd_settings.c").read_text()
    known = set(re.findall(r'^    \{"([a-z-]+)", CFG_', settings, re.M))
    for name, args in PROFILES.items():
        for thing in render(*args) or []:
            if thing["kind"] != "Deployment":
                continue
            for arg in thing["spec"]["template"]["spec"]["containers"][0]["args"]:
                flag = arg.split("=")[0].removeprefix("--")
                if flag not in known and flag != "x":
                    wrong(name, f"stashd has no flag {arg}")


def check_versions():
    version = re.search(r"project\(stashd VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    if chart["version"] != version or chart["appVersion"] != version:
        wrong("Chart.yaml", f"version and appVersion are not {version}")


# --- rights ---------------------------------------------------------------------------------------

def rights(role):
    """(group, resource, verbs, names) of each line, as the table has them."""
    for rule in role["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                names = " ".join(name.removeprefix(FULL) or FULL for name in rule.get("resourceNames", []))
                plural, _, part = resource.partition("/")
                yield f"{plural}.{group}".rstrip(".") + (f"/{part}" if part else ""), " ".join(rule["verbs"]), names


def documented():
    """Rows of the tables in README.md: role, resource, verbs, names."""
    rows = set()
    for line in (CHART / "README.md").read_text().splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4:
            rows.add(tuple(cells))
    return rows


def check_rights():
    actual = set()
    for thing in render() or []:
        if thing["kind"] in ("ClusterRole", "Role") and not is_hook(thing, "test"):
            role = f"{thing['kind']} {thing['metadata']['name']}"
            actual |= {(role, *line) for line in rights(thing)}
    told = documented()
    for row in sorted(actual - told):
        wrong("chart/README.md", "does not tell: | " + " | ".join(f"`{c}`" if i < 2 else c for i, c in enumerate(row)) + " |")
    for row in sorted(told - actual):
        wrong("chart/README.md", f"tells a right that nobody has: {row}")
    return len(actual)


# --- alerts and panels -------------------------------------------------------------------------------

def series(name, values, instance="a", namespace="stash", **labels):
    labels |= {"job": FULL, "namespace": namespace, "instance": instance}
    return {"series": name + "{" + ",".join(f'{k}="{v}"' for k, v in labels.items()) + "}", "values": values}


def missed(reason, values, instance):
    return series("stash_operator_schedule_missed_total", values, instance, reason=reason)


def firing(alert):
    return f'count(ALERTS{{alertname="{alert}",alertstate="firing"}}) or vector(0)'


def panel(word):
    """The expression of the one panel that has the word."""
    board = json.loads((CHART / "files/dashboard.json").read_text())
    found = [target["expr"] for one in board["panels"] for target in one["targets"] if word in target["expr"]]
    return found[0] if len(found) == 1 else wrong("dashboard.json", f"{len(found)} panels of {word}")


def check_alerts():
    """Minutes begin at 0 and one replica leads from then on, where nothing else is said."""
    rules = next((thing for thing in render("--set", EVERYTHING) or [] if thing["kind"] == "PrometheusRule"), None)
    if not rules:
        wrong("alerts", "are not rendered")
        return 0
    two = [series("stash_operator_leader", "1x300", "a"), series("stash_operator_leader", "0x300", "b")]
    none = [series("stash_operator_leader", "0x300", "a"), series("stash_operator_leader", "0x300", "b")]
    other = [series("stash_operator_leader", "1x300", "c", "elsewhere")]
    # Down from minute 60 to 70; what was missed meanwhile is counted before the first scrape.
    back = [series("process_start_time_seconds", "0x60 stale"), missed("too_late", "0x60 stale", "a"),
            series("process_start_time_seconds", "_x70 4200x300", "b"), missed("too_late", "_x70 2x300", "b"),
            missed("coalesced", "_x70 0x300", "b")]
    damaged = [series("process_start_time_seconds", "_x70 4200x300"),
               series("stash_operator_repository_checks_total", "_x70 1x300", result="damaged")]
    steady = [series("process_start_time_seconds", "0x300"), missed("too_late", "2x200 3x100", "a")]
    running = [series("stash_operator_sessions_running", "3x10", instance) for instance in ("a", "b")]
    waiting = [series("stash_operator_sessions_waiting", "2x10", instance, reason=reason)
               for instance in ("a", "b") for reason in ("Pending", "NamespaceQuotaExceeded")]
    elsewhere = [series("stash_operator_sessions_running", "1x10", "c", "elsewhere")]
    cases = [
        ("one of two replicas leads", two, firing("StashdWithoutLeader"), 30, 0),
        ("so in two releases", two + other, firing("StashdWithoutLeader"), 30, 0),
        ("nobody leads here", none + other, firing("StashdWithoutLeader"), 30, 1),
        ("missed while nobody ran", back, firing("BackupScheduleMissed"), 75, 1),
        ("missed long ago", back, firing("BackupScheduleMissed"), 150, 0),
        ("missed long before", steady, firing("BackupScheduleMissed"), 150, 0),
        ("missed a moment ago", steady, firing("BackupScheduleMissed"), 210, 1),
        ("damage found before the first scrape", damaged, firing("RepositoryDamaged"), 75, 1),
        ("damage found long ago", damaged, firing("RepositoryDamaged"), 150, 0),
        ("running, of two replicas", running, panel("sessions_running"), 5, 3),
        ("running, of two releases", running + elsewhere, panel("sessions_running"), 5, 4),
        ("waiting, of two replicas", waiting, panel("sessions_waiting"), 5, 4),
    ]
    tests = [{"name": name, "interval": "1m", "input_series": given,
              "promql_expr_test": [{"expr": expr, "eval_time": f"{minute}m",
                                    "exp_samples": [{"labels": "{}", "value": value}]}]}
             for name, given, expr, minute, value in cases]
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "rules.yaml").write_text(yaml.safe_dump(rules["spec"]))
        (pathlib.Path(folder) / "tests.yaml").write_text(yaml.safe_dump({"rule_files": ["rules.yaml"], "tests": tests}))
        done = subprocess.run(["promtool", "test", "rules", folder + "/tests.yaml"], capture_output=True, text=True)
    if done.returncode:
        wrong("alerts", (done.stdout + done.stderr).strip())
    return len(cases)


HELM = find_helm()


def main():
    check_profiles()
    check_selection()
    check_ways()
    check_arguments()
    check_names()
    n_values, n_comments = check_values()
    check_flags()
    check_versions()
    n_rights = check_rights()
    n_cases = check_alerts()
    for problem in problems:
        print(problem)
    print(f"{len(PROFILES)} profiles, {n_values} values with {n_comments} lines of comment, {n_rights} rights, "
          f"{n_cases} cases of alerts, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
