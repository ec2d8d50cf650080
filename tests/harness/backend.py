"""A mail server whose every word a test decides, and which remembers every byte that it was sent."""

import os
import socket
import threading

from .net import free_port


class Gone(Exception):
    """The other side closed."""


class Connection:
    """One connection to a scripted backend, in the hands of its script."""

    def __init__(self, connected, number):
        self.socket, self.number = connected, number
        self.socket.settimeout(60)
        self.received = b""
        self._read_to = 0

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        """The next line without its end. Raises Gone at the end of the connection."""
        while (end := self.received.find(b"\n", self._read_to)) < 0:
            self._read()
        line = self.received[self._read_to:end]
        self._read_to = end + 1
        return line[:-1] if line.endswith(b"\r") else line

    def exactly(self, size):
        while len(self.received) - self._read_to < size:
            self._read()
        self._read_to += size
        return self.received[self._read_to - size:self._read_to]

    def until(self, mark):
        """All bytes up to `mark`, which is included."""
        while (at := self.received.find(mark, self._read_to)) < 0:
            self._read()
        data = self.received[self._read_to:at + len(mark)]
        self._read_to = at + len(mark)
        return data

    def drain(self):
        """Reads until the other side closes."""
        try:
            while True:
                self._read()
        except Gone:
            pass

    def _read(self):
        try:
            data = self.socket.recv(65536)
        except OSError:
            data = b""
        if not data:
            raise Gone()
        self.received += data

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()


class ScriptedBackend:
    """Calls `script(connection)` in a thread of its own for each connection; the connection is closed when it returns.
    `unix`: a path to listen on in place of a port. `context`: TLS from the first byte."""

    def __init__(self, script, unix=None, port=None, context=None, host="127.0.0.1"):
        self.script, self.connections, self.errors = script, [], []
        self._context = context
        if unix:
            self.address, self.port = f"unix:{unix}", None
            self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            if os.path.exists(unix):
                os.unlink(unix)
            self._listener.bind(unix)
        else:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            self.port = port or free_port(family)
            self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
            self._listener = socket.socket(family, socket.SOCK_STREAM)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((host, self.port))
        self._listener.listen(512)
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def received(self):
        """Every byte of every connection, in the order of the connections."""
        return b"".join(connection.received for connection in self.connections)

    def _accept(self):
        while True:
            try:
                connected, _ = self._listener.accept()
            except OSError:
                return
            if connected.family != socket.AF_UNIX:
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(connected,), daemon=True).start()

    def _serve(self, connected):
        try:
            if self._context:
                connected = self._context.wrap_socket(connected, server_side=True)
            connection = Connection(connected, len(self.connections))
            self.connections.append(connection)
            self.script(connection)
        except (Gone, OSError):
            pass
        except Exception as error:  # shown by Case at the end of the test
            self.errors.append(error)
        finally:
            connected.close()

    def close(self):
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        for connection in self.connections:
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def rules(greeting, answers, otherwise=None):
    """A script that sends `greeting` and then answers line by line. `answers` maps a verb in capitals (the second word
    where the first is no key, as with IMAP's tags) to bytes, in which {tag} stands for the line's first word, or to a
    function of (connection, line). A line without a rule gets `otherwise`, or no answer at all."""

    def script(connection):
        connection.send(greeting)
        while True:
            line = connection.line()
            words = line.split(b" ")
            verbs = [word.upper() for word in words[:2]]
            verb = next((verb for verb in verbs if verb in answers), None)
            answer = answers[verb] if verb is not None else otherwise
            if callable(answer):
                if answer(connection, line) is False:  # hang up
                    return
            elif answer:
                connection.send(answer.replace(b"{tag}", words[0]))
                if verb in (b"QUIT", b"LOGOUT"):
                    return

    return script
