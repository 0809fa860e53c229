"""An API server as a kubeconfig names it, spoken to by curl: HTTP/2 with a client certificate or a token.

Keys and tokens are in files of a private folder and in curl's configuration on its standard input, never in argv.
"""
import base64
import json
import os
import queue
import shutil
import subprocess
import tempfile
import threading
import urllib.parse

import yaml

PATCHES = {"json": "application/json-patch+json", "merge": "application/merge-patch+json",
           "strategic": "application/strategic-merge-patch+json", "apply": "application/apply-patch+yaml"}


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r") + '"'


class Answer:
    """code, headers (lower case names to lists of values), text, body (parsed, or None)"""

    def __init__(self, raw):
        head, _, rest = raw.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        self.code = int(lines[0].split()[1])
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers.setdefault(name.lower(), []).append(value.strip())
        self.text = rest.decode(errors="replace")
        try:
            self.body = json.loads(self.text)
        except ValueError:
            self.body = None


class Watch:
    """A watch that is open: its lines come through a queue, None at its end."""

    def __init__(self, child, config):
        self.child = child
        self.code = None
        self.opened = threading.Event()
        self.lines = queue.Queue()
        child.stdin.write(config.encode())
        child.stdin.close()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        head = True
        for line in self.child.stdout:
            if head:
                if self.code is None:
                    self.code = int(line.split()[1])
                head = line.strip() != b""
                if not head:
                    self.opened.set()
            elif line.strip():
                self.lines.put(self.parsed(line))
        self.opened.set()
        self.lines.put(None)

    @staticmethod
    def parsed(line):
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        return event if isinstance(event, dict) and "type" in event and "object" in event else {
            "type": "no event", "object": {}}

    def next(self, seconds):
        """The next event, None at the end of the watch; queue.Empty when nothing comes."""
        return self.lines.get(timeout=seconds)

    def wait(self, seconds):
        """Until something comes, of which all is taken, or the time is over; False when it has ended, and no more will."""
        try:
            event = self.lines.get(timeout=seconds)
            while event is not None:
                event = self.lines.get_nowait()
        except queue.Empty:
            return True
        self.lines.put(None)
        return False

    def close(self):
        self.child.kill()
        self.child.wait()
        self.reader.join()
        self.child.stdout.close()


class Server:
    def __init__(self, kubeconfig):
        with open(kubeconfig) as f:
            config = yaml.safe_load(f)
        context = self.named(config["contexts"], config["current-context"])["context"]
        cluster = self.named(config["clusters"], context["cluster"])["cluster"]
        user = self.named(config["users"], context["user"])["user"]
        self.url = cluster["server"].rstrip("/")
        self.folder = tempfile.mkdtemp(prefix="conform-")
        self.common = ['silent', 'show-error', 'http2', 'max-time = 60',
                       'user-agent = conform/1']
        self.common += self.file("cacert", cluster, "certificate-authority") or ["insecure"]
        self.certificate = self.file("cert", user, "client-certificate") + self.file("key", user, "client-key")
        self.token = user.get("token")

    @staticmethod
    def named(rows, name):
        return next(row for row in rows if row["name"] == name)

    def file(self, flag, row, key):
        path = row.get(key)
        if row.get(key + "-data"):
            path = os.path.join(self.folder, key)
            with open(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as f:
                f.write(base64.b64decode(row[key + "-data"]))
        return [flag + " = " + quoted(path)] if path else []

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def config(self, method, path, headers, token, anonymous):
        path = urllib.parse.quote(path, safe="/?&=%,:()~!*'+;@$")
        lines = self.common + ["request = " + quoted(method), "url = " + quoted(self.url + path)]
        token = token or (None if anonymous else self.token)
        if token:
            lines.append("header = " + quoted("Authorization: Bearer " + token))
        elif not anonymous:
            lines += self.certificate
        return lines + ["header = " + quoted(f"{name}: {value}") for name, value in headers.items()]

    def ask(self, method, path, body=None, headers=None, token=None, anonymous=False):
        """body: text or None. The whole answer."""
        lines = self.config(method, path, headers or {}, token, anonymous) + ["include"]
        with tempfile.NamedTemporaryFile(dir=self.folder) as f:
            if body is not None:
                f.write(body.encode())
                f.flush()
                lines.append("data-binary = " + quoted("@" + f.name))
            done = subprocess.run(["curl", "-q", "-K", "-"], input="\n".join(lines).encode(), capture_output=True)
        if not done.stdout.startswith(b"HTTP/"):  # an answer may come before the server has read all, and closes
            raise RuntimeError(f"{method} {path}: {done.stderr.decode().strip()}")
        return Answer(done.stdout)

    def watch(self, path, headers=None):
        lines = self.config("GET", path, headers or {}, None, False) + ["no-buffer", "max-time = 600"]
        lines.append('dump-header = "-"')  # it is flushed, what include shows is not
        child = subprocess.Popen(["curl", "-q", "-K", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return Watch(child, "\n".join(lines))
