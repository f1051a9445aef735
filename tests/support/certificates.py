"""Certificates for tests, made by the openssl program: an authority, and what it vouches for."""

import os
import subprocess

PASSWORD = "open sesame"


def openssl(*args):
    """What the program prints."""
    done = subprocess.run(
        ["openssl", *map(str, args)], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise AssertionError(f"openssl {args[0]}:\n{done.stderr}")
    return done.stdout


class Authority:
    """Its files are in the folder: ca.pem, and NAME.pem and NAME.key of each that was issued."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        subject = f"/CN=weir test authority {name}"
        constraint = "basicConstraints=critical,CA:TRUE"
        openssl("req", "-x509", *self._key(name), "-out", self.path(f"{name}.pem"), "-subj", subject,
                "-days", "2", "-addext", constraint)  # fmt: skip

    def path(self, name):
        return os.path.join(self.folder, name)

    @property
    def file(self):
        return self.path(f"{self.name}.pem")

    def _key(self, name):
        key = self.path(f"{name}.key")
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key

    def issue(self, name, *addresses):
        """(certificate file, key file) for "IP:127.0.0.1", "DNS:a.test" and the like."""
        request, out, more = self.path("request"), self.path(f"{name}.pem"), self.path("extensions")
        openssl("req", "-new", *self._key(name), "-out", request, "-subj", f"/CN={name}")
        with open(more, "w", encoding="utf-8") as file:
            file.write(f"subjectAltName={','.join(addresses or ('DNS:' + name,))}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", f"{self.file[:-4]}.key",
                "-CAcreateserial", "-days", "2", "-extfile", more, "-out", out)  # fmt: skip
        return out, self.path(f"{name}.key")

    def lock(self, key):
        """The key, encrypted with PASSWORD."""
        out = f"{key}.locked"
        openssl("pkey", "-in", key, "-aes256", "-passout", f"pass:{PASSWORD}", "-out", out)
        return out
