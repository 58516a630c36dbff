"""Why steps wait, and why hosts and guests go as they go: reasons agree with the plan that they are about."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fleetplan import workflow
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.columns import KIND_CODE
from fleetplan.rollout.plan import Plan, StepKind
from fleetplan.rollout.waits import Wait, Waits
from fleetplan.rollout.why import Because, MoveWhy, Why

if TYPE_CHECKING:
    from tests.rollout.conftest import Planned

INVENTORIES = Path(__file__).resolve().parent.parent.parent / "inventories"


@pytest.fixture(scope="module")
def cases(planned: list[Planned]) -> list[Planned]:
    """Small fleets, and one of 200 hosts with zones, gates and seeds."""
    fleet = workflow.study(INVENTORIES / "three-zones", date(2026, 11, 24)).fleet
    classes = ClassTable(fleet)
    outcome = make_plan(fleet, classes, digest="sha256:test")
    assert isinstance(outcome, Plan)
    return [*planned, type(planned[0])("three-zones", fleet, classes, outcome)]


def test_every_edge_that_the_planner_makes_has_a_reason(cases: list[Planned]) -> None:
    for planned in cases:
        for link in Waits(planned.fleet, planned.plan).links():
            assert link.reasons
            assert all(reason.wait is not Wait.GIVEN for reason in link.reasons), link


def test_landings_name_guests_that_land_there(cases: list[Planned]) -> None:
    for planned in cases:
        steps = {step.id: step for wave in planned.plan.waves for step in wave.steps}
        moves = {(step.guest, step.source, step.destination) for step in steps.values() if step.kind is StepKind.MIGRATE}
        for link in Waits(planned.fleet, planned.plan).links():
            later, back = steps[link.later], steps[link.earlier].host
            for reason in link.reasons:
                if reason.wait is Wait.LANDING:
                    assert {(guest, later.host or later.source, back) for guest in reason.guests} <= moves
                    assert reason.guests


def test_the_last_chain_is_the_critical_path(cases: list[Planned]) -> None:
    for planned in cases:
        waits = Waits(planned.fleet, planned.plan)
        last = waits.last()
        if last is None:
            assert planned.plan.critical_path == ()
            continue
        stretches = waits.stretches(last)
        assert tuple(step for stretch in stretches for step in stretch.steps) == planned.plan.critical_path
        assert stretches[-1].end_s == planned.plan.bounds.makespan_s.plan
        assert stretches[0].after is None
        assert all(later.after is not None and later.after.earlier == earlier.steps[-1] for earlier, later in pairwise(stretches))
        assert all(earlier.end_s <= later.start_s for earlier, later in pairwise(stretches))


def test_a_slot_is_handed_over_only_where_all_are_in_use_or_nobody_lands(cases: list[Planned]) -> None:
    for planned in cases:
        waits = Waits(planned.fleet, planned.plan)
        steps = {step.id: step for wave in planned.plan.waves for step in wave.steps}
        begins, ends = waits.away
        zone = np.array([host.zone for host in planned.fleet.hosts])
        limit = planned.fleet.policy.max_unavailable.zone
        for link in waits.links():
            kinds = [reason.wait for reason in link.reasons]
            slots = [reason for reason in link.reasons if reason.wait is Wait.SLOT]
            if limit is None or Wait.LANDING not in kinds or not slots or slots[0].places[0] == "fleet":
                continue
            now, own = steps[link.later].start_s, slots[0].places[0].removeprefix("zone ")
            inside = zone == own
            assert int((inside & (begins <= now) & (now < ends)).sum()) >= limit.of(int(inside.sum()))


def test_a_host_s_waves_go_down_one_path(cases: list[Planned]) -> None:
    for planned in cases:
        why = Why(planned.fleet, planned.classes, planned.plan)
        wave_of = {name: wave.number for wave in planned.plan.waves for name in wave.hosts}
        for number, host in enumerate(planned.fleet.hosts):
            story = why.host(number)
            assert story.wave == wave_of.get(host.name, 0)
            if not story.wave:
                assert not story.waves
                continue
            assert (story.waves[0].host, story.waves[0].wave) == (host.name, story.wave)
            for one, other in pairwise(story.waves):
                assert other.wave == one.since or one.because is Because.TURN
                if one.on is not None:
                    assert other.host == one.on
                    assert wave_of[one.on] == one.wave - 1
                else:
                    assert other.host == one.host
            assert story.chain[-1].steps[-1] == f"w{story.wave}-cordon-{host.name}"


def test_a_guest_s_moves_are_those_of_the_plan_and_seeds_are_known(cases: list[Planned]) -> None:
    for planned in cases:
        why = Why(planned.fleet, planned.classes, planned.plan)
        wave_of = {name: wave.number for wave in planned.plan.waves for name in wave.hosts}
        steps = [step for wave in planned.plan.waves for step in wave.steps if step.kind is StepKind.MIGRATE]
        for number, name in enumerate(planned.fleet.guests.names):
            story = why.guest(number)
            assert [move.step for move in story.moves] == [step.id for step in steps if step.guest == name]
            kinds = [move.why for move in story.moves]
            seeds = [MoveWhy.SEED if wave_of.get(move.destination, 0) >= move.wave else None for move in story.moves]
            assert [kind if kind is MoveWhy.SEED else None for kind in kinds] == seeds
            assert not kinds or kinds[-1] in {MoveWhy.DRAIN, MoveWhy.AGAIN}


def test_an_edge_that_nothing_asks_for_is_said_to_be_given(cases: list[Planned]) -> None:
    for planned in cases:
        waits = Waits(planned.fleet, planned.plan)
        uncordons = np.flatnonzero(waits.steps.kind == KIND_CODE[StepKind.UNCORDON]).tolist()
        upgrades = np.flatnonzero(waits.steps.kind == KIND_CODE[StepKind.UPGRADE]).tolist()
        for first, second in pairwise(upgrades):
            assert [reason.wait for reason in waits.reasons(first, second)] == [Wait.GIVEN]
        for uncordon in uncordons:
            other = next((step for step in upgrades if waits.host(step) != waits.host(uncordon)), None)
            assert other is None or waits.reasons(uncordon, other)[0].wait is Wait.GIVEN


def test_a_seed_says_that_there_was_no_upgraded_room() -> None:
    fleet = workflow.study(INVENTORIES / "tight.yaml", date(2026, 11, 24)).fleet
    classes = ClassTable(fleet)
    outcome = make_plan(fleet, classes, digest="sha256:test")
    assert isinstance(outcome, Plan)
    why = Why(fleet, classes, outcome)
    twice = [why.guest(number) for number in range(len(fleet.guests))]
    twice = [story for story in twice if len(story.moves) == 2]
    assert twice
    for story in twice:
        assert [move.why for move in story.moves] == [MoveWhy.SEED, MoveWhy.AGAIN]
        assert story.moves[0].facts["upgraded_hosts"] == "0"
