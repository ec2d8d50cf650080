"""Fear: a password that stays in the program's memory after the log-in. Looks through all of it."""
# label: slow

import os
import re
import time
import unittest

from harness import Workshop, main
from servers.test_to_backend import FORMS, Client, encoded, plain

PASSWORD = "Tr0ub4dor-Xyzzy-4711"


def found_in(pid, needles):
    """Where each of these bytes stands in the memory of a process that belongs to it alone."""
    found = []
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            begin, end, mode, name = re.match(r"(\w+)-(\w+) (\S+) \S+ \S+ \S+ *(.*)", line).groups()
            if not mode.startswith("rw") or name.startswith("[v"):
                continue
            memory.seek(int(begin, 16))
            try:
                data = memory.read(int(end, 16) - int(begin, 16))
            except OSError:
                continue
            for needle in needles:
                found += [data[max(0, place.start() - 40):place.end() + 20]
                          for place in re.finditer(re.escape(needle), data)]
    return found


@unittest.skipIf(os.environ.get("POSTERN_SANITIZE"), "a sanitizer keeps what was freed")
class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.workshop = Workshop()
        cls.addClassCleanup(cls.workshop.close)
        dovecot = cls.workshop.dovecot({"fred": PASSWORD}, "plain login cram-md5 scram-sha-256")
        postfix = cls.workshop.postfix(dovecot)
        cls.ways = []
        listeners = []
        for protocol, address in (("imap", dovecot.address["imap"]), ("pop3", dovecot.address["pop3"]),
                                  ("smtp", postfix.address)):
            for to in ("same", "PLAIN", "CRAM-MD5", "SCRAM-SHA-256"):
                cls.ways.append((protocol, f"{protocol}-{to}"))
                listeners.append({"protocol": protocol, "name": f"{protocol}-{to}", "tls": "implicit",
                                  "backend": address, "auth": {"to_backend": to}})
        cls.postern = cls.workshop.postern(listeners)
        cls.needles = [PASSWORD.encode(), encoded(PASSWORD)[:-4], plain("fred", PASSWORD)[8:-4]]

    def look(self, **what):
        with self.subTest(**what):
            time.sleep(0.1)
            self.assertEqual(found_in(self.postern._child.pid, self.needles), [])

    def test_nothing_of_a_login_stays(self):
        for protocol, listener in self.ways:
            for form in FORMS[protocol]:
                with Client(protocol, self.postern.port(listener)) as client:
                    client.log_in(form, "fred", PASSWORD)
                    self.look(listener=listener, form=form)

    def test_nothing_of_one_that_comes_in_pieces(self):
        for protocol, listener in self.ways:
            with Client(protocol, self.postern.port(listener)) as client:
                send = client.send

                def slowly(data):
                    for byte in data:
                        send(bytes([byte]))
                client.send = slowly
                client.log_in(FORMS[protocol][0], "fred", PASSWORD)
                self.look(listener=listener)


if __name__ == "__main__":
    main()
