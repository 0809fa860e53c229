"""The judge of a storm: follows all that was committed and says what must never be. It has its own idea of schedules.

  - an invoker has at most one running session, a session at most one Job at a time and one in its life, unless a user
    took its Job away; a phase that is final stays;
  - each due time is made, coalesced or skipped in the ledger, once, and what it calls made has its session; a session is
    for a due time, made once, and not after its due time was dealt with. Known, and only counted: a new leader whose
    watch of sessions is behind calls coalesced what the one before had just made (mistold); and of what was due and not
    yet dealt with around the edit of its schedule, only the latest is told of (edited_away);
  - history never takes the last session that succeeded. It may have asked whether another is there, and a user take
    that one away while the request is on its way through a proxy that delays it: only counted (raced). How long that may
    be is known: the operator goes by an answer for 5 s, gives a request up 5 s later, and what holds it is in holds.
"""
import calendar
import json
import time

STASH = "stash.appscode.com"
LAST, TEXT, LEDGER = STASH + "/last-schedule-time", STASH + "/last-schedule", STASH + "/schedule-ledger"
RETRY = STASH + "/retry-of"
FINAL = {"Succeeded", "Failed", "Skipped"}
ON_ITS_WAY_S = 5 + 5 + 4  # the two above, and a piece that a proxy delays by two seconds, behind one like it


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


class Schedule:
    """"@every Ns", or minutes of every hour ("*", "*/2", "1-59/2", "7,21"), which is all that minutes of a test can see."""

    def __init__(self, text):
        self.every, self.minutes = 0, set()
        if text.startswith("@every "):
            self.every = int(text.removeprefix("@every ").removesuffix("s"))
            return
        minutes, rest = text.split(" ", 1)
        assert rest == "* * * *", text
        for part in minutes.split(","):
            span, _, step = part.partition("/")
            first, _, last = ("0-59" if span == "*" else span).partition("-")
            self.minutes |= set(range(int(first), int(last or first) + 1, int(step or 1)))

    def next(self, after):
        if self.every:
            return after + self.every
        t = after // 60 * 60 + 60
        while t // 60 % 60 not in self.minutes:
            t += 60
        return t

    def count(self, after, until):
        """How many are in (after, until]."""
        n, t = 0, self.next(after)
        while t <= until:
            n, t = n + 1, self.next(t)
        return n


class Invoker:
    def __init__(self, name, created):
        self.name, self.last, self.running, self.good = name, created, None, 0
        self.ledger = {"made": 0, "coalesced": 0, "skipped": 0}
        self.edited, self.good_taken = created, 0.0
        self.text, self.told, self.schedules, self.exists, self.active = None, None, [], True, False


class Session:
    def __init__(self, invoker, name):
        self.invoker, self.name, self.phase, self.good, self.exists = invoker, name, "", False, True
        self.jobs = self.jobs_ever = 0
        self.by_user = self.job_taken = False


