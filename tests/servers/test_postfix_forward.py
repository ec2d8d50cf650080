"""Postfix told who the client is; log-ins under another name, and before there is a connection."""

import base64

from harness import MailSystem, main, wait_until

PLAIN = base64.b64encode(b"\0fred\0fred-secret")
WRONG = base64.b64encode(b"\0fred\0wrong")


class Front(MailSystem):
    """A second Postfix that believes XCLIENT from this machine and logs each line that it gets, and a Postern for each
    way of a backend."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.told = cls.workshop.postfix(cls.dovecot, verbose=True, settings={
            "smtpd_authorized_xclient_hosts": "127.0.0.0/8"})

    def front(self, auth=None, tls="implicit", **backend):
        postern = self.workshop.postern(
            [{"protocol": "smtp", "tls": tls, "require_auth": True, "backend": "told"}],
            backends={"told": {"servers": [self.told.address], **backend}}, auth=auth or {})
        return postern.port("smtp-" + tls)

    def greeted(self, port, name=b"client.example"):
        client = self.workshop.client(port, tls=True)
        self.assertEqual(client.smtp_reply()[0][:3], b"220")
        self.assertEqual(client.smtp(b"EHLO " + name)[0][:3], b"250")
        return client

    def send(self, client, subject):
        for command in (b"MAIL FROM:<jane@example.test>", b"RCPT TO:<fred@example.test>"):
            self.assertEqual(client.smtp(command)[0][:3], b"250")
        self.assertEqual(client.smtp(b"DATA")[0][:3], b"354")
        self.assertEqual(client.smtp(b"Subject: " + subject + b"\r\n\r\nhello\r\n.")[0][:3], b"250")
        found = []

        def arrived():
            found[:] = [data for data in self.dovecot.messages("fred") if b"Subject: " + subject in data]
            return found
        wait_until(arrived, 60)
        return found[0]


class WhoTheClientIs(Front):
    def test_xclient(self):
        client = self.greeted(self.front(forward_client="xclient"), b"[192.0.2.9]")
        port = client.socket.getsockname()[1]
        self.assertEqual(client.smtp(b"AUTH PLAIN " + PLAIN)[0][:3], b"235")
        stored = self.send(client, b"xclient")
        self.assertIn(b"from [192.0.2.9] (unknown [127.0.0.1])", b" ".join(stored.split()))
        self.told.wait_log(f"PORT={port} ")

    def test_xclient_again_after_starttls(self):
        client = self.workshop.client(self.front(tls="starttls", forward_client="xclient"))
        client.smtp_reply()
        self.assertEqual(client.smtp(b"EHLO in-the-clear.example")[0][:3], b"250")
        self.assertEqual(client.smtp(b"STARTTLS")[0][:3], b"220")
        client.start_tls()
        self.assertEqual(client.smtp(b"EHLO inside.example")[0][:3], b"250")
        self.assertEqual(client.smtp(b"AUTH PLAIN " + PLAIN)[0][:3], b"235")
        stored = b" ".join(self.send(client, b"xclient twice").split())
        self.assertIn(b"from inside.example (unknown [127.0.0.1])", stored)

    def test_xclient_for_helo(self):
        client = self.workshop.client(self.front(forward_client="xclient"), tls=True)
        client.smtp_reply()
        self.assertEqual(client.smtp(b"HELO old.example")[0][:3], b"250")
        self.told.wait_log("PROTO=SMTP HELO=old.example")

    def test_received(self):
        client = self.greeted(self.front(forward_client="received"), b"client.example")
        self.assertEqual(client.smtp(b"AUTH PLAIN " + PLAIN)[0][:3], b"235")
        stored = b" ".join(self.send(client, b"received").split())
        self.assertIn(b"Received: from client.example ([127.0.0.1]) (using TLSv1.3 with cipher TLS_", stored)
        self.assertIn(b"(Postern) with ESMTPSA id ", stored)

    def test_received_in_chunks(self):
        client = self.greeted(self.front(forward_client="received"), b"client.example")
        self.assertEqual(client.smtp(b"AUTH PLAIN " + PLAIN)[0][:3], b"235")
        client.send(b"MAIL FROM:<jane@example.test>\r\nRCPT TO:<fred@example.test>\r\n"
                    b"BDAT 18\r\nSubject: chunk\r\n\r\nBDAT 7 LAST\r\nhello\r\nNOOP\r\n")
        self.assertEqual([client.smtp_reply()[0][:3] for _ in range(5)], [b"250"] * 5)
        wait_until(lambda: [data for data in self.dovecot.messages("fred")
                            if b"Subject: chunk" in data and b"(Postern) with ESMTPSA" in data], 60)


class LogIns(Front):
    def test_other_names(self):
        port = self.front({"users": [{"match": "^.*-alias$", "replace": "fred"}]})
        client = self.greeted(port)
        said = base64.b64encode(b"\0x-alias\0fred-secret")
        self.assertEqual(client.smtp(b"AUTH PLAIN " + said)[0][:3], b"235")

    def test_no_connection_before_the_login(self):
        connects = self.told.log.count("connect from")
        client = self.greeted(self.front(connect="at_login"))
        self.assertEqual(client.smtp(b"MAIL FROM:<jane@example.test>")[0][:9], b"530 5.7.0")
        self.assertEqual(client.smtp(b"AUTH PLAIN " + WRONG)[0][:3], b"535")
        self.assertEqual(client.smtp(b"AUTH PLAIN " + PLAIN)[0][:3], b"235")
        self.send(client, b"at login")
        self.assertGreater(self.told.log.count("connect from"), connects)


if __name__ == "__main__":
    main()
