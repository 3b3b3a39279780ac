"""The ways in which a client may log in: which server to ask, and with which parameters of libpq's names."""

from __future__ import annotations

import pathlib
import ssl
import subprocess
from dataclasses import dataclass, field
from typing import Any, Callable

from support.certificates import Authority
from support.postgres_cluster import APP_PASSWORD, APP_USER, DATABASE, PostgresCluster
from support.proxy_process import ProxyProcess
from support.server_process import ServerProcess

# PostgreSQL takes the first line of pg_hba.conf that matches, so each method has a user of its own there.
_TRUSTED_USER, _MD5_USER, _CERT_USER = "app_trusted", "app_md5", "app_cert"


@dataclass(frozen=True)
class Login:
    """What a client needs to connect. `password` is None where none is asked for."""

    method: str
    server: ServerProcess
    user: str = APP_USER
    password: str | None = APP_PASSWORD
    database: str = DATABASE
    options: dict[str, str] = field(default_factory=dict)  # further ones, such as sslmode

    def parameters(self, **changes: Any) -> dict[str, Any]:
        """As psycopg2.connect() and psycopg.connect() take them."""
        base: dict[str, Any] = {
            "host": self.server.host,
            "port": self.server.port,
            "user": self.user,
            "dbname": self.database,
            "connect_timeout": 10,
        }
        if self.password is not None:
            base["password"] = self.password
        return base | self.options | changes

    def dsn(self, **changes: Any) -> str:
        return " ".join(f"{name}={value}" for name, value in self.parameters(**changes).items())

    def url(self, scheme: str) -> str:
        secret = "" if self.password is None else ":" + self.password
        return f"{scheme}://{self.user}{secret}@{self.server.host}:{self.server.port}/{self.database}"

    def asyncpg_options(self) -> dict[str, Any]:
        """asyncpg takes a context for TLS instead of file names, and does not try TLS where it is not asked to."""
        mode = self.options.get("sslmode", "disable")
        if mode == "disable":
            return {"ssl": False}
        context = ssl.create_default_context(cafile=self.options.get("sslrootcert"))
        context.check_hostname = mode == "verify-full"
        context.verify_mode = ssl.CERT_REQUIRED if mode.startswith("verify") else ssl.CERT_NONE
        if "sslcert" in self.options:
            context.load_cert_chain(self.options["sslcert"], self.options["sslkey"])
        return {"ssl": context}

    def environment(self) -> dict[str, str]:
        """The variables that libpq, and drivers after its model, read."""
        names = {
            "host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "dbname": "PGDATABASE", "password": "PGPASSWORD",
            "connect_timeout": "PGCONNECT_TIMEOUT", "sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT",
            "sslcert": "PGSSLCERT", "sslkey": "PGSSLKEY", "channel_binding": "PGCHANNELBINDING",
        }  # fmt: skip
        made = {names[name]: str(value) for name, value in self.parameters().items()}
        if "sslkey" in self.options:
            made["PGSSLKEY_DER"] = self.options["sslkey"] + ".der"  # the form that JDBC reads
        return made


class Files:
    """Certificates of the servers and of a client, made once."""

    def __init__(self, directory: pathlib.Path) -> None:
        # Not every driver checks against an address: without a name, postgres.js checks against "localhost".
        self.authority = Authority(directory, "test authority")
        self.proxy = self.authority.issue("/CN=proxy", ["IP:127.0.0.1", "DNS:localhost"])
        self.server = self.authority.issue("/CN=server", ["IP:127.0.0.1", "DNS:localhost"]).for_servers()
        self.clients = {user: self.authority.issue(f"/CN={user}") for user in (APP_USER, _CERT_USER)}
        for client in self.clients.values():
            convert = ["openssl", "pkcs8", "-topk8", "-nocrypt", "-outform", "DER", "-in", client.key]
            subprocess.run([*convert, "-out", f"{client.key}.der"], check=True, timeout=20)

    def listen(self, **more: str) -> dict[str, Any]:
        """Settings of a proxy that insists on TLS."""
        tls = {"mode": "require", "cert": str(self.proxy.cert), "key": str(self.proxy.key)}
        return {"listen": {"tls": tls | more}}

    def options(self, **more: str) -> dict[str, str]:
        """What a client says that insists on this server."""
        return {"sslmode": "verify-full", "sslrootcert": str(self.authority.cert)} | more


Make = Callable[[dict[str, Any]], ServerProcess]


def _user(server: ServerProcess, direct: str) -> str:
    return APP_USER if server.kind == ProxyProcess.kind else direct


def _trust(make: Make, files: Files) -> Login:
    server = make({"auth": {"method": "trust"}})
    return Login("trust", server, _user(server, _TRUSTED_USER), None)


def _scram(make: Make, files: Files) -> Login:
    return Login("scram-sha-256", make({}))


def _md5(make: Make, files: Files) -> Login:
    server = make({"auth": {"method": "md5"}})
    return Login("md5", server, _user(server, _MD5_USER))


def _tls(make: Make, files: Files) -> Login:
    return Login("tls", make(files.listen()), options=files.options())


def _scram_plus(make: Make, files: Files) -> Login:
    return Login("scram-sha-256-plus", make(files.listen()), options=files.options(channel_binding="require"))


def _cert(make: Make, files: Files) -> Login:
    server = make({"auth": {"method": "cert"}} | files.listen(client_ca=str(files.authority.cert)))
    user = _user(server, _CERT_USER)
    client = files.clients[user]
    return Login("cert", server, user, None, options=files.options(sslcert=str(client.cert), sslkey=str(client.key)))


# A method is switched on by a function here that makes the server which wants it.
METHODS: dict[str, Callable[[Make, Files], Login]] = {
    "trust": _trust,
    "scram-sha-256": _scram,
    "md5": _md5,
    "tls": _tls,
    "scram-sha-256-plus": _scram_plus,
    "cert": _cert,
}

# Drivers that do not know channel binding, in the versions that are tested.
WITHOUT_CHANNEL_BINDING = {"postgres_js", "pgx", "lib_pq", "jdbc", "asyncpg"}


def prepare_server(cluster: PostgresCluster) -> Files:
    """Lets PostgreSQL itself know the same ways in; the servers behind a proxy do not need it."""
    files = Files(cluster.directory / "certificates")
    primary = cluster.primary
    with primary.connect() as sql:
        sql.rows(f"alter role {APP_USER} createdb")
        sql.rows(f"create role {_TRUSTED_USER} login in role {APP_USER}")
        sql.rows(f"create role {_CERT_USER} login in role {APP_USER}")
        sql.rows("set password_encryption = 'md5'")
        sql.rows(f"create role {_MD5_USER} login password '{APP_PASSWORD}' in role {APP_USER}")
    rules = primary.directory / "pg_hba.conf"
    lines = [f"host all {_TRUSTED_USER} 127.0.0.1/32 trust", f"host all {_MD5_USER} 127.0.0.1/32 md5"]
    lines += [f"hostssl all {_CERT_USER} 127.0.0.1/32 cert"]
    rules.write_text("\n".join(lines) + "\n" + rules.read_text(encoding="utf-8"), encoding="utf-8")
    primary.alter_system(
        {"ssl_cert_file": str(files.server.cert), "ssl_key_file": str(files.server.key), "ssl_ca_file": str(files.authority.cert), "ssl": True}
    )
    return files
