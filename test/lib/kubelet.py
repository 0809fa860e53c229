"""A kubelet of dice: the pods of Jobs start, work and end as a worker's would, or hang, vanish, are lost, report twice."""
import time

BETA = "/apis/stash.appscode.com/v1beta1/namespaces"


def stamp():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Pod:
    def __init__(self, meta, container):
        self.ns, self.name, self.container = meta["namespace"], meta["name"], container
        self.session = (meta.get("labels") or {}).get("stash.appscode.com/session")
        self.path = f"/api/v1/namespaces/{self.ns}/pods/{self.name}"
        self.lot, self.there = "good", True
        self.life, self.wait = None, 0.0


class Kubelet:
    """A pod's life is a generator: it gives seconds to wait for, or a request whose answer it waits for."""
    LOTS = {"good": 80, "fails": 6, "lost": 4, "hangs": 3, "vanishes": 3, "late": 2, "twice": 2}

    def __init__(self, api, dice, record, work_s=(0.3, 3.0)):
        self.api, self.dice, self.record, self.work_s = api, dice, record, work_s
        self.pods, self.behaves, self.counts = {}, False, dict.fromkeys(self.LOTS, 0)

    def changed(self, c):
        if c.kind != "Pod":
            return
        uid = c.meta("uid")
        if c.new is None and uid in self.pods:
            self.pods[uid].there = False
        elif c.old is None:
            pod = self.pods[uid] = Pod(c.any["metadata"], c.any["spec"]["containers"][0]["name"])
            if pod.session and not self.behaves:
                pod.lot = self.dice.choices(list(self.LOTS), self.LOTS.values())[0]
            self.counts[pod.lot] += 1
            pod.life = self._life(pod)

    def tick(self):
        now = time.time()
        for uid, pod in list(self.pods.items()):
            try:
                while pod.wait <= now if isinstance(pod.wait, float) else pod.wait.event.is_set():
                    wait = next(pod.life)
                    pod.wait = now + wait if isinstance(wait, float) else wait
            except StopIteration:
                del self.pods[uid]

    def behave(self):
        """From now on all work well, and what hangs ends."""
        self.behaves = True

    def _life(self, pod):
        yield self.dice.uniform(0.1, 1)
        yield from self._status(pod, "Running", {"running": {"startedAt": stamp()}})
        while pod.lot == "hangs" and pod.there and not self.behaves:
            yield 0.5
        yield self.dice.uniform(*self.work_s)
        if pod.lot == "vanishes":
            yield from self._until({200, 404}, lambda: self.api.send("DELETE", pod.path + "?gracePeriodSeconds=0"))
            return
        if pod.lot not in ("lost", "late"):
            yield from self._report(pod)
        bad = pod.lot in ("fails", "lost")
        yield from self._status(pod, "Failed" if bad else "Succeeded", {"terminated": {
            "exitCode": int(bad), "reason": "Error" if bad else "Completed", "finishedAt": stamp()}})
        if pod.lot in ("late", "twice"):  # a process that outlives its container
            yield self.dice.uniform(0, 10)
            yield from self._report(pod)

    @staticmethod
    def _until(good, ask):
        while True:
            answer = ask()
            yield answer
            if answer.status in good:
                return
            yield 0.3

    def _status(self, pod, phase, state):
        status = {"phase": phase, "containerStatuses": [
            {"name": pod.container, "ready": phase == "Running", "state": state}]}
        if phase == "Running":
            status["startTime"] = stamp()
        yield from self._until({200, 404}, lambda: self.api.merge(pod.path + "/status", {"status": status}))

    def _report(self, pod):
        """What update-status does: its host's entry into the target, everything else as it is."""
        host = {"hostname": "host-0", "phase": "Failed", "error": "the dice said so"} if pod.lot == "fails" else {
            "hostname": "host-0", "phase": "Succeeded", "duration": "1s"}
        while pod.session:
            session = self.record.objects.get(f"backupsessions.stash.appscode.com/{pod.ns}/{pod.session}")
            targets = (session or {}).get("status", {}).get("targets")
            if not targets:
                return
            answer = self.api.merge(f"{BETA}/{pod.ns}/backupsessions/{pod.session}/status", {
                "metadata": {"resourceVersion": session["metadata"]["resourceVersion"]},
                "status": {"targets": [{**targets[0], "stats": [host]}, *targets[1:]]}})
            yield answer
            if answer.status in (200, 404):
                return
            yield 0.3
