"""Messages to send and to compare."""

import random


def message(number=0, size=2000, to="fred@example.test", seed=1):
    """A small RFC 5322 message with CRLF lines whose body holds what proxies stumble over: lines that start with dots,
    lone dots, things that look like commands and answers, long lines, 8-bit text."""
    dice = random.Random(f"{seed}/{number}")
    awkward = [b".", b"..", b".hidden", b"QUIT", b"a LOGIN fred secret", b"* BYE", b"+OK", b"250 ok", b"STARTTLS", b"",
               b"x" * 990, "Grüße, 日本".encode(), b"{5}", b"a UNAUTHENTICATE", b"BDAT 5 LAST", b") FLAGS (", b"-ERR"]
    lines = [b"From: jane@example.test", b"To: " + to.encode(), b"Subject: number %d" % number,
             b"Message-Id: <%d.%d@example.test>" % (number, dice.getrandbits(60)),
             b"Date: Tue, 24 Nov 2026 11:00:00 +0000", b"MIME-Version: 1.0",
             b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: 8bit", b""]
    length = sum(len(line) + 2 for line in lines)
    while length < size:
        line = dice.choice(awkward) if dice.random() < 0.4 else dice.randbytes(dice.randrange(60)).hex().encode()
        lines.append(line)
        length += len(line) + 2
    return b"\r\n".join(lines) + b"\r\n"


def body_of(data):
    """What is behind the header: servers add to the header on the way."""
    return data.replace(b"\r\n", b"\n").split(b"\n\n", 1)[1]
