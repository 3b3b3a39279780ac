"""[[routing.rule]], and which of several voices counts: hint, SET LOCAL, SET, startup option, rule, configuration."""

from __future__ import annotations

import psycopg
import pytest

pytestmark = pytest.mark.proxy_only

RULES = [
    {"name": "reports", "match": {"application_name": "report*"}, "consistency": "eventual"},
    {"match": {"database": "shop", "user": "app", "relation": "payments"}, "consistency": "strong"},
    {"match": {"statement": "select count(*) from *"}, "consistency": "bounded_staleness", "max_staleness": "3s"},
]


@pytest.fixture
def connect(make_proxy):
    proxy = make_proxy({"routing": {"rule": RULES, "consistency": "monotonic_reads"}})
    made = []

    def connect(**options):
        made.append(psycopg.connect(proxy.dsn(connect_timeout=10), autocommit=True, **options))
        return made[-1]

    yield connect
    for connection in made:
        connection.close()


def level(connection, statement):
    rows = [row[0] for row in connection.execute(f"explain route {statement}", prepare=False)]
    return next(row.removeprefix("level:").strip() for row in rows if row.startswith("level:"))


@pytest.mark.parametrize("statement, told", [
    ("select 1", "monotonic_reads (routing.consistency)"),
    ("select * from orders", "monotonic_reads (routing.consistency)"),
    ("select * from payments", 'strong (rule "2")'),
    ('select * from orders o join accounting."payments" p using (id)', 'strong (rule "2")'),
    ("select (select max(id) from payments)", 'strong (rule "2")'),
    ("SELECT  count(*)\n from orders", 'bounded_staleness (rule "3")'),
    ("select payments from orders", "monotonic_reads (routing.consistency)"),
])  # fmt: skip
def test_the_first_rule_that_matches_gives_the_level(connect, statement, told):
    assert level(connect(), statement) == told


def test_a_rule_follows_the_application_name_as_it_changes(connect):
    connection = connect(application_name="report-7")
    assert level(connection, "select 1") == 'eventual (rule "reports")'
    connection.execute("set application_name = 'shop'")
    assert level(connection, "select 1") == "monotonic_reads (routing.consistency)"


def test_the_bound_is_the_rules(connect):
    rows = [row[0] for row in connect().execute("explain route select count(*) from orders")]
    assert any("at most 3.0 s" in row for row in rows)


def test_the_voice_nearest_to_the_statement_counts(connect):
    read = "select * from payments"
    connection = connect()
    assert level(connection, read) == 'strong (rule "2")'
    connection = connect(options="-c tidemark.consistency=read_your_writes")
    assert level(connection, read) == "read_your_writes (tidemark.consistency)"
    connection.execute("set tidemark.consistency = 'session'")
    assert level(connection, read) == "session (tidemark.consistency)"
    with connection.transaction():
        connection.execute("set local tidemark.consistency = 'primary'")
        assert level(connection, read) == "primary (tidemark.consistency)"
        assert level(connection, f"/* tidemark: consistency=eventual */ {read}") == "eventual (hint)"
    assert level(connection, read) == "session (tidemark.consistency)"


@pytest.mark.parametrize("hint, told", [
    ("consistency=strong", "strong (hint)"), ("node=primary", "primary (hint)"),
    ("max_staleness=500ms", "bounded_staleness (hint)"), ("user=42", "monotonic_reads (routing.consistency)"),
])  # fmt: skip
def test_what_a_hint_can_ask_for(connect, hint, told):
    assert level(connect(), f"/* tidemark: {hint} */ select 1") == told


@pytest.mark.parametrize("prepare", [False, True], ids=["unprepared", "prepared"])
@pytest.mark.parametrize("hint", ["consistancy=strong", "consistency=none", "user=", "node=b", "token=tm1.x", "user=1, user=2"])
def test_a_hint_that_cannot_be_read_fails_its_statement(connect, hint, prepare):
    connection = connect()
    with pytest.raises(psycopg.Error) as caught:
        connection.execute(f"/* tidemark: {hint} */ select 1", prepare=prepare)
    assert caught.value.sqlstate == "22023"
    assert connection.execute("select 1").fetchone() == (1,)


def test_a_comment_that_is_no_hint_is_none(connect):
    assert connect().execute("/* app: tidemark */ select 1").fetchone() == (1,)


def test_of_hints_in_one_batch_the_strongest_counts(connect):
    connection = connect()
    with connection.pipeline():
        connection.execute("/* tidemark: consistency=eventual */ select 1")
        connection.execute("/* tidemark: consistency=primary */ select 2")
    assert "level primary (hint)" in connection.execute("show tidemark.last_route").fetchone()[0]


def test_two_users_in_one_batch_are_refused(connect):
    connection = connect()
    with pytest.raises(psycopg.Error) as caught:
        with connection.pipeline():
            connection.execute("/* tidemark: user=1 */ select 1")
            connection.execute("/* tidemark: user=2 */ select 2")
    assert caught.value.sqlstate == "22023"
    assert connection.execute("select 3").fetchone() == (3,)
