"""Corruptions of plans: none gets past the judge, and none that can be played past the reference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace
from numpy.random import Generator, default_rng

from fleetplan.fleet.model import Scope
from fleetplan.rollout.calendar import BOUND, DAY_MIN, WEEK_MIN
from fleetplan.rollout.execute import executed
from fleetplan.rollout.invariant_rows import INVARIANTS
from fleetplan.rollout.invariants import InvariantId, Violation
from fleetplan.rollout.plan import BlockedOn, Bound, Cause, Pin, Plan, PlanStatus, PointOfNoReturn, Step, StepKind
from fleetplan.rollout.proofread import ancestors, steps_of
from fleetplan.rollout.replay import replay

DAY_S = DAY_MIN * 60

SEEDS = 40
PATIENCE = 200
"""Draws of a plan, and of what to change in it, before a corruption counts as impossible."""

I = InvariantId  # noqa: E741 - the table below reads better so
K = StepKind


class Drawn:
    """A plan to corrupt, and the means to choose in it."""

    def __init__(self, case: Any, rng: Generator) -> None:
        self.fleet, self.plan, self.rng = case.fleet, case.plan, rng
        self.steps = steps_of(case.plan)
        self.hosts = {host.name: host for host in case.fleet.hosts}
        self.guests = {guest.name: guest for guest in case.fleet.guests}
        self.end = max(step.end_s for step in self.steps)

    def one(self, things: Any) -> Any:
        """One of several things; where there is none the corruption does not apply."""
        found = list(things)
        if not found:
            raise DoesNotApplyError
        return found[int(self.rng.integers(len(found)))]

    def step(self, kind: StepKind, wanted: Callable[[Step], bool] = lambda step: True) -> Step:
        return self.one(step for step in self.steps if step.kind is kind and wanted(step))  # type: ignore[no-any-return]

    def of(self, host: str | None, kind: StepKind) -> Step:
        """A host's own step of a kind."""
        return self.step(kind, lambda step: step.host == host)

    def edge(self, kind: StepKind, *earlier: StepKind) -> tuple[Step, Step]:
        """A step of a kind, and one of the others that it waits for directly."""
        by_id = {step.id: step for step in self.steps}
        pairs = [(step, by_id[name]) for step in self.steps if step.kind is kind for name in step.after]
        return self.one((step, other) for step, other in pairs if other.kind in earlier)  # type: ignore[no-any-return]


class DoesNotApplyError(Exception):
    """Draw again."""


def mapped(plan: Plan, change: Callable[[Step], Step | None]) -> Plan:
    """The plan with every step changed, or left out where `change` gives None."""
    waves = tuple(
        replace(wave, steps=tuple(new for new in (change(step) for step in wave.steps) if new is not None)) for wave in plan.waves
    )
    return replace(plan, waves=waves)


def changed(plan: Plan, victim: Step, **fields: Any) -> Plan:
    return mapped(plan, lambda step: replace(step, **fields) if step.id == victim.id else step)


def free(plan: Plan) -> Plan:
    """Nothing waits: so that only times can be wrong."""
    return mapped(plan, lambda step: replace(step, after=()))


def without(plan: Plan, *victims: Step) -> Plan:
    """Leave steps out; who waited for one waits for what it waited for."""
    for name in [victim.id for victim in victims]:
        victim = next(step for step in steps_of(plan) if step.id == name)

        def change(step: Step, victim: Step = victim) -> Step | None:
            if step.id == victim.id:
                return None
            after = [earlier for earlier in step.after if earlier != victim.id]
            return replace(step, after=tuple(dict.fromkeys([*after, *victim.after]))) if victim.id in step.after else step

        plan = mapped(plan, change)
    return plan


def unlinked(plan: Plan, step: Step, *others: Step) -> Plan:
    """A step that no longer waits for some others, by whatever way; what it waits for otherwise stays."""
    lost = {other.id for other in others}
    by_id = {each.id: each for each in steps_of(plan)}
    kept: dict[Any, None] = {}
    open_ = [*step.after]
    while open_:
        name = open_.pop(0)
        if name in lost:
            continue
        if lost & ancestors(plan, by_id[name]):
            open_ += by_id[name].after
        else:
            kept[name] = None
    return changed(plan, step, after=tuple(kept))


def added(drawn: Drawn, *steps: Step) -> Plan:
    """More steps in the last wave, after everything: they wait for all of it."""
    last = tuple(step.id for step in drawn.steps)
    steps = tuple(replace(step, after=(*last, *step.after)) for step in steps)
    waves = list(drawn.plan.waves)
    waves[-1] = replace(waves[-1], steps=(*waves[-1].steps, *steps))
    return replace(drawn.plan, waves=tuple(waves))


