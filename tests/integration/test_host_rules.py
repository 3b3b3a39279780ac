"""Random lists of host rules: the proxy lets in, asks and refuses whom PostgreSQL does with the same pg_hba.conf."""

from __future__ import annotations

import random
import socket
import struct
from typing import Any

import pytest

from support import wire
from support.deadline import PATIENCE, wait_until
from support.free_ports import free_ports
from support.postgres_cluster import PostgresCluster

pytestmark = pytest.mark.proxy_only

USERS = ["app", "tidemark", "postgres", "all_of_us"]
DATABASES = ["shop", "postgres", "app", "nosuch"]
LISTS, CLIENTS = 12, 40


def random_rule(chance: random.Random) -> dict[str, Any]:
    def names(known: list[str], words: list[str]) -> list[str]:
        return chance.sample(known + words, chance.choice([1, 1, 2, 3]))

    parts = ["127", str(chance.choice([0, 1])), str(chance.choice([0, 1, 129])), str(chance.choice([1, 2, 200]))]
    address = ".".join(parts) + f"/{chance.choice([8, 15, 16, 17, 24, 25, 31, 32])}"
    return {
        "type": chance.choice(["host", "host", "host", "hostssl", "hostnossl", "local"]),
        "database": names(DATABASES, ["all", "sameuser"]),
        "user": names(USERS, ["all"]),
        "address": chance.choice([address, address, address, "all", "10.0.0.0/8", "::1/128"]),
        "method": chance.choice(["reject", "scram-sha-256", "scram-sha-256"]),
    }


def pg_hba_line(rule: dict[str, Any]) -> str:
    address = "" if rule["type"] == "local" else rule["address"]
    return f"{rule['type']} {','.join(rule['database'])} {','.join(rule['user'])} {address} {rule['method']}\n"


def verdict(host: str, port: int, source: str, user: str, database: str) -> str:
    """What the first answer to a login says."""
    with wire.WireClient(host, port) as client:
        client.socket.close()
        client.socket = socket.create_connection((host, port), timeout=15 * PATIENCE, source_address=(source, 0))
        client.send(wire.startup({"user": user, "database": database}))
        reply = client.receive()
        if reply.type == "R":
            return f"asked for {struct.unpack('!I', reply.body[:4])[0]}"
        fields = reply.fields()
        assert fields["C"] == "28000" and fields["S"] == "FATAL", fields
        return "rejected" if "reject" in fields["M"] else "no rule"


@pytest.mark.limit(120)
def test_random_lists_of_rules_decide_as_pg_hba_conf_does(make_proxy):
    chance = random.Random(20261121)
    with PostgresCluster(replicas=0, fsync=False) as direct:
        node = direct.primary
        proxy = make_proxy(nodes=[f"127.0.0.1:{port}" for port in free_ports(1)], start=False)
        seen: dict[str, int] = {}
        for number in range(LISTS):
            rules = [random_rule(chance) for _ in range(chance.randint(1, 7))]
            text = "local all postgres trust\n" + "".join(map(pg_hba_line, rules))
            (node.directory / "pg_hba.conf").write_text(text, encoding="utf-8")
            loaded = node.value("select pg_conf_load_time()", host=str(node.sockets))
            node.reload()
            wait_until(
                lambda: node.value("select pg_conf_load_time()", host=str(node.sockets)) > loaded, "a reload", 10
            )
            bad = node.value("select string_agg(error, '; ') from pg_hba_file_rules", host=str(node.sockets))
            assert bad is None or "SSL is disabled" in bad or "hostssl" in bad, bad

            for rule in rules:
                if rule["type"] == "local":
                    rule.pop("address")
            proxy.config["auth"] = {"users_file": proxy.config["auth"]["users_file"], "rule": rules}
            if number == 0:
                proxy.write_config()
                proxy.start(query=False)
            else:
                before = len(proxy.log_lines("event=reloaded"))
                proxy.write_config()
                proxy.reload()
                wait_until(lambda: len(proxy.log_lines("event=reloaded")) > before, "the reload", 10, detail=proxy.log_tail)
            for _ in range(CLIENTS):
                last = [chance.choice([0, 1]), chance.choice([0, 1, 129, 255]), chance.choice([1, 2, 3, 200])]
                source = "127." + ".".join(map(str, last))
                user, database = chance.choice([*USERS, "stranger"]), chance.choice([*DATABASES, "store"])
                expected = verdict("127.0.0.1", node.port, source, user, database)
                told = verdict(proxy.host, proxy.port, source, user, database)
                assert told == expected, (source, user, database, text)
                seen[told] = seen.get(told, 0) + 1
        assert len(seen) == 3 and min(seen.values()) > 20, f"one-sided cases: {seen}"
