"""Log-ins at a steady rate, each by a connection of its own from an address of its own (127.16.0.0/12), so that Postern's
log tells of each what became of it."""

import asyncio
import base64
import ipaddress
import ssl
import time

from .client import trusting

_FIRST = int(ipaddress.ip_address("127.16.0.1"))


class LogIn:
    """What one log-in came to. `error` is empty where it went well; `greeted` the greeting's text."""

    def __init__(self, number, protocol, port):
        self.number, self.protocol, self.port = number, protocol, port
        self.source = str(ipaddress.ip_address(_FIRST + number))
        self.user = f"user{number}"
        self.greeted = b""
        self.error = ""
        self.begun = self.took = 0.0

    async def run(self, context, timeout):
        self.begun = time.monotonic()
        writer = None
        try:
            async with asyncio.timeout(timeout):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context,
                                                               local_addr=(self.source, 0))
                self.greeted = await reader.readline()
                await getattr(self, "_" + self.protocol)(reader, writer)
                self.took = time.monotonic() - self.begun
                writer.write({"imap": b"z LOGOUT\r\n"}.get(self.protocol, b"QUIT\r\n"))
                await reader.read()
        except Exception as error:  # a failure is a result here
            self.error = "" if self.took else repr(error)
        finally:
            if writer:
                writer.transport.abort()

    async def _say(self, reader, writer, command, wanted):
        writer.write(command + b"\r\n")
        while (line := await reader.readline()).startswith((b"* ", b"250-")) and not line.startswith(b"* BYE"):
            pass
        if not line.startswith(wanted):
            raise AssertionError(f"{command!r} got {line!r} after the greeting {self.greeted!r}")

    async def _imap(self, reader, writer):
        await self._say(reader, writer, b"a LOGIN %s secret" % self.user.encode(), b"a OK")

    async def _pop3(self, reader, writer):
        await self._say(reader, writer, b"USER " + self.user.encode(), b"+OK")
        await self._say(reader, writer, b"PASS secret", b"+OK")

    async def _smtp(self, reader, writer):
        await self._say(reader, writer, b"EHLO test", b"250 ")
        await self._say(reader, writer, b"AUTH PLAIN " + base64.b64encode(b"\0%s\0secret" % self.user.encode()), b"235")


async def steadily(rate, seconds, targets, timeout=20, at=()):
    """`rate` log-ins a second for so long, to the `targets` ((protocol, port), …) in turn. `at` is a list of (seconds,
    function) to be called meanwhile, on another thread. Returns the LogIns; all have ended."""
    context = trusting(minimum_version=ssl.TLSVersion.TLSv1_3)
    begun, log_ins, tasks, calls = time.monotonic(), [], [], sorted(at, key=lambda one: one[0])
    while (now := time.monotonic() - begun) < seconds:
        while calls and calls[0][0] <= now:
            tasks.append(asyncio.create_task(asyncio.to_thread(calls.pop(0)[1])))
        while len(log_ins) < now * rate:
            log_ins.append(LogIn(len(log_ins), *targets[len(log_ins) % len(targets)]))
            tasks.append(asyncio.create_task(log_ins[-1].run(context, timeout)))
        await asyncio.sleep(0.001)
    await asyncio.gather(*tasks)
    return log_ins
