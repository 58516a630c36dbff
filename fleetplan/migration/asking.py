"""What to find out first: the fewest hosts to probe, and facts to write down, that decide the most moves.

Every UNKNOWN move that a rollout may need is decided by any one of a few sets of things to find out. Choosing the fewest that decide all
is set cover: exact where little is to be chosen from, greedy beyond.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from enum import StrEnum
from itertools import combinations
from typing import TypeVar

import msgspec

from fleetplan.firmware.candidates import Fact, FactKind, Role
from fleetplan.firmware.mitigations import BY_TARGET_PROBE
from fleetplan.fleet.model import Fleet
from fleetplan.migration.classes import ClassTable, GuestClassId, HostClassId
from fleetplan.migration.reasons import Verdict

T = TypeVar("T")
Move = tuple[GuestClassId, HostClassId, HostClassId]
Ways = tuple[frozenset[T], ...]
"""Sets of things to find out, each of which decides one move."""

MOST_MOVES = 2_000
"""UNKNOWN moves that are looked into."""
MOST_TRIED = 12
"""Things to find out of which every subset is tried; among more, the greedy choice is taken."""


class AskKind(StrEnum):
    """How to find a thing out."""

    PROBE = "probe"
    """Probe a host as it is."""
    PROBE_THEN = "probe-then"
    """Probe a host of this kind once one runs the target release."""
    HOST_FACT = "host-fact"
    """Write down a fact of hosts."""
    GUEST_FACT = "guest-fact"
    """Write down a fact of guests."""
    PACKAGE = "package"
    """Read what is in a package."""


class Ask(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One thing to find out. `number` is a host class or a guest class, or -1; `what` the fact, in words, where it is none of a probe."""

    kind: AskKind
    number: int = -1
    what: str = ""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the answer: `decides` is how many UNKNOWN moves are decided once it and all before it are known, of `moves` in all."""

    ask: Ask
    decides: int
    moves: int


def asked(fleet: Fleet, classes: ClassTable) -> tuple[Asked, ...]:
    """What to find out, in the order in which it decides the most. O(guest classes x host classes) rulings, and a judgment per UNKNOWN."""
    moves = [move for move in _moves(fleet, classes) if classes.ruling(*move)[0] is Verdict.UNKNOWN][:MOST_MOVES]
    wanted = [_asks(classes, move) for move in moves]
    return tuple(Asked(ask=ask, decides=decides, moves=len(moves)) for ask, decides in in_order(wanted))


def _moves(fleet: Fleet, classes: ClassTable) -> Iterator[Move]:
    """The moves that guests may be asked to make from where they are: to any class of host of their pool, as it is or at the target."""
    pools: dict[str, dict[HostClassId, None]] = defaultdict(dict)
    sources: dict[HostClassId, dict[str, None]] = defaultdict(dict)
    for host, now, then in zip(fleet.hosts, classes.hosts_now, classes.hosts_then, strict=True):
        pools[host.pool] |= {now: None, then: None}
        sources[now][host.pool] = None
    for guest, here in classes.states_now():
        for there in dict.fromkeys(there for pool in sources[here] for there in pools[pool]):
            yield guest, here, there


def _asks(classes: ClassTable, move: Move) -> Ways[Ask]:
    """The sets of things to find out, any of which decides a move."""
    judgment = classes.judgment(*move)
    return tuple(frozenset(ask for fact in facts for ask in _ask(classes, move, fact)) for facts in judgment.deciding)


def _ask(classes: ClassTable, move: Move, fact: Fact) -> Iterator[Ask]:
    guest, here, there = move
    match fact.kind:
        case FactKind.KERNEL:
            runs = [number for number in classes.hosts_now if classes.host_class(number).release.kernel == fact.of]
            yield _probe(classes, runs[0], fact) if runs else Ask(kind=AskKind.PACKAGE, what=fact.words)
        case FactKind.VMM:
            yield Ask(kind=AskKind.PACKAGE, what=fact.words)
        case FactKind.LEVELS | FactKind.REGISTERS if fact.of == Role.BIRTHPLACE:
            yield Ask(kind=AskKind.GUEST_FACT, number=guest, what="`born.registers` (a dump)")
        case FactKind.LEVELS | FactKind.REGISTERS:
            hosts = {Role.SOURCE.value: (here,), Role.DESTINATION.value: (there,)}.get(fact.of, (here, there))
            yield from (_probe(classes, host, fact) for host in hosts)
        case FactKind.EQUIPMENT if fact.of == Role.DESTINATION:
            yield Ask(kind=AskKind.HOST_FACT, number=there, what=fact.words.removesuffix(" of the destination"))
        case FactKind.EQUIPMENT | FactKind.BIRTH | FactKind.REBOOT:
            yield Ask(kind=AskKind.GUEST_FACT, number=guest, what=fact.words.removesuffix(" of the guest"))


def _probe(classes: ClassTable, host: HostClassId, fact: Fact) -> Ask:
    """A probe of a host of a class; of a class that no host is of yet, a probe of what becomes one, where that is enough."""
    if host in classes.hosts_now:
        return Ask(kind=AskKind.PROBE, number=host)
    before = classes.hosts_now[classes.hosts_then.index(host)]
    later = fact.kind is FactKind.REGISTERS or fact.words == BY_TARGET_PROBE
    return Ask(kind=AskKind.PROBE_THEN, number=host) if later else Ask(kind=AskKind.PROBE, number=before)


# --- set cover ------------------------------------------------------------------------------------------------------------------------


def in_order(wanted: Sequence[Ways[T]]) -> list[tuple[T, int]]:
    """The fewest things that decide every move, those first that decide the most; each with the moves decided by it and those before.

    `wanted` are, for each move, the sets of things any of which decides it. Things must be orderable. Moves without a set stay undecided.
    """
    open_moves = [ways for ways in wanted if ways]
    things = sorted({thing for ways in open_moves for way in ways for thing in way})  # type: ignore[type-var] # as said above
    kept = _fewest(open_moves, things) if len(things) <= MOST_TRIED else frozenset(things)
    usable = [tuple(way for way in ways if way <= kept) for ways in open_moves]
    known: set[T] = set()
    found: list[tuple[T, int]] = []
    while undecided := [ways for ways in usable if not any(way <= known for way in ways)]:
        for thing in _best(undecided, known):
            known.add(thing)
            found.append((thing, sum(any(way <= known for way in ways) for ways in usable)))
    return found


def _fewest(wanted: Sequence[Ways[T]], things: Sequence[T]) -> frozenset[T]:
    """By trying: 2^things x moves."""
    for size in range(len(things) + 1):
        for chosen in map(frozenset, combinations(things, size)):
            if all(any(way <= chosen for way in ways) for ways in wanted):
                return chosen
    return frozenset(things)


def _best(undecided: Sequence[Ways[T]], known: set[T]) -> list[T]:
    """The things that are missing for one move and decide the most moves for each of them; ties go to fewer things, then by order."""
    missing = {frozenset(way - known) for ways in undecided for way in ways}

    def merit(group: frozenset[T]) -> tuple[float, int, list[T]]:
        decided = sum(any(way <= known | group for way in ways) for ways in undecided)
        return -decided / len(group), len(group), sorted(group)  # type: ignore[type-var] # things are orderable

    return min(map(merit, missing))[2]
