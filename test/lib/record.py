"""What was committed, all of it and in its order, from devkube's own file: what no watch could miss."""
import collections
import json
import os
import time


class Change:
    """old None: made; new None: deleted. Both: the object's whole tree."""

    def __init__(self, rv, key, old, new):
        self.rv, self.key, self.old, self.new = rv, key, old, new
        self.any = new if new is not None else old
        self.kind = self.any.get("kind", "")

    def meta(self, field):
        return self.any["metadata"].get(field, "")


class Record:
    def __init__(self, folder):
        self.path, self.file, self.rv = os.path.join(folder, "objects.log"), None, 0
        self.last = collections.deque(maxlen=50)  # (when it was seen, version, key, what)
        self.objects = {}  # by key "<plural.group>/<namespace>/<name>"

    def poll(self):
        """The changes since the last call."""
        if self.file is None:
            self.file = open(self.path, "rb")
        yield from self._read()
        if os.stat(self.path).st_ino != os.fstat(self.file.fileno()).st_ino:
            yield from self._read()  # what came to the old one between the two looks
            self.file.close()
            self.file = open(self.path, "rb")  # devkube has started again, and written what is live anew
            yield from self._read()

    def _read(self):
        *lines, torn = self.file.read().split(b"\n")
        self.file.seek(-len(torn), os.SEEK_CUR)  # not whole yet, or cut off when devkube starts again
        for line in lines:
            change = self._take(line)
            if change:
                yield change

    def _take(self, line):
        rv, _, key, text = line.split(b" ", 3)
        if int(rv) <= self.rv:
            return None
        self.rv, key = int(rv), key.decode()
        old, new = self.objects.get(key), None if text == b"-" else json.loads(text)
        if new is None:
            self.objects.pop(key, None)
        else:
            self.objects[key] = new
        what = "deleted" if new is None else "made" if old is None else "changed"
        self.last.append((time.time(), self.rv, key, what))
        return Change(self.rv, key, old, new) if old is not None or new is not None else None

    def of(self, plural):
        """All objects of a kind: "backupsessions.stash.appscode.com"."""
        return [o for key, o in self.objects.items() if key.startswith(plural + "/")]
