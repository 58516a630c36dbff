"""Budgets that span cells: what the planner divides holds before the judge, and what does not hold is refuted."""

from __future__ import annotations

from dataclasses import replace as with_
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.random import Generator, default_rng

from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, HostState, Release
from fleetplan.fleet.policy import MaxUnavailable, Policy, Share
from fleetplan.judge.cells import Cell, verify_cells
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.cells import Exhausted, starts, terms, tightened
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.invariants import InvariantId
from fleetplan.rollout.plan import Plan

OLD, NEW = Release("6.12.117", "qemu-11.1.3"), Release("6.18.15", "qemu-11.1.3")
N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")


def drawn(rng: Generator, name: str) -> Fleet:
    """A cell of some hosts with room for everybody, in zones that other cells have, too."""
    hosts = tuple(
        Host(
            name=HostName(f"{name}-{number}"),
            release=NEW if number == 0 or rng.random() < 0.2 else OLD,
            vcpus=64,
            memory_mib=65_536,
            facts=N1,
            zone=str(rng.choice(["x", "y", f"own-{name}"])),
            rack=str(rng.choice(["r", "s"])),
            state=HostState.DOWN if number and rng.random() < 0.05 else HostState.UP,
        )
        for number in range(int(rng.integers(3, 9)))
    )
    living = [host.name for host in hosts if host.state is HostState.UP]
    guests = tuple(
        Guest(name=GuestName(f"g{number}"), on=living[rng.integers(len(living))], vcpus=1, memory_mib=4096, born=Birth(kernel=OLD.kernel))
        for number in range(int(rng.integers(8)))
    )
    own = MaxUnavailable(fleet=Share(count=int(rng.integers(1, 5))), zone=Share(per_mille=400) if rng.random() < 0.3 else None)
    return Fleet(target=NEW, hosts=hosts, guests=guests, policy=Policy(max_unavailable=own))  # type: ignore[arg-type]


def planned(fleets: dict[str, Fleet], budget: MaxUnavailable) -> list[Cell] | Exhausted | None:
    """The cells under a budget as the planner has them; None where a cell has no plan."""
    divided = terms(fleets, budget)
    if isinstance(divided, Exhausted):
        return divided
    narrow = {each.name: tightened(fleets[each.name], each.limits) for each in divided}
    plans: dict[str, Plan] = {}
    for name, fleet in narrow.items():
        outcome = make_plan(fleet, ClassTable(fleet), digest="d")
        if not isinstance(outcome, Plan):
            return None
        plans[name] = outcome
    when = starts(
        divided, {name: plan.bounds.makespan_s.plan for name, plan in plans.items()}, {name: len(f.hosts) for name, f in fleets.items()}
    )
    return [Cell(name=n, fleet=narrow[n], plan=plans[n], after=when[n][0], starts_s=when[n][1]) for n in sorted(fleets)]


def budget_of(rng: Generator) -> MaxUnavailable:
    zone = Share(count=int(rng.integers(1, 5))) if rng.random() < 0.6 else None
    rack = Share(per_mille=int(rng.integers(100, 600))) if rng.random() < 0.3 else None
    return MaxUnavailable(fleet=Share(count=int(rng.integers(1, 8))), zone=zone, rack=rack)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_budgets_that_span_cells_hold(seed: int) -> None:
    rng = default_rng(seed)
    fleets = {name: drawn(rng, name) for name in "abcde"[: int(rng.integers(1, 6))]}
    budget = budget_of(rng)
    cells = planned(fleets, budget)
    if isinstance(cells, Exhausted):
        assert cells.unavailable >= cells.limit
    elif cells is not None:
        assert verify_cells(cells, budget) == []


def test_random_cells_are_planned_and_not_only_refused() -> None:
    outcomes = []
    for seed in range(30):
        rng = default_rng(seed)
        fleets = {name: drawn(rng, name) for name in "abc"}
        outcomes.append(planned(fleets, budget_of(rng)))
    assert sum(isinstance(outcome, list) for outcome in outcomes) > 12


# --- corruptions ----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair() -> list[Cell]:
    """Two cells of three old hosts each, one host at a time, one cell after the other."""
    fleets = {}
    for name in "ab":
        hosts = [Host(name=HostName(f"{name}{number}"), release=OLD, vcpus=8, memory_mib=8192, facts=N1) for number in range(3)]
        policy = Policy(max_unavailable=MaxUnavailable(fleet=Share(count=1)))
        fleets[name] = Fleet(target=NEW, hosts=tuple(hosts), policy=policy)
    found = planned(fleets, ONE)
    assert isinstance(found, list)
    return found


ONE = MaxUnavailable(fleet=Share(count=1))


def found_in(cells: list[Cell], budget: MaxUnavailable = ONE) -> set[tuple[InvariantId, str]]:
    return {(each.invariant, dict(each.facts).get("by", "")) for each in verify_cells(cells, budget)}


def second(cells: list[Cell], **fields: Any) -> list[Cell]:
    return [cells[0], with_(cells[1], **fields)]


def test_a_lane_keeps_its_share(pair: list[Cell]) -> None:
    assert found_in(pair) == set()
    assert pair[1].after == "a"


def test_cells_that_meet_are_refuted(pair: list[Cell]) -> None:
    """Side by side they take two hosts at a time; begun too early, the next meets the one before."""
    beside = found_in(second(pair, after=None, starts_s=0))
    assert beside == {(InvariantId.UNAVAILABLE, "forecast"), (InvariantId.UNAVAILABLE, "waiting")}
    early = found_in(second(pair, starts_s=pair[1].starts_s - 1))
    assert (InvariantId.ORDER, "") in early
    apart = found_in(second(pair, after=None))
    assert apart == {(InvariantId.UNAVAILABLE, "waiting")}
    assert found_in(second(pair, after="nobody")) >= {(InvariantId.ORDER, "")}


def test_dead_hosts_of_a_cell_that_does_not_run_count(pair: list[Cell]) -> None:
    hosts = pair[1].fleet.hosts
    dead = (replace(hosts[0], name=HostName("dead"), state=HostState.LOST), *hosts)
    cells = second(pair, fleet=replace(pair[1].fleet, hosts=dead))
    assert found_in(cells) == {(InvariantId.UNAVAILABLE, "forecast"), (InvariantId.UNAVAILABLE, "waiting")}
    assert found_in(cells, MaxUnavailable(fleet=Share(count=2))) == set()
