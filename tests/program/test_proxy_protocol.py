"""PROXY headers from balancers and to backends."""
# label: tsan

import socket
import struct

from harness import Case, LineClient, main, rules, self_signed

IMAP = rules(b"* OK ready\r\n", {b"LOGIN": b"{tag} OK in\r\n", b"LOGOUT": b"* BYE\r\n{tag} OK bye\r\n"})
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(client, server, family=0x11, command=0x21):
    if family == 0x11:
        body = socket.inet_aton(client[0]) + socket.inet_aton(server[0])
    else:
        body = socket.inet_pton(socket.AF_INET6, client[0]) + socket.inet_pton(socket.AF_INET6, server[0])
    body += struct.pack("!HH", client[1], server[1])
    return SIGNATURE + bytes([command, family]) + struct.pack("!H", len(body)) + body


class ProxyProtocol(Case):
    def start(self, tls="none", trusted=("127.0.0.0/8",), script=IMAP, **backend):
        self.backend = self.scripted(script)
        config = {"tls": {"certificates": [self_signed(self.folder).entry]},
                  "auth": {"mechanisms": {"BASIC": "always"}},
                  "backends": {"b": {"servers": [self.backend.address], **backend}},
                  "listeners": [{"name": "l", "protocol": "imap", "tls": tls, "backend": "b",
                                 "proxy_protocol": list(trusted), "timeouts": {"handshake": "1s"}}]}
        return self.serve(config)

    def test_v1_and_v2_name_the_client(self):
        postern = self.start()
        for header, address in ((b"PROXY TCP4 192.0.2.7 192.0.2.1 5555 143\r\n", "192.0.2.7"),
                                (b"PROXY TCP6 2001:db8::7 2001:db8::1 5555 143\r\n", "2001:db8::7"),
                                (v2(("192.0.2.8", 4444), ("192.0.2.1", 143)), "192.0.2.8"),
                                (v2(("2001:db8::9", 4444), ("2001:db8::1", 143), 0x21), "2001:db8::9"),
                                (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
                                (v2(("0.0.0.0", 0), ("0.0.0.0", 0), 0x11, 0x20), "127.0.0.1")):
            with LineClient(postern.port("l")) as client:
                client.send(header + b"a LOGIN fred secret\r\n")
                self.assertEqual(client.line(), b"* OK ready")
                self.assertRegex(client.line(), b"^a OK")
            postern.wait_event("session", client=address)
        self.assertNotIn(b"PROXY", self.backend.received)

    def test_in_pieces_and_before_tls(self):
        postern = self.start(tls="implicit")
        client = LineClient(postern.port("l"))
        for byte in b"PROXY TCP4 192.0.2.7 192.0.2.1 5555 143\r\n":
            client.send(bytes([byte]))
        client.start_tls()
        self.assertEqual(client.line(), b"* OK ready")
        client.close()
        postern.wait_event("session", client="192.0.2.7", tls="TLSv1.3")

    def test_missing_and_malformed(self):
        postern = self.start()
        for bad in (b"a LOGIN fred secret\r\n", b"PROXY TCP4 1.2.3.4\r\n", b"PROXY TCP4 192.0.2.300 1.2.3.4 1 2\r\n",
                    b"PROXY " + b"x" * 200, SIGNATURE + b"\x31\x11\0\x0c" + b"\0" * 12):
            with LineClient(postern.port("l")) as client:
                client.send(bad)
                self.assertEqual(client.rest(), b"")
        with LineClient(postern.port("l")) as client:
            self.assertEqual(client.rest(), b"")  # silence
        postern.wait_metric("connections_rejected_total", 6, reason="proxy_protocol")
        self.assertNotIn(b"LOGIN", self.backend.received)
        postern.wait_event("session", count=6, client="127.0.0.1", end="proxy_protocol", fault="client")

    def test_from_elsewhere_it_is_no_header(self):
        postern = self.start(trusted=("192.0.2.0/24",))
        with LineClient(postern.port("l")) as client:
            self.assertEqual(client.line(), b"* OK ready")
            client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 5555 143\r\n")
            self.assertRegex(client.line(), b"^PROXY BAD|^\\* BAD")

    def test_to_the_backend(self):
        for version in ("v1", "v2"):
            def script(connection):
                if version == "v1":
                    connection.header = connection.line()
                else:
                    connection.header = connection.exactly(16)
                    connection.exactly(struct.unpack("!H", connection.header[14:16])[0])
                IMAP(connection)
            postern = self.start(script=script, proxy_protocol=version, health={"interval": "60s"})
            with LineClient(postern.port("l")) as client:
                client.send(b"PROXY TCP4 192.0.2.7 192.0.2.1 5555 143\r\n")
                self.assertEqual(client.line(), b"* OK ready")
            headers = [c.received for c in self.backend.connections]
            if version == "v1":
                self.assertTrue(any(h.startswith(b"PROXY TCP4 192.0.2.7 ") for h in headers), headers)
                self.assertTrue(any(h.startswith(b"PROXY UNKNOWN\r\n") for h in headers), headers)
            else:
                self.assertTrue(any(h.startswith(SIGNATURE + b"\x21\x11") and socket.inet_aton("192.0.2.7") in h
                                    for h in headers), headers)
                self.assertTrue(any(h.startswith(SIGNATURE + b"\x20") for h in headers), headers)


if __name__ == "__main__":
    main()
