"""The way back is open when the plan says so: planning back to the old release from the state after any wave decides it."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from fleetplan import workflow
from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, Release
from fleetplan.fleet.policy import Immovable
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import PINS, ClassTable
from fleetplan.planner.problem import Fate, Problem
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.plan import BlockedOn, Infeasible, Plan
from fleetplan.rollout.replay import replay
from fleetplan.rollout.state import State, after_wave

DIGEST = "sha256:test"


def back_from(state: State, old: Release) -> tuple[Fleet, ClassTable]:
    """The fleet after a wave, with the release that it left as its target."""
    fleet = replace(state.fleet, target=old)
    return fleet, State(fleet, state.states).classes()


def stuck(problem: Problem, target: Release) -> set[GuestName]:
    """Guests on hosts of a release that have no move of their own."""
    found = {problem.fleet.guests[guest] for guest in np.flatnonzero(problem.fate == Fate.STUCK).tolist()}
    release = {host.name: host.release for host in problem.fleet.hosts}
    return {guest.name for guest in found if release[guest.on] == target}


def claimed(plan: Plan, wave: int) -> set[GuestName]:
    return {guest for point in plan.points_of_no_return if point.closed_after(wave) for guest in point.guests}


def test_a_guest_cannot_go_back_exactly_if_the_plan_says_so(planned: list[Any]) -> None:
    """Wave by wave, guest by guest, on examples and drawn fleets: the planner, asked for the way back, finds no move for these alone."""
    seen: Counter[str] = Counter()
    for name, fleet, classes, plan in planned:
        for wave in range(len(plan.waves) + 1) if plan.back_to is not None else ():
            back = Problem(*back_from(after_wave(fleet, classes, plan, wave), plan.back_to))
            closed = claimed(plan, wave)
            assert closed == stuck(back, fleet.target), (name, wave)
            seen["closed" if closed else "open"] += 1
    assert min(seen["closed"], seen["open"]) > 40


def test_planning_back_fails_for_firmware_exactly_when_the_way_back_is_closed(planned: list[Any]) -> None:
    """From every state of fleets with one old release; else there is a plan, which the judge passes, or it is room that is missing."""
    seen: Counter[str] = Counter()
    for name, fleet, classes, plan in planned:
        others = {host.release for host in fleet.hosts} - {fleet.target, plan.back_to}
        skips = fleet.policy.immovable is Immovable.SKIP
        for wave in range(len(plan.waves) + 1) if not others and not skips and plan.back_to is not None else ():
            back, table = back_from(after_wave(fleet, classes, plan, wave), plan.back_to)
            outcome = make_plan(back, table, digest=DIGEST)
            if isinstance(outcome, Plan):
                assert verify(back, table, outcome, digest=DIGEST) == []
                assert replay(back, table, outcome) == []
            causes = () if isinstance(outcome, Plan) else outcome.causes
            assert bool(claimed(plan, wave)) == any(cause.blocked_on is BlockedOn.IMMOVABLE_GUEST for cause in causes), (name, wave)
            seen["closed" if claimed(plan, wave) else type(outcome).__name__] += 1
    assert min(seen["closed"], seen["Plan"]) > 20
    assert seen["Infeasible"] < seen["Plan"] / 2


@pytest.mark.parametrize("name", ["half-upgraded.yaml", "mixed-cpus.yaml", "old-kernels.yaml", "small.yaml", "three-zones", "tight.yaml"])
def test_the_examples_can_go_back_when_they_say_so(name: str) -> None:
    subject = workflow.study(Path("inventories") / name, date(2026, 11, 24))
    plan = make_plan(subject.fleet, subject.classes, digest=DIGEST)
    assert isinstance(plan, Plan)
    assert plan.back_to is not None
    for wave in {0, 1, len(plan.waves) // 2, len(plan.waves)}:
        outcome = make_plan(*back_from(after_wave(subject.fleet, subject.classes, plan, wave), plan.back_to), digest=DIGEST)
        assert isinstance(outcome, Infeasible if claimed(plan, wave) else Plan), wave


def test_births_are_closed_exactly_where_a_newborn_could_not_move_back(planned: list[Any]) -> None:
    """A plain guest is put on every host in the state after the last wave, as its records would tell of it, with every pin and without."""
    seen: Counter[str | None] = Counter()
    for name, fleet, classes, plan in planned:
        if plan.back_to is None:
            continue
        after = after_wave(fleet, classes, plan, len(plan.waves)).fleet
        closed = {birth.pool: {} for birth in plan.closed_births}
        for birth in plan.closed_births:
            closed[birth.pool][birth.like] = birth
        for host in after.hosts:
            if host.release != fleet.target or host.state.value not in {"up", "cordoned"}:
                continue
            found = [birth for birth in closed.get(host.pool, {}).values() if _alike(after, host, birth.like)]
            ways = [psci for psci in (None, *PINS) if _moves(after, plan.back_to, host, psci)]
            assert bool(found) == (None not in ways), (name, host.name)
            assert not found or found[0].pin == (ways[0] if ways else None), (name, host.name)
            seen[found[0].pin if found else "open"] += 1
    assert min(seen["1.1"], seen[None]) > 20


def test_where_both_kernels_give_one_psci_version_births_are_open() -> None:
    old, new, n1 = Release("6.18.15", "qemu-11.1.3"), Release("6.18.16", "qemu-11.1.3"), HostFacts(midr=0x413FD0C1, revidr=0)
    fleet = Fleet(target=new, hosts=tuple(Host(name=HostName(name), release=old, vcpus=4, memory_mib=64, facts=n1) for name in "ab"))
    plan = make_plan(fleet, ClassTable(fleet), digest=DIGEST)
    assert isinstance(plan, Plan)
    assert plan.back_to == old
    assert plan.closed_births == ()


def _alike(fleet: Fleet, host: Host, like: str) -> bool:
    table = ClassTable(replace(fleet, guests=()))  # type: ignore[arg-type]
    then = dict(zip((each.name for each in fleet.hosts), table.hosts_now, strict=True))
    return then[host.name] == then[like]


def _moves(fleet: Fleet, old: Release, host: Host, psci: str | None) -> bool:
    """Whether a guest that was just born on a host has a move to the old release."""
    guest = Guest(name=GuestName("new"), on=host.name, vcpus=1, memory_mib=1, born=Birth(psci=psci))
    alone = replace(fleet, target=old, guests=(guest,))  # type: ignore[arg-type]
    table = ClassTable(alone)
    if psci is not None and table.cold_boot(table.guests[0], table.hosts_now[fleet.hosts.index(host)], psci) is None:
        return False
    return bool(Problem(alone, table).fate[0] == Fate.MOVE)
