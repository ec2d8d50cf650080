"""Mail under faults: clients send by SMTP to Postfix, by LMTP and by IMAP's APPEND to Dovecot, and stop in the middle, hang
up, trickle or half-close; Postern reloads every 5 s and one of the servers restarts every 10 s. In the end each message
that was acknowledged is in the mailbox once, as it was sent; one that nobody has acknowledged at most once; and one whose
end was never sent not at all. A minute; POSTERN_STORM_SECONDS changes that."""
# label: slow
# timeout: 600

import collections
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time

from harness import Case, LineClient, body_of, can_connect, main, message, wait_until

SECONDS = float(os.environ.get("POSTERN_STORM_SECONDS", "60"))
CLIENTS = 60
LISTENERS = ("smtp-implicit", "smtp-starttls", "lmtp-implicit", "imap-implicit", "imap-starttls")


class Unacknowledged(Exception):
    """The other side did not say that it took the message."""


class Message:
    """One message and one try to send it. `ended`: its last byte may have left."""

    def __init__(self, number, rng, lines_end):
        text = message(number, rng.choice((300, 3000, 30_000, 300_000)), seed="storm")
        self.id = re.search(rb"Message-Id: (\S+)", text)[1]
        self.text = text.replace(b"\r\n", lines_end)
        self.whole = text
        self.ended = self.acknowledged = False

    def dotted(self):
        return re.sub(rb"^\.", b"..", self.text, flags=re.MULTILINE)


class Sender:
    """One connection and one message. `fault` is what goes wrong on the way."""

    def __init__(self, client, rng, fault):
        self.client, self.rng, self.fault = client, rng, fault

    def expect(self, line, *wanted):
        if not line.startswith(wanted):
            raise Unacknowledged(line)

    def put(self, data, last=b""):
        """The message's bytes, with the fault that is due in them; True where all have left."""
        if self.fault in ("stop", "reset"):
            self.client.send(data[:self.rng.randrange(len(data))])
            return False
        if self.fault == "trickle":
            for at in range(0, min(len(data), 600), 40):
                self.client.send(data[at:at + 40])
                time.sleep(0.005)
            data = data[600:]
        self.client.send(data + last)
        return True

    def answered(self):
        """Whether there is anybody to read the answer."""
        if self.fault == "half_close":
            self.client.socket.shutdown(socket.SHUT_WR)
        return self.fault != "leave"

    def smtp(self, what, hello=b"EHLO test"):
        client = self.client
        self.expect(client.smtp_reply()[-1], b"220")
        keywords = client.smtp(hello)
        self.expect(keywords[-1], b"250")
        envelope = [b"MAIL FROM:<jane@example.test>", b"RCPT TO:<fred@example.test>"]
        if self.rng.random() < 0.5:
            client.send(b"\r\n".join(envelope) + b"\r\n")
            envelope = [None, None]
        for line in envelope:
            self.expect((client.smtp(line) if line else client.smtp_reply())[-1], b"250")
        if any(line[4:] == b"CHUNKING" for line in keywords) and self.rng.random() < 0.4:
            what.text = what.whole  # BDAT carries bytes as they are
            self.bdat(what)
        else:
            self.expect(client.smtp(b"DATA")[-1], b"354")
            what.ended = self.put(what.dotted(), b".\r\n")
        if what.ended and self.answered():
            self.expect(client.smtp_reply()[-1], b"250")
            what.acknowledged = True

    def bdat(self, what):
        half = len(what.text) // 2
        for part, last in ((what.text[:half], b""), (what.text[half:], b" LAST")):
            self.client.send(b"BDAT %d%s\r\n" % (len(part), last))
            if not self.put(part):
                return
            if not last:
                self.expect(self.client.smtp_reply()[-1], b"250")
        what.ended = True

    def lmtp(self, what):
        self.smtp(what, b"LHLO test")

    def imap(self, what):
        client, what.text = self.client, what.whole
        self.expect(client.line(), b"* OK")
        self.expect(client.imap(b"a LOGIN fred secret")[-1], b"a OK")
        plus = b"+" if self.rng.random() < 0.5 else b""
        client.send(b"b APPEND INBOX {%d%s}\r\n" % (len(what.text), plus))
        if not plus:
            self.expect(client.line(), b"+")
        what.ended = self.put(what.text, b"\r\n")
        if what.ended and self.answered():
            line = client.line()
            while line.startswith(b"* ") and not line.startswith(b"* BYE"):
                line = client.line()
            self.expect(line, b"b OK")
            what.acknowledged = True


