"""Why steps wait: the reason of each edge of the step graph, and the chain of waits that a step ends.

An edge says only that one step comes after another. Its reason follows from the two steps and the fleet. Everything is read off columns,
so that a plan of a million steps is explained without a graph of a million nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from itertools import pairwise

import msgspec
import numpy as np

from fleetplan.fleet.model import Fleet, GuestName, HostName, HostState
from fleetplan.fleet.policy import Share
from fleetplan.rollout.columns import KIND_CODE, KINDS, LATEST_S, NONE, Flags, Numbers, step_columns
from fleetplan.rollout.plan import Plan, StepId, StepKind


class Wait(StrEnum):
    """Why a step waits for another."""

    LANDING = "landing"
    """Guests land on a host that must be back first."""
    SLOT = "slot"
    """A host that is back hands over its slot of max-unavailable."""
    ARRIVAL = "arrival"
    """A seed still brings a guest to a host that is to be emptied."""
    FELLOW = "fellow"
    """A member of the guest's group must have left the rack or zone."""
    GATE = "gate"
    """Everything after a gate waits for it."""
    WAVES = "waves"
    """A gate waits for everything before it."""
    CORDON = "cordon"
    """A host is cordoned before its guests leave."""
    SENDING = "sending"
    """The stream of the source is in use."""
    RECEIVING = "receiving"
    """The stream of the destination is in use."""
    DRAIN = "drain"
    """Nothing goes on with a host before the last guest has left."""
    ORDER = "order"
    """Upgrade, check, uncordon; stop, pin, start."""
    GIVEN = "given"
    """The plan says so; nothing that fleetplan knows asks for it."""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """A wait with what it is about: the guests that land or arrive, the places whose slot is handed over (`zone b`, `fleet`)."""

    wait: Wait
    guests: tuple[GuestName, ...] = ()
    places: tuple[str, ...] = ()


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """An edge of the step graph with its reasons, at least one."""

    earlier: StepId
    later: StepId
    reasons: tuple[Reason, ...]


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Consecutive steps of a chain that are about one host (None: about a gate), and why they did not begin earlier.

    `moves` counts the guests that leave in it, one after the other; `drain_s` is how long that takes. `after` None: the chain begins here.
    """

    host: HostName | None
    wave: int
    steps: tuple[StepId, ...]
    start_s: int
    end_s: int
    moves: int
    drain_s: int
    after: Link | None
    after_host: HostName | None


IN_ORDER = frozenset(
    {
        (StepKind.UPGRADE, StepKind.CHECK),
        (StepKind.CHECK, StepKind.UNCORDON),
        (StepKind.UNCORDON, StepKind.START),
        (StepKind.STOP, StepKind.PIN),
        (StepKind.STOP, StepKind.START),
        (StepKind.PIN, StepKind.START),
        (StepKind.STOP, StepKind.UPGRADE),
        (StepKind.PIN, StepKind.UPGRADE),
    }
)
EMPTIED = frozenset({StepKind.UPGRADE, StepKind.STOP})
"""What waits until the guests that move have left."""


@dataclass(frozen=True, slots=True, eq=False)
class _Slots:
    """How many hosts of a place may be away at once, and for each host whether it is in that place."""

    limit: int
    inside: Flags

    @classmethod
    def of(cls, share: Share, members: list[int], hosts: int) -> _Slots:
        """Slots of a place with these hosts."""
        inside = np.zeros(hosts, np.bool_)
        inside[members] = True
        return cls(share.of(len(members)), inside)


class Waits:
    """The waits of one plan. O(steps) to make, O(moves) for each wait between two hosts."""

    def __init__(self, fleet: Fleet, plan: Plan) -> None:
        self.fleet = fleet
        self.host_names = [host.name for host in fleet.hosts]
        self.steps = step_columns(plan, self.host_names, fleet.guests.names)
        self.moves: Numbers = np.flatnonzero(self.steps.kind == KIND_CODE[StepKind.MIGRATE])

    # --- chains -------------------------------------------------------------------------------------------------------------------

    def last(self) -> int | None:
        """The step with which the plan ends; None: there are no steps."""
        return int(np.argmax(self.steps.end_s)) if len(self.steps) else None

    def chain(self, step: int) -> tuple[int, ...]:
        """From a step that waits for nothing to this one: before each the step that it waited for longest. The plan must have no cycle."""
        at, after, ends = self.steps.after_at, self.steps.after, self.steps.end_s
        path = [step]
        while at[step] < at[step + 1]:
            earlier = after[at[step] : at[step + 1]]
            step = int(earlier[np.argmax(ends[earlier])])
            path.append(step)
        return tuple(reversed(path))

    def stretches(self, step: int) -> tuple[Stretch, ...]:
        """The chain that a step ends, folded: one stretch for each host that it passes."""
        runs: list[list[int]] = []
        for place in self.chain(step):
            if runs and self.host(place) == self.host(runs[-1][-1]) != NONE:
                runs[-1].append(place)
            else:
                runs.append([place])
        before = [None, *(run[-1] for run in runs[:-1])]
        return tuple(self._stretch(run, earlier) for run, earlier in zip(runs, before, strict=True))

    def _stretch(self, run: list[int], earlier: int | None) -> Stretch:
        columns, places = self.steps, np.array(run)
        moves = places[columns.kind[places] == KIND_CODE[StepKind.MIGRATE]]
        return Stretch(
            host=self._name(self.host(run[0])),
            wave=int(columns.wave[run[0]]),
            steps=tuple(columns.ids(places)),
            start_s=int(columns.start_s[run[0]]),
            end_s=int(columns.end_s[run[-1]]),
            moves=len(moves),
            drain_s=int(columns.end_s[moves[-1]] - columns.start_s[moves[0]]) if len(moves) else 0,
            after=None if earlier is None else self.link(earlier, run[0]),
            after_host=None if earlier is None else self._name(self.host(earlier)),
        )

    def host(self, step: int) -> int:
        """The host that a step is about: of a migration its source."""
        return int(self.steps.source[step] if self._kind(step) is StepKind.MIGRATE else self.steps.host[step])

    def _name(self, host: int) -> HostName | None:
        return self.host_names[host] if host >= 0 else None

    def _kind(self, step: int) -> StepKind:
        return KINDS[int(self.steps.kind[step])]

    # --- reasons ------------------------------------------------------------------------------------------------------------------

    def links(self) -> Iterator[Link]:
        """Every edge of the step graph. For small plans."""
        at, after = self.steps.after_at.tolist(), self.steps.after.tolist()
        for later, (first, last) in enumerate(pairwise(at)):
            yield from (self.link(earlier, later) for earlier in after[first:last])

    def link(self, earlier: int, later: int) -> Link:
        """One edge with its reasons."""
        return Link(earlier=self.steps.id(earlier), later=self.steps.id(later), reasons=self.reasons(earlier, later))

    def reasons(self, earlier: int, later: int) -> tuple[Reason, ...]:
        """Why one step waits for another."""
        before, after = self._kind(earlier), self._kind(later)
        if StepKind.GATE in {before, after}:
            return (Reason(wait=Wait.GATE if before is StepKind.GATE else Wait.WAVES),)
        match before, after:
            case StepKind.UNCORDON, StepKind.CORDON | StepKind.MIGRATE:
                found = self._room_or_slot(earlier, later)
            case StepKind.MIGRATE, StepKind.MIGRATE:
                found = self._stream(earlier, later)
            case ((StepKind.MIGRATE | StepKind.CORDON), StepKind.CORDON):
                found = self._arrival_or_fellow(earlier, later)
            case _:
                found = self._of_one_host(before, after) if self.host(earlier) == self.host(later) else ()
        return found or (Reason(wait=Wait.GIVEN),)

    def _of_one_host(self, before: StepKind, after: StepKind) -> tuple[Reason, ...]:
        if (before, after) in IN_ORDER:
            return (Reason(wait=Wait.ORDER),)
        if after in EMPTIED and before in {StepKind.MIGRATE, StepKind.CORDON}:
            return (Reason(wait=Wait.DRAIN),)
        return (Reason(wait=Wait.CORDON),) if before is StepKind.CORDON else ()

    def _room_or_slot(self, uncordon: int, later: int) -> tuple[Reason, ...]:
        """A host is back: guests land there, or another host gets its slot, or both."""
        back, columns = int(self.steps.host[uncordon]), self.steps
        if self._kind(later) is StepKind.MIGRATE:
            return (Reason(wait=Wait.LANDING, guests=self._guests(np.array([later]))),) if columns.destination[later] == back else ()
        goes, wave = int(columns.host[later]), columns.wave[later]
        moves = self.moves[(columns.source[self.moves] == goes) & (columns.destination[self.moves] == back)]
        landing = self._guests(moves[columns.wave[moves] == wave])
        shared, now = self._shared_places(back, goes), int(columns.start_s[later])
        places = tuple(place for place in shared if self._in_use(place, goes, now))
        if landing and columns.end_s[uncordon] < now:
            places = ()
        elif not landing:
            places = places or shared
        found = [Reason(wait=Wait.LANDING, guests=landing)] if landing else []
        found += [Reason(wait=Wait.SLOT, places=places)] if places else []
        return tuple(found)

    def _guests(self, moves: Numbers) -> tuple[GuestName, ...]:
        return tuple(self.steps.guest_names[guest] for guest in self.steps.guest[moves].tolist())

    def _shared_places(self, one: int, other: int) -> tuple[str, ...]:
        """The places with a limit that two hosts are both in."""
        return tuple(name for name, slots in self._slots.items() if slots.inside[one] and slots.inside[other])

    @cached_property
    def _slots(self) -> dict[str, _Slots]:
        """Every place that has a limit, by its name."""
        hosts, limits = self.fleet.hosts, self.fleet.policy.max_unavailable
        found: dict[str, _Slots] = {}
        for share, names in (
            (limits.fleet, ["fleet" for _ in hosts]),
            (limits.zone, [f"zone {host.zone}" for host in hosts]),
            (limits.rack, [f"rack {host.rack}" for host in hosts]),
        ):
            if share is not None:
                members: dict[str, list[int]] = {}
                for number, name in enumerate(names):
                    members.setdefault(name, []).append(number)
                found |= {name: _Slots.of(share, inside, len(hosts)) for name, inside in members.items()}
        return found

    @cached_property
    def away(self) -> tuple[Numbers, Numbers]:
        """For each host from when until when it is unavailable: from cordon to uncordon; from the start, if it is dead or cordoned."""
        columns, count = self.steps, len(self.fleet.hosts)
        begins, ends = np.full(count, LATEST_S), np.full(count, LATEST_S)
        for kind, column, times in (
            (StepKind.CORDON, begins, columns.start_s),
            (StepKind.UNCORDON, ends, columns.end_s),
        ):
            own = np.flatnonzero(columns.kind == KIND_CODE[kind])
            column[columns.host[own]] = times[own]
        begins[[number for number, host in enumerate(self.fleet.hosts) if host.state is not HostState.UP]] = 0
        return begins, ends

    def _in_use(self, place: str, goes: int, now: int) -> bool:
        """Whether all slots of a place are in use once a host is cordoned."""
        slots, (begins, ends) = self._slots[place], self.away
        others = slots.inside & (begins <= now) & (now < ends)
        others[goes] = False
        return int(others.sum()) + 1 >= slots.limit

    def _stream(self, earlier: int, later: int) -> tuple[Reason, ...]:
        columns = self.steps
        if columns.source[earlier] == columns.source[later]:
            return (Reason(wait=Wait.SENDING),)
        if columns.destination[earlier] == columns.destination[later]:
            return (Reason(wait=Wait.RECEIVING),)
        if columns.guest[earlier] == columns.guest[later]:
            return (Reason(wait=Wait.ARRIVAL, guests=self._guests(np.array([earlier]))),)
        return ()

    def _arrival_or_fellow(self, earlier: int, cordon: int) -> tuple[Reason, ...]:
        """What a cordon waits for beside hosts that are back: a seed that arrives, or a host that fellows leave."""
        columns, goes = self.steps, int(self.steps.host[cordon])
        if columns.destination[earlier] == goes:
            return (Reason(wait=Wait.ARRIVAL, guests=self._guests(np.array([earlier]))),)
        theirs = {self._group(guest) for guest in self._leaving(goes)} - {None}
        fellows = tuple(guest for guest in self._leaving(self.host(earlier)) if self._group(guest) in theirs)
        return (Reason(wait=Wait.FELLOW, guests=tuple(columns.guest_names[guest] for guest in fellows)),) if fellows else ()

    def _leaving(self, host: int) -> list[int]:
        guests: list[int] = self.steps.guest[self.moves[self.steps.source[self.moves] == host]].tolist()
        return guests

    def _group(self, guest: int) -> str | None:
        return self.fleet.guests[guest].group
