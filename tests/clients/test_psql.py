"""psql: what it asks the catalogs is answered as by the primary itself, and its own commands work."""

from __future__ import annotations

import pathlib
import re
import signal
import subprocess

import pytest

from support.deadline import PATIENCE, wait_until
from support.run_as import clean_environment

DESCRIBE = [
    r"\d", r"\d+ customer", r"\d+ purchase", r"\d+ measurement", r"\d measurement_2023", r"\d+ special", r"\d scratch",
    r"\d+ happy", r"\d+ totals", r"\d customer_lower", r"\d tickets", r"\d pair", r"\da", r"\dA+", r"\dAc btree int*",
    r"\db", r"\dc pg_catalog.iso*", r"\dC int4", r"\dd", r"\dD+", r"\ddp", r"\dE", r"\des+", r"\deu", r"\dew+", r"\df",
    r"\df+ twice", r"\dF+", r"\dFd", r"\dFp", r"\dFt", r"\dg", r"\di", r"\dl", r"\dL", r"\dm", r"\dn+", r"\do", r"\dO",
    r"\dp", r"\dP+", r"\drds", r"\dRp+", r"\dRs", r"\ds", r"\dt", r"\dT+", r"\du", r"\dv", r"\dx+", r"\dX", r"\dy", r"\l",
    r"\sf touch", r"\sv happy", r"\z customer", r"\dconfig work_mem", r"\dS pg_class", r"\dtS *.pg_cl*", r"\h select",
    r"\dt *.*.*.*", r"\d no_such_table", r"\df+ *.pg_backend_pid",
]  # fmt: skip