class StormOfMail(Case):
    def setUp(self):
        super().setUp()
        self.store = self.dovecot({"fred": "secret"})
        # Postfix keeps all until the storm is over: killed at its own delivery it would repeat it.
        self.mta = self.postfix(settings={"virtual_transport": f"lmtp:inet:{self.store.address['lmtp']}",
                                          "lmtp_destination_recipient_limit": "1", "defer_transports": "lmtp"})
        backends = {"smtp": self.mta.address, "lmtp": self.store.address["lmtp"], "imap": self.store.address["imap"]}
        quick = {"health": {"interval": "1s", "timeout": "1s", "rise": 1, "fall": 2}}
        self.front = self.serve({
            "limits": {"connections_per_ip": 0, "handshakes_per_ip": 0, "auth_failures_per_ip": 0},
            "timeouts": {"handshake": "5s", "backend_greeting": "10s"},
            "backends": {name: {"servers": [address], **quick} for name, address in backends.items()},
            "listeners": [{"protocol": name.split("-")[0], "tls": name.split("-")[1], "backend": name.split("-")[0]}
                          for name in LISTENERS]})

    def one(self, rng, what):
        name = rng.choice(LISTENERS)
        protocol, mode = name.split("-")
        fault = rng.choice(("", "", "", "stop", "reset", "trickle", "leave", "half_close"))
        with LineClient(self.front.port(name), tls=mode == "implicit" or None, timeout=60) as client:
            if mode == "starttls":
                client.line()
                line = client.smtp(b"STARTTLS")[-1] if protocol == "smtp" else client.imap(b"s STARTTLS")[-1]
                if not line.startswith((b"220", b"s OK")):
                    return
                client.start_tls()
                client.buffer = b"220 x\r\n" if protocol == "smtp" else b"* OK x\r\n"  # no second greeting comes
            getattr(Sender(client, rng, fault), protocol)(what)
            if fault == "reset":
                client.reset()

    def storm(self, sent, lock):
        stop = time.monotonic() + SECONDS

        def client(number):
            rng, count = random.Random(number), 0
            while time.monotonic() < stop:
                count += 1
                what = Message(number * 100_000 + count, rng, rng.choice((b"\r\n", b"\r\n", b"\n")))
                with lock:
                    sent.append(what)
                try:
                    self.one(rng, what)
                except (OSError, EOFError, Unacknowledged):
                    time.sleep(0.2)  # what the faults explain
        threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        beat = 0
        while time.monotonic() < stop:
            time.sleep(min(5, max(0.1, stop - time.monotonic())))
            beat += 1
            self.front.send_signal(signal.SIGHUP)
            if beat % 2 == 0:
                self.restart((self.mta, self.store)[beat // 2 % 2])
            self.assertTrue(self.front.running(), self.front.output[-4000:])
        for thread in threads:
            thread.join(90)
            self.assertFalse(thread.is_alive())

    def restart(self, server):
        ports = [server.port] if server is self.mta else list(server.ports.values())
        server.stop()
        wait_until(lambda: not any(can_connect(port) for port in ports), 20, "the old server to be gone")
        server.restart()
        wait_until(lambda: all(can_connect(port) for port in ports), 30, f"the server to be back: {server.log[-2000:]}")

    def deliver_what_postfix_has(self):
        path = os.path.join(self.mta.folder, "main.cf")
        with open(path) as file:
            settings = file.read().replace("defer_transports = lmtp\n", "")
        with open(path, "w") as file:
            file.write(settings)
        self.restart(self.mta)
        queue = ["/usr/sbin/postqueue", "-c", self.mta.folder]
        subprocess.run([*queue, "-f"], check=True)

        def empty():
            listed = subprocess.run([*queue, "-p"], capture_output=True, text=True).stdout
            return "is empty" in listed
        wait_until(empty, 180, f"Postfix to deliver; it said:\n{self.mta.log[-2000:]}", interval=0.5)

    def test_nothing_is_lost_and_nothing_doubled(self):
        self.front.wait_ready()
        sent = []
        self.storm(sent, threading.Lock())
        self.front.wait_quiet(60)
        self.deliver_what_postfix_has()
        stored = collections.defaultdict(list)
        for data in self.store.messages("fred"):
            stored[re.search(rb"Message-Id: (\S+)", data, re.IGNORECASE)[1]].append(body_of(data))
        acknowledged = [one for one in sent if one.acknowledged]
        print(f"\n{len(sent)} messages, {len(acknowledged)} acknowledged, {sum(map(len, stored.values()))} stored", flush=True)
        for one in sent:
            bodies = stored.pop(one.id, [])
            least, most = (1, 1) if one.acknowledged else (0, 1) if one.ended else (0, 0)
            self.assertTrue(least <= len(bodies) <= most, f"{one.id}: {least} to {most} wanted, {len(bodies)} there")
            if bodies:
                self.assertEqual(bodies[0], body_of(one.whole))
        self.assertEqual(dict(stored), {})
        self.assertGreater(len(acknowledged), 2 * SECONDS)
        self.assertEqual(self.front.of("reload", result="error"), [])
        self.assertEqual(self.front.metrics().value("backend_connections_active"), 0)


if __name__ == "__main__":
    main()
