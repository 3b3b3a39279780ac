"""Proxies that share the marks of users in Redis: what was done through one, the other one knows of."""

from __future__ import annotations

import random
import signal
import threading
import time

import psycopg
import pytest

from support.deadline import wait_until
from support.redis_process import RedisProcess

pytestmark = pytest.mark.proxy_only


@pytest.fixture
def redis(cluster):
    with RedisProcess(cluster.directory) as started:
        yield started


@pytest.fixture
def proxies(request, make_proxy, nodes, table, redis):
    """Two proxies, of which each prefers another replica, and a table in which v = 0, which all nodes have."""
    with nodes.primary.connect(dbname="shop") as sql:
        sql.rows(f"create table {table} (v int)")
        sql.rows(f"insert into {table} values (0)")
        sql.rows(f"grant all on {table} to public")
    nodes.wait_caught_up()
    marks = {"store": "redis", "redis": f"{redis.host}:{redis.port}", "redis_timeout": "1s"}
    return [
        make_proxy(
            {
                "marks": marks,
                "workers": {"threads": 2},
                "cluster": {"node": [{"address": f"127.0.0.1:{preferred.port}", "weight": 1000}]},
            }
            | getattr(request, "param", {})
        )
        for preferred in nodes.replicas
    ]


@pytest.fixture
def connect(proxies):
    made = []

    def connect(proxy, user="42"):
        options = f"-c tidemark.user={user}"
        made.append(psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True, options=options))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


def delay(nodes, milliseconds=60_000):
    for node in nodes.replicas:
        node.set_apply_delay(milliseconds)


def read(connection, table):
    return connection.execute(f"select v from {table}").fetchone()[0]


def route(connection):
    return connection.execute("show tidemark.last_route").fetchone()[0]


def reads_at_replica(connection, table, nodes):
    read(connection, table)
    return "read at" in route(connection) and f":{nodes.primary.port}:" not in route(connection)


def settle(connection, table, nodes):
    """Until what the proxies do not know of this user is bounded, and Redis is relied on."""

    def settled():
        return reads_at_replica(connection, table, nodes) and "level session" in route(connection)

    wait_until(settled, "session reads at a replica", 30, detail=lambda: route(connection))


def keys(redis):
    return [key for key in redis.call("KEYS", "*:marks")]


def test_what_a_user_wrote_through_one_proxy_they_read_through_the_other(connect, proxies, nodes, table):
    writer, reader = connect(proxies[0]), connect(proxies[1])
    settle(writer, table, nodes)
    settle(reader, table, nodes)
    delay(nodes)
    for value in range(1, 30):
        writer.execute(f"update {table} set v = {value}")
        assert read(reader, table) == value


def test_another_user_is_not_held_up(connect, proxies, nodes, table):
    writer, other = connect(proxies[0]), connect(proxies[1], "43")
    settle(other, table, nodes)
    delay(nodes)
    writer.execute(f"update {table} set v = 1")
    assert read(other, table) == 0, "43 has written nothing: its replica answers, which does not show it yet"
    assert "level session" in route(other)


def test_a_write_in_a_transaction_counts_from_its_commit(connect, proxies, nodes, table):
    writer, reader = connect(proxies[0]), connect(proxies[1])
    settle(reader, table, nodes)
    delay(nodes)
    with writer.transaction():
        writer.execute(f"update {table} set v = 1")
        assert read(reader, table) == 0
    assert read(reader, table) == 1
    plain = psycopg.connect(proxies[0].dsn(connect_timeout=10), autocommit=True)
    with plain, plain.transaction():
        plain.execute(f"update {table} set v = 2")
        plain.execute("set local tidemark.user = '42'")
    assert read(reader, table) == 2, "committed on behalf of 42"


def test_what_the_primary_showed_through_one_proxy_the_other_shows(connect, proxies, nodes, table):
    first, second = connect(proxies[0]), connect(proxies[1])
    settle(first, table, nodes)
    settle(second, table, nodes)
    delay(nodes)
    connect(proxies[0], "43").execute(f"update {table} set v = 1")
    assert first.execute(f"/* tidemark: node=primary */ select v from {table}").fetchone() == (1,)
    assert read(second, table) == 1


@pytest.mark.parametrize("proxies", [{"routing": {"replica_wait": "5s"}}], indirect=True)
def test_what_a_replica_showed_through_one_proxy_no_other_replica_takes_back(connect, proxies, nodes, table):
    first, second = connect(proxies[0]), connect(proxies[1])
    settle(first, table, nodes)
    settle(second, table, nodes)
    assert f":{nodes.replicas[1].port}:" in route(second)
    nodes.replicas[1].set_apply_delay(60_000)
    connect(proxies[0], "43").execute(f"update {table} set v = 1")
    wait_until(lambda: read(first, table) == 1, "replay")
    assert f":{nodes.replicas[0].port}:" in route(first), "no position bounds what was shown"
    assert read(second, table) == 1
    assert "level session" in route(second)


