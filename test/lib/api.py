"""An API server as a kubeconfig names it, over HTTP/2 by the program apiline: many requests at a time."""
import base64
import itertools
import json
import subprocess
import threading
import time


class Answer:
    """Of one request: wait() for it. status 0: none came. headers: pairs, where they were asked for."""

    def __init__(self, what, number, tell):
        self.what, self.number, self.tell, self.began = what, number, tell, time.time()
        self.event, self.status, self.body, self.error, self.ms = threading.Event(), 0, None, "", 0.0
        self.headers = []

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
            answer = self.open[line["id"]]
            if answer.tell:
                answer.tell(line)
            if "status" in line:
                del self.open[line["id"]]
                answer.status, answer.body = line["status"], line.get("body")
                if "bytes" in line:
                    answer.body = base64.b64decode(line["bytes"]).decode(errors="replace")
                answer.error, answer.ms, answer.headers = line.get("error", ""), line["ms"], line.get("headers", [])
                answer.event.set()

    def _write(self, line):
        with self.lock:
            self.child.stdin.write(json.dumps(line).encode() + b"\n")
            self.child.stdin.flush()

    def send(self, method, path, body=None, type_="application/json", tell=None, **more):
        """Begins a request; the answer comes later. tell hears each line of it; more: what else the line has."""
        answer = Answer(f"{method} {path}", next(self.ids), tell)
        line = {"id": answer.number, "method": method, "path": path, **more}
        if body is not None:
            line |= {"type": type_, "body": body}
        self.open[answer.number] = answer
        self._write(line)
        return answer

    def cancel(self, answer):
        self._write({"id": answer.number, "cancel": True})
        return answer.wait()

    def ask(self, method, path, body=None, type_="application/json"):
        return self.send(method, path, body, type_).wait()

    def merge(self, path, body):
        return self.send("PATCH", path, body, "application/merge-patch+json")

    def close(self):
        self.child.stdin.close()
        self.child.wait()
        self.reader.join()
