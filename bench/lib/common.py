"""What bench/load and bench/run share: the machine's facts, the lines that go out, the programs in Go."""
import glob
import hashlib
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time

BENCH = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
LOAD_MAX = 1.0


def build_peers():
    """The peers, built once into the cache that test/e2e/kube/build keeps, with the go that it uses."""
    peers = os.path.join(BENCH, "peers")
    cache = os.environ.get("STASHD_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "stashd")
    sources = sorted(glob.glob(peers + "/**/*.go", recursive=True)) + [peers + "/go.mod", peers + "/go.sum"]
    key = hashlib.sha256(b"".join(open(f, "rb").read() for f in sources)).hexdigest()[:16]
    out = os.path.join(cache, "bench", key)
    if os.path.isdir(out):
        return out
    go = shutil.which("go") or max(glob.glob(cache + "/go-*/bin/go"), default="go")
    os.makedirs(cache + "/bench", exist_ok=True)
    part = tempfile.mkdtemp(dir=cache + "/bench")
    print("bench: building the peers", flush=True)
    subprocess.run([go, "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", part + "/", "./cmd/..."],
                   cwd=peers, check=True, env={**os.environ, "GOFLAGS": "-mod=readonly"})
    os.chmod(part, 0o755)
    os.rename(part, out)
    return out


def machine():
    cpu = ""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        for line in f:
            if line.startswith("model name"):
                cpu = line.partition(":")[2].strip()
    return {"kernel": platform.release(), "cpu": cpu, "cpus": os.cpu_count(), "load": os.getloadavg()[0]}


class Output:
    """JSON lines to a file, and a short line for who watches."""

    def __init__(self, file):
        self.file = open(file, "a", encoding="ascii") if file else None

    def __call__(self, bench, program, row):
        row = {"bench": bench, "program": program, "load": os.getloadavg()[0], "at": time.time(), **row}
        if self.file:
            self.file.write(json.dumps(row) + "\n")
            self.file.flush()
        shown = {k: v for k, v in row.items() if k not in ("bench", "program", "at", "all_s")}
        print(f"{bench:15}{program:20}" + " ".join(
            f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in shown.items()), flush=True)