def test_who_has_written_and_then_says_who_they_are_reads_it_elsewhere(connect, proxies, nodes, table):
    reader = connect(proxies[1])
    settle(reader, table, nodes)
    delay(nodes)
    for value in range(1, 10):
        with psycopg.connect(proxies[0].dsn(connect_timeout=10), autocommit=True) as writer:
            writer.execute(f"update {table} set v = {value}")
            writer.execute("set tidemark.user = '42'")
            assert read(reader, table) == value


def test_a_token_raises_the_floor_of_the_user_everywhere(connect, proxies, nodes, table):
    first, second = connect(proxies[0]), connect(proxies[1])
    settle(first, table, nodes)
    settle(second, table, nodes)
    delay(nodes)
    writer = connect(proxies[0], "43")
    for value in range(1, 10):
        writer.execute(f"update {table} set v = {value}")
        token = writer.execute("show tidemark.token").fetchone()[0]
        first.execute(f"set tidemark.token = '{token}'")
        assert read(second, table) == value


def test_a_token_stands_for_what_was_written_elsewhere(connect, proxies, nodes, table):
    first, second, other = connect(proxies[0]), connect(proxies[1]), connect(proxies[1], "43")
    settle(second, table, nodes)
    settle(other, table, nodes)
    delay(nodes)
    for value in range(1, 10):
        first.execute(f"update {table} set v = {value}")
        other.execute(f"set tidemark.token = '{second.execute('show tidemark.token').fetchone()[0]}'")
        assert read(other, table) == value


def test_a_redis_with_a_password_and_a_database(make_proxy, cluster, nodes, table):
    secret = cluster.directory / "redis-password"
    secret.write_text("secret-of-redis\n", encoding="utf-8")
    secret.chmod(0o600)
    with RedisProcess(cluster.directory, ("--user", "tide", "on", ">secret-of-redis", "~*", "+@all")) as redis:
        redis.call("ACL", "SETUSER", "default", "off")
        proxy = make_proxy(
            {
                "marks": {
                    "store": "redis", "redis": f"localhost:{redis.port}", "redis_user": "tide",
                    "redis_password_file": str(secret), "redis_database": 3, "redis_timeout": "1s",
                }
            }
        )  # fmt: skip
        wait_until(lambda: proxy.metrics().sum("tidemark_redis_up") == 1, "the login", 20, detail=proxy.log_tail)
        assert "secret-of-redis" not in proxy.log()


def test_a_position_that_is_learned_ends_the_doubt(connect, proxies, nodes, table, redis):
    writer = connect(proxies[0])
    writer.execute(f"update {table} set v = 1")

    def bounded():
        told = [redis.hash(key) for key in keys(redis)]
        return told and all("p" in fields and not any(n.startswith("d:") for n in fields) for fields in told)

    wait_until(bounded, "a position in place of the write", 20)
    ttl = redis.call("PTTL", keys(redis)[0])
    assert 600_000 < ttl <= 601_000, "marks.ttl, and the age that an observation may have"


def test_a_proxy_that_is_stopped_tells_what_it_knows_before_it_goes(connect, proxies, nodes, table, redis):
    writer = connect(proxies[0])
    for value in range(1, 10):
        writer.execute(f"update {table} set v = {value}")
    proxies[0].stop()
    told = redis.hash(keys(redis)[0])
    assert "p" in told and not any(name.startswith("d:") for name in told), told


def test_who_stays_at_a_replica_writes_nothing_to_redis(connect, proxies, nodes, table, redis):
    reader = connect(proxies[0])
    settle(reader, table, nodes)

    def quiet():
        def calls():
            fields = redis.call("INFO", "commandstats").splitlines()
            return [line for line in fields if line.startswith(("cmdstat_hset:", "cmdstat_hdel:"))]

        before = [line.split(",")[0] for line in calls()]
        for _ in range(20):
            read(reader, table)
        return before == [line.split(",")[0] for line in calls()]

    wait_until(quiet, "twenty reads without a field of their own", 20)


def test_without_redis_reads_are_strong_and_with_it_replicas_are_used_again(connect, proxies, nodes, table, redis):
    writer, reader = connect(proxies[0]), connect(proxies[1])
    settle(writer, table, nodes)
    settle(reader, table, nodes)
    assert all(proxy.metrics().sum("tidemark_redis_up") == 1 for proxy in proxies)
    delay(nodes)
    redis.kill()
    for value in range(1, 10):
        writer.execute(f"update {table} set v = {value}")
        assert read(reader, table) == value
        assert "strong (the marks in Redis cannot be had)" in route(reader)
    for proxy in proxies:
        wait_until(lambda: proxy.metrics().sum("tidemark_redis_up") == 0, "the metric", 10)  # noqa: B023
        assert proxy.metrics().sum("tidemark_redis_failures_total") > 0
        assert len(proxy.log_lines("event=redis_lost")) == 1
    redis.start()
    for value in range(10, 40):
        writer.execute(f"update {table} set v = {value}")
        assert read(reader, table) == value
    for proxy in proxies:
        wait_until(lambda: proxy.log_lines("event=redis_found"), "the line in the log", 20)  # noqa: B023
        assert proxy.metrics().sum("tidemark_redis_up") == 1
    nodes.heal()
    nodes.wait_caught_up()
    settle(reader, table, nodes)


