"""What the state graph says, in words: doors, traps, stepping stones, blocked ways and what opens them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, assert_never

from fleetplan.migration.classes import HostClassId
from fleetplan.migration.matrix import Ways
from fleetplan.migration.openings import BlockedWay, Bottleneck, Change, ChangeKind, Opening
from fleetplan.output.class_names import ClassNames
from fleetplan.output.sentences import counted, listed

if TYPE_CHECKING:
    from fleetplan.migration.graph import Door, State


MOST_TOLD = 60
"""Remarks of one kind that are told; of the others only their number is."""


def first(told: Sequence[str], number: int, nouns: str) -> Iterator[str]:
    """What is told, and how many more there are."""
    yield from told
    if number > len(told):
        yield f"more {nouns} than are told: {number - len(told):,}"


def way_sentences(ways: Ways, names: ClassNames, shown: frozenset[State] | None = None) -> Iterator[str]:
    """All remarks on a fleet's ways. `shown`: one-way doors of other states than these are only counted (None: all are told)."""
    if ways.open_ended:
        yield f"cut off: {counted(ways.open_ended, 'state')} were not gone on from; doors and blocked ways may be open beyond them"
    doors = [door for door in ways.doors if shown is None or door.source in shown]
    yield from first([door_sentence(door, names) for door in doors[:MOST_TOLD]], len(doors), "one-way doors")
    if len(doors) < len(ways.doors):
        more = counted(len(ways.doors) - len(doors), "more one-way door")
        yield f"{more} for guests that have moved or restarted; `graph states` has all"
    yield from first([trap_sentence(states, names) for states in ways.traps[:MOST_TOLD]], len(ways.traps), "traps")
    chains = list(ways.stones.values())
    yield from first([stone_sentence(chain, names) for chain in chains[:MOST_TOLD]], len(chains), "stepping stones")
    yield from (blocked_sentence(way, names) for way in ways.blocked)
    if ways.left_out:
        yield f"{counted(ways.left_out, 'more blocked way')}, not worked out"
    if ways.limit.waiting:
        yield limit_sentence(ways.limit, names)


def door_sentence(door: Door, names: ClassNames) -> str:
    """`one-way door: g1 on A to B`."""
    back = "a restart there opens the way back" if door.restart_opens else "nothing that is allowed leads back"
    return f"one-way door: {names.state(door.source)} to {names.host(door.target[1])}, as {names.guest(door.target[0])}; {back}"


def trap_sentence(states: tuple[State, ...], names: ClassNames) -> str:
    """`trap: g5 on B`."""
    hosts = list(dict.fromkeys(names.host(host) for _, host in states))
    return f"trap: {listed([names.state(state) for state in states])}; no allowed step leaves {' and '.join(hosts)}"


def stone_sentence(chain: tuple[State, ...], names: ClassNames) -> str:
    """`stepping stone: g1 on A comes to C by way of B`."""
    stones = ", then ".join(names.host(host) for _, host in chain[1:-1])
    return f"stepping stone: {names.state(chain[0])} comes to {names.host(chain[-1][1])} by way of {stones}"


def blocked_sentence(way: BlockedWay, names: ClassNames) -> str:
    """`blocked: g5 on B to A (5 guests). Cheapest change: PSCI pin 1.1 and a restart`."""
    head = f"blocked: {names.state(way.start)} to {names.host(way.goal)} ({counted(way.guests, 'guest')})"
    fixed = way.guests - way.restartable
    if way.opening == way.otherwise or not fixed or not way.restartable:
        return f"{head}. {_opens(way.opening if way.restartable else way.otherwise, way, names)}"
    return f"{head}. {_opens(way.opening, way, names)}. Of these, {fixed:,} may not restart: {_opens(way.otherwise, way, names).lower()}"


def _opens(opening: Opening | None, way: BlockedWay, names: ClassNames) -> str:
    if opening is None:
        return "Nothing that is on offer opens it"
    changes = " and ".join(dict.fromkeys(change_words(change, opening, way.goal, names) for change in opening.changes))
    return f"Cheapest change: {changes}{f' ({names.path(opening.path)})' if len(opening.path) > 2 else ''}"


def change_words(change: Change, opening: Opening, goal: HostClassId, names: ClassNames) -> str:
    """What an operator does."""
    match change.kind:
        case ChangeKind.ACCEPT_PSCI_CHANGE:
            return "allow another PSCI version (`forbid_psci_change: false`)"
        case ChangeKind.VMM | ChangeKind.KERNEL:
            what = f"the hosts of {names.host(goal)}" if opening.path[-1][1] == change.host else "a host on the way"
            return f"put {what} on {names.software(change.host)}"
        case ChangeKind.RESTART:
            return "restart the guests where they are"
        case ChangeKind.PIN:
            return f"PSCI pin {change.subject} and a restart"
        case ChangeKind.RESTART_THERE:
            return f"stop the guests and start them on {names.host(change.host)}"
        case ChangeKind.WAIVER:
            return f"waive the loss of {change.subject}"
        case ChangeKind.ACCEPT_UNKNOWN:
            return "accept a move whose verdict is UNKNOWN (`accept_unknown: true`), or find out what decides it"
        case _:
            assert_never(change.kind)


def limit_sentence(limit: Bottleneck, names: ClassNames) -> str:
    """`at a time, 5 of 23 guests can be on their way to the target; receiving on B limits it`."""
    head = f"at a time, {limit.at_once:,} of {counted(limit.waiting, 'guest')} can be on their way to the target"
    limits = [f"sending from {names.host(host)}" for host in limit.sending] + [
        f"receiving on {names.host(host)}" for host in limit.receiving
    ]
    limits += [f"{counted(limit.stuck, 'guest')} may not move there"] if limit.stuck else []
    return f"{head}; what limits it: {', '.join(limits)}" if limits and limit.at_once < limit.waiting else head
