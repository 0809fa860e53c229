"""The steps of a case, run on a server. A step is a mapping; its first key says what it does.

    POST|PUT|PATCH|DELETE|GET: PATH   one request. PATH is whole (/api/…) or begins with a resource of KINDS, in the
                                      case's namespace
    AWAIT: PATH                       GET, again with each event of what it reads, until the answer fits: until: {path:
                                      value}, there: [path], code: N, or gone: true; by: another verb than GET
    WATCH: PATH                       opens a watch; name: how EVENTS calls it
    EVENTS: NAME                      its next events: count: N, or until: TYPE, or end: true
    KUBELET: JOB                      plays the kubelet: count active pods of the Job get phase (and exit, restarts, reason)
    LEAVE: JOB                        plays the kubelet: pods that are being deleted are gone

    body   a mapping (its kind is filled in from the path; bare: true: not), or text as it is
    type   of a PATCH: json, merge, strategic, apply; else a content type
    show   paths of the answer that are facts; "all": the whole answer but managedFields
    sorted lists among them in the order of their texts: Events have no order of their own
    save   {variable: path}: ${variable} in later steps; ${ns} is the case's namespace; ${x*9}: nine x
    seconds   of patience, where those of the run may be too few
    as     a user to impersonate, or {user, groups}; token, anonymous: other credentials
    brief  nothing but the status code is a fact
    accept, for: [words]: the step once for each, as ${it}
"""
import json
import queue
import re
import time

import facts
import server

KINDS = {
    "configmaps": ("v1", "ConfigMap"), "secrets": ("v1", "Secret"), "pods": ("v1", "Pod"), "events": ("v1", "Event"),
    "serviceaccounts": ("v1", "ServiceAccount"), "services": ("v1", "Service"),
    "resourcequotas": ("v1", "ResourceQuota"), "persistentvolumeclaims": ("v1", "PersistentVolumeClaim"),
    "limitranges": ("v1", "LimitRange"), "jobs": ("batch/v1", "Job"), "cronjobs": ("batch/v1", "CronJob"),
    "leases": ("coordination.k8s.io/v1", "Lease"), "roles": ("rbac.authorization.k8s.io/v1", "Role"),
    "rolebindings": ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy"), "widgets": ("conformance.stashd.dev/v1", "Widget"),
    "statefulsets": ("apps/v1", "StatefulSet"), "deployments": ("apps/v1", "Deployment"),
}
GLOBAL = {
    "namespaces": ("v1", "Namespace"), "clusterroles": ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    "clusterrolebindings": ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    "subjectaccessreviews": ("authorization.k8s.io/v1", "SubjectAccessReview"),
    "selfsubjectaccessreviews": ("authorization.k8s.io/v1", "SelfSubjectAccessReview"),
    "selfsubjectrulesreviews": ("authorization.k8s.io/v1", "SelfSubjectRulesReview"),
    "tokenreviews": ("authentication.k8s.io/v1", "TokenReview"),
    "customresourcedefinitions": ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
}
VERBS = ("GET", "POST", "PUT", "PATCH", "DELETE")
PATIENCE = 40  # seconds that a step waits for what is to come
LOOK = 0.5     # seconds after which it looks again, also where nothing tells it of a change


def filled(value, variables):
    if isinstance(value, str):
        for name, text in variables.items():
            value = value.replace("${%s}" % name, str(text))
        return re.sub(r"\$\{(.)\*(\d+)\}", lambda m: m[1] * int(m[2]), value)
    if isinstance(value, dict):
        return {filled(k, variables): filled(v, variables) for k, v in value.items()}
    return [filled(v, variables) for v in value] if isinstance(value, list) else value


def of_kind(path):
    word = path.split("/")[0].split("?")[0]
    return KINDS.get(word) or GLOBAL.get(word)


def whole(path, namespace):
    if path.startswith("/"):
        return path
    version = of_kind(path)[0]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    inside = f"/namespaces/{namespace}" if path.split("/")[0].split("?")[0] in KINDS else ""
    return f"{root}{inside}/{path}"


