"""What of TLS shows from outside: shared ticket keys, groups, the log."""
# label: tsan

import os
import socket
import ssl

from harness import Case, canned, main, trusting


class Tls(Case):
    def setUp(self):
        super().setUp()
        self.backend = self.scripted(canned.imap())

    def listener(self, **keys):
        return {"protocol": "imap", "tls": "implicit", "backend": self.backend.address, **keys}

    def connect(self, front, name="imap-implicit", server_name=None, **settings):
        """A handshake and the greeting; returns the client."""
        client = self.client(front.port(name), tls=trusting(**settings), server_name=server_name)
        self.assertTrue(client.line().startswith(b"* OK"))
        return client

    def resumed(self, front, name, context, session):
        raw = socket.create_connection(("127.0.0.1", front.port(name)), 10)
        wrapped = context.wrap_socket(raw, server_hostname="localhost", session=session)
        wrapped.recv(100)
        reused, session = wrapped.session_reused, wrapped.session
        wrapped.close()
        return reused, session

    def test_tickets_of_given_keys_are_good_at_another_instance(self):
        keys = self.path("ticket.keys")
        with open(keys, "wb") as file:
            file.write(os.urandom(96))
        tls = {"session_ticket_keys": keys}
        one, two = self.postern([self.listener()], tls=tls), self.postern([self.listener()], tls=tls)
        other = self.postern([self.listener()])
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version=version):
                context = trusting(maximum_version=version)
                fresh, session = self.resumed(one, "imap-implicit", context, None)
                self.assertFalse(fresh)
                self.assertTrue(self.resumed(two, "imap-implicit", context, session)[0])
                self.assertFalse(self.resumed(other, "imap-implicit", context, session)[0])
        self.assertEqual(two.metrics().value("tls_handshakes_total", resumed="yes"), 2)

    def test_groups(self):
        front = self.postern([self.listener(tls={"mode": "implicit", "groups": ["P-256"]})])
        self.connect(front).close()
        self.assertEqual(front.wait_event("session")["group"], "P-256")

    def test_the_session_line_tells_of_tls(self):
        front = self.postern([self.listener()])
        self.connect(front, server_name="localhost", alpn=["imap"]).close()
        event = front.wait_event("session")
        self.assertEqual((event["tls"], event["sni"], event["alpn"]), ("TLSv1.3", "localhost", "imap"))
        self.assertTrue(event["cipher"])
        self.assertTrue(event["group"])


if __name__ == "__main__":
    main()
