"""A rollout with failures and churn: no state on the way breaks an invariant, and it goes on as policy says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.fleet.model import HostState
from fleetplan.fleet.policy import MaxUnavailable, OnFailure, OnHostFailure, Share
from fleetplan.follow.chance import Chances
from fleetplan.follow.failures import run_wave
from fleetplan.follow.next import NextWave
from fleetplan.follow.simulate import Simulated, Step, simulate
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.columns import fleet_columns
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import Plan, StepKind
from fleetplan.rollout.replay import replay

from .conftest import Make, Rollout, follow

UNDONE = {InvariantId.UPGRADED, InvariantId.CLAIMS}
"""What a plan says of its end; a wave with failures does not come to its end."""


def rolled(rollout: Rollout, chances: Chances, steps: list[Step] | None = None) -> Simulated:
    return simulate(rollout.fleet, ClassTable(rollout.fleet), rollout.plan, chances, steps=steps)


def broken(step: Step) -> list[Violation]:
    """What the independent reference holds against what happened. Guests that were stopped on a host that died are not started again."""
    on_dead = {f"guest {each.guest}" for each in step.ran.plan.waves[0].steps if each.guest and each.host in step.ran.died}
    found = [each for each in replay(step.state.fleet, step.state.classes(), step.ran.plan) if each.steps and each.invariant not in UNDONE]
    return [each for each in found if not (each.invariant is InvariantId.RUNNING and each.subject in on_dead)]


# --- laws ----------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    fail_move=st.sampled_from([0.0, 0.05, 0.3, 1.0]),
    fail_host=st.sampled_from([0.0, 0.1, 0.5]),
    churn=st.sampled_from([0.0, 0.05, 0.2]),
    number=st.integers(0, 4),
)
@example(seed=1, fail_move=0.0, fail_host=0.1, churn=0.0, number=1)  # the last host of its pool that is left looks for old ones
def test_no_state_on_the_way_breaks_an_invariant(
    rollouts: list[Rollout], seed: int, fail_move: float, fail_host: float, churn: float, number: int
) -> None:
    steps: list[Step] = []
    chances = Chances(seed=seed, fail_move=fail_move, fail_host=fail_host, churn=churn)
    result = rolled(rollouts[number], chances, steps)
    assert result.end.violations == ()
    assert len(steps) == len(result.waves)
    for step in steps:
        assert broken(step) == []
        assert within_capacity(step)
    assert result.end.reached == (not result.end.left)


def within_capacity(step: Step) -> bool:
    columns = fleet_columns(step.state.fleet, step.state.classes())
    used = columns.hosts.size * 0
    for guest, host in enumerate(columns.guests.on.tolist()):
        used[host] += columns.guests.size[guest]
    return bool((used <= columns.hosts.size).all())


def test_without_failures_it_goes_as_planned(rollouts: list[Rollout]) -> None:
    for rollout in rollouts:
        result = rolled(rollout, Chances())
        assert result.end.reached
        assert [wave.hosts for wave in result.waves] == [len(wave.hosts) for wave in rollout.plan.waves]
        assert result.moves == rollout.plan.bounds.moves.plan
        assert (result.end.left, result.end.dead, result.end.stranded) == ((), (), 0)


def test_a_seed_gives_one_course(rollouts: list[Rollout]) -> None:
    chances = Chances(seed=3, fail_move=0.3, fail_host=0.1, churn=0.1)
    courses = {str(rolled(rollouts[0], replace(chances, seed=seed))) for seed in (3, 3, 3)}
    assert len(courses) == 1
    assert str(rolled(rollouts[0], replace(chances, seed=4))) not in courses


def test_draws_do_not_depend_on_each_other() -> None:
    """About as many as the share says, and other things draw otherwise."""
    chances = Chances(seed=1, fail_move=0.25, fail_host=0.25)
    fallen = [chances.move_fails(1, f"step-{number}", 0) for number in range(4000)]
    assert 900 < sum(fallen) < 1100
    assert fallen != [chances.move_fails(2, f"step-{number}", 0) for number in range(4000)]
    assert not any(chances.guest_goes(1, f"g{number}") for number in range(100))


# --- failures by policy --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broad(make: Make) -> Rollout:
    """Eight old hosts of three guests each that go together onto two large ones."""
    hosts = [make.host("done-1", 64, release=make.fleet([], []).target), make.host("done-2", 64, release=make.fleet([], []).target)]
    hosts += [make.host(f"old-{number}") for number in range(8)]
    guests = [make.guest(f"g{number}-{own}", f"old-{number}") for number in range(8) for own in range(3)]
    return make.rollout(make.fleet(hosts, guests, max_unavailable=MaxUnavailable(fleet=Share(count=8)), streams=2))


def wave_of(rollout: Rollout, on_failure: OnFailure) -> Plan:
    outcome = follow(rollout, replace(rollout.fleet, policy=replace(rollout.fleet.policy, on_failure=on_failure)))
    assert isinstance(outcome, NextWave)
    return outcome.plan


class Fated(Chances, frozen=True, kw_only=True):
    """Fails what it is told to."""

    moves: tuple[tuple[str, int], ...] = ()
    hosts: tuple[str, ...] = ()

    def move_fails(self, wave: int, step: str, attempt: int) -> bool:
        return (step, attempt) in self.moves

    def host_dies(self, wave: int, host: str) -> bool:
        return host in self.hosts


def kinds(plan: Plan, host: str) -> list[StepKind]:
    return [step.kind for step in plan.waves[0].steps if host in {step.host, step.source}]


def test_a_failed_move_is_tried_again(broad: Rollout) -> None:
    plan = wave_of(broad, OnFailure(retries=1))
    move = next(step for step in plan.waves[0].steps if step.kind is StepKind.MIGRATE)
    ran = run_wave(plan, Fated(moves=((move.id, 0),)), 1)
    assert (ran.failed_moves, ran.held, len(ran.upgraded)) == (1, (), 8)
    assert next(step for step in ran.plan.waves[0].steps if step.id == move.id).duration_s == 2 * move.duration_s


def test_a_host_whose_move_fails_for_good_is_held_and_the_others_go_on(broad: Rollout) -> None:
    plan = wave_of(broad, OnFailure(retries=1))
    move = next(step for step in plan.waves[0].steps if step.kind is StepKind.MIGRATE)
    assert move.source is not None
    ran = run_wave(plan, Fated(moves=((move.id, 0), (move.id, 1))), 1)
    assert (ran.held, ran.failed_moves, len(ran.upgraded), ran.stopped) == ((move.source,), 2, 7, False)
    assert StepKind.UPGRADE not in kinds(ran.plan, move.source)
    assert kinds(ran.plan, move.source)[0] is StepKind.CORDON
    assert run_wave(wave_of(broad, OnFailure(retries=0)), Fated(moves=((move.id, 0),)), 1).held == (move.source,)


def test_nothing_is_begun_on_a_host_after_it_is_held(make: Make, broad: Rollout) -> None:
    """Two streams of a host: the last move of one would begin after the first of the other has failed."""
    guests = [replace(make.guest(f"g{size}", "old", vcpus=1), memory_mib=size) for size in (2560, 1792, 1024, 256)]
    hosts = [make.host("done", release=broad.fleet.target, bandwidth_mib_s=100), make.host("old", bandwidth_mib_s=100)]
    fleet = make.fleet(hosts, guests, streams=2)
    plan = wave_of(make.rollout(fleet), OnFailure(retries=0))
    first = next(step for step in plan.waves[0].steps if step.guest == "g1792")
    ran = run_wave(plan, Fated(moves=((first.id, 0),)), 1)
    assert {step.guest for step in ran.plan.waves[0].steps if step.kind is StepKind.MIGRATE} == {"g2560"}
    assert ran.held == ("old",)


def test_a_dead_host_is_not_checked_and_not_uncordoned(broad: Rollout) -> None:
    ran = run_wave(wave_of(broad, OnFailure()), Fated(hosts=("old-3",)), 1)
    assert (ran.died, len(ran.upgraded)) == (("old-3",), 7)
    assert set(kinds(ran.plan, "old-3")) == {StepKind.CORDON, StepKind.MIGRATE}


@pytest.mark.parametrize("most", [3, 2])
def test_after_so_many_failures_nothing_new_is_begun(broad: Rollout, most: int) -> None:
    """Two hosts fail while another one still waits for its turn."""
    plan = wave_of(broad, OnFailure(wave_stops_after=most, retries=0))
    steps = plan.waves[0].steps
    moves = sorted((step for step in steps if step.kind is StepKind.MIGRATE), key=lambda step: step.start_s)
    sources = [source for source in dict.fromkeys(move.source for move in reversed(moves)) if source is not None]
    last, survivor, *_, first, second = sources
    uncordon = next(step.id for step in steps if step.kind is StepKind.UNCORDON and step.host == survivor)
    waits = tuple(replace(step, after=(uncordon,)) if (step.kind, step.host) == (StepKind.CORDON, last) else step for step in steps)
    fated = Fated(moves=tuple((move.id, 0) for move in moves if move.source in {first, second}))
    ran = run_wave(replace(plan, waves=(replace(plan.waves[0], steps=waits),)), fated, 1)
    assert set(ran.held) == {first, second}
    assert survivor in ran.upgraded
    assert ran.stopped == (most == 2)
    assert (last in ran.upgraded) == (most == 3)
    assert bool(kinds(ran.plan, last)) == (most == 3)


def test_policy_may_stop_the_rollout_at_the_first_failure(make: Make, broad: Rollout) -> None:
    two = MaxUnavailable(fleet=Share(count=2))
    policy = replace(broad.fleet.policy, on_failure=OnFailure(host=OnHostFailure.STOP), max_unavailable=two)
    rollout = make.rollout(replace(broad.fleet, policy=policy))
    result = rolled(rollout, Chances(seed=1, fail_host=0.5))
    assert result.end.stopped_by_policy
    assert not result.end.reached
    assert [bool(wave.died) for wave in result.waves] == [*[False] * (len(result.waves) - 1), True]


# --- how it ends ---------------------------------------------------------------------------------------------------------------------


def test_held_hosts_are_left_alone_until_nothing_else_can_go(make: Make, broad: Rollout) -> None:
    policy = replace(broad.fleet.policy, max_unavailable=MaxUnavailable(fleet=Share(count=3)), on_failure=OnFailure(retries=0))
    rollout = make.rollout(replace(broad.fleet, policy=policy))
    steps: list[Step] = []
    result = rolled(rollout, Chances(seed=5, fail_move=0.1), steps)
    assert result.end.reached
    assert any(wave.held for wave in result.waves)
    assert any(wave.released for wave in result.waves)
    for step in steps:
        held = {host.name for host in step.state.fleet.hosts if host.state is HostState.HELD}
        assert not held & {name for each in step.plan.waves[0].steps for name in (each.host, each.source, each.destination)}


def test_where_every_move_fails_it_is_given_up(broad: Rollout) -> None:
    result = rolled(broad, Chances(fail_move=1.0))
    assert (result.end.reached, result.end.refused, result.moves) == (False, False, 0)
    assert {left.state for left in result.end.left} == {HostState.HELD}


def test_dead_hosts_use_up_what_may_be_unavailable(make: Make, broad: Rollout) -> None:
    policy = replace(broad.fleet.policy, max_unavailable=MaxUnavailable(fleet=Share(count=2)))
    result = rolled(make.rollout(replace(broad.fleet, policy=policy)), Chances(fail_host=1.0))
    assert (result.end.reached, result.end.refused) == (False, True)
    assert len(result.end.dead) == 2
    assert len(result.end.left) == 6


def test_guests_come_and_go(rollouts: list[Rollout]) -> None:
    steps: list[Step] = []
    result = rolled(rollouts[0], Chances(seed=2, churn=0.2), steps)
    assert sum(wave.born for wave in result.waves) > 3
    assert sum(wave.gone for wave in result.waves) > 3
    counts = [len(step.state.fleet.guests) for step in steps]
    for before, after, wave in zip(counts, counts[1:], result.waves, strict=False):
        assert after == before + wave.born - wave.gone
    names: list[Any] = list(steps[-1].state.fleet.guests.names)
    assert names == sorted(set(names))
