"""Each script is played at PostgreSQL and through the proxy; its clients must see the same, message by message."""

from __future__ import annotations

import difflib
import pathlib
import tomllib

import differences
import pytest
from dsl import Script
from plays import Plays, all_scripts

HERE = pathlib.Path(__file__).parent
SCRIPTS = {script.id: script for script in all_scripts()}
CAUSES = tomllib.loads((HERE / "known_failures.toml").read_text(encoding="utf-8")).get("cause", [])


def cases(mode: str) -> list:
    """Every script; what is known to fail is marked with its cause."""
    known = {name: (cause["why"], True) for cause in CAUSES for name in cause.get(mode, []) + cause.get("both", [])}
    known |= {name: (cause["why"], False) for cause in CAUSES for name in cause.get("sometimes", [])}
    made = []
    for script in SCRIPTS.values():
        marks = []
        if script.id in known:
            why, strict = known[script.id]
            marks = [pytest.mark.xfail(reason=why, strict=strict)]
        made.append(pytest.param(script, id=script.id, marks=marks))
    return made


def compare(plays: Plays, script: Script, told: list[str]) -> None:
    expected = plays.expected(script)
    assert not [line for line in expected if line[2:3] == "!"], "PostgreSQL does not play along:\n" + "\n".join(expected)
    listed = differences.of(script.id)
    if listed:
        if not all(difference.sometimes for difference in listed):
            assert told != expected, f"{script.id} is the same by now: take it out of differences.py"
        expected, told = differences.masked(expected, listed), differences.masked(told, listed)
    if told == expected:
        return
    # What a script asks for must not be left to chance, or comparing it would prove nothing.
    assert plays.at_postgresql(script) == plays.expected(script), f"PostgreSQL itself answers {script.id} in two ways"
    difference = difflib.unified_diff(expected, told, "PostgreSQL", "the proxy", lineterm="", n=50)
    pytest.fail(script.id + "\n" + "\n".join(difference), pytrace=False)


@pytest.mark.parametrize("script", cases("proxy"))
def test_the_proxy_answers_the_same(plays: Plays, script: Script) -> None:
    compare(plays, script, plays.through_proxy(script))


@pytest.mark.parametrize("script", cases("hostile"))
def test_the_proxy_answers_the_same_among_others(plays: Plays, script: Script) -> None:
    compare(plays, script, plays.among_hostile(script))


def test_there_are_enough_scripts_and_few_reasons_to_differ() -> None:
    assert len(SCRIPTS) >= 300
    assert len({difference.reason for difference in differences.DIFFERENCES}) < 10
    named = {name for difference in differences.DIFFERENCES for name in difference.scripts}
    named |= {name for cause in CAUSES for mode in cause if mode != "why" for name in cause[mode]}
    assert not named - SCRIPTS.keys(), "no such scripts"


def test_hostile_neighbours_make_servers_change_hands(plays: Plays) -> None:
    """Or what they are to disturb would be left in peace."""
    pid = "insert into note select pg_backend_pid() returning v"
    for question in (pid, "select pg_backend_pid(), 'read'"):
        lines = plays.among_hostile(Script("none", question, (question,) * 4))
        seen = [line for line in lines if "DataRow" in line]
        assert len(seen) == 4
        assert all(one != next_one for one, next_one in zip(seen, seen[1:]))


def test_a_difference_is_seen(plays: Plays) -> None:
    one = plays.at_postgresql(Script("none", "", ("select 1", "begin", "selec")))
    for other in (("select 2", "begin", "selec"), ("select 1", "selec"), ("select 1", "begin", "selek")):
        told = plays.at_postgresql(Script("none", "", other))
        answers = [[line for line in lines if " < " in line] for lines in (one, told)]
        assert answers[0] != answers[1]
