"""Roles, rules and logins for the tests of who may log in."""

from __future__ import annotations

import hashlib
import itertools
import os
import socket
import struct
from typing import Any, Iterator

import psycopg2
import pytest

from support.deadline import PATIENCE
from support import wire

AUTHENTICATIONS = "tidemark_authentications_total"
_LOOKUP = "SELECT * FROM public.tidemark_lookup($1)"
_names = itertools.count(1)


@pytest.fixture(scope="session")
def lookup(cluster) -> str:
    """The query for secrets, through a function: only superusers may read pg_shadow."""
    cluster.primary.rows(
        """
        create or replace function public.tidemark_lookup(wanted text)
            returns table (usename name, passwd text, valuntil timestamptz)
            language sql security definer set search_path = pg_catalog
            as 'select usename, passwd, valuntil from pg_shadow where usename = wanted';
        revoke execute on function public.tidemark_lookup(text) from public;
        grant execute on function public.tidemark_lookup(text) to tidemark;
        """
    )
    cluster.wait_caught_up()
    return _LOOKUP


@pytest.fixture
def make_role(cluster) -> Iterator[Any]:
    """make_role("secret", encryption="md5", options="valid until …"): its name."""
    made = []

    def make(password: str, encryption: str = "scram-sha-256", options: str = "") -> str:
        name = f"role{os.getpid()}_{next(_names)}"
        with cluster.primary.connect() as sql:
            sql.rows(f"set password_encryption = '{encryption}'")
            sql.rows(f"create role {name} login password '{password}' {options}")
        made.append(name)
        cluster.wait_caught_up()
        return name

    yield make
    for name in made:
        cluster.primary.rows(f"drop role if exists {name}")


def set_password(cluster, role: str, password: str) -> None:
    cluster.primary.rows(f"alter role {role} password '{password}'")
    cluster.wait_caught_up()


def verifier(cluster, role: str) -> str:
    return str(cluster.primary.value("select rolpassword from pg_authid where rolname = %s", [role]))


def asking(lookup: str, **auth: Any) -> dict[str, Any]:
    """A configuration without a users file."""
    return {"auth": {"users_file": None, "query": lookup, **auth}}


def refusal(proxy, **parameters: Any) -> str:
    with pytest.raises(psycopg2.OperationalError) as caught:
        proxy.connect(seconds=15, **parameters).close()
    return str(caught.value)


def wire_login(proxy, user: str, password: str, database: str = "shop", source: str | None = None) -> list[wire.Message]:
    """A login by the bare protocol, if wanted from another loopback address; also with md5."""
    with wire.WireClient(proxy.host, proxy.port) as client:
        if source is not None:
            client.socket.close()
            client.socket = socket.create_connection((proxy.host, proxy.port), timeout=15 * PATIENCE, source_address=(source, 0))
        client.send(wire.startup({"user": user, "database": database}))
        replies = []
        for reply in client.authenticate(password):
            replies.append(reply)
            if reply.type == "R" and struct.unpack("!I", reply.body[:4])[0] == 5:
                inner = hashlib.md5((password + user).encode()).hexdigest().encode()
                answer = hashlib.md5(inner + reply.body[4:8]).hexdigest().encode()
                client.send(wire.message("p", b"md5" + answer + b"\0"))
        return replies


def without_chance(replies: list[wire.Message], user: str) -> list[Any]:
    """What was said, without names, nonces, salts and keys: those differ from one login to the next."""
    seen: list[Any] = []
    for reply in replies:
        if reply.type == "E":
            seen.append({k: v.replace(user, "USER") for k, v in reply.fields().items() if k not in "FLR"})
        elif reply.type == "R":
            kind = struct.unpack("!I", reply.body[:4])[0]
            if kind == 11:
                parts = dict(part.split("=", 1) for part in reply.body[4:].decode().split(","))
                seen.append((kind, len(parts["r"]), len(parts["s"]), parts["i"]))
            else:
                seen.append((kind, len(reply.body) if kind == 5 else reply.body))
        else:
            seen.append(reply.type)
    return seen


def rule(kind: str = "host", address: str | None = "127.0.0.1/32", method: str = "scram-sha-256", **more: Any) -> dict[str, Any]:
    return {"type": kind, "method": method, **({"address": address} if address else {}), **more}
