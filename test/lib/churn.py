"""Users who never rest: they make, edit, pause and delete what the operator works with, and make again what is missing."""
BETA = "/apis/stash.appscode.com/v1beta1"
ALPHA = "/apis/stash.appscode.com/v1alpha1"
APPS = "/apis/appcatalog.appscode.com/v1alpha1"
SCHEDULES = ("@every 3s", "@every 5s", "@every 7s", "@every 11s", "@every 20s", "* * * * *", "*/2 * * * *", "1-59/2 * * * *")


def configuration(name, schedule):
    return {"apiVersion": "stash.appscode.com/v1beta1", "kind": "BackupConfiguration", "metadata": {"name": name},
            "spec": {"schedule": schedule, "task": {"name": "storm"}, "repository": {"name": "repo"},
                     "target": {"ref": {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding",
                                        "name": name}},
                     "retentionPolicy": {"name": "keep", "keepLast": 5, "prune": True}, "timeOut": "20s",
                     "backupHistoryLimit": 3, "retryConfig": {"maxRetry": 1, "delay": "2s"}}}


def appbinding(name):
    return {"apiVersion": "appcatalog.appscode.com/v1alpha1", "kind": "AppBinding", "metadata": {"name": name},
            "spec": {"type": "kubedb.com/perconaxtradb", "secret": {"name": "auth"},
                     "clientConfig": {"service": {"scheme": "mysql", "name": name, "port": 3306}}}}


REPOSITORY = {"apiVersion": "stash.appscode.com/v1alpha1", "kind": "Repository", "metadata": {"name": "repo"},
              "spec": {"backend": {"storageSecretName": "storage",
                                   "s3": {"endpoint": "s3.example.org", "bucket": "b", "prefix": "/storm"}}}}


class Churn:
    """taken: the judge's set of what users took away."""

    def __init__(self, api, dice, record, taken, namespaces, each):
        self.api, self.dice, self.record, self.taken = api, dice, record, taken
        self.wanted = {f"team-{n}": [f"db-{n}-{i}" for i in range(each)] for n in range(namespaces)}
        self.schedules = {name: dice.choice(SCHEDULES) for names in self.wanted.values() for name in names}
        self.counts = {}
        self.deeds = {self.edit: 8, self.pause: 5, self.resume: 8, self.touch: 20, self.history: 5, self.take_session: 5,
                      self.take_job: 4, self.take_pod: 4, self.take_configuration: 3, self.take_binding: 1,
                      self.take_repository: 1, self.take_namespace: 0.3, self.take_account: 1, self.mend: 10}

    def act(self):
        deed = self.dice.choices(list(self.deeds), self.deeds.values())[0]
        if deed() is not False:
            self.counts[deed.__name__] = self.counts.get(deed.__name__, 0) + 1

    def mend(self):
        """Makes what should be there and is not; returns the answers to come."""
        todo = []
        for ns, names in self.wanted.items():
            o = self.record.objects
            if f"namespaces//{ns}" not in o:
                self.taken.discard(ns)
                todo.append(self.api.send("POST", "/api/v1/namespaces", {"metadata": {"name": ns}}))
                continue
            for name in names:
                if f"appbindings.appcatalog.appscode.com/{ns}/{name}" not in o:
                    todo.append(self.api.send("POST", f"{APPS}/namespaces/{ns}/appbindings", appbinding(name)))
                if f"backupconfigurations.stash.appscode.com/{ns}/{name}" not in o:
                    todo.append(self.api.send("POST", f"{BETA}/namespaces/{ns}/backupconfigurations",
                                              configuration(name, self.schedules[name])))
            if f"repositories.stash.appscode.com/{ns}/repo" not in o:
                todo.append(self.api.send("POST", f"{ALPHA}/namespaces/{ns}/repositories", REPOSITORY))
        return todo

    def whole(self):
        return all(f"backupconfigurations.stash.appscode.com/{ns}/{name}" in self.record.objects
                   for ns, names in self.wanted.items() for name in names)

    # ---- deeds; False: there was nothing to do it to ----

    def _any(self):
        ns = self.dice.choice(list(self.wanted))
        name = self.dice.choice(self.wanted[ns])
        return name, f"{BETA}/namespaces/{ns}/backupconfigurations/{name}"

    def _patch(self, spec):
        return self.api.merge(self._any()[1], {"spec": spec})

    def edit(self):
        name, path = self._any()
        self.schedules[name] = self.dice.choice(SCHEDULES)
        return self.api.merge(path, {"spec": {"schedule": self.schedules[name]}})

    def pause(self):
        return self._patch({"paused": True})

    def resume(self):
        return self._patch({"paused": False})

    def history(self):
        return self._patch({"backupHistoryLimit": self.dice.randint(1, 4)})

    def touch(self):
        return self.api.merge(self._any()[1], {"metadata": {"labels": {"touched": str(self.dice.random())}}})

    def _take(self, plural, group):
        own = [key for key in self.record.objects if key.startswith(f"{plural}/team-")]
        if not own:
            return False
        key = self.dice.choice(sorted(own))
        _, ns, name = key.split("/")
        self.taken.add(key)
        return self.api.send("DELETE", f"{group}/namespaces/{ns}/{plural.partition('.')[0]}/{name}")

    def take_session(self):
        return self._take("backupsessions.stash.appscode.com", BETA)

    def take_job(self):
        return self._take("jobs.batch", "/apis/batch/v1")

    def take_pod(self):
        return self._take("pods", "/api/v1")

    def take_configuration(self):
        return self._take("backupconfigurations.stash.appscode.com", BETA)

    def take_binding(self):
        return self._take("appbindings.appcatalog.appscode.com", APPS)

    def take_repository(self):
        return self._take("repositories.stash.appscode.com", ALPHA)

    def take_account(self):
        return self._take("serviceaccounts", "/api/v1")

    def take_namespace(self):
        ns = self.dice.choice(list(self.wanted))
        self.taken.add(ns)
        return self.api.send("DELETE", f"/api/v1/namespaces/{ns}")
