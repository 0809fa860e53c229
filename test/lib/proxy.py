"""A TCP proxy that misbehaves: it cuts, refuses, delays, stalls, corrupts and half-closes what goes through it."""
import random
import socket
import struct
import threading
import time


HELD_S = 12  # under the Lease's 15 s: a write that arrives after another has the lead can be fenced by nobody


class Proxy:
    """From a free port of 127.0.0.1 to another port of it. Faults are set from outside; rest() takes them away."""

    def __init__(self, to_port, seed):
        self.to_port, self.dice = to_port, random.Random(seed)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.pairs, self.lock = set(), threading.Lock()
        self.flowing = threading.Event()
        self.bytes = self.connections = 0
        self.rest()
        threading.Thread(target=self._accept, daemon=True).start()

    def rest(self):
        self.refuses, self.delay_s, self.corrupts = False, 0.0, 0.0
        self.flowing.set()

    def refuse(self):
        self.refuses = True
        self.cut()

    def delay(self, seconds):
        self.delay_s = seconds

    def stall(self):
        """Connections stay open and nothing passes; what was held for long is lost, and its connection with it."""
        self.flowing.clear()

    def corrupt(self, chance):
        """Of each piece, that a bit of it flips."""
        self.corrupts = chance

    def cut(self):
        """Resets all connections."""
        for pair in self._all():
            for s in pair:
                self._reset(s)

    def half_close(self, from_server):
        """Ends one direction of all connections in order; the other one goes on."""
        for client, server in self._all():
            try:
                (client if from_server else server).shutdown(socket.SHUT_WR)
            except OSError:
                pass

    def close(self):
        self.listener.close()
        self.flowing.set()
        self.cut()

    def _all(self):
        with self.lock:
            return list(self.pairs)

    @staticmethod
    def _reset(s):
        try:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.shutdown(socket.SHUT_RD)  # wakes who reads; he closes it, and so resets it
        except OSError:
            pass

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                if self.refuses:
                    raise OSError
                server = socket.create_connection(("127.0.0.1", self.to_port), 5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            self.connections += 1
            pair = (client, server)
            with self.lock:
                self.pairs.add(pair)
            state = {"left": 2}
            for from_, to in (pair, (server, client)):
                threading.Thread(target=self._pump, args=(pair, from_, to, state), daemon=True).start()

    def _pump(self, pair, from_, to, state):
        try:
            while piece := from_.recv(65536):
                held = time.time()
                self.flowing.wait()
                if time.time() - held > HELD_S:
                    raise OSError
                if self.delay_s:
                    time.sleep(self.delay_s * self.dice.random())
                if self.dice.random() < self.corrupts:
                    piece = bytearray(piece)
                    piece[self.dice.randrange(len(piece))] ^= 1 << self.dice.randrange(8)
                self.bytes += len(piece)
                to.sendall(piece)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            for s in pair:
                self._reset(s)
        with self.lock:
            state["left"] -= 1
            if state["left"]:
                return
            self.pairs.discard(pair)
        for s in pair:
            s.close()
