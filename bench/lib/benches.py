"""The benches: each alternates stashd and its peers over the same objects of the same API server, checks that what was
done is right, and hands a JSON line for every round to `emit`."""
import datetime
import statistics
import time

from lib import audit
from lib.cluster import user_name
from lib.programs import Failed, metrics, rest

BC = "/apis/stash.appscode.com/v1beta1/backupconfigurations"
APP = "/apis/appcatalog.appscode.com/v1alpha1/appbindings"
PREFIX = "bench"


def must(ok, what):
    if not ok:
        raise Failed(what)


class Bench:
    def __init__(self, programs, cluster, log, emit, options):
        self.p, self.c, self.audit, self.emit, self.o = programs, cluster, log, emit, options
        self.n = 0
        self.peers = getattr(options, "peers", True)  # False: stashd and the floors alone
        self.base = {}  # program -> KiB before the first object

    def requests(self, mark, program):
        events = self.audit.since(mark, user_name(program))
        return {"requests": audit.count(events), "writes": audit.writes(events), "reads": audit.reads(events)}, events

    def programs(self, peer):
        return ("stashd", peer) if self.peers else ("stashd",)

    # ---- the objects ----

    def seed(self, n, prefix=PREFIX, schedule="0 0 1 1 *"):
        """N configurations with their AppBindings, all found Ready by stashd."""
        spaces, began = -(-n // 100), time.time()
        for kind, count in (("namespaces", spaces), ("repositories", spaces), ("appbindings", n),
                            ("backupconfigurations", n)):
            line = self.p.run("seed", "-kind", kind, "-n", str(count), "-prefix", prefix, "-schedule", schedule)
            self.emit("seed", "seed", {"kind": kind, "n": count, "rate": line["rate"], "p50_ms": line["p50_ms"],
                                       "p99_ms": line["p99_ms"], "bytes_each": line["bytes_each"]})
        done = self.p.peer("jobdone", "-delay", "100ms", "-prefix", prefix)
        done.wait(60, event="synced")
        operator = self.p.stashd()
        self.c.await_phases("backupconfigurations", prefix, {"Ready": n}, 300 + n / 20)
        rest(operator, 300)
        operator.stop()
        done.stop()
        self.seed_s = time.time() - began

    # ---- f (in small): from exec to all watches open, without objects ----

    def cold(self):
        for round_ in range(self.o.rounds):
            for name in self.programs("informer"):
                if name == "stashd":
                    p = self.p.stashd()
                    _, s = p.wait(60, msg="caches complete")
                else:
                    p = self.p.peer("informer", "-watch")
                    _, s = p.wait(60, event="synced")
                self.base[name] = s["rss_kib"]
                self.emit("cold", name, {"round": round_, "wall_s": s["at"] - p.started, "cpu_s": s["cpu_s"],
                                         "rss_kib": s["rss_kib"]})
                p.stop()

    # ---- a: list until in step ----

    def sync(self, n):
        for round_ in range(self.o.rounds):
            floor = self.p.run("rawlist", "-stream", BC, APP)
            must(floor["objects"] >= 2 * n, f"rawlist saw {floor['objects']} objects of {2 * n}")
            self.emit("sync", "rawlist", {"n": n, "round": round_, "wall_s": floor["wall_s"], "bytes": floor["bytes"],
                                          "cpu_s": floor["list_cpu_s"]})
            self._sync_stashd(n, round_, floor["wall_s"])
            for mode in ("list", "watchlist", "metadata") if self.peers else ():
                self._sync_informer(n, round_, mode, floor["wall_s"])

    def _sync_stashd(self, n, round_, floor_s):
        mark = self.audit.mark()
        p = self.p.stashd()
        line, s = p.wait(600, msg="caches complete")
        must(line["configurations"] == n, f"stashd holds {line['configurations']} configurations of {n}")
        calm = rest(p, 600)
        counted, _ = self.requests(mark, "stashd")
        must(counted["writes"] == 0 or not self.o.strict, f"writes at the start: {counted}")
        self.emit("sync", "stashd", self._sync_row(n, round_, floor_s, p, s, "stashd") | {
            "rest_cpu_s": calm["cpu_s"], "rest_rss_kib": calm["rss_kib"], "rest_peak_kib": calm["peak_kib"], **counted})
        p.stop()

    def _sync_informer(self, n, round_, mode, floor_s):
        p = self.p.peer("informer", "-mode", mode, "-watch")
        line, s = p.wait(600, event="synced")
        time.sleep(2)
        calm = p.sample()
        p.stop()
        must(p.lines[-1][0]["objects"] == 2 * n, f"informer holds {p.lines[-1][0]['objects']} objects of {2 * n}")
        self.emit("sync", "informer " + mode, self._sync_row(n, round_, floor_s, p, s, "informer") | {
            "rest_cpu_s": calm["cpu_s"], "rest_rss_kib": calm["rss_kib"], "rest_peak_kib": calm["peak_kib"],
            "heap": line["heap"]})

    def _sync_row(self, n, round_, floor_s, p, s, name):
        wall = s["at"] - p.started
        return {"n": n, "round": round_, "wall_s": wall, "to_floor": wall / floor_s, "cpu_s": s["cpu_s"],
                "us_per_object": s["cpu_s"] * 1e6 / (2 * n), "rss_kib": s["rss_kib"], "peak_kib": s["peak_kib"],
                "bytes_per_object": (s["rss_kib"] - self.base.get(name, 0)) * 1024 / (2 * n)}

    # ---- b: events ----

    def storm(self, n, rate, seconds):
        for round_ in range(self.o.rounds):
            for name in self.programs("informer"):
                mark = self.audit.mark()
                p = self.p.stashd() if name == "stashd" else self.p.peer("informer", "-watch")
                p.wait(600, **({"msg": "caches complete"} if name == "stashd" else {"event": "synced"}))
                before = rest(p, 600) if name == "stashd" else (time.sleep(3), p.sample())[1]
                storm = self.p.run("storm", "-n", str(n), "-rate", str(rate), "-for", f"{seconds}s")
                after = rest(p, 600) if name == "stashd" else (time.sleep(3), p.sample())[1]
                row = {"n": n, "round": round_, "patches": storm["patches"], "rate": storm["rate"],
                       "us_per_event": (after["cpu_s"] - before["cpu_s"]) * 1e6 / storm["patches"],
                       "rss_before_kib": before["rss_kib"], "rss_after_kib": after["rss_kib"],
                       "growth": after["rss_kib"] / before["rss_kib"] - 1}
                p.stop()
                if name == "informer":
                    last = p.lines[-1][0]
                    must(last["events"] >= storm["patches"], f"informer saw {last['events']} of {storm['patches']}")
                    row |= {"lag_p50_ms": last["lag_p50_ms"], "lag_p99_ms": last["lag_p99_ms"]}
                else:
                    row |= self.requests(mark, "stashd")[0]
                self.emit("storm flat out" if rate == 0 else "storm", name, row)

    # ---- d: sessions ----

    def session(self, m):
        for round_ in range(self.o.rounds):
            for name in self.programs("session"):
                self.clear_sessions(m)
                self._sessions(m, round_, name)
        self.clear_sessions(m)

    def clear_sessions(self, m, prefix=PREFIX):
        for kind in ("backupsessions", "jobs"):
            self.p.run("seed", "-delete", "-kind", kind, "-n", str(m), "-prefix", prefix)

    def clear_configurations(self, n, prefix=PREFIX):
        for kind in ("backupconfigurations", "appbindings"):
            self.p.run("seed", "-delete", "-kind", kind, "-n", str(n), "-prefix", prefix)

    def _operator(self, name):
        if name == "stashd":
            p = self.p.stashd()
            _, s = p.wait(600, msg="caches complete")
            rest(p, 600)
        else:
            p = self.p.peer("session", "-bench-kubeconfig", self.p.kubeconfigs["session"])
            _, s = p.wait(600, event="synced")
            time.sleep(2)
        return p, s

    def _sessions(self, m, round_, name):
        operator, _ = self._operator(name)
        done = self.p.peer("jobdone", "-delay", "1s")
        done.wait(60, event="synced")
        mark, before = self.audit.mark(), operator.sample()
        line = self.p.run("seed", "-kind", "backupsessions", "-n", str(m), "-run", f"{name[:1]}{round_}")
        self.c.await_phases("backupsessions", PREFIX, {"Succeeded": m}, 120 + m / 5)
        wall = time.time() - line["started"]
        time.sleep(3)
        after = rest(operator, 300) if name == "stashd" else operator.sample()
        counted, events = self.requests(mark, name)
        made = audit.creations(self.audit.since(mark, user_name("seed")), "backupsessions")
        operator.stop()
        done.stop()
        jobs = done.lines[-1][0]
        must(jobs["sessions"] == m and jobs["double"] == 0, f"{name}: {jobs}")
        delays = sorted(at - made[owner] for owner, at in self.first_jobs(events, made).items())
        self.emit("session", name, {
            "sessions": m, "round": round_, "seed_rate": line["rate"], "wall_s": wall, "rate": m / wall,
            "cpu_ms_per_session": (after["cpu_s"] - before["cpu_s"]) * 1e3 / m, "peak_kib": after["peak_kib"],
            "writes_per_session": counted["writes"] / m, "reads_per_session": counted["reads"] / m,
            "to_job_p50_ms": 1e3 * delays[len(delays) // 2] if delays else None,
            "to_job_p99_ms": 1e3 * delays[int(len(delays) * 0.99)] if delays else None, **counted})

    @staticmethod
    def first_jobs(events, made):
        """{session: when its Job was asked for}: a Job's name ends with (or contains) its session's."""
        out = {}
        for job, at in audit.creations(events, "jobs").items():
            ns, _, name = job.partition("/")
            for cut in (name.removeprefix("backup-"), name.removeprefix("stash-backup-"), name.rsplit("-", 1)[0],
                        name.removeprefix("stash-backup-").rsplit("-", 1)[0]):
                if f"{ns}/{cut}" in made:
                    out[f"{ns}/{cut}"] = at
                    break
        return out

    # ---- c: due at one second ----

    def fire(self, n):
        """Due when the objects are there and Ready: after as long as those before took, and a half."""
        due = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60 + 1.5 * self.seed_s)
        due = due.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
        schedule = due.strftime("%-M %-H %-d %-m *")
        self.seed(n, prefix="fire", schedule=schedule)
        floor = self.p.run("seed", "-kind", "backupsessions", "-n", str(n), "-prefix", "fire", "-run", "floor")
        self.clear_sessions(n, "fire")  # nobody worked on these
        cronjobs = 0 if self.o.smoke or not self.peers else min(n, 200)
        if cronjobs:
            self.p.run("seed", "-kind", "cronjobs", "-n", str(cronjobs), "-schedule", self._cron_minute(due, n))
        done = self.p.peer("jobdone", "-delay", "1s", "-prefix", "fire")
        done.wait(60, event="synced")
        operator, _ = self._operator("stashd")
        must(time.time() < due.timestamp() - 1, "the objects were not ready before they were due")
        mark, before = self.audit.mark(), operator.sample()
        time.sleep(due.timestamp() - time.time() + 1)
        self.c.await_phases("backupsessions", "fire", {"Succeeded": n}, 120 + n / 5)
        after = rest(operator, 300)
        counted, events = self.requests(mark, "stashd")
        operator.stop()
        done.stop()
        made = audit.creations(events, "backupsessions")
        late = sorted(at - due.timestamp() for at in made.values())
        if self.audit.path:
            must(len(made) == n, f"{len(made)} sessions were made for {n} due times")
            must(late[0] >= 0, f"a session came {-late[0]:.3f} s early")
            jobs = [at - due.timestamp() for at in audit.creations(events, "jobs").values()]
            self.emit("fire", "stashd", {
                "n": n, "late_p50_s": late[n // 2], "late_p99_s": late[int(n * 0.99)], "late_max_s": late[-1],
                "first_s": late[0], "drain_rate": n / late[-1], "seed_rate": floor["rate"],
                "to_floor": n / late[-1] / floor["rate"], "all_jobs_s": max(jobs),
                "cpu_ms_per_session": (after["cpu_s"] - before["cpu_s"]) * 1e3 / n, **counted})
            if cronjobs:
                self._cronjobs(mark, cronjobs, due, n)
        if cronjobs:
            self.p.run("seed", "-delete", "-kind", "cronjobs", "-n", str(cronjobs))
        self.clear_sessions(n, "fire")
        self.clear_configurations(n, "fire")

    @staticmethod
    def _cron_minute(due, n):
        """CronJobs are due after ours, so that neither slows the other down."""
        return (due + datetime.timedelta(minutes=2 + n // 3000)).strftime("%-M %-H %-d %-m *")

    def _cronjobs(self, mark, cronjobs, due, n):
        at = due + datetime.timedelta(minutes=2 + n // 3000)
        user = "system:serviceaccount:kube-system:cronjob-controller"
        end = time.time() + max(0, at.timestamp() - time.time()) + 60 + cronjobs / 4
        while len(late := sorted(t - at.timestamp() for t in
                                 audit.creations(self.audit.since(mark, user), "jobs").values())) < cronjobs:
            must(time.time() < end, f"the CronJob controller made {len(late)} Jobs of {cronjobs}")
            time.sleep(2)
        self.emit("fire", "CronJob controller", {
            "n": n, "cronjobs": cronjobs, "late_p50_s": late[len(late) // 2], "late_p99_s": late[int(len(late) * 0.99)],
            "late_max_s": late[-1], "first_s": late[0], "drain_rate": cronjobs / late[-1]})
        self.p.run("seed", "-delete", "-kind", "jobs", "-n", str(cronjobs))

    # ---- g: killed ----

    def kill(self, n, m, kills=3):
        for name in ("stashd", "session"):
            self.clear_sessions(m)
            done = self.p.peer("jobdone", "-delay", "1s")
            done.wait(60, event="synced")
            operator, _ = self._operator(name)
            floor = self.p.run("rawlist", "-stream", BC, APP)
            storm = self.p.peer("storm", "-n", str(n), "-rate", "100", "-for", f"{10 + kills * 10}s")
            seed = self.p.peer("seed", "-kind", "backupsessions", "-n", str(m), "-run", f"k{name[:1]}",
                               "-inflight", "4")
            caught = []
            for _ in range(kills):
                time.sleep(1)
                operator.kill()
                started = time.time()
                operator, synced = self._operator_at_once(name)
                caught.append(synced["at"] - started)
            seed.finish(600)
            storm.finish(600)
            self.c.await_phases("backupsessions", PREFIX, {"Succeeded": m}, 180 + m / 5)
            operator.stop()
            done.stop()
            jobs = done.lines[-1][0]
            must(jobs["sessions"] == m and jobs["double"] == 0, f"{name}: {jobs}")
            self.emit("kill", name, {"n": n, "sessions": m, "kills": kills, "caught_up_s": statistics.median(caught),
                                     "all_s": caught, "to_floor": statistics.median(caught) / floor["wall_s"],
                                     "floor_s": floor["wall_s"], "double": jobs["double"],
                                     "lost": m - jobs["sessions"]})
        self.clear_sessions(m)

    def _operator_at_once(self, name):
        if name == "stashd":
            p = self.p.stashd()
            return p, p.wait(600, msg="caches complete")[1]
        p = self.p.peer("session", "-bench-kubeconfig", self.p.kubeconfigs["session"])
        return p, p.wait(600, event="synced")[1]
