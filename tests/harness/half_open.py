"""Holds half-open TLS handshakes: PORT COUNT ADDRESSES. From that many addresses (127.32.0.1 and up) it opens COUNT
connections, which say nothing, a byte, all but the last byte, or the whole of a ClientHello, and then wait; those that are
ended are opened again. Prints `held` once all are there, and at the end of its stdin how often it had to open again. A
program of its own, so that it shares no interpreter and no descriptors with what measures."""

import ipaddress
import selectors
import socket
import ssl
import sys

from .client import trusting

_FIRST = int(ipaddress.ip_address("127.32.0.1"))


def client_hello():
    out = ssl.MemoryBIO()
    try:
        trusting().wrap_bio(ssl.MemoryBIO(), out, server_hostname="localhost").do_handshake()
    except ssl.SSLWantReadError:
        return out.read()


class HalfOpen:
    def __init__(self, port, addresses):
        self.port, self.addresses = port, addresses
        self.selector = selectors.DefaultSelector()
        hello = client_hello()
        self.parts = (b"", hello[:1], hello[:-1], hello)

    def open(self, number):
        connection = socket.socket()
        connection.bind((str(ipaddress.ip_address(_FIRST + number % self.addresses)), 0))
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(self.parts[number // self.addresses % 4])
        connection.setblocking(False)
        self.selector.register(connection, selectors.EVENT_READ, number)

    def run(self, count):
        for number in range(count):
            self.open(number)
        print("held", flush=True)
        self.selector.register(sys.stdin, selectors.EVENT_READ, None)
        again = 0
        while True:
            for key, _ in self.selector.select():
                if key.data is None:
                    print(again, flush=True)
                    return
                try:
                    if key.fileobj.recv(65536):
                        continue  # the server's flight
                except OSError:
                    pass
                self.selector.unregister(key.fileobj)
                key.fileobj.close()
                self.open(key.data)
                again += 1


if __name__ == "__main__":
    HalfOpen(int(sys.argv[1]), int(sys.argv[3])).run(int(sys.argv[2]))