class Case:
    def __init__(self, srv, name, steps, namespace, patience=PATIENCE):
        self.patience = patience
        self.srv, self.name, self.steps, self.ns = srv, name, steps, namespace
        self.variables = {"ns": namespace}
        self.normal = facts.Normal(namespace)
        self.facts, self.watches, self.made = [], {}, []

    def run(self):
        """The facts, as pairs of key and text."""
        number = 0
        try:
            for step in self.steps:
                number += 1
                for it in step.get("for", [None]):
                    self.variables["it"] = filled(it, self.variables) if it is not None else None
                    self.label = str(number) if it is None else f"{number}({it})"
                    self.step(filled({k: v for k, v in step.items() if k != "for"}, self.variables))
        except (RuntimeError, queue.Empty) as e:
            self.fact("broke", f"{type(e).__name__}: {e}")
        finally:
            for watch in self.watches.values():
                watch.close()
        return self.facts

    def step(self, step):
        verb, target = next(iter(step.items()))
        if verb in VERBS:
            self.tell(self.request(verb, target, step), step)
        else:
            {"AWAIT": self.wait, "WATCH": self.watch, "EVENTS": self.events, "KUBELET": self.kubelet,
             "LEAVE": self.leave}[verb](target, step)

    # ---- requests ----

    def headers(self, verb, step):
        kind = step.get("type") if verb == "PATCH" or "type" in step else "application/json"
        headers = {"Content-Type": server.PATCHES.get(kind, kind)} if "body" in step else {}
        headers["Accept"] = step.get("accept", "application/json")
        who = step.get("as")
        if isinstance(who, str):
            headers["Impersonate-User"] = who
        elif who:
            headers["Impersonate-User"] = who["user"]
            headers["Impersonate-Group"] = who["groups"]
        return headers

    def request(self, verb, target, step):
        body, kind = step.get("body"), of_kind(target)
        creates = verb in ("POST", "PUT") or step.get("type") == "apply"
        if isinstance(body, dict) and creates and kind and not step.get("bare") and "/" not in "".join(
                target.split("/")[2:]) and len(target.split("/")) < 3:
            body = {"apiVersion": kind[0], "kind": kind[1], **body}
        if facts.at(body if isinstance(body, dict) else None, "metadata.generateName"):
            self.normal.prefixes.add(str(body["metadata"]["generateName"]))
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        path = whole(target, self.ns)
        answer = self.srv.ask(verb, path, text, self.headers(verb, step), step.get("token"), step.get("anonymous"))
        self.normal.learn(answer.body)
        if answer.code == 201 and f"/namespaces/{self.ns}/" not in path and "dryRun" not in path:
            self.made.append((path.split("?")[0], facts.at(answer.body, "metadata.name")))
        return answer

    def fact(self, key, value):
        facts.flat(f"{self.label}.{key}", self.normal.tree(value, key.split(".")[-1]), self.facts)

    def tell(self, answer, step):
        self.fact("code", answer.code)
        if step.get("brief"):
            return
        if answer.headers.get("warning"):
            self.fact("warning", sorted(answer.headers["warning"]))
        if step.get("header"):
            self.fact("header " + step["header"], answer.headers.get(step["header"]))
        if answer.code >= 400:
            told = facts.refusal(answer.body)
            for key, value in (told.items() if told else [("text", answer.text)]):
                self.fact(key, value)
        self.show(facts.in_order(answer.body) if answer.body is not None else answer.text, step, answer.code < 400)
        for name, path in step.get("save", {}).items():
            self.variables[name] = facts.at(answer.body, path)

    def show(self, body, step, fine=True):
        show = step.get("show", []) if fine else []
        if show == "all" and isinstance(body, dict):
            body = json.loads(json.dumps(body))
            body.get("metadata", {}).pop("managedFields", None)
            for key, value in body.items():
                self.fact(key, value)
        elif show == "all":
            self.fact("body", body)
        elif isinstance(show, str):
            self.fact(show, facts.at(body, show))
        else:
            for path in show:
                value = facts.at(body, path)
                self.fact(path, sorted(value, key=str) if step.get("sorted") and isinstance(value, list) else value)

    # ---- waiting ----

    def looks(self, target, step):
        """Now, and again with each event of target, until patience ends. Where it can't be watched there are looks only."""
        end, changes = time.monotonic() + max(self.patience, step.get("seconds", 0)), None
        try:
            while True:
                yield
                left = end - time.monotonic()
                if left <= 0:
                    return
                changes = changes or self.changes(target, step)
                if not changes.wait(min(LOOK, left)):
                    time.sleep(min(LOOK, left))
        finally:
            if changes:
                changes.close()

    def changes(self, target, step):
        resource, _, name = target.partition("/")
        if of_kind(resource) and name and "/" not in name:  # one object is watched among all
            target = f"{resource}?fieldSelector=metadata.name={name}"
        path = whole(target, self.ns)
        return self.srv.watch(path + ("&" if "?" in path else "?") + "watch=true", self.headers("GET", step))

    def fits(self, answer, step):
        if step.get("gone") or "code" in step:
            return answer.code == step.get("code", 404)
        return answer.code in (200, 201) and all(
            facts.at(answer.body, k) == v for k, v in step.get("until", {}).items()) and all(
            facts.at(answer.body, k) is not None for k in step.get("there", []))

    def wait(self, target, step):
        for _ in self.looks(target, step):
            answer = self.request(step.get("by", "GET"), target, step)
            if self.fits(answer, step):
                break
        else:
            self.fact("waited", "in vain")
        if not step.get("gone"):
            self.tell(answer, step)

    def watch(self, target, step):
        path = whole(target, self.ns) + ("&" if "?" in target else "?") + "watch=true"
        self.watches[step["name"]] = self.srv.watch(path, self.headers("GET", step))
        self.watches[step["name"]].opened.wait(self.patience)

    def events(self, name, step):
        watch, n = self.watches[name], 0
        while n < step.get("count", 1000):
            try:
                event = watch.next(self.patience)
            except queue.Empty:
                self.fact(f"{n}", "nothing comes")
                break
            if event is None:
                self.fact(f"{n}", "end")
                break
            n += 1
            self.event(n, event, step)
            if event["type"] == step.get("until"):
                break
        self.fact("code", watch.code)

    def event(self, n, event, step):
        self.normal.learn(event)
        self.fact(f"{n}.type", event["type"])
        if event["type"] == "ERROR":
            self.fact(f"{n}.error", facts.refusal(event["object"]))
            return
        for path in step.get("show", []):
            self.fact(f"{n}.{path}", facts.at(event["object"], path))
        for variable, path in step.get("save", {}).items():
            self.variables[variable] = facts.at(event["object"], path)

    # ---- the kubelet ----

    def pods(self, job):
        """Its pods, the oldest first, now and again with each of their events."""
        target = f"pods?labelSelector=batch.kubernetes.io/job-name={job}"
        for _ in self.looks(target, {}):
            yield sorted(self.request("GET", target, {}).body["items"], key=lambda pod: pod["metadata"]["creationTimestamp"])

    def kubelet(self, job, step):
        count = step.get("count", 1)
        for pods in self.pods(job):
            pods = [p for p in pods if p.get("status", {}).get("phase") in ("Pending", "Running")
                    and not p["metadata"].get("deletionTimestamp") and p["status"]["phase"] != step["phase"]]
            if len(pods) >= count:
                break
        self.fact("pods", len(pods))
        for pod in pods[:count]:
            self.pod_is(pod, step)

    def pod_is(self, pod, step):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        ended = step["phase"] in ("Succeeded", "Failed")
        state = {"terminated": {"exitCode": step.get("exit", 0 if step["phase"] == "Succeeded" else 1), "startedAt": now,
                                "finishedAt": now, "reason": "Completed"}} if ended else {"running": {"startedAt": now}}
        status = {"phase": step["phase"], "startTime": now, "conditions": step.get("conditions", []) + [
            {"type": "Ready", "status": "False" if ended else "True", "lastTransitionTime": now}],
                  "containerStatuses": [{"name": pod["spec"]["containers"][0]["name"], "ready": not ended, "image": "any",
                                         "imageID": "any", "restartCount": step.get("restarts", 0), "state": state}]}
        if step.get("reason"):
            status["reason"] = step["reason"]
        answer = self.request("PATCH", f"pods/{pod['metadata']['name']}/status",
                              {"type": "strategic", "body": {"status": status}})
        self.fact("status code", answer.code)

    def leave(self, job, step):
        left = 0
        for pods in self.pods(job):
            for pod in pods:
                if pod["metadata"].get("deletionTimestamp") and pod["status"]["phase"] not in ("Succeeded", "Failed"):
                    if step.get("phase"):
                        self.pod_is(pod, step)
                    self.request("DELETE", f"pods/{pod['metadata']['name']}?gracePeriodSeconds=0", {})
                    left += 1
            if left >= step.get("count", 1):
                break
        self.fact("pods", left)
