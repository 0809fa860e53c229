"""An API server as a kubeconfig names it, over HTTP/2 by the program apiline: many requests at a time."""
import itertools
import json
import subprocess
import threading
import time


class Answer:
    """Of one request: wait() for it. status 0: none came."""

    def __init__(self, what):
        self.what, self.began = what, time.time()
        self.event, self.status, self.body, self.error, self.ms = threading.Event(), 0, None, "", 0.0

    def wait(self, seconds=60):
        self.event.wait(seconds)
        return self


class Api:
    def __init__(self, program, kubeconfig, inflight=32):
        self.child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", program, kubeconfig, str(inflight)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ids, self.open, self.lock = itertools.count(1), {}, threading.Lock()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for raw in self.child.stdout:
            line = json.loads(raw)
            answer = self.open.pop(line["id"])
            answer.status, answer.body = line["status"], line.get("body")
            answer.error, answer.ms = line.get("error", ""), line["ms"]
            answer.event.set()

    def send(self, method, path, body=None, type_="application/json"):
        """Begins a request; the answer comes later."""
        answer = Answer(f"{method} {path}")
        line = {"id": next(self.ids), "method": method, "path": path}
        if body is not None:
            line |= {"type": type_, "body": body}
        self.open[line["id"]] = answer
        with self.lock:
            self.child.stdin.write(json.dumps(line).encode() + b"\n")
            self.child.stdin.flush()
        return answer

    def ask(self, method, path, body=None, type_="application/json"):
        return self.send(method, path, body, type_).wait()

    def merge(self, path, body):
        return self.send("PATCH", path, body, "application/merge-patch+json")

    def close(self):
        self.child.stdin.close()
        self.child.wait()
        self.reader.join()