def move(drawn: Drawn, guest: str, there: str, **fields: Any) -> Step:
    """One more migration at the end."""
    at = {name: record.on for name, record in drawn.guests.items()}
    at |= {step.guest: step.destination for step in drawn.steps if step.kind is K.MIGRATE}
    step = Step(
        id="more",  # type: ignore[arg-type]
        kind=K.MIGRATE,
        after=(),
        start_s=drawn.end,
        duration_s=600,
        guest=guest,  # type: ignore[arg-type]
        source=at[guest],  # type: ignore[index]
        destination=there,  # type: ignore[arg-type]
        verdict="SAFE",
    )
    return replace(step, **fields)


# --- the plan as a document ----------------------------------------------------------------------------------------------------------


def other_digest(drawn: Drawn) -> Plan:
    return replace(drawn.plan, inventory_digest="sha256:other")


def other_placement(drawn: Drawn) -> Plan:
    guest, host = drawn.one(drawn.guests), drawn.one(drawn.hosts)
    return replace(drawn.plan, placement={**drawn.plan.placement, guest: host})


def unknown_guest(drawn: Drawn) -> Plan:
    return changed(drawn.plan, drawn.step(K.MIGRATE), guest="nobody")


def one_id_twice(drawn: Drawn) -> Plan:
    victim = drawn.one(drawn.steps)
    return changed(drawn.plan, victim, id=drawn.one(step for step in drawn.steps if step.id != victim.id).id)


def earlier_than_it_may(drawn: Drawn) -> Plan:
    step = drawn.one(step for step in drawn.steps if step.after and step.start_s)
    return changed(drawn.plan, step, start_s=int(drawn.rng.integers(step.start_s)))


def later_than_others_wait(drawn: Drawn) -> Plan:
    """A step that is late, and those that wait for it start as if it were not."""
    step, other = drawn.edge(drawn.one(K), *K)
    return changed(drawn.plan, other, start_s=step.start_s + 1)


def shorter_than_it_takes(drawn: Drawn) -> Plan:
    step = drawn.one(step for step in drawn.steps if step.duration_s and step.kind is not K.GATE)
    return changed(drawn.plan, step, duration_s=int(drawn.rng.integers(step.duration_s)))


def waves_renumbered(drawn: Drawn) -> Plan:
    shift = int(drawn.rng.integers(1, 3))
    return replace(drawn.plan, waves=tuple(replace(wave, number=wave.number + shift) for wave in drawn.plan.waves))


def waves_swapped(drawn: Drawn) -> Plan:
    waves = list(drawn.plan.waves)
    first, second = drawn.one(range(len(waves))), drawn.one(range(len(waves)))
    waves[first], waves[second] = replace(waves[first], hosts=waves[second].hosts), replace(waves[second], hosts=waves[first].hosts)
    return replace(drawn.plan, waves=tuple(waves))


def waves_joined(drawn: Drawn) -> Plan:
    """Two waves are told as one, though no guest of the second lands on a host of the first; steps and times stay."""
    if any(step.kind is K.GATE for step in drawn.steps):
        raise DoesNotApplyError
    place = drawn.one(range(1, len(drawn.plan.waves)))
    first, second = drawn.plan.waves[place - 1 : place + 1]
    if any(step.kind is K.MIGRATE and step.destination in first.hosts for step in second.steps):
        raise DoesNotApplyError
    joined = replace(first, hosts=(*first.hosts, *second.hosts), steps=(*first.steps, *second.steps))
    rest = tuple(replace(wave, number=wave.number - 1) for wave in drawn.plan.waves[place + 1 :])
    waves = (*drawn.plan.waves[: place - 1], joined, *rest)
    told = drawn.plan.bounds.waves
    bounds = replace(drawn.plan.bounds, waves=replace(told, plan=len(waves), bound=min(told.bound, len(waves))))
    return replace(drawn.plan, waves=waves, bounds=bounds, points_of_no_return=(), closed_births=())


def gate_left_out(drawn: Drawn) -> Plan:
    return without(drawn.plan, drawn.step(K.GATE))


def gate_skipped(drawn: Drawn) -> Plan:
    gate = drawn.step(K.GATE)
    behind = [step for step in drawn.steps if gate.id in step.after]
    return unlinked(drawn.plan, drawn.one(behind), gate)


def gate_that_does_not_wait(drawn: Drawn) -> Plan:
    gate = drawn.step(K.GATE)
    by_id = {step.id: step for step in drawn.steps}
    return unlinked(drawn.plan, gate, by_id[drawn.one(gate.after)])


