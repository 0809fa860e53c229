"""Sessions that run for real, among many that jobdone stands in for: each has a database to dump, a repository on an S3
server and a pod on some node, and its times are read from the pod. The cluster has the images of images/ and of
test/e2e/kind (bench/kind brings all of it)."""
import json
import os
import re
import secrets
import statistics

from lib import audit
from lib.benches import PREFIX, must
from lib.cluster import user_name

NS = "real-pods"
BETA = "stash.appscode.com/v1beta1"
ROWS = 4000
TABLE = f"""CREATE DATABASE bench; USE bench; CREATE TABLE t (id INT PRIMARY KEY, pad VARBINARY(480))
SELECT seq AS id, CONCAT(UNHEX(SHA2(CONCAT('a', seq), 512)), UNHEX(SHA2(CONCAT('b', seq), 512)),
UNHEX(SHA2(CONCAT('c', seq), 512)), UNHEX(SHA2(CONCAT('d', seq), 512)), UNHEX(SHA2(CONCAT('e', seq), 512))) AS pad
FROM seq_1_to_{ROWS};"""


def documents(objects):
    return "\n---\n".join(map(json.dumps, objects))


def secret(name, values):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NS}, "stringData": values}


def configuration(name):
    """A BackupConfiguration and all that it uses: sessions of one target or repository would wait for each other."""
    def of(version, kind, spec):
        return {"apiVersion": version, "kind": kind, "metadata": {"name": name, "namespace": NS}, "spec": spec}
    return [
        of("stash.appscode.com/v1alpha1", "Repository", {"backend": {"storageSecretName": "backend", "s3": {
            "endpoint": f"http://s3.{NS}.svc:9000", "bucket": "backups", "prefix": "/" + name,
            "region": "us-east-1"}}}),
        of("appcatalog.appscode.com/v1alpha1", "AppBinding", {
            "type": "kubedb.com/perconaxtradb", "version": "10.11", "secret": {"name": "db-auth"},
            "clientConfig": {"service": {"name": "db", "port": 3306, "scheme": "mysql"}}}),
        of(BETA, "BackupConfiguration", {
            "schedule": "0 5 31 2 *", "task": {"name": "mariadb-backup-10.11"}, "repository": {"name": name},
            "target": {"ref": {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "name": name}},
            "retentionPolicy": {"name": "last-five", "keepLast": 5, "prune": True}, "timeOut": "15m"}),
    ]


def session(name):
    return {"apiVersion": BETA, "kind": "BackupSession", "metadata": {"name": name, "namespace": NS}, "spec": {
        "invoker": {"apiGroup": "stash.appscode.com", "kind": "BackupConfiguration", "name": name}}}


