"""Where a fleet stands on the way of a plan.

What happens to one host, or to one guest, are steps in a row; after each of them something else can be seen. So what is seen says how many
of its steps have ended, or leaves a few numbers open. Then everything has ended that those steps waited for. If no host or guest
contradicts that, the state is one that the plan passes through, in whatever order its steps were taken; else what contradicts is named.

Seen are the state and release of hosts, where guests are, and their PSCI pins. Gates, checks, stops and restarts without a pin are not:
they have ended if something after them has begun. A guest that is there, on a host that serves, counts as started.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import msgspec

from fleetplan.fleet.model import Fleet, GuestName, HostName, HostState, Release
from fleetplan.rollout.plan import Plan, Step, StepId, StepKind

WORKING = frozenset({HostState.UP, HostState.CORDONED, HostState.UPGRADING})
"""States of hosts that a rollout goes on with."""


class Deviation(StrEnum):
    """How a fleet differs from every state that the plan passes through."""

    OTHER_TARGET = "other-target"
    """The inventory names another target than the plan."""
    HOST_NEW = "host-new"
    HOST_GONE = "host-gone"
    HOST_STATE = "host-state"
    """It is dead or held, or somebody cordoned or opened it."""
    HOST_RELEASE = "host-release"
    """It runs neither what it ran when the plan was made, nor the target."""
    HOST_BEHIND = "host-behind"
    """A step of it has not ended, and something has happened that comes only after it."""
    GUEST_NEW = "guest-new"
    GUEST_GONE = "guest-gone"
    GUEST_ELSEWHERE = "guest-elsewhere"
    """It is on a host where the plan never has it."""
    GUEST_BEHIND = "guest-behind"
    """As for hosts."""
    GUEST_PIN = "guest-pin"
    """It is where the plan has it, with the PSCI pin that the plan gives it elsewhere; or without the pin that it should have there."""


class Difference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One host or guest that is not as the plan has it. `found` is what is seen, `planned` what the plan has it be, in order.

    `behind` is a step that has not ended though `begun` has, which comes only after it.
    """

    kind: Deviation
    subject: str
    found: str = ""
    planned: tuple[str, ...] = ()
    behind: StepId | None = None
    begun: StepId | None = None


