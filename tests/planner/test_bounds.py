"""Bounds are bounds: no plan undercuts them, whoever made it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetplan.fleet.model import Fleet
from fleetplan.fleet.policy import GateRule, MaxUnavailable, Share
from fleetplan.inventory.load import load
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.aims import Aims, Effort
from fleetplan.planner.bounds import Floor
from fleetplan.planner.problem import Problem
from fleetplan.planner.search import plan
from fleetplan.rollout.plan import Among, BlockedOn, Infeasible, Plan, WhyTwice

ROOM = 8
"""vCPUs of a host in these tests."""


def floor_of(fleet: Fleet) -> Floor:
    return Floor(Problem(fleet, ClassTable(fleet)))


# --- against all plans of small fleets -----------------------------------------------------------------------------------------------


@cache
def best(sizes: tuple[int, ...], at: tuple[int, ...], hosts: int, most: int, done: frozenset[int] = frozenset()) -> dict[int, int]:
    """By number of waves the fewest moves with which all hosts of ROOM vCPUs are emptied and upgraded, at most `most` in a wave."""
    if len(done) == hosts:
        return {0: 0}
    found: dict[int, int] = {}
    left = [host for host in range(hosts) if host not in done]
    for count in range(1, min(most, len(left)) + 1):
        for wave in combinations(left, count):
            leaving = [guest for guest, place in enumerate(at) if place in wave]
            others = [host for host in range(hosts) if host not in wave]
            for places in product(others, repeat=len(leaving)):
                after = list(at)
                for guest, place in zip(leaving, places, strict=True):
                    after[guest] = place
                used = Counter[int]()
                for size, place in zip(sizes, after, strict=True):
                    used[place] += size
                if all(used[host] <= ROOM for host in others):
                    for waves, moves in best(sizes, tuple(after), hosts, most, done | set(wave)).items():
                        found[waves + 1] = min(found.get(waves + 1, moves + len(leaving)), moves + len(leaving))
    return found


@settings(max_examples=80, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), max_size=5),
    places=st.lists(st.integers(0, 3), min_size=5, max_size=5),
    hosts=st.integers(2, 4),
    most=st.integers(1, 2),
)
def test_no_plan_of_a_small_fleet_undercuts_moves_and_waves(make: Any, sizes: list[int], places: list[int], hosts: int, most: int) -> None:
    at = tuple(place % hosts for place in places[: len(sizes)])
    used = Counter[int]()
    for size, place in zip(sizes, at, strict=True):
        used[place] += size
    if max(used.values(), default=0) > ROOM:
        return
    guests = [make.guest(f"g{number}", f"h{at[number]}", vcpus=size) for number, size in enumerate(sizes)]
    limit = MaxUnavailable(fleet=Share(count=most))
    fleet = make.fleet([make.host(f"h{number}") for number in range(hosts)], guests, max_unavailable=limit)
    found = best(tuple(sizes), at, hosts, most)
    floor = floor_of(fleet)
    for waves, moves in found.items():
        assert moves >= floor.moves[0]
        assert waves >= floor.waves_by_count
        if moves == floor.moves[0] and floor.waves_by_growth is not None:
            assert waves >= floor.waves_by_growth


# --- what each bound says ------------------------------------------------------------------------------------------------------------


def test_a_host_that_fits_in_part_needs_as_many_second_moves_as_are_left_over(make: Any) -> None:
    hosts = [make.host("a"), make.host("b"), make.host("u", release=make.fleet([], []).target)]
    guests = [make.guest("u1", "u", vcpus=5), *(make.guest(f"a{n}", "a", vcpus=2) for n in range(3))]
    guests += [make.guest(f"b{n}", "b", vcpus=2) for n in range(4)]
    floor = floor_of(make.fleet(hosts, guests))
    # Three vCPUs are free: one of a's three guests fits, two do not.
    assert floor.moves == (7 + 2, "first hosts twice")


def test_growth_counts_what_each_wave_makes_room_for(make: Any) -> None:
    hosts = [make.host(f"h{number}") for number in range(4)]
    guests = [make.guest(f"g{number}", f"h{number}", vcpus=8) for number in range(1, 4)]
    limit = MaxUnavailable(fleet=Share(count=4))
    floor = floor_of(make.fleet(hosts, guests, max_unavailable=limit))
    assert (floor.waves_by_count, floor.waves_by_growth) == (2, 4)


def test_hosts_that_reboot_need_room_elsewhere(make: Any) -> None:
    hosts = [make.host(f"h{number}") for number in range(4)]
    guests = [make.guest(f"g{number}", f"h{number}", vcpus=8) for number in range(1, 4)]
    floor = floor_of(make.fleet(hosts, guests, max_unavailable=MaxUnavailable()))
    # One host's worth of room is free, and four need it, one after the other.
    assert floor.room_area == 4 * 311
    assert floor.area == 0


def test_barriers_add_up_the_longest_host_of_each_wave(make: Any) -> None:
    hosts = [make.host(f"h{number}", reboot_s=100 * (number + 1)) for number in range(4)]
    gates = (GateRule(after=None, soak_s=60),)
    fleet = make.fleet(hosts, [], gates=gates, max_unavailable=MaxUnavailable(fleet=Share(count=2)))
    floor = floor_of(fleet)
    assert floor.barriers == (400 + 11) + (200 + 11)
    assert floor.time_bound(2) == (floor.barriers + 60, "barriers")
    made = plan(fleet, ClassTable(fleet), digest="")
    assert isinstance(made, Plan)
    assert made.bounds.makespan_s.met


# --- plans and options on a generated fleet ------------------------------------------------------------------------------------------

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "generate_fleet.py"


@pytest.fixture(scope="module")
def fleets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Fleet, ClassTable]]:
    choices = {
        "default": [],
        "full": ["--fill", "90-98"],
        "no empty": ["--empty", "0", "--max-unavailable", "12%"],
        "gates": ["--gate-every", "5m"],
    }
    found = {}
    for name, options in choices.items():
        target = tmp_path_factory.mktemp("fleets") / name
        subprocess.run(
            [sys.executable, str(SCRIPT), "--hosts", "150", "--seed", "3", "-o", str(target), *options], check=True, capture_output=True
        )
        fleet = load(target).fleet
        assert fleet is not None
        found[name] = (fleet, ClassTable(fleet))
    return found


def planned(fleet: Fleet, classes: ClassTable, **aims: Any) -> Plan:
    made = plan(fleet, classes, digest="", aims=Aims(**aims))
    assert isinstance(made, Plan), made
    assert verify(fleet, classes, made, digest="") == []
    return made


@pytest.mark.parametrize("name", ["default", "no empty", "gates"])
def test_generated_fleets_are_planned_with_the_fewest_moves(fleets: Any, name: str) -> None:
    made = planned(*fleets[name])
    assert made.bounds.moves.met
    assert made.bounds.waves.plan >= made.bounds.waves.bound
    assert {extra.why for extra in made.extra_moves} <= {WhyTwice.NO_UPGRADED_HOST}
    twice = sum(extra.moves for extra in made.extra_moves)
    assert made.bounds.moves.by == ("first hosts twice" if twice else "each guest once")


def test_a_full_fleet_says_where_it_needs_more_moves_than_the_bound(fleets: Any) -> None:
    made = planned(*fleets["full"])
    over = made.bounds.moves.plan - made.bounds.moves.bound
    assert sum(extra.moves for extra in made.extra_moves) >= over > 0
    assert WhyTwice.NO_ROOM in {extra.why for extra in made.extra_moves}


def test_moves_buy_waves_and_time(fleets: Any) -> None:
    fleet, classes = fleets["no empty"]
    plain = planned(fleet, classes)
    fewer = planned(fleet, classes, max_waves=plain.bounds.waves.plan - 2)
    assert fewer.bounds.waves.plan <= plain.bounds.waves.plan - 2
    assert fewer.bounds.moves.plan > plain.bounds.moves.plan
    assert fewer.bounds.makespan_s.among is Among.ALL_PLANS
    assert WhyTwice.ASKED in {extra.why for extra in fewer.extra_moves}
    sooner = planned(fleet, classes, max_extra_moves=100)
    assert sooner.bounds.makespan_s.plan < plain.bounds.makespan_s.plan
    assert 0 < sooner.bounds.moves.plan - sooner.bounds.moves.bound <= 100


def test_more_effort_is_never_worse(fleets: Any) -> None:
    fleet, classes = fleets["default"]
    fast, default, long = (planned(fleet, classes, effort=effort).bounds.makespan_s.plan for effort in Effort)
    assert fast >= default >= long


def test_what_no_plan_can_reach_is_said(fleets: Any) -> None:
    outcome = plan(*fleets["default"], digest="", aims=Aims(max_waves=3))
    assert isinstance(outcome, Infeasible)
    (cause,) = outcome.causes
    assert cause.blocked_on is BlockedOn.LIMITS
    assert int(cause.facts["least_waves"]) > 3
