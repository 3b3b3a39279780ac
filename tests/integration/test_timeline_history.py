"""What the proxy knows, after a promotion, of where the timelines before the present one ended."""

from __future__ import annotations

import re
from typing import Any, Callable, Iterator

import pytest

from support.deadline import wait_until
from support.lsn import lsn
from support.postgres_cluster import MONITOR_USER, TIMELINE_FUNCTION, PostgresCluster

pytestmark = [pytest.mark.proxy_only, pytest.mark.limit(150)]

_DROP_END = "drop function if exists public.tidemark_timeline_end()"
_DROP = f"{_DROP_END}; drop function if exists public.tidemark_timeline_history()"


@pytest.fixture(scope="module", autouse=True)
def first_primary(cluster: PostgresCluster) -> Iterator[None]:
    """The tests after these find the primary where it was."""
    first = cluster.primary
    yield
    if cluster.primary is not first:
        cluster.wait_caught_up()
        cluster.primary.stop("fast")
        cluster.promote(first)
        cluster.heal()


def fail_over(nodes: PostgresCluster) -> int:
    """Stops the primary and promotes a replica that has all it had, as the other one has; the new timeline."""
    nodes.wait_caught_up()
    nodes.primary.stop("fast")
    nodes.promote(nodes.replicas[0])
    return timeline_of(nodes)


def timeline_of(cluster: PostgresCluster) -> int:
    return int(str(cluster.primary.value("select substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)")), 16)


def history_file(cluster: PostgresCluster) -> str:
    """Of the primary's timeline, as `timeline:position` for each ancestor."""
    text = str(cluster.primary.value("select pg_read_file('pg_wal/' || %s || '.history')", [f"{timeline_of(cluster):08X}"]))
    ends = [":".join(line.split("\t")[:2]) for line in text.splitlines() if line.strip()]
    return " ".join(ends[-10:])  # the log tells the latest ten


def told(proxy: Any, timeline: int, exact: bool) -> list[str]:
    """The ends of its ancestors that the log has told of `timeline`."""
    found = []
    for line in proxy.log_lines("event=timeline_history "):
        match = re.search(r'timeline=(\d+) exact=(true|false) ends="([^"]*)"', line)
        assert match, line
        if int(match[1]) == timeline and match[2] == str(exact).lower():
            found.append(match[3])
    return found


@pytest.fixture
def monitor_rights(nodes: PostgresCluster) -> Iterator[Callable[[str], None]]:
    """Changes, by SQL on the primary, what the monitor's role may; undone afterwards."""

    def change(*statements: str) -> None:
        for statement in statements:
            nodes.primary.rows(statement)

    yield change
    change(_DROP, TIMELINE_FUNCTION)
    nodes.primary.rows(f"revoke execute on function pg_read_file(text) from {MONITOR_USER}")


@pytest.mark.parametrize("source", ["the function", "the file itself"])
def test_the_view_that_has_the_new_primary_has_the_exact_history(make_proxy, nodes, monitor_rights, source):
    if source == "the file itself":
        monitor_rights(_DROP, f"grant execute on function pg_read_file(text) to {MONITOR_USER}")
    nodes.wait_caught_up()
    proxy = make_proxy()
    timeline = fail_over(nodes)
    wait_until(lambda: told(proxy, timeline, exact=True), "the history of the new timeline", 20, detail=proxy.log_tail)
    assert told(proxy, timeline, exact=True) == [history_file(nodes)]
    assert told(proxy, timeline, exact=False) == [], "it was there from the first moment"
    assert not proxy.log_lines("timeline_history_unreadable")


def handed_over(proxy: Any, timeline: int) -> list[str]:
    """Where the log says that `timeline` ended in order."""
    lines = proxy.log_lines(f"event=timeline_handed_over timeline={timeline} ")
    return [match[1] for line in lines if (match := re.search(r" end=(\S+)", line))]