class Judge:
    def __init__(self, say):
        self.say, self.wrong = say, 0
        self.invokers, self.sessions, self.by_uid = {}, {}, {}
        self.holds = []  # (from, to) of what holds requests on their way
        self.taken = set()  # keys of objects and names of namespaces that the storm's own user took away
        self.totals = dict.fromkeys(("due", "made", "coalesced", "skipped", "mistold", "edited_away", "raced", "sessions",
                                     "jobs", *FINAL), 0)

    def violation(self, text):
        self.wrong += 1
        self.say("VIOLATION: " + text)

    def changed(self, c):
        judge = {"BackupConfiguration": self._invoker, "BackupSession": self._session, "Job": self._job}.get(c.kind)
        if judge:
            judge(c)

    def _was_user(self, c):
        return c.key in self.taken or c.meta("namespace") in self.taken

    # ---- schedules ----

    def _invoker(self, c):
        meta, spec = c.any["metadata"], c.any["spec"]
        i = self.invokers.get(meta["uid"])
        if i is None:
            i = Invoker(f"{meta['namespace']}/{meta['name']}", seconds(meta["creationTimestamp"]))
            self.invokers[meta["uid"]] = i
            self._schedule(i, spec["schedule"])
        self._ledger(i, c.any, meta.get("annotations") or {})  # by the schedule from before
        if spec["schedule"] != i.text:
            if i.active and i.told in (None, i.text):
                self.totals["edited_away"] += i.schedules[0].count(i.last, time.time())
            i.edited = int(time.time())
        self._schedule(i, spec["schedule"])
        i.exists = c.new is not None and "deletionTimestamp" not in meta
        i.active = c.any.get("status", {}).get("phase") == "Ready" and not spec.get("paused")

    @staticmethod
    def _schedule(i, text):
        if text != i.text:
            i.text, i.schedules = text, [Schedule(text), *i.schedules[:4]]

    def _ledger(self, i, o, annotations):
        ledger = {k: json.loads(annotations.get(LEDGER, "{}")).get(k, 0) for k in i.ledger}
        last = seconds(annotations[LAST]) if LAST in annotations else i.last
        if last < i.last:
            self.violation(f"{i.name}: last-schedule-time went back")
        if last != i.last:
            self._sums(i, o["metadata"], last, {k: ledger[k] - i.ledger[k] for k in ledger})
            i.last = last
        i.ledger, i.told = ledger, annotations.get(TEXT)

    def _sums(self, i, meta, last, more):
        due, made, t = 0, 0, i.schedules[0].next(i.last)
        while t <= last:
            due, made = due + 1, made + ((meta["uid"], f"{meta['name']}-{t}") in self.sessions)
            t = i.schedules[0].next(t)
        for k, n in more.items():
            self.totals[k] += n
        self.totals["mistold"] += max(0, made - more["made"])
        # Of a schedule that was edited since it was last told of, only the latest time may have been due.
        edited = i.told != i.text if i.told else meta["generation"] > 1
        self.totals["due"] += sum(more.values()) if edited else due
        if edited and not i.schedules[0].every:  # those begin when the edit is noted
            after = i.schedules[0].count(max(i.last, i.edited), last)
            self.totals["edited_away"] += max(0, after - sum(more.values()))
        fits = sum(more.values()) <= 1 if edited else sum(more.values()) == due
        if not fits or more["made"] > made or min(more.values()) < 0:
            self.violation(f"{i.name} ({i.text}): {due} due in ({i.last}, {last}], {made} sessions; the ledger: {more}")

    def overdue(self, now):
        """Names of invokers that have a due time before now which nothing became of."""
        return [i.name for i in self.invokers.values() if i.exists and i.active and i.schedules[0].next(i.last) < now]

    # ---- sessions ----

    def _session(self, c):
        meta = c.any["metadata"]
        owner = meta["ownerReferences"][0]["uid"]
        s = self.sessions.get((owner, meta["name"]))
        if c.old is None:
            s = self._made(c, owner, meta, s)
        if c.new is None:
            self._gone(c, s)
            return
        s.by_user = s.by_user or self._was_user(c)
        self._phase(s, c.new.get("status", {}))

    def _made(self, c, owner, meta, before):
        if before and not before.by_user:
            self.violation(f"session {meta['name']} was made a second time")
        s = Session(self.invokers.get(owner), meta["name"])
        self.sessions[owner, meta["name"]] = self.by_uid[meta["uid"]] = s
        self.totals["sessions"] += 1
        if s.invoker and RETRY not in (meta.get("annotations") or {}):
            due = int(meta["name"].rpartition("-")[2])
            if not any(x.every or x.next(due - 1) == due for x in s.invoker.schedules):
                self.violation(f"session {s.name} is for no due time of {s.invoker.text}")
            if due <= s.invoker.last:
                self.violation(f"session {s.name} was made after its due time had been dealt with")
        return s

    def _phase(self, s, status):
        phase, i = status.get("phase", ""), s.invoker
        if phase != s.phase:
            if s.phase in FINAL:
                self.violation(f"session {s.name} went from {s.phase} to {phase}")
            if phase in FINAL:
                self.totals[phase] += 1
            if i and phase == "Running":
                if i.running not in (None, s):
                    self.violation(f"session {s.name} runs beside {i.running.name}")
                i.running = s
            elif i and i.running is s:
                i.running = None
            s.phase = phase
        stats = [h.get("phase") for t in status.get("targets", []) for h in t.get("stats", [])]
        good = phase == "Succeeded" or phase == "Running" and stats == ["Succeeded"]
        if i:
            i.good += good - s.good
        s.good = good

    def _was_on_its_way(self, since, now):
        held, until = 0, since
        for from_, to in sorted(self.holds):  # they overlap
            from_, to = max(from_, until), min(to, now)
            if to > from_:
                held, until = held + to - from_, to
        return now - since < ON_ITS_WAY_S + held

    def _gone(self, c, s):
        i, s.exists = s.invoker, False
        s.by_user = s.by_user or self._was_user(c)
        if i and i.running is s:
            i.running = None
        if i and s.good:
            i.good -= 1
            if s.by_user:
                i.good_taken = time.time()
            elif i.exists and i.good == 0 and self._was_on_its_way(i.good_taken, time.time()):
                self.totals["raced"] += 1
            elif i.exists and i.good == 0:
                self.violation(f"session {s.name}, the last of {i.name} that succeeded, was removed")
        s.good = False

    def _job(self, c):
        owner = (c.any["metadata"].get("ownerReferences") or [{}])[0]
        s = self.by_uid.get(owner.get("uid"))
        if not s:
            return
        if c.new is None:
            s.jobs -= 1
            s.job_taken = s.job_taken or self._was_user(c)
        if c.old is not None:
            return
        s.jobs, s.jobs_ever = s.jobs + 1, s.jobs_ever + 1
        self.totals["jobs"] += 1
        if s.jobs > 1 or (s.jobs_ever > 1 and not s.job_taken):
            self.violation(f"session {s.name} got a second Job: {c.meta('name')}")
        if s.phase in FINAL:
            self.violation(f"session {s.name} got a Job after it was {s.phase}")

    def open(self):
        """Sessions that have not ended."""
        return [s.name for s in self.sessions.values() if s.exists and s.phase not in FINAL]
