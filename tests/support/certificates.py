"""Certificates for tests, made by the openssl program: authorities, what they sign, and what they revoke."""

from __future__ import annotations

import itertools
import os
import pathlib
import subprocess
from dataclasses import dataclass
from typing import Any, Sequence

from .run_as import server_user

_CONFIG = """
[ca]
default_ca = this
[this]
database = {directory}/index
serial = {directory}/serial
crlnumber = {directory}/crlnumber
default_md = sha256
default_crl_days = 30
[req]
distinguished_name = dn
[dn]
"""
_serials = itertools.count(1000)


@dataclass(frozen=True)
class Certificate:
    cert: pathlib.Path
    key: pathlib.Path

    def for_servers(self) -> "Certificate":
        """The same, but PostgreSQL's user owns the key, which servers ask for."""
        user = server_user()
        os.chown(self.key, user.pw_uid, user.pw_gid)
        return self


class Authority:
    """A certificate authority of its own in `directory`, which others than its owner may enter."""

    def __init__(self, directory: pathlib.Path, name: str) -> None:
        self.directory = directory / name.replace(" ", "-")
        self.directory.mkdir(parents=True)
        self.name = name
        self.cert, self.key = self.directory / "ca.crt", self.directory / "ca.key"
        self._config = self.directory / "openssl.cnf"
        self._config.write_text(_CONFIG.format(directory=self.directory), encoding="utf-8")
        (self.directory / "index").touch()
        (self.directory / "crlnumber").write_text("01\n", encoding="utf-8")
        self._openssl(
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
            "-config", self._config, "-keyout", self.key, "-out", self.cert, "-subj", f"/CN={name}",
            "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
        )  # fmt: skip

    def issue(
        self, subject: str, names: Sequence[str] = (), days: int = 20, digest: str = "sha256", rsa: bool = False
    ) -> Certificate:
        """A certificate for `/CN=…`. names: "IP:127.0.0.1", "DNS:db.test". days: -1 makes one that has expired."""
        stem = f"{next(_serials)}"
        made = Certificate(self.directory / f"{stem}.crt", self.directory / f"{stem}.key")
        request, extensions = self.directory / f"{stem}.csr", self.directory / f"{stem}.ext"
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self._openssl(
            "req", "-new", "-newkey", *kind, "-nodes", "-config", self._config, "-utf8",
            "-keyout", made.key, "-out", request, "-subj", subject,
        )  # fmt: skip
        lines = ["basicConstraints=CA:FALSE"] + ([f"subjectAltName={','.join(names)}"] if names else [])
        extensions.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._openssl(
            "x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-set_serial", stem,
            "-days", str(days), f"-{digest}", "-extfile", extensions, "-out", made.cert,
        )  # fmt: skip
        made.key.chmod(0o600)
        return made

    def revoke(self, *certificates: Certificate) -> pathlib.Path:
        """A new revocation list with these certificates and all that were revoked before."""
        signer = ["-config", self._config, "-cert", self.cert, "-keyfile", self.key]
        for certificate in certificates:
            self._openssl("ca", *signer, "-revoke", certificate.cert)
        crl = self.directory / f"{next(_serials)}.crl"
        self._openssl("ca", *signer, "-gencrl", "-out", crl)
        return crl

    def _openssl(self, *arguments: object) -> None:
        done = subprocess.run(
            ["openssl", *map(str, arguments)],
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"openssl {arguments[0]} failed:\n{done.stderr}")


class Files:
    """An authority for the proxy's certificate, one for clients', and one that nobody trusts."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.servers = Authority(directory, "servers")
        self.clients = Authority(directory, "clients")
        self.strangers = Authority(directory, "strangers")
        self.proxy = self.servers.issue("/CN=proxy", ["IP:127.0.0.1", "DNS:localhost"])
        self.app = self.clients.issue("/O=Shop/CN=app")
        self.stranger = self.strangers.issue("/CN=app")
        self.expired = self.clients.issue("/CN=app", days=-1)
        self.revoked = self.clients.issue("/CN=app")
        self.crl = self.clients.revoke(self.revoked)

    def listen(self, mode: str, **more: Any) -> dict[str, Any]:
        tls = {"mode": mode, "cert": str(self.proxy.cert), "key": str(self.proxy.key), **more}
        return {"listen": {"tls": {key: value if value is None else str(value) for key, value in tls.items()}}}
