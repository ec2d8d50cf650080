"""Keys and certificates, made with the openssl program in a few milliseconds each."""

import os
import subprocess


def _openssl(*arguments, text=None):
    done = subprocess.run(["openssl", *arguments], input=text, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr}")
    return done.stdout


def _alternative_names(names):
    return ",".join(("IP:" if name.replace(".", "").isdigit() or ":" in name else "DNS:") + name for name in names)


def _key_options(rsa):
    return ["-newkey", "rsa:2048"] if rsa else ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


class Certificate:
    def __init__(self, folder, stem):
        self.chain = os.path.join(folder, stem + ".chain.pem")
        self.key = os.path.join(folder, stem + ".key.pem")

    @property
    def entry(self):
        """As an item of tls.certificates."""
        return {"chain": self.chain, "key": self.key}


def self_signed(folder, names=("localhost", "127.0.0.1", "::1"), stem="self", rsa=False, days=30):
    made = Certificate(folder, stem)
    _openssl("req", "-x509", *_key_options(rsa), "-nodes", "-keyout", made.key, "-out", made.chain, "-days", str(days),
             "-subj", f"/CN={names[0]}", "-addext", f"subjectAltName={_alternative_names(names)}")
    return made


class Authority:
    """A certificate authority of the test's own; `ca` is its certificate's file."""

    def __init__(self, folder, name="Test CA", stem="ca"):
        self.folder, self._stem = folder, stem
        self.ca = os.path.join(folder, stem + ".pem")
        self._key = os.path.join(folder, stem + ".key.pem")
        _openssl("req", "-x509", *_key_options(False), "-nodes", "-keyout", self._key, "-out", self.ca, "-days", "30",
                 "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")

    def issue(self, names, stem, rsa=False, days=30, usage="serverAuth,clientAuth"):
        made = Certificate(self.folder, stem)
        request, extensions = made.chain + ".csr", made.chain + ".ext"
        _openssl("req", "-new", *_key_options(rsa), "-nodes", "-keyout", made.key, "-out", request,
                 "-subj", f"/CN={names[0]}")
        with open(extensions, "w") as file:
            file.write(f"subjectAltName={_alternative_names(names)}\nextendedKeyUsage={usage}\n")
        _openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial",
                 "-out", made.chain, "-days", str(days), "-extfile", extensions)
        return made