# --- guests --------------------------------------------------------------------------------------------------------------------------


def wrong_source(drawn: Drawn) -> Plan:
    step = drawn.step(K.MIGRATE)
    return changed(drawn.plan, step, source=drawn.one(set(drawn.hosts) - {step.source}))


def moved_twice(drawn: Drawn) -> Plan:
    went = [step.guest for step in drawn.steps if step.kind is K.MIGRATE]
    step = drawn.step(K.MIGRATE, lambda step: went.count(step.guest) == 1)
    return added(drawn, replace(step, id="again", after=(), start_s=drawn.end))


def to_itself(drawn: Drawn) -> Plan:
    step = drawn.step(K.MIGRATE)
    return changed(drawn.plan, step, destination=step.source)


def wrong_pool(drawn: Drawn) -> Plan:
    step = drawn.step(K.MIGRATE)
    there = [name for name, host in drawn.hosts.items() if host.pool != drawn.hosts[step.source].pool]  # type: ignore[index]
    return changed(drawn.plan, step, destination=drawn.one(there))


def where_it_may_not_be(drawn: Drawn) -> Plan:
    step = drawn.step(K.MIGRATE, lambda step: bool(drawn.guests[step.guest].deny))  # type: ignore[index]
    return changed(drawn.plan, step, destination=drawn.guests[step.guest].deny[0])  # type: ignore[index]


def to_an_old_host(drawn: Drawn) -> Plan:
    """Onto a host that is upgraded only later, or under its upgrade."""
    step = drawn.step(K.MIGRATE)
    late = [other.host for other in drawn.steps if other.kind is K.UNCORDON and other.end_s > step.start_s and other.host != step.source]
    shut = [other.host for other in drawn.steps if other.kind is K.CORDON and other.host in late and other.start_s < step.end_s]
    return changed(drawn.plan, step, destination=drawn.one(shut))


def moves_the_immovable(drawn: Drawn) -> Plan:
    guest = drawn.one(guest for guest in drawn.guests.values() if not guest.migratable)
    return added(drawn, move(drawn, guest.name, drawn.one(set(drawn.hosts) - {guest.on})))


def restarts_the_wrong_guest(drawn: Drawn) -> Plan:
    guest = drawn.one(guest for guest in drawn.guests.values() if not guest.restartable)
    there = move(drawn, guest.name, guest.on).source
    stop = Step(id="s", kind=K.STOP, after=(), start_s=drawn.end, duration_s=30, guest=guest.name, host=there)  # type: ignore[arg-type]
    start = replace(stop, id="t", kind=K.START, after=("s",), start_s=drawn.end + 30)  # type: ignore[arg-type]
    return added(drawn, stop, start)


def never_started_again(drawn: Drawn) -> Plan:
    return without(drawn.plan, drawn.step(K.START))


def started_twice(drawn: Drawn) -> Plan:
    return added(drawn, replace(drawn.step(K.START), id="again", after=(), start_s=drawn.end))


def started_under_the_upgrade(drawn: Drawn) -> Plan:
    start = drawn.step(K.START, lambda step: any(other.host == step.host and other.kind is K.UPGRADE for other in drawn.steps))
    upgrade = drawn.of(start.host, K.UPGRADE)
    return free(changed(drawn.plan, start, start_s=upgrade.start_s + int(drawn.rng.integers(upgrade.duration_s))))


# --- firmware ------------------------------------------------------------------------------------------------------------------------


def wrong_verdict(drawn: Drawn) -> Plan:
    step = drawn.step(K.MIGRATE)
    return changed(drawn.plan, step, verdict=drawn.one({"SAFE", "CHANGES", "STRIPS", "FAILS", "no word"} - {step.verdict}))


def back_to_the_old_kernel(drawn: Drawn) -> Plan:
    """A guest born on the new kernel goes where the old one is, before that is upgraded."""
    old = [host.name for host in drawn.fleet.hosts if host.release != drawn.fleet.target]
    guest = drawn.one(
        guest
        for guest in drawn.guests.values()
        if guest.born is None
        and drawn.hosts[guest.on].release == drawn.fleet.target
        and not any(step.guest == guest.name for step in drawn.steps)
    )
    there = drawn.one(host for host in old if drawn.hosts[host].pool == drawn.hosts[guest.on].pool)
    waves = list(drawn.plan.waves)
    step = move(drawn, guest.name, there, id="back", start_s=0, duration_s=1)
    waves[0] = replace(waves[0], steps=(step, *waves[0].steps))
    return replace(drawn.plan, waves=tuple(waves))


