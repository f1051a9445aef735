"""A certificate for 127.0.0.1 whose issuer is ours, and what a machine has that trusts it: Debian's
authorities, as a bundle and as a folder of hashed names, with ours among them. Needs openssl."""

import pathlib

from certificates import openssl

DEBIAN = pathlib.Path("/etc/ssl/certs")


class Trust:
    """Files in the folder: key, certificate; bundle, authorities (a folder)."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.key, self.certificate = self.folder / "key.pem", self.folder / "certificate.pem"
        self.bundle, self.authorities = self.folder / "bundle.pem", self.folder / "authorities"
        issuer, issuer_key = self.folder / "issuer.pem", self.folder / "issuer-key.pem"
        new = ("req", "-x509", "-noenc", "-days", 2)
        openssl(
            *new, "-newkey", "rsa:2048", "-subj", "/CN=weir test issuer", "-keyout", issuer_key,
            "-out", issuer,
        )  # fmt: skip
        openssl(
            *new, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj",
            "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-CA", issuer, "-CAkey",
            issuer_key, "-keyout", self.key, "-out", self.certificate,
        )  # fmt: skip
        self._trust(issuer)

    def _trust(self, issuer):
        self.authorities.mkdir()
        for path in DEBIAN.glob("????????.[0-9]"):
            (self.authorities / path.name).symlink_to(path.resolve())
        name = openssl("x509", "-in", issuer, "-noout", "-hash").strip()
        (self.authorities / f"{name}.0").symlink_to(issuer)
        known = DEBIAN / "ca-certificates.crt"
        known = known.read_text(encoding="utf-8") if known.exists() else ""
        self.bundle.write_text(known + issuer.read_text(encoding="utf-8"), encoding="utf-8")
