"""Streams of a state transfer: made without a donor, and sent as one sends them.

A stream is what mariadb-backup writes: a row of chunks of up to 10 MiB, each with the CRC-32 of its payload, an end chunk for
each file, and the files that describe the backup last. Half of each page does not compress, as with rows of hashes and text.
"""
import hashlib
import os
import pathlib
import random
import socket
import struct
import subprocess
import threading
import time
import zlib

PAGE, CHUNK, TABLE_MB, POOL = 16 << 10, 10 << 20, 256, 64 << 20
POSITION = b"73e229dd-e717-11f1-abe5-5a65c35de646:1013 1\n"


def payload_chunk(path, offset, payload):
    head = b"XBSTCK01\0P" + struct.pack("<I", len(path)) + path
    return [head + struct.pack("<QQI", len(payload), offset, zlib.crc32(payload)), payload]


def end_chunk(path):
    return b"XBSTCK01\0E" + struct.pack("<I", len(path)) + path


class Pages:
    """Pages that no two chunks of restic have alike: slices of one pool, from places drawn by chance."""

    def __init__(self, seed):
        self.chance = random.Random(seed)
        self.noise = self.chance.randbytes(POOL)
        self.text = b"".join(b"%010d,customer,open,0000-00-00,%06d;" % (i, i * 7919 % 1000003) for i in range(POOL // 440))

    def take(self, size):
        half, out = PAGE // 2, []
        for _ in range((size + PAGE - 1) // PAGE):
            for pool in (self.noise, self.text):
                at = self.chance.randrange(len(pool) - half)
                out.append(pool[at:at + half])
        return b"".join(out)[:size]


def server_version():
    done = subprocess.run(["mariadb-backup", "--version"], capture_output=True, text=True, check=True)
    words = (done.stdout + done.stderr).split()
    return words[words.index("server") + 1]


def write(path, megabytes, seed=1):
    """A stream of so many MB of pages, in tables of 256 MB."""
    pages, left, number = Pages(seed), megabytes << 20, 0
    tail = [(b"xtrabackup_galera_info", POSITION), (b"xtrabackup_checkpoints", b"backup_type = full-backuped\n"),
            (b"backup-my.cnf", b"[mysqld]\n"),
            (b"xtrabackup_info", f"tool_name = mariadb-backup\nserver_version = {server_version()}\n".encode())]
    with open(path, "wb") as f:
        while left > 0:
            name, size = (b"sb/t%d.ibd" % number) if number else b"ibdata1", min(left, TABLE_MB << 20)
            for offset in range(0, size, CHUNK):
                f.writelines(payload_chunk(name, offset, pages.take(min(CHUNK, size - offset))))
            f.write(end_chunk(name))
            left, number = left - size, number + 1
        for name, text in tail:
            f.writelines(payload_chunk(name, 0, text))
            f.write(end_chunk(name))


class Donor(threading.Thread):
    """Sends a file as a donor does: from the page cache straight into the socket, so that its side costs little here."""

    def __init__(self, address, port, stream):
        super().__init__(daemon=True)
        self.to, self.stream, self.began, self.ended = (address, port), stream, 0.0, 0.0
        self.failed = None

    def announce(self):
        """Connection 1; returns when the other side has taken it."""
        names = (b"xtrabackup_galera_info", b"donor_galera_info")
        with socket.create_connection(self.to, 10) as s:
            for name in names:
                s.sendall(b"".join(payload_chunk(name, 0, POSITION)) + end_chunk(name))
            s.shutdown(socket.SHUT_WR)
            s.recv(1)

    def run(self):
        try:
            with socket.create_connection(self.to, 10) as s, open(self.stream, "rb") as f:
                s.settimeout(600)
                self.began = time.time()
                s.sendfile(f)
                s.shutdown(socket.SHUT_WR)
                s.recv(1)
                self.ended = time.time()
        except OSError as e:
            self.failed = e


def own_cost(pid):
    """CPU seconds of a process (all threads, no children) and its peak memory in KiB, from outside."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return time.clock_gettime((~pid << 3) | 2), int(status.split("VmHWM:")[1].split()[0])


def sha256_cpu():
    """CPU seconds for which OpenSSL hashes a GiB: stash-job can't cost less."""
    block, digest, began = bytes(64 << 20), hashlib.sha256(), time.thread_time()
    for _ in range(16):
        digest.update(block)
    return round(time.thread_time() - began, 3)


def children_cpu():
    """CPU seconds of all children that have been waited for, and theirs."""
    t = os.times()
    return t.children_user + t.children_system
