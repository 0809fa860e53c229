"""What a storm that does not come to rest waits for, thing by thing: sessions with their Jobs and pods, the model
kubelet, the record, the requests under way, the operators. For the log of a machine that nobody can look at later."""
import time
import urllib.request

from lib.judge import FINAL
from lib.memory import look

MOST = 9  # things of a kind
SESSIONS, JOBS = "backupsessions.stash.appscode.com", "jobs.batch"


def conditions(status):
    return [f"{c['type']}={c['status']} {c.get('reason', '')}: {c.get('message', '')[:120]}"
            for c in status.get("conditions", [])]


def unfinished(storm):
    return [s for s in storm.record.of(SESSIONS) if s.get("status", {}).get("phase") not in FINAL]


def sessions(storm):
    open_ = unfinished(storm)
    yield f"{len(open_)} sessions have not ended"
    for s in open_[:MOST]:
        meta, status = s["metadata"], s.get("status", {})
        targets = [(t.get("stats"), conditions(t)) for t in status.get("targets", [])]
        yield f"  {meta['namespace']}/{meta['name']} of {meta['creationTimestamp']}: \"{status.get('phase', '')}\", " \
              f"deadline {status.get('sessionDeadline')}, {conditions(status)}, targets {targets}"
        for j in storm.record.of(JOBS):
            if j["metadata"]["namespace"] == meta["namespace"] and owner(j) == meta["uid"]:
                yield from job(storm, j)


def owner(o):
    return (o["metadata"].get("ownerReferences") or [{}])[0].get("uid")


def job(storm, j):
    meta, status = j["metadata"], j.get("status", {})
    yield f"    Job {meta['name']}: active {status.get('active', 0)}, {conditions(status)}, " \
          f"deleted {meta.get('deletionTimestamp')}"
    for p in storm.record.of("pods"):
        if owner(p) == meta["uid"]:
            yield f"      pod {p['metadata']['name']}: {p.get('status', {}).get('phase')}, deleted " \
                  f"{p['metadata'].get('deletionTimestamp')}; the kubelet: {kept(storm, p['metadata']['uid'])}"


def kept(storm, uid):
    pod = storm.kubelet.pods.get(uid)
    if not pod:
        return "has ended it"
    wait = f"{pod.wait - time.time():.1f} s" if isinstance(pod.wait, float) else f"an answer to {pod.wait.what}"
    return f"lot \"{pod.lot}\", waits for {wait}"


def jobs_alone(storm):
    """Whose session has ended, or is gone."""
    uids = {s["metadata"]["uid"] for s in unfinished(storm)}
    names = storm.jobs()
    alone = [j for j in storm.record.of(JOBS) if j["metadata"]["name"] in names and owner(j) not in uids]
    yield f"{len(alone)} Jobs go on without a session that has not ended"
    for j in alone[:MOST]:
        yield from job(storm, j)


def world(storm):
    head = storm.api.send("GET", "/api/v1/namespaces?limit=1").wait(5)
    rv = head.body["metadata"]["resourceVersion"] if head.status == 200 else f"? ({head.status} {head.error})"
    storm.follow()
    yield f"devkube {'runs' if storm.devkube.runs() else 'has ended'}, at {rv}; the record is at {storm.record.rv}"
    for at, rv, key, what in list(storm.record.last)[-MOST:]:
        yield f"  {time.time() - at:.1f} s ago: {rv} {what} {key}"
    waiting = sorted(storm.api.open.values(), key=lambda a: a.began)
    yield f"{len(waiting)} requests of ours are under way"
    for a in waiting[:MOST]:
        yield f"  for {time.time() - a.began:.1f} s: {a.what}"
    lease = storm.record.objects.get("leases.coordination.k8s.io/stash/stashd", {}).get("spec")
    yield f"the Lease: {lease}"
    not_ready = [o["metadata"]["name"] for o in storm.record.of("backupconfigurations.stash.appscode.com")
                 if o.get("status", {}).get("phase") != "Ready"]
    yield f"not Ready: {not_ready[:MOST]}"


def ask(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=3) as answer:
            return answer.read().decode().strip()
    except OSError as e:
        return str(e)


METRICS = ("queue_depth", "leader ", "watch_restarts", "schedules_overdue", "sessions_running", "sessions_waiting")


def operators(storm):
    for name, p in storm.replicas.items():
        state = "has ended"
        if p.runs():
            with open(f"/proc/{p.child.pid}/status", encoding="ascii", errors="replace") as f:
                state = next(line.split(None, 1)[1].strip() for line in f if line.startswith("State:"))
        proxy = storm.proxies[name]
        yield f"{p.name}: {state}, {p.lives} lives, {look(p.child) if p.runs() else ''}, " \
              f"readyz \"{ask(p.port, '/readyz')}\"; its proxy: {len(proxy.pairs)} open, {proxy.connections} in all, " \
              f"flows {proxy.flowing.is_set()}, refuses {proxy.refuses}"
        metrics = [line.removeprefix("stash_operator_") for line in ask(p.port, "/metrics").splitlines()
                   if line.startswith("stash_operator_") and any(m in line for m in METRICS)]
        yield f"    {', '.join(line for line in metrics if not line.endswith(' 0'))}"
        yield from ("    " + line[:400] for line in tail(p.log))
    yield from ("devkube: " + line[:400] for line in tail(storm.devkube.log))


def tail(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read().splitlines()[-8:]


def explain(storm):
    for part in (world, sessions, jobs_alone, operators):
        for line in part(storm):
            print("  | " + line, flush=True)
