"""An API server as a kubeconfig names it, with its credentials or with others, over HTTP/2 by the program apiline.

Tokens go through its standard input, never through argv.
"""
import json
import os
import queue
import shutil
import sys
import tempfile
import threading
import urllib.parse

import yaml

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from lib.api import Api  # noqa: E402

PATCHES = {"json": "application/json-patch+json", "merge": "application/merge-patch+json",
           "strategic": "application/strategic-merge-patch+json", "apply": "application/apply-patch+yaml"}
PATIENCE = 60  # seconds for one answer


class Answer:
    """code, headers (lower case names to lists of values), text, body (parsed, or None)"""

    def __init__(self, told):
        self.code = told.status
        self.headers = {}
        for name, value in told.headers:
            self.headers.setdefault(name, []).append(value)
        if isinstance(told.body, dict):
            self.text, self.body = json.dumps(told.body), told.body
            return
        self.text = told.body or ""
        try:
            self.body = json.loads(self.text)
        except ValueError:
            self.body = None


class Watch:
    """A watch that is open: its events come through a queue, None at its end."""

    def __init__(self, api, path, more):
        self.api, self.code = api, None
        self.opened, self.lines = threading.Event(), queue.Queue()
        self.answer = api.send("GET", path, tell=self.hear, stream=True, **more)

    def hear(self, line):
        if "event" in line:
            self.lines.put(self.parsed(line["event"]))
            return
        self.code = line.get("head", self.code)
        if "status" in line:
            for text in (line["body"].splitlines() if isinstance(line.get("body"), str) else [line.get("body")]):
                if text:
                    self.lines.put(self.parsed(text))
            self.lines.put(None)
        self.opened.set()

    @staticmethod
    def parsed(event):
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
        self.api.cancel(self.answer)


class Server:
    def __init__(self, kubeconfig, program):
        self.folder = tempfile.mkdtemp(prefix="conform-")
        self.known = Api(program, kubeconfig)
        self.unknown = Api(program, self.without_credentials(kubeconfig))

    def without_credentials(self, kubeconfig):
        with open(kubeconfig) as f:
            config = yaml.safe_load(f)
        for row in config["users"]:
            row["user"] = {}
        for row in config["clusters"]:
            name = row["cluster"].get("certificate-authority")
            if name:
                row["cluster"]["certificate-authority"] = os.path.join(os.path.dirname(os.path.abspath(kubeconfig)), name)
        path = os.path.join(self.folder, "kubeconfig")
        with open(path, "w") as f:
            yaml.safe_dump(config, f)
        return path

    def close(self):
        self.known.close()
        self.unknown.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    @staticmethod
    def quoted(path):
        return urllib.parse.quote(path, safe="/?&=%,:()~!*'+;@$")

    @staticmethod
    def more(headers, token=None):
        headers = {name.lower(): value for name, value in headers.items()}
        if token:
            headers["authorization"] = "Bearer " + token
        return {"head": True, "headers": {"user-agent": "conform/1", **headers}}

    def ask(self, method, path, body=None, headers=None, token=None, anonymous=False):
        """body: text or None. The whole answer."""
        more = self.more(headers or {}, token)
        if body is not None:
            more["text"] = body
        api = self.unknown if token or anonymous else self.known
        told = api.send(method, self.quoted(path), **more).wait(PATIENCE)
        if not told.status:  # an answer may come before the server has read all, and closes
            raise RuntimeError(f"{method} {path}: {told.error or 'no answer'}")
        return Answer(told)

    def watch(self, path, headers=None):
        return Watch(self.known, self.quoted(path), self.more(headers or {}))