def test_a_shutdown_in_order_is_told_from_a_crash(make_proxy, nodes, monitor_rights):
    nodes.wait_caught_up()
    proxy = make_proxy()
    timeline = fail_over(nodes)
    wait_until(lambda: handed_over(proxy, timeline - 1), "the word that nothing is missing", 20, detail=proxy.log_tail)
    assert handed_over(proxy, timeline - 1) == [history_file(nodes).split(":")[-1]]

    nodes.heal()
    nodes.wait_caught_up()
    nodes.primary.kill9()
    nodes.promote(nodes.replicas[0])
    timeline = timeline_of(nodes)
    wait_until(lambda: told(proxy, timeline, exact=True), "the history of the new timeline", 20, detail=proxy.log_tail)
    assert handed_over(proxy, timeline - 1) == []


def test_without_the_function_a_shutdown_is_as_a_crash(make_proxy, nodes, monitor_rights):
    monitor_rights(_DROP_END)
    nodes.heal()
    nodes.wait_caught_up()
    proxy = make_proxy()
    timeline = fail_over(nodes)
    wait_until(lambda: told(proxy, timeline, exact=True), "the history of the new timeline", 20, detail=proxy.log_tail)
    assert handed_over(proxy, timeline - 1) == []
    assert not proxy.log_lines("timeline_history_unreadable")


def test_a_proxy_that_starts_later_knows_it_too(make_proxy, nodes):
    timeline = fail_over(nodes)
    proxy = make_proxy()
    wait_until(lambda: told(proxy, timeline, exact=True), "the history of the timeline", 20, detail=proxy.log_tail)
    assert told(proxy, timeline, exact=True) == [history_file(nodes)]


@pytest.mark.parametrize(
    "rights",
    [
        pytest.param([_DROP], id="no function"),
        pytest.param(["alter function public.tidemark_timeline_history() owner to app"], id="a function of somebody else's"),
        pytest.param(["alter function public.tidemark_timeline_history() security invoker"], id="a function as the monitor"),
        pytest.param([f"revoke execute on function public.tidemark_timeline_history() from {MONITOR_USER}"], id="no execute"),
        pytest.param(["create or replace function public.tidemark_timeline_history() returns text language sql "
                      "security definer as $$ select (1 / (random() * 0)::int)::text $$"], id="an error"),
        pytest.param(["create or replace function public.tidemark_timeline_history() returns text language sql "
                      "security definer as $$ select repeat('garbage ', 1000000) $$"], id="garbage"),
    ],
)  # fmt: skip
def test_without_it_what_the_new_primary_had_replayed_is_known_and_the_log_says_what_to_do(
    make_proxy, nodes, monitor_rights, rights
):
    monitor_rights(*rights)
    nodes.wait_caught_up()
    proxy = make_proxy()
    timeline = fail_over(nodes)
    wait_until(lambda: told(proxy, timeline, exact=False), "what is known of the history", 20, detail=proxy.log_tail)
    (ends,) = told(proxy, timeline, exact=False)
    known = re.fullmatch(rf"(?:.* )?{timeline - 1}:([0-9A-F/]+)", ends)
    assert known, ends
    real = history_file(nodes).split(":")[-1]
    assert 0 < lsn(known[1]) <= lsn(real)
    warnings = proxy.log_lines("timeline_history_unreadable")
    assert len(warnings) == 1 and "tidemark_timeline_history()" in warnings[0], proxy.log_tail()
    with proxy.connect() as sql:
        sql.rows("select pg_current_xact_id()")  # writes go on, so probing does

    monitor_rights(_DROP, TIMELINE_FUNCTION)
    wait_until(lambda: told(proxy, timeline, exact=True), "the history, now that it may be read", 30, detail=proxy.log_tail)
    assert told(proxy, timeline, exact=True) == [history_file(nodes)]


def test_a_monitor_that_may_not_even_look_into_the_schema_goes_on_probing(make_proxy, nodes, monitor_rights):
    monitor_rights("revoke usage on schema public from public")
    try:
        proxy = make_proxy()
        assert proxy.metrics().sum("tidemark_node_role", node=nodes.primary.address, role="primary") == 1
        assert len(proxy.log_lines("timeline_history_unreadable")) == 1, proxy.log_tail()
        assert not proxy.log_lines("probe_failed")
    finally:
        monitor_rights("grant usage on schema public to public")