def test_a_redis_that_answers_nothing_holds_no_read_up_for_long(connect, proxies, nodes, table, redis):
    writer, reader = connect(proxies[0]), connect(proxies[1])
    settle(writer, table, nodes)
    settle(reader, table, nodes)
    delay(nodes)
    redis.process.send_signal(signal.SIGSTOP)
    try:
        writer.execute(f"update {table} set v = 1")
        assert read(reader, table) == 1
        assert "strong" in route(reader)
        wait_until(lambda: proxies[1].log_lines("event=redis_lost.*answer"), "the line in the log", 20)
    finally:
        redis.process.send_signal(signal.SIGCONT)


def test_a_redis_that_has_forgotten_everything_makes_nobody_clean(connect, proxies, nodes, table, redis):
    writer, reader = connect(proxies[0]), connect(proxies[1])
    settle(writer, table, nodes)
    settle(reader, table, nodes)
    delay(nodes)
    writer.execute(f"update {table} set v = 1")
    redis.kill()
    redis.start()
    for _ in range(2):
        wait_until(
            lambda: read(reader, table) == 1 and "level session" in route(reader), "Redis to be relied on", 30
        )
    redis.call("FLUSHALL")
    writer.execute(f"update {table} set v = 2")
    redis.call("FLUSHALL")
    assert read(reader, table) == 2
    wait_until(lambda: proxies[1].log_lines("event=redis_forgot"), "the line in the log", 20)
    wait_until(lambda: read(reader, table) == 2 and "level session" in route(reader), "Redis to be relied on", 30)


def test_a_proxy_that_dies_before_it_told_the_position_leaves_the_doubt(connect, proxies, nodes, table, redis):
    writer, reader = connect(proxies[0]), connect(proxies[1])
    settle(reader, table, nodes)
    delay(nodes)
    key = None
    for value in range(1, 20):
        writer.execute(f"update {table} set v = {value}")
        proxies[0].process.send_signal(signal.SIGSTOP)
        key = key or keys(redis)[0]
        if any(name.startswith("d:") for name in redis.hash(key)):
            break
        proxies[0].process.send_signal(signal.SIGCONT)
    else:
        pytest.fail("each position was told before the proxy could be stopped")
    proxies[0].kill()
    assert read(reader, table) == value
    assert any(name.startswith("d:") for name in redis.hash(key))
    assert read(reader, table) == value


@pytest.mark.parametrize("redis_is_restarted", [False, True])
@pytest.mark.limit(120)
def test_nobody_reads_less_than_before_whichever_proxies_they_use(
    proxies, nodes, table, redis, redis_is_restarted
):
    """Users who write a row of their own and read it and everybody's, each statement through any proxy."""
    with nodes.primary.connect(dbname="shop") as sql:
        sql.rows(f"alter table {table} add id int")
        sql.rows(f"update {table} set id = 0")
        sql.rows(f"insert into {table} select 0, generate_series(1, 6)")
    nodes.wait_caught_up()
    nodes.replicas[1].set_apply_delay(150)
    wrong: list[str] = []
    strong = [0]
    enough = threading.Event()

    def user(key: int) -> None:
        chance = random.Random(key)
        options = f"-c tidemark.user=u{key}"
        both = [psycopg.connect(p.dsn(connect_timeout=10), autocommit=True, options=options) for p in proxies]
        least = {0: 0, key: 0}
        for turn in range(400 if not redis_is_restarted else 100_000):
            if enough.is_set():
                break
            connection = chance.choice(both)
            row = chance.choice((0, key))
            if chance.random() < 0.3:
                value = connection.execute(
                    f"update {table} set v = v + 1 where id = {row} returning v"
                ).fetchone()[0]
            else:
                value = connection.execute(f"select v from {table} where id = {row}").fetchone()[0]
                strong[0] += "strong" in route(connection)
            if value < least[row]:
                wrong.append(f"user {key}, turn {turn}, row {row}: {value} < {least[row]}: {route(connection)}")
            least[row] = value
        for connection in both:
            connection.close()

    threads = [threading.Thread(target=user, args=(key,)) for key in range(1, 7)]
    for thread in threads:
        thread.start()
    if redis_is_restarted:
        for _ in range(2):
            redis.kill()
            redis.start()
            lines = [len(proxy.log_lines("event=redis_found")) for proxy in proxies]
            wait_until(
                lambda: all(len(p.log_lines("event=redis_found")) >= max(1, n) for p, n in zip(proxies, lines)),  # noqa: B023
                "both proxies to find Redis",
                20,
            )
            before = strong[0]
            wait_until(lambda: strong[0] > before, "strong reads", 20)  # noqa: B023
            time.sleep(2.5)  # into the time in which Redis is relied on again: more to see, nothing to prove
        enough.set()
    for thread in threads:
        thread.join()
    assert not wrong, "\n".join(wrong[:10])