class Pods:
    def __init__(self, bench):
        self.b, self.c = bench, bench.c
        with open(os.path.join(self.c.root, "CMakeLists.txt"), encoding="utf-8") as f:
            self.version = re.search(r"project\(stashd VERSION ([0-9.]+)", f.read()).group(1)

    # ---- what it backs up, and whereto ----

    def _apply(self, objects):
        self.c.kubectl("apply", "-f", "-", stdin=documents(objects))

    def _manifest(self, name):
        """One of the end-to-end tests', in our namespace; of the database one node."""
        with open(os.path.join(self.c.root, "test/e2e/kind", name + ".yaml"), encoding="utf-8") as f:
            text = f.read().replace("@VERSION@", self.version).replace("namespace: demo", "namespace: " + NS)
        self.c.kubectl("apply", "-f", "-", stdin=text.replace("replicas: 3", "replicas: 1"))

    def _up(self, names):
        key, word, password = (secrets.token_hex(12) for _ in range(3))
        self._apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}},
                     secret("backend", {"RESTIC_PASSWORD": secrets.token_hex(12), "AWS_ACCESS_KEY_ID": key,
                                        "AWS_SECRET_ACCESS_KEY": word}),
                     secret("s3-server", {"auth": f'"{key},{word}"'}),
                     secret("db-auth", {"username": "stash", "password": password})])
        self._manifest("s3")
        self._manifest("galera")
        self.c.kubectl("-n", NS, "rollout", "status", "deployment/s3", "--timeout=180s")
        self.c.kubectl("-n", NS, "rollout", "status", "statefulset/db", "--timeout=300s")
        self.c.kubectl("-n", NS, "exec", "-i", "db-0", "--", "mariadb", "--no-defaults", "-u", "mysql", "-S",
                       "/run/mysqld/mysqld.sock", stdin=TABLE)
        self._apply([o for name in names for o in configuration(name)])
        self.c.await_phases("backupconfigurations", "real", {"Ready": len(names)}, 180)

    # ---- the sessions ----

    def run(self, n, m, pods):
        names = [f"real-{i}" for i in range(pods)]
        operator = self.b.p.stashd("--image=stashd:" + self.version, "--pushgateway-mode=none")
        operator.wait(600, msg="caches complete")
        try:
            self._up(names)
            for round_ in range(self.b.o.rounds):
                self.b.clear_sessions(m)
                self.c.kubectl("-n", NS, "delete", "backupsession", "--all", "--wait", "--cascade=foreground")
                self._round(n, m, round_, names)
        finally:
            self.c.kubectl("delete", "namespace", NS, "--wait", "--timeout=180s")
        self.b.clear_sessions(m)
        operator.stop()

    def _round(self, n, m, round_, names):
        done = self.b.p.peer("jobdone", "-delay", "1s")
        done.wait(60, event="synced")
        mark = self.b.audit.mark()
        seed = self.b.p.peer("seed", "-kind", "backupsessions", "-n", str(m), "-run", f"p{round_}")
        self.c.kubectl("--kubeconfig", self.b.p.kubeconfigs["seed"], "create", "-f", "-",
                       stdin=documents(map(session, names)))
        seed.finish(600)
        self.c.await_phases("backupsessions", PREFIX, {"Succeeded": m}, 300 + m / 2)
        self.c.await_phases("backupsessions", "real", {"Succeeded": len(names)}, 300 + 30 * len(names))
        self.c.kubectl("-n", NS, "wait", "--for=condition=Complete", "jobs", "--all", "--timeout=120s")
        done.stop()
        jobs = done.lines[-1][0]
        must(jobs["sessions"] == m and jobs["double"] == 0, f"sessions without pods: {jobs}")
        self.b.emit("pods", "stashd", {"n": n, "sessions": m, "round": round_, "pods": len(names),
                                       **self._times(mark, names)})

    def _times(self, mark, names):
        """Medians and greatest of the steps of a session. Kubernetes' own times are whole seconds."""
        sessions = {o["metadata"]["name"]: o for o in self._list(f"/apis/{BETA}", "backupsessions")}
        jobs = {o["metadata"]["ownerReferences"][0]["name"]: o for o in self._list("/apis/batch/v1", "jobs")}
        label = "stash.appscode.com/session"
        pods = [o for o in self._list("/api/v1", "pods") if label in o["metadata"].get("labels", {})]
        must(len(pods) == len(jobs) == len(names), f"{len(pods)} pods and {len(jobs)} Jobs for {len(names)} sessions")
        steps = {k: [] for k in ("whole_s", "to_job_s", "pod_start_s", "worker_s", "report_s", "to_end_s")}
        asked = self._asked(mark)
        for pod in pods:
            name = pod["metadata"]["labels"][label]
            made = audit.seconds(sessions[name]["metadata"]["creationTimestamp"])
            job = audit.seconds(jobs[name]["metadata"]["creationTimestamp"])
            worker = pod["status"]["initContainerStatuses"][0]["state"]["terminated"]
            report = pod["status"]["containerStatuses"][0]["state"]["terminated"]
            end = max(audit.seconds(c["lastTransitionTime"]) for c in sessions[name]["status"]["conditions"]
                      if c["type"] == "MetricsPushed")
            snapshots = [x for t in sessions[name]["status"]["targets"] for h in t["stats"] for x in h["snapshots"]]
            must(len(snapshots) == 1, f"session {name} has {len(snapshots)} snapshots")
            for key, took in (("whole_s", end - made), ("to_job_s", asked.get(f"{NS}/{name}", job - made)),
                              ("pod_start_s", audit.seconds(worker["startedAt"]) - job),
                              ("worker_s", audit.seconds(worker["finishedAt"]) - audit.seconds(worker["startedAt"])),
                              ("report_s", audit.seconds(report["finishedAt"]) - audit.seconds(report["startedAt"])),
                              ("to_end_s", end - audit.seconds(report["finishedAt"]))):
                steps[key].append(took)
        out = {"nodes": len({pod["spec"]["nodeName"] for pod in pods})}
        for key, all_ in steps.items():
            out[key] = statistics.median(all_)
            out[key.removesuffix("_s") + "_max_s"] = max(all_)
        return out

    def _asked(self, mark):
        """{session: seconds until its Job was asked for}, to the millisecond where there is an audit log."""
        made = audit.creations(self.b.audit.since(mark, user_name("seed")), "backupsessions")
        jobs = self.b.first_jobs(self.b.audit.since(mark, user_name("stashd")), made)
        return {name: at - made[name] for name, at in jobs.items()}

    def _list(self, group, plural):
        return self.c.get(f"{group}/namespaces/{NS}/{plural}")["items"]
