"""The API server under the benches: kinds, rights, a user for each program, and the objects."""
import base64
import glob
import json
import os
import subprocess
import time

from lib.programs import Failed

USERS = ("informer", "session", "seed", "storm", "jobdone", "rawlist")

# Jobs of the benches' namespaces are completed by jobdone: this keeps the cluster's Job controller away from them.
OWN_JOBS = """
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: bench-jobs-are-ours}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [batch], apiVersions: [v1], operations: [CREATE], resources: [jobs]}]
  failurePolicy: Fail
  reinvocationPolicy: Never
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: 'Object{spec: Object.spec{managedBy: "bench.example.com/jobdone"}}'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: bench-jobs-are-ours}
spec:
  policyName: bench-jobs-are-ours
  matchResources: {namespaceSelector: {matchLabels: {bench: jobs-are-ours}}}
"""


class Cluster:
    def __init__(self, kubeconfig, root, folder):
        self.kubeconfig, self.root, self.folder = kubeconfig, root, folder

    def kubectl(self, *words, stdin=None):
        r = subprocess.run(["kubectl", "--kubeconfig", self.kubeconfig, *words], input=stdin, text=True,
                           capture_output=True, check=False)
        if r.returncode != 0:
            raise Failed(f"kubectl {' '.join(words)}: {r.stderr.strip()[-500:]}")
        return r.stdout

    def get(self, path):
        return json.loads(self.kubectl("get", "--raw", path))

    def version(self):
        return self.get("/version")["gitVersion"]

    def install(self):
        """Kinds, the chart's rights and catalogue, and accounts for the programs."""
        chart = os.path.join(self.root, "chart")
        self.kubectl("apply", "--server-side", "-f", os.path.join(chart, "templates/crds"))
        for crd in glob.glob(os.path.join(chart, "templates/crds/*.yaml")):
            self.kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", crd)
        self.kubectl("apply", "-f", "-", stdin="".join(
            f"---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {ns}}}\n" for ns in ("stash", "programs")))
        self.kubectl("apply", "-f", os.path.join(chart, "manifests/rbac"), "-f",
                     os.path.join(chart, "manifests/catalog"))
        self.keep_jobs()
        self.kubectl("apply", "-f", "-", stdin="".join(
            f"---\napiVersion: v1\nkind: ServiceAccount\nmetadata: {{name: {u}, namespace: programs}}\n" for u in USERS)
            + "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding\nmetadata: {name: bench}\n"
            "roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}\n"
            "subjects: [{apiGroup: rbac.authorization.k8s.io, kind: Group, name: 'system:serviceaccounts:programs'}]\n")

    def keep_jobs(self):
        self.kubectl("apply", "-f", "-", stdin=OWN_JOBS)

    def server(self):
        return json.loads(self.kubectl("config", "view", "--minify", "-o", "json"))["clusters"][0]["cluster"]["server"]

    def users(self):
        """A kubeconfig for each program: {name: file}."""
        out = {"stashd": self._user("stash", "stashd")}
        for name in USERS:
            out[name] = self._user("programs", name)
        return out

    def _user(self, ns, name):
        view = json.loads(self.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        cluster = view["clusters"][0]["cluster"]
        if "certificate-authority" in cluster:
            with open(cluster.pop("certificate-authority"), "rb") as f:
                cluster["certificate-authority-data"] = base64.b64encode(f.read()).decode()
        token = self.kubectl("create", "token", name, "-n", ns, "--duration=24h").strip()
        file = os.path.join(self.folder, name + ".kubeconfig")
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as f:
            json.dump({"apiVersion": "v1", "kind": "Config", "current-context": "c",
                       "contexts": [{"name": "c", "context": {"cluster": "c", "user": name, "namespace": ns}}],
                       "clusters": [{"name": "c", "cluster": cluster}],
                       "users": [{"name": name, "user": {"token": token}}]}, f)
        return file

    def phases(self, plural, prefix):
        """{phase: how many} of the benches' objects of that kind."""
        out, more = {}, ""
        while True:  # in pages: a list of 50,000 takes a busy server longer than it lets a request live
            page = self.get(f"/apis/stash.appscode.com/v1beta1/{plural}?limit=5000" + (more and "&continue=" + more))
            for o in page["items"]:
                if o["metadata"]["namespace"].startswith(prefix + "-"):
                    phase = o.get("status", {}).get("phase", "")
                    out[phase] = out.get(phase, 0) + 1
            more = page["metadata"].get("continue")
            if not more:
                return out

    def await_phases(self, plural, prefix, wanted, seconds):
        end = time.time() + seconds
        while True:
            began = time.time()
            if (got := self.phases(plural, prefix)) == wanted:
                return
            if time.time() > end or "Failed" in got or "Invalid" in got or "Skipped" in got:
                raise Failed(f"{plural} of {prefix}-*: {got}, wanted {wanted}")
            time.sleep(max(1, 9 * (time.time() - began)))  # to look costs the server, too


def user_name(program):
    return "system:serviceaccount:stash:stashd" if program == "stashd" else f"system:serviceaccount:programs:{program}"
