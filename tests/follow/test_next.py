"""The next wave: what was approved is kept, what happened meanwhile is taken in, and whatever comes out holds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.random import default_rng

from fleetplan.fleet.model import Fleet, HostName, HostState, Release
from fleetplan.fleet.policy import GateRule, MaxUnavailable, Share, Window
from fleetplan.follow.approved import approved
from fleetplan.follow.next import Finished, NextWave, NoWave, Refuted, next_wave
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.rollout.part import TO_APPROVE, WhyWaits
from fleetplan.rollout.plan import Plan, StepKind
from fleetplan.rollout.proofread import proofread, readable
from fleetplan.rollout.replay import replay
from fleetplan.rollout.state import after_wave

from .conftest import DIGEST, NEW, OLD, Make, Rollout, disturbed, follow


def landings(plan: Plan, wave: int) -> set[tuple[Any, Any]]:
    return {(step.guest, step.destination) for step in plan.waves[wave].steps if step.kind is StepKind.MIGRATE}


def wave_of(rollout: Rollout, fleet: Fleet) -> Plan:
    outcome = follow(rollout, fleet)
    assert isinstance(outcome, NextWave), outcome
    return outcome.plan


def waiting(outcome: object) -> set[tuple[str, WhyWaits]]:
    found = outcome.plan.part_of if isinstance(outcome, NextWave) else outcome
    return {(each.host, each.why) for each in found.waiting}  # type: ignore[union-attr, attr-defined]


# --- laws ----------------------------------------------------------------------------------------------------------------------------


def test_what_goes_as_planned_goes_on_as_planned(rollouts: list[Rollout]) -> None:
    """After every wave the next one has the hosts and the landings that were planned, and in the end nothing is left."""
    for rollout in rollouts:
        classes = ClassTable(rollout.fleet)
        for wave in range(len(rollout.plan.waves) + 1):
            state = after_wave(rollout.fleet, classes, rollout.plan, wave)
            outcome = next_wave(state.fleet, state.classes(), rollout.script, digest=DIGEST)
            if wave == len(rollout.plan.waves):
                assert isinstance(outcome, Finished)
                continue
            assert isinstance(outcome, NextWave)
            assert set(outcome.plan.waves[0].hosts) == set(rollout.plan.waves[wave].hosts)
            assert landings(outcome.plan, 0) == landings(rollout.plan, wave)
            assert outcome.plan.part_of is not None
            assert outcome.plan.part_of.wave == wave + 1


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6))
def test_whatever_happened_the_wave_holds_and_keeps_to_what_was_approved(rollouts: list[Rollout], seed: int) -> None:
    rng = default_rng(seed)
    rollout = rollouts[int(rng.integers(len(rollouts)))]
    fleet = disturbed(rollout.fleet, rng)
    classes = ClassTable(fleet)
    outcome = next_wave(fleet, classes, rollout.script, digest=DIGEST)
    assert not isinstance(outcome, Refuted), outcome
    told = rollout.script.approved
    if isinstance(outcome, NextWave):
        plan, order = outcome.plan, told.wave_of()
        assert readable(fleet, plan, DIGEST) == []
        assert proofread(fleet, plan) == []
        assert replay(fleet, classes, plan) == []
        here = approved(plan)
        assert set(here.restarts) <= set(told.restarts)
        assert here.pins.items() <= told.pins.items()
        assert all(host in order for host in plan.waves[0].hosts)
    elif isinstance(outcome, NoWave):
        assert outcome.waiting or outcome.other_order
    else:
        alive = {host.name for host in fleet.hosts if host.state in {HostState.UP, HostState.CORDONED} and host.release != fleet.target}
        assert alive <= set(told.skipped)


# --- hosts ---------------------------------------------------------------------------------------------------------------------------


def test_a_dead_host_takes_a_slot_and_the_others_go_on(make: Make, three: Rollout) -> None:
    first = three.plan.waves[0].hosts[0]
    fleet = make.changed(three.fleet, {first: {"state": HostState.DOWN}})
    stopped = follow(three, fleet)
    assert isinstance(stopped, NoWave)
    assert {why for _, why in waiting(stopped)} == {WhyWaits.STATE, WhyWaits.SLOTS}
    two = replace(fleet, policy=replace(fleet.policy, max_unavailable=MaxUnavailable(fleet=Share(count=2))))
    plan = wave_of(three, two)
    assert plan.waves[0].hosts == three.plan.waves[1].hosts
    assert not plan.extra_moves  # where its guests were to land nobody lands: that host was never upgraded


def test_where_failures_leave_no_slot_hosts_are_passed_over(make: Make) -> None:
    """A zone has a dead host and no slot left: the other zone goes on, though its turn comes later."""
    hosts = [make.host("done", 64, release=NEW, zone="c"), *(make.host(f"{zone}{number}", zone=zone) for zone in "ab" for number in (1, 2))]
    rollout = make.rollout(make.fleet(hosts, [make.guest(f"g{host.name}", host.name) for host in hosts[1:]]))
    assert [wave.hosts for wave in rollout.plan.waves] == [("a1",), ("a2",), ("b1",), ("b2",)]
    policy = replace(rollout.fleet.policy, max_unavailable=MaxUnavailable(zone=Share(count=1)))
    outcome = follow(rollout, replace(make.changed(rollout.fleet, {"a2": {"state": HostState.LOST}}), policy=policy))
    assert isinstance(outcome, NextWave)
    assert outcome.plan.waves[0].hosts == ("b1",)
    assert waiting(outcome) == {("a1", WhyWaits.SLOTS), ("a2", WhyWaits.STATE)}


def test_a_held_host_stays_closed(make: Make, three: Rollout) -> None:
    first = three.plan.waves[0].hosts[0]
    fleet = make.changed(three.fleet, {first: {"state": HostState.HELD}})
    fleet = replace(fleet, policy=replace(fleet.policy, max_unavailable=MaxUnavailable(fleet=Share(count=2))))
    plan = wave_of(three, fleet)
    assert plan.waves[0].hosts == three.plan.waves[1].hosts
    assert all(first not in {step.host, step.source, step.destination} for step in plan.waves[0].steps)
    rest = make.changed(fleet, {name: {"release": NEW} for name in "abc" if name != first})
    assert waiting(follow(three, rest)) == {(first, WhyWaits.STATE)}


def test_a_cordoned_host_is_finished_first(make: Make, three: Rollout) -> None:
    """It has its slot already; guests that have left it are not moved again."""
    first = three.plan.waves[0].hosts[0]
    gone = f"{first}0"
    fleet = make.changed(three.fleet, {first: {"state": HostState.CORDONED}}, {gone: {"on": HostName("done")}})
    plan = wave_of(three, fleet)
    assert plan.waves[0].hosts == (first,)
    assert {guest for guest, _ in landings(plan, 0)} == {f"{first}1", f"{first}2"}


def test_a_host_that_somebody_else_upgraded_is_done(make: Make, three: Rollout) -> None:
    first, second = three.plan.waves[0].hosts[0], three.plan.waves[1].hosts[0]
    plan = wave_of(three, make.changed(three.fleet, {first: {"release": NEW}}))
    assert plan.waves[0].hosts == (second,)
    assert plan.later == three.plan.waves[2].hosts


def test_a_host_that_was_added_waits_for_approval_and_one_on_the_target_takes_guests(make: Make, three: Rollout) -> None:
    fleet = replace(three.fleet, hosts=tuple(sorted((*three.fleet.hosts, make.host("b2")), key=lambda host: host.name)))
    outcome = follow(three, fleet)
    assert waiting(outcome) == {("b2", WhyWaits.NOT_IN_PLAN)}
    assert isinstance(outcome, NextWave)
    assert outcome.plan.waves[0].hosts == three.plan.waves[0].hosts
    assert "b2" in outcome.plan.later
    full = make.with_guest(three.fleet, make.guest("new", "done", vcpus=8))
    assert waiting(follow(three, full)) == {(three.plan.waves[0].hosts[0], WhyWaits.NO_ROOM)}
    more = replace(full, hosts=tuple(sorted((*full.hosts, make.host("room", release=NEW)), key=lambda host: host.name)))
    assert {there for _, there in landings(wave_of(three, more), 0)} == {"room"}


def test_a_host_on_a_release_that_the_plan_did_not_know_waits(make: Make, three: Rollout) -> None:
    first = three.plan.waves[0].hosts[0]
    outcome = follow(three, make.changed(three.fleet, {first: {"release": Release("6.17.1", OLD.vmm)}}))
    assert waiting(outcome) == {(first, WhyWaits.OTHER_RELEASE)}
    assert isinstance(outcome, NextWave)
    assert outcome.plan.waves[0].hosts == three.plan.waves[1].hosts


def test_a_host_that_is_gone_is_forgotten(three: Rollout) -> None:
    first = three.plan.waves[0].hosts[0]
    guests = tuple(guest for guest in three.fleet.guests if guest.on != first)
    fleet = replace(three.fleet, hosts=tuple(host for host in three.fleet.hosts if host.name != first), guests=guests)  # type: ignore[arg-type]
    assert wave_of(three, fleet).waves[0].hosts == three.plan.waves[1].hosts


# --- guests --------------------------------------------------------------------------------------------------------------------------


def test_guests_that_came_go_along_and_those_that_went_are_forgotten(make: Make, three: Rollout) -> None:
    first = three.plan.waves[0].hosts[0]
    fleet = make.with_guest(make.changed(three.fleet, {}, {f"{first}0": None}), make.guest("new", first, vcpus=1, born=None))
    assert {guest for guest, _ in landings(wave_of(three, fleet), 0)} == {"new", f"{first}1", f"{first}2"}


def test_a_guest_that_grew_lands_where_it_fits(make: Make, three: Rollout) -> None:
    first = three.plan.waves[0].hosts[0]
    fleet = make.changed(three.fleet, {"done": {"vcpus": 4}}, {f"{first}0": {"vcpus": 4}})
    plan = wave_of(three, fleet)
    assert plan.extra_moves  # the others land on old hosts, and move again
    assert (f"{first}0", "done") in landings(plan, 0)


def test_a_new_guest_is_not_restarted_without_approval(make: Make, three: Rollout) -> None:
    first = three.plan.waves[0].hosts[0]
    fixed = make.guest("fixed", first, vcpus=1, migratable=False, restartable=True)
    outcome = follow(three, make.with_guest(three.fleet, fixed))
    assert waiting(outcome) == {(first, WhyWaits.RESTART)}
    assert isinstance(outcome, NextWave)
    assert outcome.plan.waves[0].hosts == three.plan.waves[1].hosts
    stuck = follow(three, make.with_guest(three.fleet, replace(fixed, restartable=False)))
    assert waiting(stuck) == {(first, WhyWaits.STUCK)}


def test_another_pin_than_was_approved_waits(make: Make) -> None:
    hosts = [make.host("a"), make.host("b")]
    rollout = make.rollout(make.fleet(hosts, [make.guest("fixed", "a", migratable=False, restartable=True)]))
    fleet = make.changed(rollout.fleet, {}, {"fixed": {"psci_max": "1.1"}})
    assert ("a", WhyWaits.PIN) in waiting(follow(rollout, fleet))


def test_a_loss_that_nobody_answered_for_waits(make: Make) -> None:
    """Whether a guest keeps its mitigations is not known: policy takes that, and it was approved for one guest, not for one that came."""
    known = replace(make.host("x").facts, midr=0x410FD083, vulnerabilities={"spectre_v2": "Mitigation: Branch predictor hardening, BHB"})
    hosts = [replace(make.host("a"), facts=known), replace(make.host("b", release=NEW), facts=replace(known, vulnerabilities=None))]
    rollout = make.rollout(make.fleet(hosts, [make.guest("keen", "a")], accept_unknown=True))
    assert rollout.script.approved.answered == {"keen": ("UNKNOWN",)}
    assert wave_of(rollout, rollout.fleet).waves[0].hosts == ("a",)
    outcome = follow(rollout, make.with_guest(rollout.fleet, make.guest("late", "a")))
    assert isinstance(outcome, NoWave)
    assert [(each.host, each.why, each.guests) for each in outcome.waiting] == [("a", WhyWaits.LOSS, ("late",))]


# --- order and gates -----------------------------------------------------------------------------------------------------------------


def test_what_is_left_of_a_wave_goes_with_the_next_one_unless_a_gate_stands_between(make: Make) -> None:
    hosts = [make.host("done", 32, release=NEW), *(make.host(name) for name in "abcd")]
    guests = [make.guest(f"{name}1", name) for name in "abcd"]
    free = make.rollout(make.fleet(hosts, guests, max_unavailable=MaxUnavailable(fleet=Share(count=2))))
    gated = make.rollout(
        make.fleet(hosts, guests, max_unavailable=free.fleet.policy.max_unavailable, gates=(GateRule(after=1, soak_s=60),))
    )
    for rollout, expected in ((free, 2), (gated, 1)):
        first, second = rollout.plan.waves[0].hosts
        fleet = make.changed(rollout.fleet, {first: {"release": NEW}})
        plan = wave_of(rollout, fleet)
        assert plan.waves[0].hosts[:1] == (second,)
        assert len(plan.waves[0].hosts) == expected
        assert plan.part_of is not None
        assert plan.part_of.behind is None
    both = make.changed(gated.fleet, {name: {"release": NEW} for name in gated.plan.waves[0].hosts})
    part = wave_of(gated, both).part_of
    assert part is not None
    assert part.behind is not None
    assert (part.behind.after, part.behind.soak_s) == (1, 60)


def test_no_gate_is_passed_before_a_host_in_front_of_it_has_been_upgraded(make: Make) -> None:
    """A canary that died, is held, or found no slot has not sung."""
    hosts = [make.host("done", 64, release=NEW), *(make.host(f"{zone}{number}", zone=zone) for zone in "ab" for number in (1, 2, 3))]
    guests = [make.guest(f"g{host.name}", host.name) for host in hosts[1:]]
    one = MaxUnavailable(zone=Share(count=1))
    rollout = make.rollout(make.fleet(hosts, guests, max_unavailable=one, gates=(GateRule(after=1, soak_s=60),)))
    first, second = rollout.plan.waves[0].hosts
    beside = next(name for name in rollout.plan.waves[1].hosts if name[0] == first[0])
    sad: list[dict[str, dict[str, Any]]] = [
        {first: {"state": HostState.LOST}, second: {"state": HostState.HELD}},
        {beside: {"state": HostState.LOST}, second: {"state": HostState.LOST}},
    ]
    for changes in sad:
        outcome = follow(rollout, make.changed(rollout.fleet, changes))
        assert isinstance(outcome, NoWave)
        assert outcome.shut is not None
        assert outcome.shut.after == 1
    glad = {first: {"state": HostState.LOST}, second: {"release": NEW}}
    assert set(wave_of(rollout, make.changed(rollout.fleet, glad)).waves[0].hosts) <= set(rollout.plan.waves[1].hosts)


def test_another_order_is_named_and_not_taken(make: Make, three: Rollout) -> None:
    """The host whose turn it is cannot be emptied, a later one could."""
    first = three.plan.waves[0].hosts[0]
    fleet = make.changed(three.fleet, {}, {f"{first}0": {"vcpus": 8}, f"{first}1": {"vcpus": 0}, f"{first}2": {"vcpus": 0}})
    fleet = make.with_guest(fleet, make.guest("more", "done", vcpus=1))
    outcome = follow(three, fleet)
    assert isinstance(outcome, NoWave)
    assert waiting(outcome) == {(first, WhyWaits.NO_ROOM)}
    assert outcome.other_order
    assert first not in outcome.other_order


def test_another_target_needs_an_approval(three: Rollout) -> None:
    newer = Release("7.1.2", "qemu-11.1.3")
    outcome = follow(three, replace(three.fleet, target=newer))
    assert isinstance(outcome, NoWave)
    assert (outcome.target, outcome.other_target) == (NEW, newer)


def test_what_an_approval_settles_is_told_apart() -> None:
    assert WhyWaits.NO_ROOM not in TO_APPROVE
    assert WhyWaits.RESTART in TO_APPROVE


# --- the judge on a wave of a rollout ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["unnamed", "stranger", "upgraded", "dead"])
def test_the_judge_holds_a_wave_to_what_it_leaves(make: Make, three: Rollout, case: str) -> None:
    fleet = make.changed(three.fleet, {}) if case != "dead" else make.changed(three.fleet, {"done": {"state": HostState.DOWN}})
    plan = wave_of(three, three.fleet)
    assert plan.part_of is not None
    wave = plan.waves[0].hosts[0]
    later = {
        "unnamed": plan.later[1:],
        "stranger": (*plan.later, HostName("nobody")),
        "upgraded": (*plan.later, wave),
        "dead": (*plan.later, HostName("done")),
    }[case]
    wrong = replace(plan, part_of=replace(plan.part_of, later=later))
    classes = ClassTable(fleet)
    assert "upgraded" in {violation.invariant for violation in verify(fleet, classes, wrong, digest=DIGEST)}
    assert "upgraded" in {violation.invariant for violation in replay(fleet, classes, wrong)}


def test_a_canary_counts_by_the_waves_of_the_rollout(make: Make) -> None:
    hosts = [make.host("done", 32, release=NEW), *(make.host(name) for name in "abcd")]
    policy = {"max_unavailable": MaxUnavailable(fleet=Share(count=3)), "gates": (GateRule(after=1, hosts=1),)}
    rollout = make.rollout(make.fleet(hosts, [make.guest(f"{name}1", name) for name in "abcd"], **policy))
    fleet = make.changed(rollout.fleet, {name: {"release": NEW} for name in rollout.plan.waves[0].hosts})
    plan = wave_of(rollout, fleet)
    assert len(plan.waves[0].hosts) == 3
    classes = ClassTable(fleet)
    whole = replace(plan, part_of=replace(plan.part_of, wave=1))  # type: ignore[type-var]
    for judged, broken in ((plan, False), (whole, True)):
        assert ("gates" in {violation.invariant for violation in verify(fleet, classes, judged, digest=DIGEST)}) == broken
        assert ("gates" in {violation.invariant for violation in proofread(fleet, judged)}) == broken


def test_hosts_that_go_last_wait_for_all_others_of_the_plan(make: Make) -> None:
    hosts = [make.host("done", 32, release=NEW), *(make.host(name) for name in "abc")]
    two = MaxUnavailable(fleet=Share(count=2))
    rollout = make.rollout(make.fleet(hosts, [make.guest(f"{name}1", name) for name in "abc"], max_unavailable=two, last=("a",)))
    assert rollout.plan.waves[-1].hosts == ("a",)
    first = make.changed(rollout.fleet, {"b": {"release": NEW}})
    assert wave_of(rollout, first).waves[0].hosts == ("c",)
    assert wave_of(rollout, make.changed(first, {"c": {"release": NEW}})).waves[0].hosts == ("a",)


def test_a_wave_begins_when_a_window_opens(make: Make) -> None:
    hosts = [make.host("done", 32, release=NEW), make.host("a")]
    rollout = make.rollout(make.fleet(hosts, [make.guest("a1", "a")], windows=(Window(start_min=60, end_min=240),)))
    plan = wave_of(rollout, rollout.fleet)
    assert plan.begins_min == rollout.plan.begins_min
    assert plan.begins_min is not None