def pin_left_out(drawn: Drawn) -> Plan:
    return without(drawn.plan, drawn.step(K.PIN))


def pin_not_listed(drawn: Drawn) -> Plan:
    gone = drawn.one(drawn.plan.pins)
    return replace(drawn.plan, pins=tuple(pin for pin in drawn.plan.pins if pin is not gone))


def pin_invented(drawn: Drawn) -> Plan:
    guest = drawn.one(set(drawn.guests) - {pin.guest for pin in drawn.plan.pins})
    more = Pin(guest=guest, psci="1.1", effective=drawn.one(drawn.steps).id, reason="", cost="")
    return replace(drawn.plan, pins=(*drawn.plan.pins, more))


def pin_that_is_no_version(drawn: Drawn) -> Plan:
    victim, word = drawn.one(drawn.plan.pins), drawn.one(["9.9", "one", "", "1.65537", "\u0661.\u0661", "-1.0", "1.1.1", "nan"])
    return replace(drawn.plan, pins=tuple(replace(pin, psci=word) if pin is victim else pin for pin in drawn.plan.pins))


def boots_too_new(drawn: Drawn) -> Plan:
    """Without the pin that its `psci_max` asks for."""
    pin = drawn.step(K.PIN, lambda step: drawn.guests[step.guest].psci_max is not None)  # type: ignore[index]
    return replace(without(drawn.plan, pin), pins=tuple(each for each in drawn.plan.pins if each.guest != pin.guest))


# --- hosts ---------------------------------------------------------------------------------------------------------------------------


def upgrade_left_out(drawn: Drawn) -> Plan:
    host = drawn.step(K.UPGRADE).host
    own = [step for step in drawn.steps if step.host == host and step.kind in {K.CORDON, K.UPGRADE, K.CHECK, K.UNCORDON}]
    plan = without(drawn.plan, *own)
    return replace(plan, waves=tuple(replace(wave, hosts=tuple(name for name in wave.hosts if name != host)) for wave in plan.waves))


def step_of_host_twice(drawn: Drawn) -> Plan:
    step = drawn.step(drawn.one([K.CORDON, K.UPGRADE, K.CHECK, K.UNCORDON]))
    return added(drawn, replace(step, id="again", after=(), start_s=drawn.end))


def step_of_host_left_out(drawn: Drawn) -> Plan:
    return without(drawn.plan, drawn.step(drawn.one([K.CORDON, K.CHECK, K.UNCORDON])))


def hosts_swapped(drawn: Drawn) -> Plan:
    """Two upgrades change places; all else stays."""
    first = drawn.step(K.UPGRADE)
    second = drawn.step(K.UPGRADE, lambda step: step.host != first.host)
    return changed(changed(drawn.plan, first, host=second.host), second, host=first.host)


def rebooted_early(drawn: Drawn) -> Plan:
    """The upgrade starts while a guest is still on its way."""
    step = drawn.step(K.MIGRATE, lambda step: any(other.host == step.source and other.kind is K.UPGRADE for other in drawn.steps))
    upgrade = drawn.of(step.source, K.UPGRADE)
    early = int(drawn.rng.integers(step.start_s, step.end_s)) if step.end_s <= upgrade.start_s else None
    if early is None:
        raise DoesNotApplyError
    return free(changed(drawn.plan, upgrade, start_s=early))


def drain_left_out(drawn: Drawn) -> Plan:
    """A guest stays on a host that reboots."""
    only = {guest: sum(step.guest == guest for step in drawn.steps) for guest in drawn.guests}
    step = drawn.step(K.MIGRATE, lambda step: only[step.guest] == 1)  # type: ignore[index]
    drawn.of(step.source, K.UPGRADE)
    return without(drawn.plan, step)


def left_before_the_cordon(drawn: Drawn) -> Plan:
    step, cordon = drawn.edge(K.MIGRATE, K.CORDON)
    return free(changed(drawn.plan, cordon, start_s=step.start_s + 1, duration_s=0))


# --- limits --------------------------------------------------------------------------------------------------------------------------


def landing_on_a_closed_host(drawn: Drawn) -> Plan:
    step = drawn.step(K.MIGRATE)
    uncordon = drawn.of(step.destination, K.UNCORDON)
    if uncordon.end_s > step.start_s:
        raise DoesNotApplyError
    return free(changed(drawn.plan, uncordon, duration_s=step.end_s))


def too_many_unavailable(drawn: Drawn) -> Plan:
    """Every host comes back as late as can be."""
    if sum(step.kind is K.CORDON for step in drawn.steps) < 4:
        raise DoesNotApplyError
    return free(mapped(drawn.plan, lambda step: replace(step, duration_s=drawn.end) if step.kind is K.UNCORDON else step))


