"""Drivers of other languages, each by a program of its own: one test per driver and capability."""

from __future__ import annotations

import dataclasses

import pytest

from logins import WITHOUT_CHANNEL_BINDING
from programs import PROGRAMS

# On fewer server connections than the driver's pool has.
NARROW = {"pool", "requests"}

KNOWN_FAULTS: dict[tuple[str, str], str] = {}

CASES = [
    pytest.param(name, capability, marks=[pytest.mark.known_fault(KNOWN_FAULTS[name, capability])])
    if (name, capability) in KNOWN_FAULTS
    else (name, capability)
    for name, program in PROGRAMS.items()
    for capability in program.capabilities
]


@pytest.mark.parametrize("program", PROGRAMS, indirect=True)
def test_log_in(program, method):
    if method.method == "scram-sha-256-plus" and program.name in WITHOUT_CHANNEL_BINDING:
        return  # nothing to show
    program.run("connect", method)


@pytest.mark.parametrize("program", PROGRAMS, indirect=True)
def test_a_wrong_password_is_told_as_one(program, method):
    if method.password is None or (method.method == "scram-sha-256-plus" and program.name in WITHOUT_CHANNEL_BINDING):
        return  # nothing to be wrong
    program.run("wrong_password", method)


@pytest.mark.parametrize(("program", "capability"), CASES, indirect=["program"])
def test_program(program, capability, request, cluster, table):
    login = request.getfixturevalue("narrow_login" if capability in NARROW else "login")
    if PROGRAMS[program.name].own_database:
        login = dataclasses.replace(login, database=program.name)
        if not cluster.primary.rows("select 1 from pg_database where datname = %s", [login.database]):
            cluster.primary.rows(f"create database {login.database} owner {login.user}")
        cluster.wait_caught_up()  # what another client has written need not be visible to this one
    program.run(capability, login, table)


@pytest.mark.parametrize("program", PROGRAMS, indirect=True)
def test_every_part_of_the_program_is_run(program, request):
    name = request.node.callspec.params["program"]
    assert sorted(program.capabilities()) == sorted(["connect", "wrong_password", *PROGRAMS[name].capabilities])