class Stage(StrEnum):
    """How far a host of the plan is."""

    TO_COME = "to-come"
    DRAINING = "draining"
    """It is cordoned, and guests leave or restart; or it is ready for its upgrade."""
    RETURNING = "returning"
    """It runs the target, and does not take guests yet."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class _Row:
    """The steps of one host or guest, and after how many of them it looks as it does (none: it never does)."""

    subject: str
    steps: list[Step]
    fits: tuple[int, ...]
    found: str
    planned: tuple[str, ...]
    off: Deviation
    guest: bool


@dataclass(frozen=True, eq=False)
class Position:
    """Where a fleet stands. `done` are the steps that have ended; `differences` are empty exactly if the state is on the plan's way.

    `astray` are the guests that are nowhere on their way, gone ones among them; `idle` the hosts that the rollout cannot go on with.
    """

    plan: Plan
    done: frozenset[StepId]
    differences: tuple[Difference, ...]
    astray: frozenset[GuestName]
    idle: frozenset[HostName]

    @property
    def on_the_way(self) -> bool:
        """Whether the plan passes through this state."""
        return not self.differences

    @cached_property
    def left(self) -> tuple[Step, ...]:
        """Steps that have not ended, in the order of the plan."""
        return tuple(step for wave in self.plan.waves for step in wave.steps if step.id not in self.done)

    @cached_property
    def ready(self) -> tuple[Step, ...]:
        """Steps that run, or may start: all that they wait for has ended."""
        return tuple(step for step in self.left if self.done.issuperset(step.after))

    @cached_property
    def stages(self) -> Mapping[HostName, Stage]:
        """How far each host of the waves is, in the order of the plan."""
        found = {host: Stage.TO_COME for wave in self.plan.waves for host in wave.hosts}
        after = {StepKind.CORDON: Stage.DRAINING, StepKind.UPGRADE: Stage.RETURNING, StepKind.UNCORDON: Stage.DONE}
        for wave in self.plan.waves:
            for step in wave.steps:
                if step.kind in after and step.host is not None and step.id in self.done:
                    found[step.host] = after[step.kind]
        return found

    @cached_property
    def left_s(self) -> int:
        """How long the rest takes by forecast, if it goes on at once; what is under way counts in full. O(steps + `after`)."""
        ends: dict[StepId, int] = {}
        for step in sorted(self.left, key=lambda step: step.start_s):
            ends[step.id] = max((ends.get(earlier, 0) for earlier in step.after), default=0) + step.duration_s
        return max(ends.values(), default=0)


def position(fleet: Fleet, plan: Plan) -> Position:
    """Where a fleet stands on the way of a plan that held when it was made. O(hosts + guests + steps + `after`)."""
    steps = [step for wave in plan.waves for step in wave.steps]
    rows = [*_host_rows(fleet, plan, steps), *_guest_rows(fleet, plan, steps)]
    search = _Search(steps, rows)
    search.run()
    differences = [*_strangers(fleet, plan), *(_off(row) for row in rows if not row.fits), *search.differences]
    astray = {GuestName(row.subject) for row in rows if row.guest and not row.fits}
    working = {host.name for host in fleet.hosts if host.state in WORKING}
    return Position(
        plan=plan,
        done=frozenset(search.done),
        differences=tuple(sorted(differences, key=lambda each: (each.kind, each.subject))),
        astray=frozenset(astray),
        idle=frozenset(plan.sites.keys() - working),
    )


def _strangers(fleet: Fleet, plan: Plan) -> Iterator[Difference]:
    """What the plan does not know."""
    if fleet.target != plan.target:
        yield Difference(kind=Deviation.OTHER_TARGET, subject="plan", found=str(fleet.target), planned=(str(plan.target),))
    for host in fleet.hosts:
        if host.name not in plan.sites:
            yield Difference(kind=Deviation.HOST_NEW, subject=host.name, found=_looks(host.state, host.release))
    known = set(plan.placement)
    names, places = fleet.guests.host_names, fleet.guests.on
    for number, name in enumerate(fleet.guests.names):
        if name not in known:
            yield Difference(kind=Deviation.GUEST_NEW, subject=name, found=names[places[number]])


def _off(row: _Row) -> Difference:
    return Difference(kind=row.off, subject=row.subject, found=row.found, planned=row.planned)


# --- what can be seen ----------------------------------------------------------------------------------------------------------------


def _looks(state: HostState, release: Release) -> str:
    return f"{state.value}, {release}"


def _host_rows(fleet: Fleet, plan: Plan, steps: list[Step]) -> Iterator[_Row]:
    """The hosts of the plan: state and release after each of their steps."""
    mine = _by_name((step.host, step) for step in steps if step.guest is None)
    hosts = {host.name: host for host in fleet.hosts}
    for name, site in plan.sites.items():
        host = hosts.get(name)
        looks = [(site.state, Release(site.kernel, site.vmm))]
        for step in mine.get(name, ()):
            looks.append(_after(step, *looks[-1], plan.target))
        planned = tuple(dict.fromkeys(_looks(*look) for look in looks))
        if host is None:
            yield _Row(name, mine.get(name, []), (), "", planned, Deviation.HOST_GONE, guest=False)
            continue
        state = HostState.CORDONED if host.state is HostState.UPGRADING else host.state
        fits = tuple(number for number, look in enumerate(looks) if look in {(state, host.release), (host.state, host.release)})
        off = Deviation.HOST_RELEASE if host.release not in {release for _, release in looks} else Deviation.HOST_STATE
        yield _Row(name, mine.get(name, []), fits, _looks(host.state, host.release), planned, off, guest=False)


def _after(step: Step, state: HostState, release: Release, target: Release) -> tuple[HostState, Release]:
    """How a host looks when a step of it has ended."""
    if step.kind is StepKind.CORDON:
        return HostState.CORDONED, release
    if step.kind is StepKind.UPGRADE:
        return state, target
    return (HostState.UP if step.kind is StepKind.UNCORDON else state), release


def _guest_rows(fleet: Fleet, plan: Plan, steps: list[Step]) -> Iterator[_Row]:
    """The guests of the plan: where they are after each of their steps, and whether they have booted with their pin."""
    mine = _by_name((step.guest, step) for step in steps)
    pins = {pin.guest: pin.psci for pin in plan.pins}
    number = {name: place for place, name in enumerate(fleet.guests.names)}
    names, on = fleet.guests.host_names, fleet.guests.on
    for name, first in plan.placement.items():
        place = number.get(name)
        if place is not None and name not in mine and names[on[place]] == first:
            continue
        looks = [(first, False)]
        for step in mine.get(name, ()):
            looks.append(_guest_after(step, *looks[-1], pinned=name in pins))
        planned = tuple(dict.fromkeys(host for host, _ in looks))
        if place is None:
            yield _Row(name, mine.get(name, []), (), "", planned, Deviation.GUEST_GONE, guest=True)
            continue
        here, pinned = names[on[place]], name in pins and _psci(fleet, place) == pins[name]
        fits = tuple(count for count, look in enumerate(looks) if look == (here, pinned))
        off = Deviation.GUEST_PIN if here in planned else Deviation.GUEST_ELSEWHERE
        yield _Row(name, mine.get(name, []), fits, here, planned, off, guest=True)


def _psci(fleet: Fleet, place: int) -> str | None:
    born = fleet.guests[place].born
    return None if born is None else born.psci


def _guest_after(step: Step, host: HostName, booted: bool, *, pinned: bool) -> tuple[HostName, bool]:
    """Where a guest is when a step of it has ended, and whether it has the pin of the plan."""
    if step.kind is StepKind.MIGRATE and step.destination is not None:
        return step.destination, booted
    return host, booted or (pinned and step.kind is StepKind.START)


def _by_name(pairs: Iterable[tuple[str | None, Step]]) -> dict[str, list[Step]]:
    """Steps by what they are about, in the order of time."""
    found: defaultdict[str, list[Step]] = defaultdict(list)
    for name, step in pairs:
        if name is not None:
            found[name].append(step)
    for steps in found.values():
        steps.sort(key=lambda step: step.start_s)
    return found


# --- what has ended ------------------------------------------------------------------------------------------------------------------


class _Search:
    """Finds the fewest steps that have ended: those that are seen, all that they waited for, and what follows for hosts and guests."""

    def __init__(self, steps: list[Step], rows: list[_Row]) -> None:
        self.done: set[StepId] = set()
        self.differences: list[Difference] = []
        self._steps = {step.id: step for step in steps}
        self._in_order = sorted(steps, key=lambda step: step.start_s)
        self._rows = rows
        self._row_of = {step.id: (row, count) for row in rows for count, step in enumerate(row.steps, 1)}
        self._behind: set[str] = set()
        self._open: list[StepId] = []

    def run(self) -> None:
        """From what is seen to a fixed point; then what is not seen, and has ended."""
        for row in self._rows:
            self._ended(row, min(row.fits, default=0))
        self._close()
        for step in self._in_order:
            if step.id not in self.done and step.kind is StepKind.START and self.done.issuperset(step.after):
                row, count = self._row_of[step.id]
                if count in row.fits:
                    self._ended(row, count)
        self._close()

    def _ended(self, row: _Row, count: int) -> None:
        for step in row.steps[:count]:
            self._mark(step.id)

    def _mark(self, step: StepId) -> None:
        if step not in self.done:
            self.done.add(step)
            self._open.append(step)

    def _close(self) -> None:
        while self._open:
            begun = self._open.pop()
            for earlier in self._steps[begun].after:
                if earlier not in self.done and earlier in self._steps:
                    self._must_have_ended(earlier, begun)

    def _must_have_ended(self, step: StepId, begun: StepId) -> None:
        """Something has begun that comes only after a step: so more steps of its host or guest have ended, or that contradicts."""
        if step not in self._row_of:
            self._mark(step)
            return
        row, count = self._row_of[step]
        reached = next((fit for fit in row.fits if fit >= count), None)
        if reached is not None:
            self._ended(row, reached)
        elif row.fits and row.subject not in self._behind:
            self._behind.add(row.subject)
            kind = Deviation.GUEST_BEHIND if row.guest else Deviation.HOST_BEHIND
            planned = row.planned
            self.differences.append(Difference(kind=kind, subject=row.subject, found=row.found, planned=planned, behind=step, begun=begun))