def streams_overlap(drawn: Drawn) -> Plan:
    """All migrations off a host last until after the last of them has begun."""
    source = drawn.step(K.MIGRATE).source
    of_host = [step for step in drawn.steps if step.kind is K.MIGRATE and step.source == source]
    if len(of_host) <= drawn.fleet.policy.streams:
        raise DoesNotApplyError
    last = max(step.start_s for step in of_host)
    return free(mapped(drawn.plan, lambda step: replace(step, duration_s=last - step.start_s + 1) if step in of_host else step))


def overload(drawn: Drawn) -> Plan:
    """At the end, everybody onto one host."""
    there = drawn.one(drawn.hosts.values())
    at = {guest: move(drawn, guest, there.name).source for guest in drawn.guests}
    more = [
        move(drawn, guest.name, there.name, id=f"more{number}", start_s=drawn.end + number)
        for number, guest in enumerate(drawn.guests.values())
        if at[guest.name] != there.name
    ]
    if sum(guest.vcpus for guest in drawn.guests.values()) <= there.vcpus:
        raise DoesNotApplyError
    return added(drawn, *more)


def into_the_reserve(drawn: Drawn) -> Plan:
    if not drawn.fleet.policy.reserve_per_mille:
        raise DoesNotApplyError
    return overload(drawn)


def members_together(drawn: Drawn) -> Plan:
    """At the end, a member of a group goes to the host of another."""
    apart = {name for name, group in drawn.fleet.groups.items() if group.apart is not None}
    first = drawn.one(guest for guest in drawn.guests.values() if guest.group in apart)
    second = drawn.one(guest for guest in drawn.guests.values() if guest.group == first.group and guest is not first)
    here, there = (move(drawn, guest.name, "").source for guest in (first, second))
    same_rack = drawn.hosts[here].rack == drawn.hosts[there].rack  # type: ignore[index]
    if here == there or (drawn.fleet.groups[first.group].apart is Scope.RACK and same_rack):
        raise DoesNotApplyError
    return added(drawn, move(drawn, first.name, there))  # type: ignore[arg-type]


# --- what operators ask for beside room ----------------------------------------------------------------------------------------------


def parted(drawn: Drawn) -> Plan:
    """At the end, one of those that stay together goes somewhere else."""
    cliques = {name: group.together for name, group in drawn.fleet.groups.items() if group.together is not None}
    where = {
        Scope.HOST: lambda host: drawn.hosts[host].name,
        Scope.RACK: lambda host: drawn.hosts[host].rack,
        Scope.ZONE: lambda host: drawn.hosts[host].zone,
    }
    first = drawn.one(guest for guest in drawn.guests.values() if guest.group in cliques)
    place = where[cliques[first.group]]
    drawn.one(
        guest for guest in drawn.guests.values() if guest.group == first.group and guest is not first and place(guest.on) == place(first.on)
    )
    here = move(drawn, first.name, "").source
    return added(drawn, move(drawn, first.name, drawn.one(host for host in drawn.hosts if place(host) != place(here))))


def members_at_once(drawn: Drawn) -> Plan:
    """All migrations of a group last until after the last of them has begun."""
    group = drawn.one(group for group in drawn.fleet.groups.values() if group.max_disrupted is not None)
    of_group = [step for step in drawn.steps if step.kind is K.MIGRATE and drawn.guests[step.guest].group == group.name]  # type: ignore[index]
    size = sum(guest.group == group.name for guest in drawn.guests.values())
    if len(of_group) <= group.max_disrupted.of(size):
        raise DoesNotApplyError
    last = max(step.start_s for step in of_group)
    return free(mapped(drawn.plan, lambda step: replace(step, duration_s=last - step.start_s + 1) if step in of_group else step))


def last_goes_first(drawn: Drawn) -> Plan:
    """A host that goes last is cordoned when the plan begins."""
    last = {name for name, host in drawn.hosts.items() if drawn.fleet.goes_last(host)}
    cordon = drawn.step(K.CORDON, lambda step: step.host in last)
    drawn.step(K.UNCORDON, lambda step: step.host not in last)
    return free(changed(drawn.plan, cordon, start_s=0, duration_s=0))


def copy_without_end(drawn: Drawn) -> Plan:
    """A guest migrates that writes faster than any link carries."""
    guest = drawn.one(guest for guest in drawn.guests.values() if guest.dirty_rate_mib_s >= 5_000)
    return added(drawn, move(drawn, guest.name, drawn.one(set(drawn.hosts) - {guest.on})))


