"""Where a fleet stands on a plan: every state that the plan passes through is on the way, and no other is."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from numpy.random import default_rng

from fleetplan import workflow
from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, HostState, Release
from fleetplan.fleet.policy import MaxUnavailable, Policy, Share
from fleetplan.follow.position import Deviation, Stage, position
from fleetplan.follow.rest import Outlook, outlook
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan as make_plan
from fleetplan.rollout.plan import Plan, Step, StepId, StepKind

ROOT = Path(__file__).resolve().parent.parent.parent
OLD, NEW = Release("6.12.117", "qemu-11.1.3"), Release("6.18.15", "qemu-11.1.3")
N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
EXAMPLES = ("half-upgraded.yaml", "mixed-cpus.yaml", "old-kernels.yaml", "small.yaml", "tight.yaml", "three-zones")


class Case(NamedTuple):
    """A fleet and its plan."""

    fleet: Fleet
    plan: Plan

    def __repr__(self) -> str:
        """Short: who fails a law is found by its seed."""
        return f"Case({len(self.fleet.hosts)} hosts)"

    @property
    def steps(self) -> list[Step]:
        return sorted((step for wave in self.plan.waves for step in wave.steps), key=lambda step: step.start_s)


def _case(fleet: Fleet) -> Case:
    made = make_plan(fleet, ClassTable(fleet), digest="sha256:test")
    assert isinstance(made, Plan)
    return Case(fleet, made)


def _host(name: str, **fields: Any) -> Host:
    fields.setdefault("release", OLD)
    return Host(name=HostName(name), vcpus=8, memory_mib=16_384, facts=N1, **fields)


def _guest(name: str, on: str, **fields: Any) -> Guest:
    fields.setdefault("born", Birth(kernel=OLD.kernel))
    return Guest(name=GuestName(name), on=HostName(on), vcpus=fields.pop("vcpus", 3), memory_mib=1024, **fields)


def _small(hosts: list[Host], guests: list[Guest]) -> Case:
    policy = Policy(max_unavailable=MaxUnavailable(fleet=Share(count=2)))
    return _case(Fleet(target=NEW, hosts=tuple(hosts), guests=tuple(guests), policy=policy))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def examples() -> list[Case]:
    return [_case(workflow.study(ROOT / "inventories" / name, date(2026, 11, 24)).fleet) for name in EXAMPLES]


@pytest.fixture(scope="session")
def tiny() -> list[Case]:
    """So small that all their states can be listed: a seed that comes back, a cordoned host, a restart with a pin, a dead host."""
    pinned = _guest("p", "b", migratable=False, restartable=True, psci_max="1.1")
    return [
        _small([_host("a"), _host("b")], [_guest("x", "a"), _guest("y", "a")]),
        _small([_host("a", release=NEW), _host("b"), _host("c", state=HostState.CORDONED)], [_guest("x", "b"), _guest("y", "c")]),
        _small([_host("a", release=NEW), _host("b"), _host("c", state=HostState.DOWN)], [pinned, _guest("x", "b")]),
    ]


# --- what a state is, in the slow way --------------------------------------------------------------------------------------------------


def downset(case: Case, begun: Collection[StepId]) -> set[StepId]:
    """Steps, and all that comes before them."""
    by_id = {step.id: step for step in case.steps}
    found: set[StepId] = set()
    open_ = list(begun)
    while open_:
        step = open_.pop()
        if step not in found:
            found.add(step)
            open_ += by_id[step].after
    return found


def reached(case: Case, done: Collection[StepId]) -> Fleet:
    """The fleet after some steps."""
    hosts = {host.name: host for host in case.fleet.hosts}
    guests = {guest.name: guest for guest in case.fleet.guests}
    pins = {pin.guest: pin.psci for pin in case.plan.pins}
    for step in case.steps:
        if step.id in done:
            if step.host is not None and step.guest is None:
                hosts[step.host] = _upgraded(hosts[step.host], step.kind, case.plan.target)
            elif step.guest is not None and step.kind is StepKind.MIGRATE:
                guests[step.guest] = replace(guests[step.guest], on=step.destination)
            elif step.guest is not None and step.kind is StepKind.START and step.guest in pins:
                guests[step.guest] = replace(guests[step.guest], born=Birth(psci=pins[step.guest]))
    return replace(case.fleet, hosts=tuple(hosts.values()), guests=tuple(guests.values()))  # type: ignore[arg-type]


def _upgraded(host: Host, kind: StepKind, target: Release) -> Host:
    if kind is StepKind.CORDON:
        return replace(host, state=HostState.CORDONED)
    if kind is StepKind.UPGRADE:
        return replace(host, release=target, read_on=host.facts_of)
    return replace(host, state=HostState.UP) if kind is StepKind.UNCORDON else host


def seen(fleet: Fleet) -> tuple[object, ...]:
    """All that can be seen of a state."""
    hosts = [(host.name, host.state, host.release) for host in fleet.hosts]
    return (*hosts, *((guest.name, guest.on, guest.born.psci if guest.born else None) for guest in fleet.guests))


# --- laws -----------------------------------------------------------------------------------------------------------------------------


@settings(deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_every_state_of_the_plan_is_on_the_way(examples: list[Case], seed: int) -> None:
    """Whatever steps have ended, with all that they wait for: the state is accepted, and as many steps count as its looks can tell."""
    case, state = _on_the_way(examples, seed)
    where = position(state, case.plan)
    assert where.on_the_way, where.differences
    assert downset(case, where.done) == where.done
    assert seen(reached(case, where.done)) == seen(state)


def _on_the_way(examples: list[Case], seed: int) -> tuple[Case, Fleet]:
    """One of the plans, and a state after some of its steps and all that they wait for."""
    rng = default_rng(seed)
    case = examples[rng.integers(len(examples))]
    steps = case.steps
    begun = {steps[number].id for number in rng.integers(len(steps), size=rng.integers(8))}
    return case, reached(case, downset(case, begun))


def test_of_tiny_plans_exactly_the_states_that_they_pass_through_are_on_the_way(tiny: list[Case]) -> None:
    """All states of hosts and guests, against all downsets of the steps."""
    for case in tiny:
        through = {seen(reached(case, done)) for done in _downsets(case)}
        accepted = {seen(state) for state in _states(case) if position(state, case.plan).on_the_way}
        assert accepted == through
        assert len(through) > 5


def _downsets(case: Case) -> set[frozenset[StepId]]:
    found = {frozenset[StepId]()}
    for step in case.steps:
        found |= {done | {step.id} for done in found if done.issuperset(step.after)}
    return found


def _states(case: Case) -> list[Fleet]:
    """Every host on either release and in three states, every guest on every host, with its pin and without."""
    pins = {pin.guest: pin.psci for pin in case.plan.pins}
    looks = list(product((HostState.UP, HostState.CORDONED, HostState.DOWN), (OLD, NEW)))
    hosts = product(*([replace(host, state=state, release=release) for state, release in looks] for host in case.fleet.hosts))
    guests = [
        [
            replace(guest, on=host.name, born=Birth(psci=pins[guest.name]) if pinned else guest.born)
            for host in case.fleet.hosts
            for pinned in {False, guest.name in pins}
        ]
        for guest in case.fleet.guests
    ]
    return [replace(case.fleet, hosts=machines, guests=there) for machines, there in product(hosts, list(product(*guests)))]  # type: ignore[arg-type]


# --- what differs ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def pair(tiny: list[Case]) -> Case:
    return tiny[1]


def _changed(case: Case, hosts: dict[str, dict[str, Any]], guests: dict[str, dict[str, Any]]) -> list[tuple[Deviation, str]]:
    machines = tuple(replace(host, **hosts.get(host.name, {})) for host in case.fleet.hosts)
    there = tuple(replace(guest, **guests.get(guest.name, {})) for guest in case.fleet.guests)
    where = position(replace(case.fleet, hosts=machines, guests=there), case.plan)  # type: ignore[arg-type]
    return [(each.kind, each.subject) for each in where.differences]


def test_what_deviates_is_named(pair: Case) -> None:
    assert _changed(pair, {}, {"x": {"on": "c"}}) == [(Deviation.GUEST_ELSEWHERE, "x")]
    assert _changed(pair, {"b": {"state": HostState.DOWN}}, {}) == [(Deviation.HOST_STATE, "b")]
    assert _changed(pair, {"b": {"release": Release("6.1.1", "qemu-11.1.3")}}, {}) == [(Deviation.HOST_RELEASE, "b")]
    assert _changed(pair, {"b": {"release": NEW}}, {}) == [(Deviation.GUEST_BEHIND, "x")]
    assert _changed(pair, {}, {"x": {"on": "a"}}) == [(Deviation.HOST_BEHIND, "b")]


def test_a_host_that_is_upgrading_is_cordoned(pair: Case) -> None:
    assert _changed(pair, {"b": {"state": HostState.UPGRADING}}, {"x": {"on": "a"}}) == []


def test_comers_and_goers_are_named(pair: Case) -> None:
    hosts = (*pair.fleet.hosts[1:], _host("new"))
    guests = (pair.fleet.guests[0], _guest("z", "b"))
    where = position(replace(pair.fleet, hosts=hosts, guests=guests, target=OLD), pair.plan)  # type: ignore[arg-type]
    found = {(each.kind.value, each.subject) for each in where.differences}
    assert found == {("other-target", "plan"), ("host-new", "new"), ("host-gone", "a"), ("guest-new", "z"), ("guest-gone", "y")}


def test_stages_and_what_may_start_follow_from_the_state(pair: Case) -> None:
    begin = position(pair.fleet, pair.plan)
    assert set(begin.stages.values()) == {Stage.TO_COME}
    assert {step.kind for step in begin.ready} == {StepKind.CORDON}
    assert begin.left_s == pair.plan.bounds.makespan_s.plan
    cordon = begin.ready[0]
    later = position(reached(pair, {cordon.id}), pair.plan)
    assert cordon.host is not None
    assert later.stages[cordon.host] is Stage.DRAINING
    end = position(reached(pair, {step.id for step in pair.steps}), pair.plan)
    assert (set(end.stages.values()), end.left, end.left_s) == ({Stage.DONE}, (), 0)


# --- the rest -------------------------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_from_every_state_of_the_plan_its_rest_is_safe(examples: list[Case], seed: int) -> None:
    case, state = _on_the_way(examples, seed)
    found = judged(state, case.plan)
    assert (found.violations, found.left_out) == ((), ())


def judged(state: Fleet, plan: Plan) -> Outlook:
    return outlook(state, ClassTable(state), position(state, plan))


def test_comers_that_are_in_nobodys_way_leave_the_rest_safe(pair: Case) -> None:
    """A guest that is born on an upgraded host, or is gone, needs no step."""
    born = _with(pair, guests=(*pair.fleet.guests, _guest("z", "a", vcpus=1, born=Birth(kernel=NEW.kernel))))
    gone = _with(pair, guests=tuple(pair.fleet.guests)[1:])
    assert [judged(state, pair.plan).safe for state in (born, gone)] == [True, True]
    assert not position(born, pair.plan).on_the_way


def test_a_guest_that_went_early_to_where_it_was_to_go_leaves_the_rest_safe(pair: Case) -> None:
    """Its host was not cordoned then, and is before its upgrade."""
    early = _with(pair, guests=(replace(pair.fleet.guests[0], on=HostName("a")), pair.fleet.guests[1]))
    assert not position(early, pair.plan).on_the_way
    assert judged(early, pair.plan).violations == ()


def test_what_makes_the_rest_unsafe_is_told(pair: Case) -> None:
    """A guest that nobody moves off, one that has grown beyond its landing place, a landing place that is dead."""
    stays = _with(pair, guests=(*pair.fleet.guests, _guest("z", "b")))
    grown = _with(pair, guests=(replace(pair.fleet.guests[0], vcpus=9), pair.fleet.guests[1]))
    dead = _with(pair, hosts=(replace(pair.fleet.hosts[0], state=HostState.DOWN), *pair.fleet.hosts[1:]))
    found = [{each.invariant for each in judged(state, pair.plan).violations} for state in (stays, grown, dead)]
    assert [kinds & wanted for kinds, wanted in zip(found, ({"drained"}, {"capacity"}, {"landing"}), strict=True)] == [
        {"drained"},
        {"capacity"},
        {"landing"},
    ]
    assert position(grown, pair.plan).on_the_way


def test_a_host_that_was_added_is_left_out_by_name(pair: Case) -> None:
    added = _with(pair, hosts=(*pair.fleet.hosts, _host("new")))
    found = judged(added, pair.plan)
    assert (found.safe, found.left_out) == (True, ("new",))


def test_a_host_that_died_after_its_guests_left_is_nobodys_danger(pair: Case) -> None:
    """Its own steps are left out, and the slot that it would have handed on is not missed."""
    gone = replace(pair.fleet.guests[0], on=HostName("a"))
    hosts = tuple(replace(host, state=HostState.DOWN) if host.name == "b" else host for host in pair.fleet.hosts)
    found = judged(_with(pair, hosts=hosts, guests=(gone, pair.fleet.guests[1])), pair.plan)
    assert (found.violations, found.left_out) == ((), ())


def _with(case: Case, **fields: Any) -> Fleet:
    return replace(case.fleet, **fields)
