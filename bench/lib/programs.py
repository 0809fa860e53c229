"""Programs under measurement: started in a process of their own, watched by their output, measured from outside.

CPU is read from the process's own clock (user and system, all threads, also ended ones), memory from /proc: the same
way for every program, whatever language it is written in.
"""
import json
import os
import signal
import subprocess
import threading
import time
import urllib.request


class Failed(Exception):
    """The bench can't go on, or what it measured is not right."""


class Program:
    """One running program. Each line it prints that is a JSON object is kept with the time it came."""

    def __init__(self, name, argv, kubeconfig, log, env=None):
        self.name, self.lines, self.news = name, [], threading.Condition()
        self.ended = False
        environment = {**os.environ, "KUBECONFIG": kubeconfig, **(env or {})}
        self.log = open(log, "ab")
        self.started = time.time()
        argv = ["setpriv", "--pdeathsig", "KILL", *argv]  # it goes with us, however we go
        self.process = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for raw in self.process.stdout:
            came = self.sample()
            self.log.write(raw)
            self.log.flush()
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if not isinstance(line, dict):
                continue
            with self.news:
                self.lines.append((line, came))
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()

    def sample(self):
        """Now: CPU seconds and KiB of memory; zeros when the process is gone."""
        out = {"at": time.time(), "cpu_s": 0.0, "rss_kib": 0, "peak_kib": 0, "anon_kib": 0}
        try:
            out["cpu_s"] = time.clock_gettime((~self.process.pid << 3) | 2)
            with open(f"/proc/{self.process.pid}/status", encoding="ascii", errors="replace") as f:
                for line in f:
                    key, _, value = line.partition(":")
                    name = {"VmRSS": "rss_kib", "VmHWM": "peak_kib", "RssAnon": "anon_kib"}.get(key)
                    if name:
                        out[name] = int(value.split()[0])
        except OSError:
            pass
        return out

    def wait(self, seconds, **fields):
        """The first line that has these fields, with the sample taken as it came."""
        end, seen = time.time() + seconds, 0
        with self.news:
            while True:
                for line, came in self.lines[seen:]:
                    if all(line.get(k) == v for k, v in fields.items()):
                        return line, came
                seen = len(self.lines)
                if self.ended or time.time() > end:
                    raise Failed(f"{self.name} has not said {fields} ({self.log.name})")
                self.news.wait(1)

    def finish(self, seconds):
        """Waits for an end by itself."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"{self.name} did not end in {seconds} s ({self.log.name})") from None
        self.reader.join()
        self.log.close()
        if code != 0:
            raise Failed(f"{self.name} ended with {code} ({self.log.name})")

    def stop(self, seconds=30):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.finish(seconds)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reader.join()
        self.log.close()


class Programs:
    """Starts programs with the credentials of their own user, and ends at the end whatever still runs."""

    def __init__(self, bin_dir, stashd, log_dir, kubeconfigs):
        self.bin, self.stashd_path, self.log_dir, self.kubeconfigs = bin_dir, stashd, log_dir, kubeconfigs
        self.running = []

    def _start(self, name, argv):
        self.running = [p for p in self.running if p.process.poll() is None]
        p = Program(name, argv, self.kubeconfigs[name], os.path.join(self.log_dir, name + ".log"))
        self.running.append(p)
        return p

    def peer(self, name, *flags):
        return self._start(name, [os.path.join(self.bin, name), *flags])

    def run(self, name, *flags, timeout=3600):
        """A program that ends by itself: its last line."""
        p = self.peer(name, *flags)
        p.finish(timeout)
        return p.lines[-1][0]

    def stashd(self, *flags):
        p = self._start("stashd", [self.stashd_path, "--namespace=stash", "--leader-elect=false", "--log-format=json",
                                   "--kube-api-qps=0", "--metrics-address=127.0.0.1", "--metrics-port=0",
                                   "--image=stashd:bench", *flags])
        line, _ = p.wait(60, msg="serving metrics")
        p.port = line["port"]
        return p

    def stop_all(self):
        for p in self.running:
            if p.process.poll() is None:
                p.kill()


def metrics(p):
    """What stashd's page says: {'name{labels}': value}."""
    with urllib.request.urlopen(f"http://127.0.0.1:{p.port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    out = {}
    for line in text.splitlines():
        if line and line[0] != "#":
            key, _, value = line.rpartition(" ")
            out[key] = float(value)
    return out


def rest(p, seconds):
    """Waits until stashd has nothing queued and its CPU clock stands still for two seconds."""
    end, calm = time.time() + seconds, 0
    while calm < 2:
        if time.time() > end:
            raise Failed("stashd does not come to rest")
        before = p.sample()["cpu_s"]
        time.sleep(1)
        used = p.sample()["cpu_s"] - before  # without what our own look at the page of metrics costs
        queued = sum(v for k, v in metrics(p).items() if k.startswith("stash_operator_queue_depth"))
        calm = calm + 1 if queued == 0 and used < 0.05 else 0
    return p.sample()
