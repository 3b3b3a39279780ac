"""Each rule holds; and where it is broken on purpose, a client notices: a test that cannot fail proves nothing."""

from __future__ import annotations


import pytest

from rules import ALSO_NOTICED_BY, FURTHER, NOTICED_BY, NOTICED_IN_A_FAILOVER
from support.proxy_process import ROOT

pytestmark = pytest.mark.proxy_only

SCENARIOS = sorted({*NOTICED_BY.values(), *FURTHER}, key=lambda scenario: scenario.__name__)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_the_rule_holds(nodes, make_proxy, scenario):
    assert scenario(nodes, make_proxy) == []


@pytest.mark.mutants
@pytest.mark.parametrize(
    ("mutation", "scenario"),
    [*(pytest.param(*pair, id=pair[0]) for pair in NOTICED_BY.items()), *ALSO_NOTICED_BY],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_broken_rule_is_noticed(nodes, make_proxy, mutation, scenario, monkeypatch):
    monkeypatch.setenv("TIDEMARK_MUTATION", mutation)
    wrong = scenario(nodes, make_proxy)
    assert wrong, f"{mutation}: nobody noticed"
    print(f"  {mutation}: {wrong[0]}")


@pytest.mark.mutants
def test_there_is_a_scenario_for_every_mutation():
    text = (ROOT / "routing" / "mutation.hpp").read_text(encoding="utf-8")
    names = text.partition("kMutationNames{")[2].partition("}")[0]
    known = {name.strip().strip('"') for name in names.split(",")} - {"none", ""}
    assert known == set(NOTICED_BY) | NOTICED_IN_A_FAILOVER
