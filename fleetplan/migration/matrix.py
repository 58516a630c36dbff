"""The matrix: every guest class that there is, and that it becomes, against every host class, now and at the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from fleetplan.fleet.model import Fleet
from fleetplan.migration.classes import ClassTable, HostClassId
from fleetplan.migration.verdict import Ruling

if TYPE_CHECKING:
    from fleetplan.migration.graph import Door, State, StateGraph
    from fleetplan.migration.openings import BlockedWay, Bottleneck

MOST_CELLS = 2_000
"""A larger matrix is ruled only: doors, traps, stones and openings would need a judgment for each of its moves."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """Guests of a class on a host class: `rulings` on their moves to the columns. `upgraded`: what guests become at the target.

    `restarted`: they come there by a restart, because no move is allowed.
    """

    state: State
    guests: int
    rulings: tuple[Ruling, ...]
    upgraded: bool = False
    restarted: bool = False


class Mark(StrEnum):
    """What a move is beside its verdict."""

    ONE_WAY_DOOR = "one-way-door"
    """It is allowed, and no chain of allowed migrations leads back."""
    TRAP = "trap"
    """It is allowed, and the guest never leaves what it then is in."""
    STEPPING_STONE = "stepping-stone"
    """It is not allowed at once; a chain of allowed migrations leads there."""


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """What the state graph says: `doors`; `traps`, sets of states; `stones`, chains of states by start and host class; `blocked` ways.

    `marks` are those of single moves, by start and host class. `left_out` blocked ways were not worked out; `open_ended` states are where
    the graph was cut off. `limit`: how many guests cross at a time.
    """

    doors: tuple[Door, ...]
    traps: tuple[tuple[State, ...], ...]
    stones: Mapping[tuple[State, HostClassId], tuple[State, ...]]
    marks: Mapping[tuple[State, HostClassId], tuple[Mark, ...]]
    blocked: tuple[BlockedWay, ...]
    left_out: int
    open_ended: int
    limit: Bottleneck


class Matrix(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of rulings by `columns`. `ways` None: the matrix is too large for them."""

    columns: tuple[HostClassId, ...]
    rows: tuple[Row, ...]
    ways: Ways | None


def matrix(fleet: Fleet, classes: ClassTable) -> Matrix:
    """Judge every class against every class: rulings for all, and the state graph where it is not too large.

    O(rows x columns) look-ups and a ruling for each pair of kinds: 1,000 x 1,000 in seconds.
    """
    columns = tuple(sorted({*classes.hosts_now, *classes.hosts_then}))
    places = dict(zip((host.name for host in fleet.hosts), classes.hosts_now, strict=True))
    now = Counter(zip(classes.guests, (places[guest.on] for guest in fleet.guests), strict=True))
    rows = [Row(state=state, guests=now[state], rulings=tuple(classes.rulings(*state, columns))) for state in sorted(now)]
    rows += [
        Row(state=state, guests=number, rulings=tuple(classes.rulings(*state, columns)), upgraded=True, restarted=restarted)
        for (state, restarted), number in sorted(_then(classes, now).items())
    ]
    small = len(rows) * len(columns) <= MOST_CELLS
    return Matrix(columns=columns, rows=tuple(rows), ways=_ways(fleet, classes, rows) if small else None)


def _then(classes: ClassTable, now: Mapping[State, int]) -> Counter[tuple[State, bool]]:
    """What guests become on the hosts that their hosts become, and whether by a restart."""
    becomes: dict[HostClassId, Counter[HostClassId]] = {}
    for host, upgraded in zip(classes.hosts_now, classes.hosts_then, strict=True):
        becomes.setdefault(host, Counter())[upgraded] += 1
    found: Counter[tuple[State, bool]] = Counter()
    for (guest, here), number in now.items():
        for there in becomes[here]:
            if there == here:
                continue
            for after, restarted in _upgraded(classes, guest, here, there):
                if (after, there) not in now:
                    found[(after, there), restarted] += number
    return found


def _upgraded(classes: ClassTable, guest: int, here: HostClassId, there: HostClassId) -> Iterator[tuple[int, bool]]:
    hop = classes.hop(guest, here, there)
    fresh = None if hop.allowed else classes.cold_boot(guest, there)
    if hop.allowed:
        yield hop.after, False
    elif fresh is not None:
        yield fresh, True


def _ways(fleet: Fleet, classes: ClassTable, rows: list[Row]) -> Ways:
    from fleetplan.migration.graph import state_graph  # noqa: PLC0415 - networkx, which a large matrix does without

    starts = [row.state for row in rows]
    return ways(fleet, classes, state_graph(classes, starts), starts)


def ways(fleet: Fleet, classes: ClassTable, found: StateGraph, starts: Sequence[State]) -> Ways:
    """What the state graph says of a fleet whose guests are in these states."""
    from fleetplan.migration import graph as states  # noqa: PLC0415 - as above
    from fleetplan.migration.openings import blocked_ways, bottleneck  # noqa: PLC0415 - as above

    moves = states.allowed_moves(found)
    blocked, left_out = blocked_ways(fleet, classes, found)
    doors, traps = tuple(states.one_way_doors(found)), tuple(states.traps(found))
    stones = {(start, host): chain for start in starts for host, chain in states.stepping_stones(moves, start).items()}
    caught = {state for members in traps for state in members}
    marks: dict[tuple[State, HostClassId], tuple[Mark, ...]] = dict.fromkeys(stones, (Mark.STEPPING_STONE,))
    shut = {(door.source, door.target) for door in doors}
    for step in moves.edges(starts):
        kinds = ((Mark.ONE_WAY_DOOR, step in shut), (Mark.TRAP, step[1] in caught and step[0] not in caught))
        marks[step[0], step[1][1]] = tuple(mark for mark, holds in kinds if holds)
    return Ways(
        doors=doors,
        traps=traps,
        stones=stones,
        marks={way: found for way, found in sorted(marks.items()) if found},
        blocked=tuple(blocked),
        left_out=left_out,
        open_ended=len(found.open_ended),
        limit=bottleneck(fleet, classes),
    )
