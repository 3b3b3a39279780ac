"""PostgreSQL's own programs: dump and restore, maintenance, pgbench, and those that want a replication connection."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
import pathlib
import re
import subprocess

import pytest

from support.deadline import PATIENCE, wait_until
from support.postgres_cluster import APP_USER
from support.run_as import clean_environment, postgres_bin


def tool(login, name: str, *arguments: str, fails: bool | None = False, **options) -> str:
    """What the program writes; an error that quotes it if it ends otherwise than it should. fails: None if it may."""
    done = subprocess.run(
        [str(postgres_bin() / name), *arguments],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50 * PATIENCE, check=False,
        env=clean_environment() | login.environment(), **options,
    )  # fmt: skip
    assert fails is None or (done.returncode != 0) == fails, f"{name} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def filled(cluster):
    """A database with something of every kind in it, made past the proxy."""
    cluster.primary.rows(f"create database filled owner {APP_USER}")
    script = pathlib.Path(__file__).with_name("rich_schema.sql")
    arguments = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "schema=stock", "-f", str(script)]
    arguments += ["-c", "select lo_from_bytea(0, convert_to(repeat('large ', 100000), 'utf8')) from generate_series(1, 3)"]
    arguments += ["-c", "drop table stock.scratch"]  # a dump at a replica would leave it out
    arguments += ["-c", "select lo_from_bytea(4711, 'x'); comment on large object 4711 is 'a comment'"]
    environment = {"PGHOST": "127.0.0.1", "PGPORT": str(cluster.primary.port), "PGUSER": APP_USER, "PGPASSWORD": "app-secret"}
    done = subprocess.run(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50 * PATIENCE, check=False,
        env=clean_environment() | environment | {"PGDATABASE": "filled"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    cluster.wait_caught_up()
    yield "filled"
    cluster.primary.rows("drop database filled with (force)")


@pytest.fixture
def restored(cluster, login, table):
    """A login to an empty database that is gone after the test, made by createdb."""
    tool(login, "createdb", "--maintenance-db", "postgres", "-E", "UTF8", "-T", "template0", table)
    yield dataclasses.replace(login, database=table)
    cluster.primary.rows(f"drop database if exists {table} with (force)")


def drop_by_force(cluster, login, database: str) -> None:
    """dropdb --force ends the sessions of its own role only, and the monitor's short one may be there, to read pg_proc."""
    strangers = "select count(*) from pg_stat_activity where datname = %s and usename is distinct from %s"

    def dropped() -> bool:
        wait_until(lambda: not cluster.primary.value(strangers, [database, APP_USER]), f"only {APP_USER} to be in {database}")
        said = tool(login, "dropdb", "--maintenance-db", "postgres", "--force", database, fails=None)
        assert not said.strip() or "process is being terminated" in said or "superuser process" in said, said
        return not cluster.primary.value("select true from pg_database where datname = %s", [database])

    wait_until(dropped, f"{database} to be dropped", interval=0.2)


def at(login, database: str):
    return dataclasses.replace(login, database=database)


def dump(login, database: str) -> str:
    """A database as a script, without the key against injected meta-commands, which is new each time."""
    return re.sub(r"^\\(un)?restrict .*$", "", tool(at(login, database), "pg_dump"), flags=re.MULTILINE)


def same(got: str, wanted: str) -> None:
    """A difference is shown as `diff` does: these texts are long."""
    lines = difflib.unified_diff(wanted.splitlines(), got.splitlines(), "wanted", "got", lineterm="", n=1)
    assert got == wanted, "\n".join(itertools.islice(lines, 40))


def test_a_dump_is_what_the_server_itself_would_give(login, direct_login, filled):
    through = dump(login, filled)
    same(through, dump(direct_login, filled))
    assert "stock.customer" in through and "lo_open" in through


def test_who_asks_is_told_of_a_server_that_can_be_written_to(login):
    answers = tool(login, "psql", "-X", "-At", *(["-c", "select pg_is_in_recovery()"] * 50)).split()
    assert set(answers) == {"f"}


@pytest.mark.parametrize("way", ["plain", "inserts", "custom", "directory", "tar"])
def test_dump_and_restore(login, direct_login, filled, restored, tmp_path, way):
    source, archive = at(login, filled), str(tmp_path / "archive")
    if way in ("plain", "inserts"):
        arguments = ["--inserts", "--rows-per-insert=50"] if way == "inserts" else []
        tool(source, "pg_dump", "-f", archive, *arguments)
        tool(restored, "psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", archive)
    else:
        jobs = ["-j", "4"] if way == "directory" else []
        tool(source, "pg_dump", "-F", way, "-f", archive, *jobs)
        jobs = ["-j", "4"] if way != "tar" else []
        tool(restored, "pg_restore", "-e", "-d", restored.database, *jobs, archive)
    same(dump(direct_login, restored.database), dump(direct_login, filled))


