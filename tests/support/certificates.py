"""certificates.py: an authority of a test's own, and certificates by it: good ones, and such as must be
refused.

Uses     openssl, as a program.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

CONFIG = """
[ca]
default_ca = own
[own]
database = {dir}/index.txt
serial = {dir}/serial
new_certs_dir = {dir}
default_md = sha256
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = supplied
"""


@dataclass(frozen=True)
class Certificate:
    certificate: Path
    key: Path  # unencrypted, PKCS 8

    @property
    def both(self) -> str:
        return self.key.read_text() + self.certificate.read_text()


class Authority:
    """Signs what it is asked to; all of it lies in one directory."""

    def __init__(self, directory: Path):
        self.dir = Path(directory)
        self.dir.mkdir(parents=True)
        self.certificate = self.dir / "authority.pem"
        self.config = self.dir / "authority.cnf"
        self.config.write_text(CONFIG.format(dir=self.dir))
        (self.dir / "index.txt").touch()
        (self.dir / "serial").write_text("01\n")
        self.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
                     f"/CN=authority {self.dir.name}", "-keyout", self.dir / "authority.key", "-out",
                     self.certificate)

    def openssl(self, *arguments: object) -> None:
        done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True)
        assert done.returncode == 0, done.stderr

    def sign(self, name: str, expired: bool = False) -> Certificate:
        """A certificate for a host of that name."""
        base = f"{name}-expired" if expired else name
        made = Certificate(self.dir / f"{base}.pem", self.dir / f"{base}.key")
        request = self.dir / f"{base}.csr"
        self.openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-addext",
                     f"subjectAltName=DNS:{name}", "-keyout", made.key, "-out", request)
        period = ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] if expired else \
            ["-days", "2"]
        self.openssl("ca", "-batch", "-notext", "-config", self.config, "-cert", self.certificate,
                     "-keyfile", self.dir / "authority.key", *period, "-in", request, "-out",
                     made.certificate)
        os.chmod(made.key, 0o600)
        return made
