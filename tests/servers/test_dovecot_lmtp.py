"""Dovecot's LMTP behind Postern: one answer a recipient."""
# label: tsan

from harness import Case, body_of, main, message


class DovecotLmtp(Case):
    def setUp(self):
        super().setUp()
        self.store = self.dovecot({"fred": "x", "jane": "x"})

    def test_two_recipients_and_one_unknown(self):
        postern = self.postern([
            {"protocol": "lmtp", "name": "plain", "tls": "none", "backend": self.store.address["lmtp"]},
            {"protocol": "lmtp", "name": "tls", "tls": "implicit", "backend": self.store.address["lmtp"]}])
        for number, name in enumerate(("plain", "tls")):
            with self.subTest(listener=name):
                self.deliver(self.client(postern.port(name), tls=name == "tls"), number)

    def deliver(self, client, number):
        sent = message(number, 50_000)
        self.assertEqual(client.smtp_reply()[0][:3], b"220")
        self.assertEqual(client.smtp(b"LHLO test")[0][:3], b"250")
        client.smtp(b"MAIL FROM:<a@example.test>")
        self.assertEqual(client.smtp(b"RCPT TO:<fred@example.test>")[0][:3], b"250")
        self.assertEqual(client.smtp(b"RCPT TO:<nobody@example.test>")[0][:3], b"550")
        self.assertEqual(client.smtp(b"RCPT TO:<jane@example.test>")[0][:3], b"250")
        self.assertEqual(client.smtp(b"DATA")[0][:3], b"354")
        dotted = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in sent.split(b"\r\n"))
        client.send(dotted + b".\r\n")
        self.assertEqual([client.smtp_reply()[0][:3] for _ in range(2)], [b"250", b"250"])
        self.assertEqual(client.smtp(b"QUIT")[0][:3], b"221")
        for user in ("fred", "jane"):
            self.assertEqual(body_of(self.store.messages(user)[number]), body_of(sent))

    def test_over_unix_sockets(self):
        path = self.path("lmtp.sock")
        self.postern([{"protocol": "lmtp", "tls": "none", "address": f"unix:{path}",
                       "backend": self.store.address["lmtp"]}])
        self.deliver(self.client(path), 0)


if __name__ == "__main__":
    main()