def test_clean_restore_over_what_is_there(login, direct_login, filled, restored, tmp_path):
    archive = str(tmp_path / "archive")
    tool(at(login, filled), "pg_dump", "-F", "custom", "-f", archive)
    for _ in range(2):
        tool(restored, "pg_restore", "--clean", "--if-exists", "-e", "-1", "-d", restored.database, archive)
    same(dump(direct_login, restored.database), dump(direct_login, filled))


def test_roles_by_pg_dumpall(login, direct_login):
    arguments = ["--globals-only", "--no-role-passwords", "-l", "shop"]
    assert len({re.sub(r"restrict .*", "", tool(way, "pg_dumpall", *arguments)) for way in (login, direct_login)}) == 1


def test_maintenance(login, filled):
    tool(login, "vacuumdb", "--analyze", "-j", "2", "-d", filled)
    tool(login, "reindexdb", "-t", "stock.customer", "--concurrently", "-d", filled)
    tool(login, "reindexdb", "-S", "stock", "-j", "2", "-d", filled)
    tool(login, "clusterdb", "-t", "stock.purchase", "-d", filled)


def test_createdb_and_dropdb(cluster, login, table):
    tool(login, "createdb", "--maintenance-db", "postgres", table)
    assert "already exists" in tool(login, "createdb", "--maintenance-db", "postgres", table, fails=True)
    assert tool(at(login, table), "psql", "-X", "-At", "-c", "select current_database()") == f"{table}\n"
    # A pool in between keeps connections to the database, which PostgreSQL itself would be asked to end, too.
    drop_by_force(cluster, login, table)
    said = tool(login, "dropdb", "--maintenance-db", "postgres", table, fails=True)
    assert "does not exist" in said


def test_a_database_that_the_replicas_do_not_have_yet(cluster, login, table):
    for replica in cluster.replicas:
        replica.pause_replay()
    try:
        tool(login, "createdb", "--maintenance-db", "postgres", table)
        assert tool(at(login, table), "psql", "-X", "-At", "-c", "select current_database()") == f"{table}\n"
        drop_by_force(cluster, login, table)
    finally:
        for replica in cluster.replicas:
            replica.resume_replay()


@pytest.mark.parametrize("mode", ["simple", "extended", "prepared"])
def test_pgbench(narrow_login, restored, mode):
    through = at(narrow_login, restored.database)
    tool(through, "pgbench", "-q", "-i", "-I", "dtGvpf" if mode == "simple" else "dtgvp", "-s", "1")
    # A thread per client: it prepares with a call that blocks, and would hold up clients whose transactions are open.
    said = tool(through, "pgbench", "-n", "-M", mode, "-c", "12", "-j", "12", "-t", "20")
    assert "number of transactions actually processed: 240/240" in said and "failed transactions: 0 " in said
    said = tool(through, "pgbench", "-n", "-M", mode, "-S", "-C", "-c", "4", "-j", "4", "-t", "10")
    assert "number of transactions actually processed: 40/40" in said
    same = "select sum(abalance) = (select sum(tbalance) from pgbench_tellers) from pgbench_accounts"
    begun = ["-c", f"begin; {same}; commit"]
    assert tool(through, "psql", "-X", "-q", "-At", *begun) == "t\n"


def test_a_pipeline_of_pgbench(login, restored, tmp_path):
    script = tmp_path / "pipeline.sql"
    lines = ["\\startpipeline", *(f"select {index} + :client_id;" for index in range(50)), "\\endpipeline"]
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for mode in ("extended", "prepared"):
        said = tool(restored, "pgbench", "-n", "-M", mode, "-f", str(script), "-c", "4", "-j", "4", "-t", "20")
        assert "number of transactions actually processed: 80/80" in said


@pytest.mark.parametrize("program", ["pg_basebackup", "pg_receivewal", "pg_recvlogical"])
def test_replication_is_refused_and_told_so(login, tmp_path, program):
    arguments = {
        "pg_basebackup": ["-D", str(tmp_path / "copy")],
        "pg_receivewal": ["-D", str(tmp_path), "--no-loop"],
        "pg_recvlogical": ["-d", "shop", "--slot", "s", "--create-slot", "-P", "pgoutput"],
    }
    assert "replication" in tool(login, program, *arguments[program], "-w", fails=True)
    assert tool(login, "psql", "-X", "-At", "-c", "select 1") == "1\n"


def test_pg_isready(login):
    assert "accepting connections" in tool(login, "pg_isready")