def psql(login, script: str, *arguments: str, check: bool = True) -> str:
    """What psql writes to both of its outputs, in order."""
    done = subprocess.run(
        ["psql", "-X", "--no-password", *arguments, "-f", "-"],
        input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50 * PATIENCE, check=False,
        env=clean_environment() | login.environment(),
    )  # fmt: skip
    assert not check or done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def schema(cluster):
    """A schema with something of every kind in it, made past the proxy."""
    script = pathlib.Path(__file__).with_name("rich_schema.sql")
    environment = {"PGHOST": "127.0.0.1", "PGPORT": str(cluster.primary.port), "PGUSER": "app", "PGPASSWORD": "app-secret"}
    done = subprocess.run(
        ["psql", "-X", "-q", "-d", "shop", "-v", "ON_ERROR_STOP=1", "-v", "schema=rich", "-f", str(script)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=50 * PATIENCE, check=False,
        env=clean_environment() | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    cluster.wait_caught_up()
    yield "rich"
    cluster.primary.rows("drop schema rich cascade; drop publication rich", dbname="shop")


def test_log_in(method):
    assert psql(method, "select current_user", "-At").strip() == method.user


def test_a_wrong_password_is_told_as_one(method):
    if method.password is None:
        return  # nothing to be wrong
    done = subprocess.run(
        ["psql", "-X", "-c", "select 1"], capture_output=True, text=True, timeout=20 * PATIENCE, check=False,
        env=clean_environment() | method.environment() | {"PGPASSWORD": "wrong"},
    )  # fmt: skip
    assert done.returncode == 2 and "password authentication failed" in done.stderr


@pytest.mark.parametrize("style", ["-q", "-qE"], ids=["quiet", "with its questions"])
def test_what_describes_the_database(login, direct_login, schema, style):
    script = f"set search_path to {schema}, public;\n" + "".join(f"\\echo == {line}\n{line}\n" for line in DESCRIBE)
    through, direct = (psql(way, script.replace("\\echo == \\", "\\echo == "), style) for way in (login, direct_login))
    assert through == direct
    assert len(through) > 40_000 and "customer_lower" in through


def test_copy(login, table, tmp_path):
    rows = "".join(f"{index}\ttext {index}\n" for index in range(5000))
    (tmp_path / "in").write_text(rows, encoding="utf-8")
    said = psql(
        login,
        f"create table {table} (a int, b text);\n\\copy {table} from '{tmp_path}/in'\n"
        f"\\copy (select * from {table} order by a) to '{tmp_path}/out'\n"
        f"\\copy {table} from program 'seq 1 10' (format csv)\n"
        f"copy {table} from stdin;\n1\tx\n\\.\nselect count(*) from {table};\n",
        "-At",
        check=False,
    )
    assert (tmp_path / "out").read_text(encoding="utf-8") == rows
    assert "missing data for column" in said and said.endswith("COPY 1\n5001\n")


def test_large_objects(login, tmp_path):
    (tmp_path / "in").write_bytes(bytes(range(256)) * 8000)
    said = psql(
        login,
        f"\\lo_import '{tmp_path}/in' 'a comment'\n\\lo_list\n\\lo_export :LASTOID '{tmp_path}/out'\n\\lo_unlink :LASTOID\n"
        "\\lo_unlink :LASTOID\nselect 'after the error';\n",
    )
    assert (tmp_path / "out").read_bytes() == (tmp_path / "in").read_bytes()
    assert re.search(r"large object \d+ does not exist", said) and "after the error" in said


def test_variables_that_change_how_it_speaks(login, table):
    said = psql(
        login,
        f"""create table {table} (v int);
\\set AUTOCOMMIT off
\\set ON_ERROR_ROLLBACK on
insert into {table} values (1);
insert into {table} values (1/0);
insert into {table} values (2);
commit;
\\set AUTOCOMMIT on
\\set FETCH_COUNT 100
select count(*), sum(i) from (select generate_series(1, 1000) i) s;
select i from generate_series(1, 250) i;
\\unset FETCH_COUNT
select 'v' || v as name, v from {table} order by v \\gset last_
select :last_v;
select format('insert into {table} values (%s)', i) from generate_series(10, 12) i \\gexec
select array_agg(v order by v) from {table};
select 1, 2 as b \\gdesc
select 1 \\; select 2 \\; select 3;
\\encoding latin1
select 'ü' = U&'\\00FC';
\\errverbose
select 1/0;
\\errverbose
\\c
select 'again';
""",
        "-At", "-v", "SHOW_ALL_RESULTS=on", check=False,
    )  # fmt: skip
    for wanted in ("1000|500500", "{1,2,10,11,12}", "LOCATION:", "again", "division by zero"):
        assert wanted in said, said


def test_the_same_script_says_the_same(login, direct_login, table):
    script = f"""\\set VERBOSITY verbose
\\set SHOW_CONTEXT always
create table {table} (v int primary key, w text default 'x');
create table {table} (v int);
create table if not exists {table} (v int);
insert into {table} select generate_series(1, 10);
insert into {table} values (1);
begin; select * from {table} where v < 4; select 1/0; select 1; commit;
begin read only; select count(*) from {table}; delete from {table}; rollback;
do $$ begin raise notice 'a notice'; perform 1/0; end $$;
prepare p (int) as select w from {table} where v = $1;
execute p(1); execute p(2); deallocate p; execute p(1);
declare c cursor for select 1;
begin; declare c scroll cursor for select v from {table} order by v; fetch 3 c; fetch backward 1 c; move last c; fetch c; close c; commit;
explain (costs off) select * from {table} where v = 1;
truncate {table}; select * from {table}; drop table {table}; select nosuch; reset all; discard all;
show timezone; set timezone to 'Asia/Tokyo'; show timezone; select '2024-01-01 00:00+00'::timestamptz;
set nosuch to 1; set work_mem to 'x'; select set_config('my.own', 'v', false); show my.own;
listen news; notify news, 'x'; unlisten news; checkpoint; vacuum; lock table pg_class;
"""
    position = re.compile(r"^LOCATION:.*$|^Asynchronous notification .* with PID \d+\.$|PID \d+", re.MULTILINE)
    through, direct = (position.sub("…", psql(way, script, check=False)) for way in (login, direct_login))
    assert through == direct


def test_interrupt_of_a_running_statement(cluster, login):
    process = subprocess.Popen(
        ["psql", "-X", "-At"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=clean_environment() | login.environment(), start_new_session=True,
    )  # fmt: skip
    assert process.stdin and process.stdout
    process.stdin.write("select 'begun';\n")
    process.stdin.flush()
    assert process.stdout.readline() == "begun\n"
    process.stdin.write("select pg_sleep(40);\n")
    process.stdin.flush()
    # An interrupt before the statement has begun would end psql's reading instead.
    running = "select count(*) from pg_stat_activity where query = 'select pg_sleep(40);' and state = 'active'"
    wait_until(lambda: any(node.value(running) for node in cluster.nodes), "the statement to run")
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30 * PATIENCE)
    assert "canceling statement due to user request" in said


def test_one_transaction_around_a_script(login, table):
    script = f"create table {table} (v int);\ninsert into {table} values (1/0);\n"
    assert "division by zero" in psql(login, script, "-1", "-v", "ON_ERROR_STOP=1", check=False)
    assert psql(login, f"select to_regclass('{table}') is null", "-At") == "t\n"
