"""Many handshakes at once, which take turns and sign on another thread while somebody is logged in."""

# label: tsan

import socket
import ssl
import threading

from harness import Case, LineClient, main, self_signed, trusting


class Handshakes(Case):
    def start(self, rsa):
        legacy = self.legacy(protocols=("imap",))
        certificate = self_signed(self.folder, rsa=rsa, stem="rsa" if rsa else "ec")
        return self.serve({"tls": {"certificates": [certificate.entry]},
                           "backends": {"b": {"servers": [f"127.0.0.1:{legacy.ports['imap']}"]}},
                           "listeners": [{"name": "l", "protocol": "imap", "tls": "implicit", "backend": "b"},
                                         {"name": "s", "protocol": "imap", "tls": "starttls", "backend": "b"}]})

    def log_in(self, postern):
        client = self.client(postern.port("l"), tls=True)
        client.line()
        client.send(b"a LOGIN fred secret\r\n")
        self.assertRegex(client.line(), rb"^a OK")
        return client

    def greeting(self, port, **settings):
        with LineClient(port, tls=trusting(**settings)) as client:
            return client.line()

    def test_rsa_in_every_version_and_key_exchange(self):
        postern = self.start(rsa=True)
        self.every_version(postern)
        self.log_in(postern)
        self.every_version(postern)

    def every_version(self, postern):
        v12 = ssl.TLSVersion.TLSv1_2
        for settings in ({}, {"maximum_version": v12}, {"maximum_version": v12, "ciphers": "AES128-GCM-SHA256"}):
            self.assertTrue(self.greeting(postern.port("l"), **settings).startswith(b"* OK"), settings)

    def test_rsa_behind_starttls(self):
        postern = self.start(rsa=True)
        with LineClient(postern.port("s")) as client:
            client.line()
            client.send(b"s STARTTLS\r\n")
            self.assertRegex(client.line(), rb"^s OK")
            client.start_tls()
            client.send(b"a LOGIN fred secret\r\n")
            self.assertRegex(client.line(), rb"^a OK")

    def many(self, rsa):
        postern = self.start(rsa)
        logged_in = self.log_in(postern)
        seen = []

        def one():
            for _ in range(5):
                seen.append(self.greeting(postern.port("l"))[:4])

        threads = [threading.Thread(target=one) for _ in range(20)]
        for thread in threads:
            thread.start()
        for _ in range(50):
            logged_in.send(b"a NOOP\r\n")
            self.assertRegex(logged_in.line(), rb"^a OK")
        for thread in threads:
            thread.join()
        self.assertEqual(seen, [b"* OK"] * 100)

    def test_many_at_once_ecdsa(self):
        self.many(rsa=False)

    def test_many_at_once_rsa(self):
        self.many(rsa=True)

    def test_clients_that_leave_while_they_wait(self):
        postern = self.start(rsa=True)
        self.log_in(postern)
        hello = ssl.MemoryBIO()
        ssl_object = trusting().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
        with self.assertRaises(ssl.SSLWantReadError):
            ssl_object.do_handshake()
        hello = hello.read()
        waiting = [socket.create_connection(("127.0.0.1", postern.port("l"))) for _ in range(60)]
        for client in waiting:
            client.sendall(hello)
        for client in waiting:
            client.close()
        self.assertTrue(self.greeting(postern.port("l")).startswith(b"* OK"))

    def test_bytes_in_front_of_the_flight_of_an_rsa_key(self):
        postern = self.start(rsa=True)
        self.log_in(postern)
        with socket.create_connection(("127.0.0.1", postern.port("l"))) as client:
            hello = ssl.MemoryBIO()
            ssl_object = trusting().wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost")
            with self.assertRaises(ssl.SSLWantReadError):
                ssl_object.do_handshake()
            client.sendall(hello.read() + b"\x17\x03\x03\x00\x05hello")
            client.settimeout(10)
            rest = b"x"
            while rest:  # an end, in whatever way, and not a hang
                try:
                    rest = client.recv(1000)
                except ConnectionResetError:
                    rest = b""


if __name__ == "__main__":
    main()
