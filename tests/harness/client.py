"""A client that sends and reads exactly the bytes that a test says: in the clear, in TLS, or through STARTTLS."""

import socket
import ssl


def trusting(**settings):
    """A TLS context that believes any certificate. `settings` are set as attributes; `alpn` and `ciphers` are lists."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if "alpn" in settings:
        context.set_alpn_protocols(settings.pop("alpn"))
    if "ciphers" in settings:
        context.set_ciphers(settings.pop("ciphers"))
    for name, value in settings.items():
        setattr(context, name, value)
    return context


class LineClient:
    """`where` is a port on 127.0.0.1, a (host, port) pair or the path of a Unix socket. `tls`: True, or a context."""

    def __init__(self, where, tls=None, server_name=None, timeout=15.0, source=None):
        if isinstance(where, str):
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.socket.settimeout(timeout)
            self.socket.connect(where)
        else:
            address = where if isinstance(where, tuple) else ("127.0.0.1", where)
            self.socket = socket.create_connection(address, timeout, source_address=(source, 0) if source else None)
        self.buffer = b""
        if tls:
            self.start_tls(tls, server_name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def start_tls(self, tls=True, server_name=None):
        assert not self.buffer, f"bytes in front of TLS: {self.buffer!r}"
        context = trusting() if tls is True else tls
        self.socket = context.wrap_socket(self.socket, server_hostname=server_name or "localhost")

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        """The next line without its end; b"" where the connection has ended."""
        while b"\n" not in self.buffer:
            if not self._read():
                line, self.buffer = self.buffer, b""
                return line
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line[:-1] if line.endswith(b"\r") else line

    def lines(self, count):
        return [self.line() for _ in range(count)]

    def exactly(self, size):
        while len(self.buffer) < size:
            if not self._read():
                raise EOFError(f"{size} bytes wanted, the end after {self.buffer[-200:]!r}")
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def rest(self):
        """All that still comes, until the other side closes."""
        while self._read():
            pass
        data, self.buffer = self.buffer, b""
        return data

    def ended(self):
        """Waits for the end of the connection; False where something else comes first."""
        return not self.buffer and not self._read()

    def silent(self, seconds=0.3):
        """Whether nothing comes, not even the end, within that time."""
        if self.buffer:
            return False
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self.buffer += self.socket.recv(65536)
            return False
        except (TimeoutError, ssl.SSLWantReadError):
            return True
        finally:
            self.socket.settimeout(before)

    def _read(self):
        try:
            data = self.socket.recv(65536)
        except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
            data = b""
        self.buffer += data
        return bool(data)

    # The three protocols' ways to end an answer.

    def imap(self, command):
        """Sends a tagged command; returns all lines up to its tagged answer, which is the last."""
        self.send(command + b"\r\n")
        return self.imap_answer(command.split(b" ", 1)[0])

    def imap_answer(self, tag):
        lines = [self.line()]
        while not lines[-1].startswith(tag + b" "):
            if not lines[-1]:
                raise EOFError(f"the end before the answer to {tag!r}, after {lines!r}")
            lines.append(self.line())
        return lines

    def smtp(self, command):
        self.send(command + b"\r\n")
        return self.smtp_reply()

    def smtp_reply(self):
        """The lines of one reply."""
        lines = [self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(self.line())
        return lines

    def pop3(self, command, multi=False):
        """The first line of the answer, or the list of all lines of a multi-line one, without the dot."""
        self.send(command + b"\r\n")
        first = self.line()
        if not multi or not first.startswith(b"+OK"):
            return [first] if multi else first
        lines = [first]
        while (line := self.line()) != b".":
            lines.append(line[1:] if line.startswith(b"..") else line)
        return lines

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with a RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()