def begins_at_another_time(drawn: Drawn) -> Plan:
    """Just after a window has ended, or at no time at all."""
    window = drawn.one(drawn.fleet.policy.windows)
    return replace(drawn.plan, begins_min=drawn.one([None, window.end_min, WEEK_MIN]))


def disturbs_between_windows(drawn: Drawn) -> Plan:
    """A step that waits for windows starts after one has ended."""
    window = drawn.one(drawn.fleet.policy.windows)
    length_s = 60 * (window.end_min - window.start_min)
    step = drawn.step(drawn.one(BOUND))
    return free(changed(drawn.plan, step, start_s=step.start_s // DAY_S * DAY_S + length_s + int(drawn.rng.integers(3600))))


def forgets_those_before_the_last(drawn: Drawn) -> Plan:
    """A host that goes last no longer waits for one of the others to be back."""
    last = {name for name, host in drawn.hosts.items() if drawn.fleet.goes_last(host)}
    step, other = drawn.edge(K.CORDON, K.UNCORDON)
    if step.host not in last or other.host in last:
        raise DoesNotApplyError
    return unlinked(drawn.plan, step, other)


def forgets_a_member(drawn: Drawn) -> Plan:
    """A member of a group that bears few disruptions no longer waits for another."""
    limited = {name for name, group in drawn.fleet.groups.items() if group.max_disrupted is not None}
    step, other = drawn.edge(K.MIGRATE, K.MIGRATE, K.START)
    group = drawn.guests[step.guest].group  # type: ignore[index]
    if group not in limited or drawn.guests[other.guest].group != group:  # type: ignore[index]
        raise DoesNotApplyError
    return loosened(drawn, step, other)


# --- what the plan says of itself ----------------------------------------------------------------------------------------------------


def claims_fewer(drawn: Drawn) -> Plan:
    name = drawn.one(["moves", "waves", "makespan_s"])
    bounds = drawn.plan.bounds
    return replace(drawn.plan, bounds=replace(bounds, **{name: replace(getattr(bounds, name), plan=getattr(bounds, name).plan - 1)}))


def bound_beyond_the_plan(drawn: Drawn) -> Plan:
    name = drawn.one(["moves", "waves", "makespan_s"])
    bounds = drawn.plan.bounds
    real = getattr(bounds, name).plan
    return replace(drawn.plan, bounds=replace(bounds, **{name: Bound(plan=real, bound=drawn.one([real + 1, -1]))}))


def claims_the_best(drawn: Drawn) -> Plan:
    return replace(drawn.plan, status=drawn.one(set(PlanStatus) - {drawn.plan.status}))


def false_critical_path(drawn: Drawn) -> Plan:
    path = drawn.plan.critical_path
    cut = drawn.one(range(len(path)))
    return replace(
        drawn.plan, critical_path=drawn.one([path[:cut], path[cut + 1 :], (*path[:cut], drawn.one(drawn.steps).id, *path[cut + 1 :])])
    )


def hidden_point_of_no_return(drawn: Drawn) -> Plan:
    hidden = drawn.one(drawn.plan.points_of_no_return)
    return replace(drawn.plan, points_of_no_return=tuple(point for point in drawn.plan.points_of_no_return if point is not hidden))


def hidden_closed_birth(drawn: Drawn) -> Plan:
    hidden = drawn.one(drawn.plan.closed_births)
    return replace(drawn.plan, closed_births=tuple(birth for birth in drawn.plan.closed_births if birth is not hidden))


def other_way_back(drawn: Drawn) -> Plan:
    return replace(drawn.plan, back_to=None)


def invented_point_of_no_return(drawn: Drawn) -> Plan:
    known = {guest for point in drawn.plan.points_of_no_return for guest in point.guests}
    more = PointOfNoReturn(wave=1, guests=(drawn.one(set(drawn.guests) - known),), why=Cause(blocked_on=BlockedOn.VERDICT))
    return replace(drawn.plan, points_of_no_return=(*drawn.plan.points_of_no_return, more))


# --- waiting -------------------------------------------------------------------------------------------------------------------------


def forgets_the_cordon(drawn: Drawn) -> Plan:
    return unlinked(drawn.plan, *drawn.edge(K.MIGRATE, K.CORDON))


def forgets_the_uncordon(drawn: Drawn) -> Plan:
    """A drain that no longer waits until a landing place is open, and for the rest waits as before."""
    step = drawn.step(K.MIGRATE)
    uncordon, cordon = drawn.of(step.destination, K.UNCORDON), drawn.of(step.source, K.CORDON)
    return mapped(
        drawn.plan,
        lambda each: (
            replace(each, after=tuple(name for name in each.after if name != uncordon.id)) if each.id in {step.id, cordon.id} else each
        ),
    )


def forgets_a_guest(drawn: Drawn) -> Plan:
    """An upgrade that no longer waits for a step that takes a guest off."""
    return unlinked(drawn.plan, *drawn.edge(K.UPGRADE, K.MIGRATE, K.STOP, K.PIN))


def forgets_the_order_of_a_host(drawn: Drawn) -> Plan:
    return unlinked(drawn.plan, *drawn.edge(drawn.one([K.CHECK, K.UNCORDON]), K.UPGRADE, K.CHECK))


def forgets_the_order_of_a_guest(drawn: Drawn) -> Plan:
    return unlinked(drawn.plan, *drawn.edge(drawn.one([K.START, K.PIN]), K.STOP, K.PIN, K.UNCORDON))


def forgets_the_slot(drawn: Drawn) -> Plan:
    """A cordon that waits for its landing places and gates, and not for another host to come back."""
    cordon, uncordon = drawn.edge(K.CORDON, K.UNCORDON)
    there = {step.destination for step in drawn.steps if step.kind is K.MIGRATE and step.source == cordon.host}
    if uncordon.host in there:
        raise DoesNotApplyError
    return changed(drawn.plan, cordon, after=tuple(name for name in cordon.after if name != uncordon.id))


def loosened(drawn: Drawn, step: Step, other: Step) -> Plan:
    """A step waits for all that another one waits for, but not for that one; who waits for it waits for both."""
    plan = mapped(drawn.plan, lambda each: replace(each, after=(*each.after, other.id)) if step.id in each.after else each)
    return changed(plan, step, after=tuple(dict.fromkeys([*(name for name in step.after if name != other.id), *other.after])))


def forgets_the_stream(drawn: Drawn) -> Plan:
    return loosened(drawn, *drawn.edge(K.MIGRATE, K.MIGRATE))


class Corruption(NamedTuple):
    """What is changed, the invariants of which it breaks at least one, and whether it always does."""

    make: Callable[[Drawn], Plan]
    breaks: frozenset[InvariantId]
    always: bool = True
    """False: some of the plans so changed still hold, which judge and reference must both say."""


def row(make: Callable[[Drawn], Plan], *breaks: InvariantId, always: bool = True) -> Corruption:
    return Corruption(make, frozenset(breaks), always)


CORRUPTIONS = (
    row(other_digest, I.INVENTORY),
    row(other_placement, I.INVENTORY),
    row(unknown_guest, I.STEPS),
    row(one_id_twice, I.STEPS),
    row(earlier_than_it_may, I.ORDER, I.WINDOWS),
    row(later_than_others_wait, I.ORDER),
    row(shorter_than_it_takes, I.DURATION),
    row(waves_renumbered, I.WAVES),
    row(waves_swapped, I.WAVES),
    row(waves_joined, I.WAVES, always=False),
    row(gate_left_out, I.GATES),
    row(gate_skipped, I.GATES),
    row(gate_that_does_not_wait, I.GATES),
    row(wrong_source, I.PLACEMENT),
    row(moved_twice, I.PLACEMENT),
    row(to_itself, I.PLACEMENT),
    row(wrong_pool, I.POOL),
    row(where_it_may_not_be, I.ALLOWED),
    row(to_an_old_host, I.LANDING),
    row(landing_on_a_closed_host, I.LANDING),
    row(moves_the_immovable, I.MIGRATABLE),
    row(restarts_the_wrong_guest, I.RESTARTABLE),
    row(never_started_again, I.RUNNING),
    row(started_twice, I.RUNNING),
    row(started_under_the_upgrade, I.RUNNING),
    row(wrong_verdict, I.VERDICT),
    row(back_to_the_old_kernel, I.VERDICT),
    row(pin_left_out, I.PINS),
    row(pin_not_listed, I.PINS),
    row(pin_invented, I.PINS),
    row(pin_that_is_no_version, I.PINS),
    row(boots_too_new, I.PSCI_MAX),
    row(upgrade_left_out, I.UPGRADED),
    row(step_of_host_twice, I.CORDONED),
    row(step_of_host_left_out, I.CORDONED),
    row(hosts_swapped, I.CORDONED, I.AFTER),
    row(left_before_the_cordon, I.CORDONED),
    row(rebooted_early, I.DRAINED),
    row(drain_left_out, I.DRAINED),
    row(too_many_unavailable, I.UNAVAILABLE),
    row(streams_overlap, I.STREAMS),
    row(overload, I.CAPACITY),
    row(into_the_reserve, I.RESERVE),
    row(members_together, I.APART),
    row(parted, I.TOGETHER),
    row(members_at_once, I.DISRUPTED),
    row(last_goes_first, I.LAST),
    row(copy_without_end, I.CONVERGES),
    row(begins_at_another_time, I.WINDOWS),
    row(disturbs_between_windows, I.WINDOWS),
    row(claims_fewer, I.CLAIMS),
    row(bound_beyond_the_plan, I.CLAIMS),
    row(claims_the_best, I.CLAIMS),
    row(false_critical_path, I.CLAIMS),
    row(hidden_point_of_no_return, I.CLAIMS),
    row(invented_point_of_no_return, I.CLAIMS),
    row(hidden_closed_birth, I.CLAIMS),
    row(other_way_back, I.CLAIMS),
    row(forgets_the_cordon, I.AFTER, always=False),
    row(forgets_the_uncordon, I.AFTER, always=False),
    row(forgets_a_guest, I.AFTER),
    row(forgets_the_order_of_a_host, I.AFTER),
    row(forgets_the_order_of_a_guest, I.AFTER),
    row(forgets_the_slot, I.AFTER, always=False),
    row(forgets_the_stream, I.AFTER, always=False),
    row(forgets_those_before_the_last, I.AFTER, always=False),
    row(forgets_a_member, I.AFTER, always=False),
)


# --- the law -------------------------------------------------------------------------------------------------------------------------


def draw(planned: list[Any], corruption: Corruption, seed: int) -> tuple[Any, Plan]:
    """A plan with something changed. Where that changes nothing, or there is nothing to change, draw again."""
    rng = default_rng(seed)
    for _ in range(PATIENCE):
        case = planned[int(rng.integers(len(planned)))]
        try:
            plan = corruption.make(Drawn(case, rng))
        except DoesNotApplyError:
            continue
        if plan != case.plan:
            return case, plan
    pytest.fail("nothing to corrupt")


def held_up(plan: Plan, violation: Violation) -> Plan:
    """The plan as it goes when the steps for which, says the judge, somebody should wait take very long."""
    by_id = {step.id: step for step in steps_of(plan)}
    named = [by_id[name] for name in violation.steps]  # type: ignore[index]
    facts = dict(violation.facts)
    if "unavailable" in facts:
        shut = {step.host for step in named}
        named = [step for step in by_id.values() if step.kind is K.UNCORDON and step.host in shut]
    elif not {"sends", "receives", "disrupted"} & set(facts):
        named = named[1:]
    return executed(plan, {step.id: 10**6 for step in named})


def safe_by_waiting(case: Any, plan: Plan, rng: Generator) -> bool:
    """Whether nothing goes wrong when steps take any time, and start when what they wait for has ended."""
    plan = executed(plan, {step.id: int(rng.integers(1, 1000)) for step in steps_of(plan)})
    return not broken_by_waiting(case, plan)


def broken_by_waiting(case: Any, plan: Plan) -> list[Violation]:
    return [violation for violation in replay(case.fleet, case.classes, plan) if violation.invariant is not I.CLAIMS]


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda row: row.make.__name__)
def test_no_corruption_gets_past_judge_or_reference(corruption: Corruption, planned: list[Any]) -> None:
    caught = 0
    for seed in range(SEEDS):
        case, plan = draw(planned, corruption, seed)
        violations = case.judge(plan)
        found = {violation.invariant for violation in violations}
        caught += bool(found & corruption.breaks)
        assert not corruption.always or found & corruption.breaks, seed
        refused = bool(case.replay(plan))
        assert refused or not found - {I.AFTER}, seed
        assert found or not refused, seed
        if found == {I.AFTER}:
            assert all(broken_by_waiting(case, held_up(plan, violation)) for violation in violations), seed
        if not found:
            assert all(safe_by_waiting(case, plan, default_rng((seed, again))) for again in range(3)), seed
            assert not any(broken_by_waiting(case, executed(plan, {step.id: 10**6})) for step in steps_of(plan)), seed
    assert caught >= SEEDS // 8


@pytest.mark.parametrize("row", INVARIANTS, ids=lambda row: row.id.value)
def test_every_invariant_has_a_corruption(row: Any) -> None:
    assert any(row.id in corruption.breaks for corruption in CORRUPTIONS)


def test_every_plan_is_safe_by_waiting_alone(planned: list[Any]) -> None:
    for number, case in enumerate(planned):
        assert case.judge(case.plan) == []
        assert case.replay(case.plan) == []
        assert all(safe_by_waiting(case, case.plan, default_rng((number, again))) for again in range(10)), number
