"""All that one must not do to an admin address, over and over: HOST PORT. Each second a hundred scrapes at once, then a
request of a megabyte, POST, an unknown path and a foreign Host; all the time a scrape that is read a byte a second.
At the end of its stdin it prints as JSON how often each was answered, by status (0: cut off), and the longest that any
of them but the slow one took. A program of its own, so that it shares no interpreter with what measures."""

import collections
import json
import selectors
import socket
import sys
import threading
import time

SCRAPES = 100
ENOUGH = 40  # seconds after which an answer is given up


def request(path="/metrics", method="GET", host="localhost", more=b""):
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n".encode() + more + b"\r\n"


ODD = {"large": request(more=b"X: " + b"x" * 1_000_000 + b"\r\n"),
       "post": request(method="POST", more=b"Content-Length: 4\r\n") + b"body",
       "unknown": request("/nothing"), "foreign": request(host="evil.example")}


def status_of(answer):
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


class Askers:
    def __init__(self, host, port):
        self.address = (host, int(port))
        self.seen = collections.defaultdict(collections.Counter)
        self.longest = 0.0
        self.ending = threading.Event()

    def scrape(self):
        """A hundred at once, in one thread."""
        start, selector, answers = time.monotonic(), selectors.DefaultSelector(), {}
        for _ in range(SCRAPES):
            connected = socket.create_connection(self.address, ENOUGH)
            connected.setblocking(False)
            selector.register(connected, selectors.EVENT_READ)
            answers[connected] = b""
        for connected in answers:
            connected.send(request())
        waiting = len(answers)
        while waiting and time.monotonic() - start < ENOUGH:
            for key, _ in selector.select(1):
                try:
                    data = key.fileobj.recv(65536)
                except ConnectionError:
                    data = b""
                answers[key.fileobj] += data
                if not data:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()
                    waiting -= 1
        for answer in answers.values():
            self.seen["scrape"][status_of(answer)] += 1
        self.longest = max(self.longest, time.monotonic() - start)

    def ask(self, name):
        start, answer = time.monotonic(), b""
        with socket.create_connection(self.address, ENOUGH) as connected:
            try:
                connected.sendall(ODD[name])
                while data := connected.recv(65536):
                    answer += data
            except ConnectionError:
                pass
        self.seen[name][status_of(answer)] += 1
        self.longest = max(self.longest, time.monotonic() - start)

    def read_slowly(self):
        """A byte a second of many answers; ended by the other side, it begins again."""
        while not self.ending.is_set():
            with socket.socket() as connected:
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                connected.connect(self.address)
                connected.sendall(request().replace(b"close", b"keep-alive") * 50)
                try:
                    while not self.ending.wait(1) and connected.recv(1):
                        pass
                except ConnectionError:
                    pass
                if not self.ending.is_set():
                    self.seen["slow"][0] += 1

    def run(self):
        slow = threading.Thread(target=self.read_slowly)
        slow.start()
        threading.Thread(target=lambda: (sys.stdin.read(), self.ending.set()), daemon=True).start()
        print("asking", flush=True)
        while not self.ending.is_set():
            start = time.monotonic()
            self.scrape()
            for name in ODD:
                self.ask(name)
            self.ending.wait(max(0.0, 1 - (time.monotonic() - start)))
        slow.join()
        print(json.dumps({"answers": self.seen, "longest": self.longest}), flush=True)


if __name__ == "__main__":
    Askers(sys.argv[1], sys.argv[2]).run()
