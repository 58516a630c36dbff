"""Fleets and plans as columns: what planner and judge work on where records would be too many. No rules here.

A column is a numpy array with one entry per host, guest or step; names are given by number (the place in `fleet.hosts` or
`fleet.guests`), -1 for none. Records are views that are made when they are asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import ItemsView, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from fleetplan.fleet.model import Fleet, GuestName, HostName, HostState, Scope
from fleetplan.fleet.table import Names
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.reasons import Verdict
from fleetplan.rollout.plan import Plan, Step, StepId, StepKind
from fleetplan.rollout.resources import ALWAYS, Resource, guest_sizes, host_sizes, resources_of

Numbers = NDArray[np.int64]
Places = NDArray[np.int32]
Ints = NDArray[np.signedinteger[Any]]
"""Numbers of either size."""
Flags = NDArray[np.bool_]
Codes = NDArray[np.uint8]

NONE = -1
"""No host, no guest, no group."""
UNKNOWN = -2
"""A name or an id that a plan uses and nobody knows."""
LATEST_S = 1 << 40
"""No time in a plan is as late as this (some 35,000 years): sums of a few such times fit into 64 bits."""
OUT_OF_RANGE = -1
"""Stands for a time that is no time of a plan: below 0, or not below `LATEST_S`."""

KINDS: tuple[StepKind, ...] = tuple(StepKind)
KIND_CODE: Mapping[StepKind, int] = {kind: code for code, kind in enumerate(KINDS)}
STATES: tuple[HostState, ...] = tuple(HostState)
STATE_CODE: Mapping[HostState, int] = {state: code for code, state in enumerate(STATES)}
SCOPES: tuple[Scope, ...] = tuple(Scope)
SCOPE_CODE: Mapping[Scope, int] = {scope: code for code, scope in enumerate(SCOPES)}
VERDICTS: tuple[Verdict, ...] = tuple(Verdict)
VERDICT_CODE: Mapping[str, int] = {verdict.value: code for code, verdict in enumerate(VERDICTS)}
BULK = 1024
"""Records that are made at a time: so few that they stay in the cache."""
NO_VERDICT = 255
UNKNOWN_VERDICT = 254
"""A word that is no verdict."""


@dataclass(frozen=True, slots=True, eq=False)
class HostColumns:
    """One entry per host. `size` has a column per resource, as installed; `zone`, `rack`, `pool` number the names in `*_names`."""

    names: Sequence[HostName]
    size: Numbers
    state: Codes
    on_target: Flags
    zone: Places
    rack: Places
    pool: Places
    zone_names: tuple[str, ...]
    rack_names: tuple[str, ...]
    pool_names: tuple[str, ...]
    bandwidth_mib_s: Numbers
    reboot_s: Numbers
    now: Places
    """Host class as it is."""
    then: Places
    """Host class once upgraded."""


@dataclass(frozen=True, slots=True, eq=False)
class GuestColumns:
    """One entry per guest. `size` has a column per resource, vCPUs and MiB first.

    `group` numbers the groups that are kept apart (NONE: in no such group). `choosy`: `allow` or `deny` say something of it.
    """

    names: Sequence[GuestName]
    on: Places
    size: Numbers
    kind: Places
    """Guest class as it is."""
    group: Places
    group_names: tuple[str, ...]
    group_scope: Codes
    """Scope of each group (one entry per group)."""
    migratable: Flags
    restartable: Flags
    choosy: Flags
    dirty_rate_mib_s: Numbers


@dataclass(frozen=True, slots=True, eq=False)
class FleetColumns:
    """A fleet and its classes."""

    hosts: HostColumns
    guests: GuestColumns
    resources: tuple[Resource, ...] = ALWAYS
    """What the columns of sizes are about."""


@dataclass(frozen=True, eq=False)
class StepColumns:
    """The steps of a plan in its order, one entry each; `after[after_at[i]:after_at[i + 1]]` are the steps that step i waits for.

    `wave` counts from 1. `verdict` is NO_VERDICT where there is none. `notes` has the notes of those steps that have one. `host_names` and
    `guest_names` are what `host`, `source`, `destination` and `guest` number. `given_ids` are ids as they stand in a file; None: the usual
    ones (`usual_id`).
    """

    kind: Codes
    wave: Places
    host: Places
    guest: Places
    source: Places
    destination: Places
    start_s: Numbers
    duration_s: Numbers
    verdict: Codes
    after_at: Numbers
    after: Places
    notes: Mapping[int, str]
    host_names: Sequence[HostName]
    guest_names: Sequence[GuestName]
    given_ids: Sequence[StepId] | None = None

    def __post_init__(self) -> None:
        """Raises ValueError where columns do not fit together."""
        columns = (self.wave, self.host, self.guest, self.source, self.destination, self.start_s, self.duration_s, self.verdict)
        ends = self.after_at
        fits = all(len(column) == len(self) for column in columns) and len(ends) == len(self) + 1
        if not fits or ends[0] != 0 or ends[-1] != len(self.after) or bool((np.diff(ends) < 0).any()):
            raise ValueError("columns of different lengths")

    def __len__(self) -> int:
        """The number of steps."""
        return len(self.kind)

    @cached_property
    def end_s(self) -> Numbers:
        """When each step ends."""
        ends: Numbers = self.start_s + self.duration_s
        return ends

    def id(self, step: int) -> StepId:
        """The id of a step."""
        return self.ids(np.array([step]))[0]

    def ids(self, steps: Ints) -> list[StepId]:
        """The ids of steps."""
        if self.given_ids is not None:
            return [self.given_ids[step] for step in steps.tolist()]
        where = list(zip(self.wave[steps].tolist(), self.kind[steps].tolist(), strict=True))
        begins = {(wave, kind): usual_id(wave, KINDS[kind], None) for wave, kind in set(where)}
        guests, hosts = _names(self.guest_names, self.guest[steps]), _names(self.host_names, self.host[steps])
        return [
            StepId(f"{begins[place]}-{name}") if (name := guest or host) else begins[place]
            for place, guest, host in zip(where, guests, hosts, strict=True)
        ]

    def record(self, step: int) -> Step:
        """A step as a record."""
        return self.records(step, step + 1)[0]

    def records(self, first: int, last: int) -> list[Step]:
        """Consecutive steps as records: in bulk, a third of what they take one by one."""
        ids = self.ids(np.arange(first, last))
        at = self.after_at[first : last + 1].tolist()
        earlier = self.ids(self.after[at[0] : at[-1]])
        names = (
            _names(self.host_names, self.host[first:last]),
            _names(self.guest_names, self.guest[first:last]),
            _names(self.host_names, self.source[first:last]),
            _names(self.host_names, self.destination[first:last]),
        )
        words = {code: verdict.value for code, verdict in enumerate(VERDICTS)}
        return [
            Step(
                id=identifier,
                kind=KINDS[kind],
                after=tuple(earlier[start - at[0] : end - at[0]]),
                start_s=start_s,
                duration_s=duration_s,
                host=host,
                guest=guest,
                source=source,
                destination=destination,
                verdict=words.get(verdict),
                note=self.notes.get(step),
            )
            for step, identifier, kind, start, end, start_s, duration_s, host, guest, source, destination, verdict in zip(
                range(first, last),
                ids,
                self.kind[first:last].tolist(),
                at[:-1],
                at[1:],
                self.start_s[first:last].tolist(),
                self.duration_s[first:last].tolist(),
                *names,
                self.verdict[first:last].tolist(),
                strict=True,
            )
        ]


class _Placed(ItemsView[GuestName, HostName]):
    """Guests with their hosts, in order."""

    def __init__(self, placement: Placement) -> None:
        super().__init__(placement)
        self._placement = placement

    def __iter__(self) -> Iterator[tuple[GuestName, HostName]]:
        """Each guest with its host."""
        placement = self._placement
        return zip(placement.guest_names, map(placement.host_names.__getitem__, placement.on.tolist()), strict=True)


class Placement(Mapping[GuestName, HostName]):
    """Where guests are, as a mapping from names to names that is made of columns."""

    __slots__ = ("_number", "guest_names", "host_names", "on")

    def __init__(self, guest_names: Sequence[GuestName], host_names: Sequence[HostName], on: Places) -> None:
        self.guest_names = guest_names
        self.host_names = host_names
        self.on = on
        self._number: dict[GuestName, int] = {}

    def __len__(self) -> int:
        """The number of guests."""
        return len(self.guest_names)

    def __iter__(self) -> Iterator[GuestName]:
        """The guests in their order."""
        return iter(self.guest_names)

    def __getitem__(self, guest: GuestName) -> HostName:
        """The host that a guest is on."""
        if not self._number:
            self._number = {name: place for place, name in enumerate(self.guest_names)}
        host: HostName = self.host_names[self.on[self._number[guest]]]
        return host

    def items(self) -> ItemsView[GuestName, HostName]:
        """All of it, without an index of names."""
        return _Placed(self)

    def as_dict(self) -> dict[GuestName, HostName]:
        """All of it. O(guests)."""
        return dict(self.items())

    def same(self, other: Placement) -> bool:
        """Whether two say the same, compared as columns."""
        named = _alike(self.guest_names, other.guest_names) and _alike(self.host_names, other.host_names)
        return named and bool(np.array_equal(self.on, other.on))


N = TypeVar("N", HostName, GuestName)


def _names(names: Sequence[N], column: Places) -> list[N | None]:
    """The names that a column numbers; None where it has none."""
    if isinstance(names, Names):
        return names.many(column.tolist())
    return [names[number] if number >= 0 else None for number in column.tolist()]


class Steps(Sequence[Step]):
    """Consecutive steps of columns, as records that are made when they are asked for."""

    __slots__ = ("columns", "first", "last")

    def __init__(self, columns: StepColumns, first: int, last: int) -> None:
        self.columns = columns
        self.first = first
        self.last = last

    def __len__(self) -> int:
        """The number of steps."""
        return self.last - self.first

    @overload
    def __getitem__(self, index: int) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Step]: ...
    def __getitem__(self, index: int | slice) -> Step | Sequence[Step]:
        """One step, or some of them as records."""
        if isinstance(index, slice):
            steps = range(self.first, self.last)[index]
            if steps.step == 1:
                return tuple(self.columns.records(steps.start, max(steps.start, steps.stop)))
            return tuple(map(self.columns.record, steps))
        return self.columns.record(range(self.first, self.last)[index])

    def __iter__(self) -> Iterator[Step]:
        """All steps in order."""
        for first in range(self.first, self.last, BULK):
            yield from self.columns.records(first, min(first + BULK, self.last))


def usual_id(wave: int, kind: StepKind, name: str | None) -> StepId:
    """How a planner names a step: by wave, kind, and its guest or host. A guest or host has each kind of step once in a wave."""
    return StepId(f"w{wave}-{kind.value}" + (f"-{name}" if name else ""))


# --- from records --------------------------------------------------------------------------------------------------------------------


def fleet_columns(fleet: Fleet, classes: ClassTable) -> FleetColumns:
    """A fleet as columns. O(hosts + guests)."""
    resources = resources_of(fleet)
    return FleetColumns(_host_columns(fleet, classes, resources), _guest_columns(fleet, classes, resources), resources)


def placement_of(fleet: Fleet) -> Placement:
    """Where the guests of a fleet are."""
    host_names = tuple(host.name for host in fleet.hosts)
    return Placement(fleet.guests.names, host_names, _renumbered(fleet.guests.on, fleet.guests.host_names, host_names))


def _host_columns(fleet: Fleet, classes: ClassTable, resources: tuple[Resource, ...]) -> HostColumns:
    hosts = fleet.hosts
    zone, zone_names = _coded(host.zone for host in hosts)
    rack, rack_names = _coded(host.rack for host in hosts)
    pool, pool_names = _coded(host.pool for host in hosts)
    return HostColumns(
        names=[host.name for host in hosts],
        size=host_sizes(fleet, resources),
        state=np.array([STATE_CODE[host.state] for host in hosts], np.uint8),
        on_target=np.array([host.release == fleet.target for host in hosts], np.bool_),
        zone=zone,
        rack=rack,
        pool=pool,
        zone_names=zone_names,
        rack_names=rack_names,
        pool_names=pool_names,
        bandwidth_mib_s=np.array([host.bandwidth_mib_s for host in hosts], np.int64),
        reboot_s=np.array([host.reboot_s for host in hosts], np.int64),
        now=np.array(classes.hosts_now, np.int32),
        then=np.array(classes.hosts_then, np.int32),
    )


def _guest_columns(fleet: Fleet, classes: ClassTable, resources: tuple[Resource, ...]) -> GuestColumns:
    """Columns of the table are taken as they are, without a copy, where numpy can have them so."""
    guests = fleet.guests
    kept = {name: group.apart for name, group in fleet.groups.items() if group.apart is not None}
    group_names = tuple(sorted(kept))
    migratable, restartable, choosy = (
        np.array([(each.migratable, each.restartable, bool(each.allow or each.deny)) for each in guests.templates], np.bool_)
        .reshape(-1, 3)[np.asarray(guests.template, np.int32)]
        .T
    )
    return GuestColumns(
        names=guests.names,
        on=_renumbered(guests.on, guests.host_names, tuple(host.name for host in fleet.hosts)),
        size=guest_sizes(fleet, resources),
        kind=np.asarray(classes.guests, np.int32),
        group=_renumbered(guests.group, (*guests.group_names, None), group_names),
        group_names=group_names,
        group_scope=np.array([SCOPE_CODE[kept[name]] for name in group_names], np.uint8),
        migratable=np.ascontiguousarray(migratable),
        restartable=np.ascontiguousarray(restartable),
        choosy=np.ascontiguousarray(choosy),
        dirty_rate_mib_s=np.asarray(guests.dirty_rate_mib_s, np.int64),
    )


def _renumbered(column: array[int], before: tuple[str | None, ...], after: tuple[str, ...]) -> Places:
    """A column that numbers the names `before` as one that numbers those `after`; NONE for what is not among them.

    Where the column itself has NONE, that is the last of `before`.
    """
    given: Places = np.asarray(column, np.int32)
    if before == after:
        return given
    number = {name: place for place, name in enumerate(after)}
    return np.array([NONE if name is None else number.get(name, NONE) for name in before], np.int32)[given]


def _coded(names: Iterable[str]) -> tuple[Places, tuple[str, ...]]:
    """Names as numbers, in the order of the names."""
    given = list(names)
    distinct = tuple(sorted(set(given)))
    number = {name: place for place, name in enumerate(distinct)}
    return np.array([number[name] for name in given], np.int32), distinct


def step_columns(plan: Plan, host_names: Sequence[HostName], guest_names: Sequence[GuestName]) -> StepColumns:
    """The steps of a plan as columns; a plan that is made of them already gives them back.

    What cannot be said in columns is marked, for the judge to see: names and ids that nobody knows are UNKNOWN, words that are no verdict
    UNKNOWN_VERDICT, times OUT_OF_RANGE. Of several steps with one id, `after` means the last. O(steps + `after`).
    """
    made = _made_of(plan)
    if made is not None and _alike(made.host_names, host_names) and _alike(made.guest_names, guest_names):
        return made
    steps = [step for wave in plan.waves for step in wave.steps]
    number = {step.id: place for place, step in enumerate(steps)}
    hosts = {name: place for place, name in enumerate(host_names)}
    guests = {name: place for place, name in enumerate(guest_names)}
    return StepColumns(
        kind=np.array([KIND_CODE[step.kind] for step in steps], np.uint8),
        wave=np.array([place for place, wave in enumerate(plan.waves, 1) for _ in wave.steps], np.int32),
        host=_numbers((step.host for step in steps), hosts),
        guest=_numbers((step.guest for step in steps), guests),
        source=_numbers((step.source for step in steps), hosts),
        destination=_numbers((step.destination for step in steps), hosts),
        start_s=_times(step.start_s for step in steps),
        duration_s=_times(step.duration_s for step in steps),
        verdict=np.array(
            [NO_VERDICT if step.verdict is None else VERDICT_CODE.get(step.verdict, UNKNOWN_VERDICT) for step in steps], np.uint8
        ),
        after_at=np.cumsum([0, *(len(step.after) for step in steps)], dtype=np.int64),
        after=np.array([number.get(earlier, UNKNOWN) for step in steps for earlier in step.after], np.int32),
        notes={place: step.note for place, step in enumerate(steps) if step.note is not None},
        host_names=host_names,
        guest_names=guest_names,
        given_ids=[step.id for step in steps],
    )


def _made_of(plan: Plan) -> StepColumns | None:
    """The columns that all waves of a plan are views on, one after the other; None where they are not."""
    views = [wave.steps for wave in plan.waves if isinstance(wave.steps, Steps)]
    if not views or len(views) != len(plan.waves):
        return None
    columns = views[0].columns
    ends = [0, *(view.last for view in views)]
    whole = ends[-1] == len(columns) and all(view.first == end for view, end in zip(views, ends[:-1], strict=True))
    return columns if whole and all(view.columns is columns for view in views) else None


def _alike(names: Sequence[str], others: Sequence[str]) -> bool:
    if isinstance(names, Names) and isinstance(others, Names):
        return names is others or names == others
    return names is others or (len(names) == len(others) and list(names) == list(others))


def _numbers(names: Iterable[N | None], number: Mapping[N, int]) -> Places:
    return np.array([NONE if name is None else number.get(name, UNKNOWN) for name in names], np.int32)


def _times(times: Iterable[int]) -> Numbers:
    return np.array([time if 0 <= time < LATEST_S else OUT_OF_RANGE for time in times], np.int64)


def step_records(columns: StepColumns) -> list[Step]:
    """All steps as records."""
    return columns.records(0, len(columns))
