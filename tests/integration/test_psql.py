"""psql through the proxy: what one types, and what psql itself asks behind meta-commands."""

from __future__ import annotations

import subprocess

from support.deadline import PATIENCE
from support.run_as import clean_environment


def psql(server, *arguments: str, stdin: str = "", variables: str = "-qAtX") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["psql", variables, "-d", server.dsn(connect_timeout=10), *arguments],
        input=stdin, capture_output=True, text=True, timeout=60 * PATIENCE, env=clean_environment(), check=False,
    )  # fmt: skip


def test_a_script_of_statements_runs_in_order(proxy, table):
    done = psql(proxy, stdin=f"create table {table} (v int);\ninsert into {table} select generate_series(1, 10);\n"
                f"select sum(v) from {table};\n")  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "55\n", "")


def test_several_statements_in_one_message_are_one_transaction(proxy, table, shop):
    shop(f"create table {table} (v int primary key)")
    done = psql(proxy, "-c", f"insert into {table} values (1); insert into {table} values (1)")
    assert done.returncode == 1 and "duplicate key" in done.stderr
    assert psql(proxy, "-c", f"select count(*) from {table}").stdout == "0\n"


def test_several_selects_in_one_message_all_answer(proxy):
    assert psql(proxy, "-c", "select 1; select 2; values (3)").stdout == "1\n2\n3\n"


def test_copy_in_and_out_by_backslash_copy(proxy, table, shop, tmp_path):
    shop(f"create table {table} (v int, name text)")
    source, result = tmp_path / "in", tmp_path / "out"
    source.write_text("".join(f"{index}\tname {index}\n" for index in range(5000)), encoding="utf-8")
    done = psql(proxy, stdin=f"\\copy {table} from '{source}'\n\\copy {table} to '{result}'\n")
    assert done.returncode == 0, done.stderr
    assert result.read_bytes() == source.read_bytes()


def test_copy_from_stdin_in_a_script(proxy, table, shop):
    shop(f"create table {table} (v int)")
    done = psql(proxy, stdin=f"copy {table} from stdin;\n1\n2\n\\.\nselect count(*) from {table};\n")
    assert (done.stdout, done.stderr) == ("2\n", "")


def test_meta_commands_describe_what_was_just_made(proxy, table):
    done = psql(proxy, stdin=f"create table {table} (v int primary key, name text not null);\n\\d {table}\n\\dt {table}\n")
    assert done.returncode == 0, done.stderr
    assert "name|text||not null" in done.stdout and f"public|{table}|table|app" in done.stdout


def test_more_meta_commands_answer_without_errors(proxy):
    done = psql(proxy, "-v", "ON_ERROR_STOP=1", stdin="\\l\n\\du\n\\dn\n\\df pg_catalog.now\n\\conninfo\n\\encoding\n")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_big_result_arrives_whole(proxy):
    done = psql(proxy, "-c", "select g, repeat('x', 100) from generate_series(1, 200000) g")
    lines = done.stdout.splitlines()
    assert len(lines) == 200000 and lines[-1] == "200000|" + "x" * 100


def test_fetch_count_reads_by_cursor(proxy):
    done = psql(proxy, "-v", "FETCH_COUNT=1000", "-c", "select 1", stdin="")
    assert done.stdout == "1\n"
    done = psql(proxy, "-v", "FETCH_COUNT=1000", stdin="select generate_series(1, 10000);\n")
    assert len(done.stdout.splitlines()) == 10000


def test_error_code_position_and_exit_status_are_the_servers(proxy):
    done = psql(proxy, "-v", "VERBOSITY=verbose", "-v", "ON_ERROR_STOP=1", stdin="select 1;\nselect * from nowhere;\nselect 2;\n")
    assert done.returncode == 3 and done.stdout == "1\n"
    assert "42P01" in done.stderr and 'relation "nowhere" does not exist' in done.stderr and "^" in done.stderr


def test_a_notice_is_shown(proxy):
    done = psql(proxy, stdin="do $$ begin raise notice 'hear, hear'; end $$;\n")
    assert "NOTICE:  hear, hear" in done.stderr


def test_a_single_transaction_script_rolls_back_as_one(proxy, table, shop):
    shop(f"create table {table} (v int)")
    done = psql(proxy, "-1", "-v", "ON_ERROR_STOP=1", stdin=f"insert into {table} values (1);\nselect 1/0;\n")
    assert done.returncode == 3
    assert psql(proxy, "-c", f"select count(*) from {table}").stdout == "0\n"


def test_gset_and_gexec_round_trips(proxy, table):
    done = psql(proxy, stdin=f"create table {table} (v int);\nselect format('insert into {table} values (%s)', g) from generate_series(1, 3) g \\gexec\n"
                f"select max(v) as top from {table} \\gset\n\\echo :top\n")  # fmt: skip
    assert (done.stdout, done.stderr) == ("3\n", "")
