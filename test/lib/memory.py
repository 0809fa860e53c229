"""Does a process grow? Memory, descriptors and CPU of one that lives through the whole storm, and what of it is a state.

An operator that leads keeps documents, up to megabytes of them, and gives them back with the lead; it also runs code that
it has not run before, whose pages count as resident. To compare its memory with that of a minute before means nothing unless
both are of one state. So two things are judged beside documents, leading and not leading each for itself: what malloc has
given out (own), and what is resident of no file (anon), since the operator gives back what a burst has left behind
(core/cmd/stashd_memory), but for holes between what stays. Those come with the first bursts, maybe in the middle of the
storm, and are filled again: so anon grows when it goes beyond the most that it was. The slopes are told: a quarter of an
hour is too short to judge KiB an hour by.
"""
import os
import statistics
import time
import urllib.request

GROWTH_KIB = 512  # which a heap may move by
SETTLED_S = 20  # of a state, before it is one; memory of a burst is given back within ten
FEWEST = 30  # samples of a state in a part of the storm
HEAP, KEPT = "process_heap_bytes ", "stash_operator_kept_documents_bytes "


def look(child):
    """KiB of memory, in all and its own (anonymous), descriptors, CPU seconds; whether it has been stopped."""
    proc = f"/proc/{child.pid}"
    with open(proc + "/status", encoding="ascii", errors="replace") as f:
        lines = dict(line.split(":", 1) for line in f)
    return {"at": time.time(), "rss_kib": int(lines["VmRSS"].split()[0]),
            "anon_kib": int(lines["RssAnon"].split()[0]), "fds": len(os.listdir(proc + "/fd")),
            "stopped": lines["State"].strip().startswith("T"), "cpu_s": time.clock_gettime((~child.pid << 3) | 2)}


def ask(port):
    """KiB that malloc has given out, and of documents; nothing when it has no descriptor for us."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1) as answer:
            lines = answer.read().decode().splitlines()
    except OSError:
        return {}
    heap, kept = (next(float(x.rpartition(" ")[2]) / 1024 for x in lines if x.startswith(name)) for name in (HEAP, KEPT))
    return {"own_kib": heap - kept, "kept_kib": kept}


class Memory:
    def __init__(self):
        self.samples, self.since, self.led = [], 0.0, None

    def take(self, child, port, leads, asks):
        """asks: may it be asked now? It may have been left without descriptors."""
        s = look(child)
        if leads != self.led:
            self.led, self.since = leads, s["at"]
        s.update(leads=leads, settled=s["at"] - self.since > SETTLED_S)
        if asks and not s["stopped"]:
            s.update(ask(port))
        if "kept_kib" in s:
            s["resident_kib"] = s["anon_kib"] - s["kept_kib"]
        self.samples.append(s)

    def _parts(self):
        third = len(self.samples) // 3
        return self.samples[third:2 * third], self.samples[2 * third:]

    def _of(self, leads):
        """Of a state, the middle and the last third; nothing if it was there too briefly."""
        parts = [[s for s in part if s["leads"] == leads and s["settled"] and "own_kib" in s] for part in self._parts()]
        return parts if min(len(part) for part in parts) >= FEWEST else []

    @staticmethod
    def _growth(parts, key, name, before=statistics.median):
        middle, last = before([s[key] for s in parts[0]]), statistics.median(s[key] for s in parts[1])
        slope = statistics.linear_regression([s["at"] for part in parts for s in part],
                                             [s[key] for part in parts for s in part]).slope
        return {f"{name}_kib": round(last), f"{name}_growth_kib": round(last - middle),
                f"{name}_slope_kib_per_hour": round(slope * 3600)}

    def growth(self):
        middle, last = self._parts()
        row = {"rss_first_kib": self.samples[0]["rss_kib"], "rss_most_kib": max(s["rss_kib"] for s in self.samples),
               "anon_first_kib": self.samples[0]["anon_kib"], "anon_most_kib": max(s["anon_kib"] for s in self.samples),
               "anon_last_kib": self.samples[-1]["anon_kib"],
               "kept_most_kib": round(max(s.get("kept_kib", 0) for s in self.samples)),
               "fds_middle": statistics.median(s["fds"] for s in middle),
               "fds_last": statistics.median(s["fds"] for s in last),
               "cpu_share": round((self.samples[-1]["cpu_s"] - self.samples[0]["cpu_s"]) /
                                  (self.samples[-1]["at"] - self.samples[0]["at"]), 4)}
        for leads, state in ((True, "leading"), (False, "waiting")):
            parts = self._of(leads)
            if parts:
                row |= self._growth(parts, "own_kib", state + "_own")
                row |= self._growth(parts, "resident_kib", state + "_anon", max)
        return row

    def wrong(self, row):
        """What grows, in words."""
        return [f"{key.removesuffix('_growth_kib').replace('_', ' ')} memory grows by {kib} KiB"
                for key, kib in row.items() if key.endswith("_growth_kib") and kib > GROWTH_KIB]

    def by_minute(self):
        """KiB of memory, anonymous, given out beside documents, of documents; descriptors, how much of it it led."""
        minutes = {}
        for s in self.samples:
            minutes.setdefault(int(s["at"] - self.samples[0]["at"]) // 60, []).append(s)

        def middle(m, key):
            return round(statistics.median([s[key] for s in m if key in s] or [-1]))
        return [(middle(m, "rss_kib"), middle(m, "anon_kib"), middle(m, "own_kib"), middle(m, "kept_kib"), middle(m, "fds"),
                 round(statistics.mean(s["leads"] for s in m), 2)) for m in minutes.values()]
