"""The cheapest change that opens a blocked way, and what limits how many guests can cross at a time.

A way is blocked if no chain of allowed migrations leads from a state to a host class. Some steps would go on if something were changed:
a loss waived, guests restarted with a PSCI pin, hosts put on another release. Each such step carries the set of changes that it needs,
an allowed one the empty set. To open the way is to make a set of changes such that all steps of some path are covered; what is asked for
is the cheapest such set.

This is an augmentation, not a cut of what is open: a set of lifted refusals opens the way exactly if it covers the refused steps of one
path, so the minimum over sets is a minimum over paths. (The cut between what is reachable and the rest is crossed by refused steps only;
each of them has to be weighed, and so have those behind it. Paths and cuts block each other: Fulkerson 1971, Blocking and anti-blocking
pairs of polyhedra.) Were every change good for one step, it would be a shortest path. But one change may cover several steps (a waiver
covers every move that loses its register) and is paid once, which makes it a path with the fewest labels: hard in general (Broersma, Li,
Woeginger, Zhang 2005, Paths and cycles in colored graphs). `cheapest` therefore searches over states together with the changes made so
far. That is exact; a path of this graph needs a handful of changes.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING

import networkx as nx

from fleetplan.firmware.registers import PSCI_VERSION, finds_smccc, psci_text, psci_value
from fleetplan.fleet.model import Fleet, Release
from fleetplan.migration.classes import ClassTable, HostClassId
from fleetplan.migration.graph import State, StateGraph, allowed_moves, fleet_hosts, hosts_in_reach
from fleetplan.migration.reasons import Verdict

if TYPE_CHECKING:
    ChangeSteps = nx.DiGraph[State]

MOST_RELEASES = 12
"""Kernels and VMMs on offer are combined up to so many releases; beyond, they are taken as they stand together."""

MOST_EXPLORED = 400
"""States that are gone on from, in search of one way."""

MOST_WAYS = 60
"""Blocked ways that are worked out for one fleet."""

MOST_HOSTS = 40
"""Of a fleet with more host classes than these none is: each would be a search over all of them."""


class ChangeKind(StrEnum):
    """What can be changed, the cheapest first."""

    ACCEPT_PSCI_CHANGE = "accept-psci-change"
    VMM = "vmm"
    RESTART = "restart"
    PIN = "pin"
    RESTART_THERE = "restart-there"
    KERNEL = "kernel"
    WAIVER = "waiver"
    ACCEPT_UNKNOWN = "accept-unknown"


COSTS: Mapping[ChangeKind, int] = {
    ChangeKind.ACCEPT_PSCI_CHANGE: 100,
    ChangeKind.VMM: 200,
    ChangeKind.RESTART: 300,
    ChangeKind.PIN: 400,
    ChangeKind.RESTART_THERE: 450,
    ChangeKind.KERNEL: 600,
    ChangeKind.WAIVER: 1_000,
    ChangeKind.ACCEPT_UNKNOWN: 1_500,
}
"""What a change costs: first a line of policy that gives up nothing, then a package, a restart, a reboot of hosts, a promise, certainty."""


PINS = tuple(psci_text(value) for value in sorted(PSCI_VERSION.words, reverse=True) if value > psci_value("0.1"))
"""The versions that a guest can be pinned to, the newest first."""


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """Something that an operator can do. `subject`: a register (waiver), a PSCI version (pin); `host`: the class to put hosts on."""

    kind: ChangeKind
    subject: str = ""
    host: HostClassId = -1

    @property
    def cost(self) -> int:
        """In no unit; see `COSTS`. An older PSCI version costs a little more, one below 1.0 every mitigation of the guest."""
        if self.kind is not ChangeKind.PIN:
            return COSTS[self.kind]
        version = psci_value(self.subject)
        return COSTS[self.kind] + PINS.index(self.subject) + (0 if finds_smccc(version) else COSTS[ChangeKind.WAIVER])


Changes = frozenset[Change]
NOTHING: Changes = frozenset()


@dataclass(frozen=True, slots=True)
class Opening:
    """The cheapest changes that open a way, and the way."""

    changes: tuple[Change, ...]
    path: tuple[State, ...]

    @property
    def cost(self) -> int:
        """The cost of all changes, each paid once."""
        return sum(change.cost for change in self.changes)


# --- the search -----------------------------------------------------------------------------------------------------------------------


def cheapest(steps: ChangeSteps, start: State, goals: Mapping[State, Changes]) -> Opening | None:
    """The cheapest changes that lead from a state to a goal; of equally cheap ones those with the fewest steps; None if none do.

    Steps have the attribute `options`: sets of changes of which one is needed; `goals` need the changes that they map to. Uniform-cost
    search over (state, changes made): when a pair is taken from the heap, no cheaper set leads there, and a state that was reached with
    a part of these changes is not gone on from again.
    """
    serial = count()
    heap: list[tuple[int, int, int, tuple[State, ...], Changes, bool]] = [(0, 0, next(serial), (start,), NOTHING, False)]
    reached: dict[State, list[Changes]] = {}
    while heap:
        _, length, _, path, made, arrived = heapq.heappop(heap)
        if arrived:
            return Opening(tuple(sorted(made)), path)
        state = path[-1]
        if any(before <= made for before in reached.setdefault(state, [])):
            continue
        reached[state].append(made)
        if state in goals:
            whole = made | goals[state]
            heapq.heappush(heap, (_cost(whole), length, next(serial), path, whole, True))
        for after in sorted(steps.successors(state)) if state in steps else ():
            for option in steps.edges[state, after]["options"]:
                more = made | option
                heapq.heappush(heap, (_cost(more), length + 1, next(serial), (*path, after), more, False))
    return None


def _cost(changes: Changes) -> int:
    return sum(change.cost for change in changes)


# --- what may be changed --------------------------------------------------------------------------------------------------------------


def releases_on_offer(fleet: Fleet) -> tuple[Release, ...]:
    """The releases that the inventory names: of hosts, the target, `releases`; and, where they are few, kernels with each other's VMMs."""
    named = {fleet.target, *(host.release for host in fleet.hosts), *(entry.release for entry in fleet.releases)}
    kernels, vmms = {release.kernel for release in named}, {release.vmm for release in named}
    if len(kernels) * len(vmms) <= MOST_RELEASES:
        named |= {Release(kernel, vmm) for kernel in kernels for vmm in vmms}
    return tuple(sorted(named))


class Offers:
    """What may be changed in a fleet, as steps between states."""

    def __init__(self, fleet: Fleet, classes: ClassTable) -> None:
        self._classes = classes
        self._owned = frozenset(fleet_hosts(classes))
        self._there = frozenset(self._kind(host) for host in self._owned)
        self._releases = releases_on_offer(fleet)
        self._explored: dict[tuple[State, bool], ChangeSteps] = {}
        self.hosts = tuple(sorted(self._owned.union(*(self.becomes(host) for host in sorted(self._owned)))))
        """The host classes of the fleet, and those that its machines become on the releases that are on offer."""

    def _kind(self, host: HostClassId) -> tuple[str, Release]:
        offered = self._classes.host_class(host)
        return offered.identity, offered.release

    def becomes(self, host: HostClassId) -> frozenset[HostClassId]:
        """What hosts of a class become on the releases that are on offer.

        Where the fleet has hosts of this CPU on a release, more is known of those than can be told: only their own classes count.
        """
        found = (self._classes.on_release(host, release) for release in self._releases)
        return frozenset(other for other in found if other in self._owned or self._kind(other) not in self._there)

    def opening(self, start: State, goal: HostClassId, *, restarts: bool) -> Opening | None:
        """The cheapest change that opens the way from a state to a host class. `restarts`: policy lets these guests restart."""
        key = (start, restarts)
        if key not in self._explored:
            self._explored[key] = self.steps(start, restarts=restarts)
        return cheapest(self._explored[key], start, self.goals(self._explored[key], start, goal))

    def steps(self, start: State, *, restarts: bool) -> ChangeSteps:
        """All steps from a state on, with the changes that each needs."""
        steps: ChangeSteps = nx.DiGraph()
        steps.add_node(start)
        waiting, met = deque([start]), {start}
        for _ in range(MOST_EXPLORED):
            if not waiting:
                break
            state = waiting.popleft()
            for after, changes in self._from(state, restarts=restarts):
                options = steps.edges[state, after]["options"] if steps.has_edge(state, after) else ()
                steps.add_edge(state, after, options=(*options, changes))
                if after not in met:
                    met.add(after)
                    waiting.append(after)
        return steps

    def _from(self, state: State, *, restarts: bool) -> Iterator[tuple[State, Changes]]:
        guest, here = state
        for there, (verdict, _) in zip(self.hosts, self._classes.rulings(guest, here, self.hosts), strict=True):
            if verdict is not Verdict.FAILS and there != here:
                yield from self._move(state, there)
        if restarts:
            yield from self._boots(state)

    def _move(self, state: State, there: HostClassId) -> Iterator[tuple[State, Changes]]:
        guest, here = state
        hop, judgment = self._classes.hop(guest, here, there), self._classes.judgment(guest, here, there)
        if not judgment.arrivals:
            return
        changes = self._entering(there)
        if not hop.allowed:
            changes |= _lifts(judgment.verdict, judgment.lost - self._classes.guest_class(guest).waived)
        yield (hop.after, there), changes

    def _entering(self, there: HostClassId) -> Changes:
        """A host class that no host has must be made first, out of the hosts of this CPU that are nearest to it."""
        if there in self._owned:
            return NOTHING
        identity, release = self._kind(there)
        near = (identity, release.kernel) in {(other, has.kernel) for other, has in self._there}
        return frozenset({Change(ChangeKind.VMM if near else ChangeKind.KERNEL, host=there)})

    def put_on(self, host: HostClassId, other: HostClassId) -> Change:
        """Hosts of a class are put on the release of another: a package where the kernel stays, a reboot where it does not."""
        return Change(ChangeKind.VMM if self._kernel(host) == self._kernel(other) else ChangeKind.KERNEL, host=other)

    def _kernel(self, host: HostClassId) -> str:
        return self._classes.host_class(host).release.kernel

    def _boots(self, state: State) -> Iterator[tuple[State, Changes]]:
        guest, here = state
        for psci in (None, *PINS):
            fresh = self._classes.cold_boot(guest, here, psci)
            if fresh is not None:
                change = Change(ChangeKind.RESTART) if psci is None else Change(ChangeKind.PIN, psci)
                yield (fresh, here), frozenset({change})
        for there in self.hosts:
            fresh = self._classes.cold_boot(guest, there) if there != here and there in self._owned else None
            if fresh is not None:
                yield (fresh, there), frozenset({Change(ChangeKind.RESTART_THERE, host=there)})

    def goals(self, states: Iterable[State], start: State, goal: HostClassId) -> dict[State, Changes]:
        """The states in which a guest has crossed: on the host class, or on what its hosts become on another release.

        Their kernel changes only to one that is not the start's: to make both ends alike would be no way between them.
        """
        kept = self._kernel(goal)
        others = {other for other in self.becomes(goal) if self._kernel(other) == kept or self._kernel(other) != self._kernel(start[1])}
        crossed = {goal: NOTHING, **{other: frozenset({self.put_on(goal, other)}) for other in sorted(others - {goal})}}
        return {state: crossed[state[1]] for state in states if state[1] in crossed}


def _lifts(verdict: Verdict, lost: frozenset[str]) -> Changes:
    """The changes of policy under which a move that arrives is allowed."""
    match verdict:
        case Verdict.STRIPS:
            return frozenset(Change(ChangeKind.WAIVER, register) for register in lost)
        case Verdict.CHANGES:
            return frozenset({Change(ChangeKind.ACCEPT_PSCI_CHANGE)})
        case _:
            return frozenset({Change(ChangeKind.ACCEPT_UNKNOWN)})


# --- blocked ways of a fleet ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BlockedWay:
    """A state whose guests cannot come to a host class of the same CPU by allowed migrations.

    `guests` are in that state, `restartable` of them may be restarted. `opening` is the cheapest change for those, `otherwise` for the
    others (None where there are none). None: nothing that is on offer opens the way.
    """

    start: State
    goal: HostClassId
    guests: int
    restartable: int
    opening: Opening | None
    otherwise: Opening | None


def blocked_ways(fleet: Fleet, classes: ClassTable, graph: StateGraph) -> tuple[list[BlockedWay], int]:
    """The blocked ways between host classes of one CPU that guests stand before now, and the number of those that were left out."""
    reach = hosts_in_reach(allowed_moves(graph))
    here = dict(zip((host.name for host in fleet.hosts), classes.hosts_now, strict=True))
    places = [here[guest.on] for guest in fleet.guests]
    guests = Counter(zip(classes.guests, places, strict=True))
    pairs = zip(fleet.guests, classes.guests, places, strict=True)
    restartable = Counter((kind, place) for guest, kind, place in pairs if guest.restartable)
    blocked = [
        (state, goal)
        for state in sorted(guests)
        for goal in graph.hosts
        if goal not in reach[state] and classes.host_class(goal).identity == classes.host_class(state[1]).identity
    ]
    if not blocked or len(graph.hosts) > MOST_HOSTS:
        return [], len(blocked)
    offers = Offers(fleet, classes)
    found = [
        BlockedWay(
            start=state,
            goal=goal,
            guests=guests[state],
            restartable=restartable[state],
            opening=offers.opening(state, goal, restarts=True) if restartable[state] else None,
            otherwise=offers.opening(state, goal, restarts=False) if restartable[state] < guests[state] else None,
        )
        for state, goal in blocked[:MOST_WAYS]
    ]
    return found, max(0, len(blocked) - MOST_WAYS)


# --- how many at a time ---------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """How many guests can be on their way to the target at once, and which host classes limit that.

    `waiting` guests are not on a host of the target yet; `stuck` ones of them may not move there at all. `sending` and `receiving` are
    the host classes whose streams are all used.
    """

    waiting: int
    stuck: int
    at_once: int
    sending: tuple[HostClassId, ...]
    receiving: tuple[HostClassId, ...]


def bottleneck(fleet: Fleet, classes: ClassTable) -> Bottleneck:
    """A maximum flow of guests from their hosts over allowed moves to upgraded hosts, and the minimum cut that limits it.

    A host sends and receives `streams` guests at a time. Upgraded hosts are those that run the target now; where a class has none yet,
    all that will. One unit is one guest; nodes are classes, so a flow costs nothing (Ford and Fulkerson 1956, Maximal flow through a
    network).
    """
    streams = fleet.policy.streams
    now, then = Counter(classes.hosts_now), Counter(classes.hosts_then)
    place = dict(zip((host.name for host in fleet.hosts), classes.hosts_now, strict=True))
    guests = Counter((kind, place[guest.on]) for guest, kind in zip(fleet.guests, classes.guests, strict=True))
    waiting = {state: number for state, number in sorted(guests.items()) if state[1] not in then}
    network: nx.DiGraph[tuple[str, State | HostClassId]] = nx.DiGraph()
    source, sink = ("source", -1), ("sink", -1)
    network.add_nodes_from((source, sink))
    for state, number in waiting.items():
        network.add_edge(source, ("send", state[1]), capacity=now[state[1]] * streams)
        network.add_edge(("send", state[1]), ("guests", state), capacity=number)
        for goal in sorted(then):
            if classes.ruling(*state, goal)[0] is not Verdict.FAILS and classes.hop(*state, goal).allowed:
                network.add_edge(("guests", state), ("receive", goal), capacity=number)
                network.add_edge(("receive", goal), sink, capacity=(now[goal] or then[goal]) * streams)
    at_once, (near, _) = nx.minimum_cut(network, source, sink)
    sending = sorted({state[1] for state in waiting if ("send", state[1]) not in near})
    receiving = sorted(goal for goal in then if ("receive", goal) in near)
    stuck = sum(number for state, number in waiting.items() if not network.out_degree(("guests", state)))
    return Bottleneck(sum(waiting.values()), stuck, int(at_once), tuple(sending), tuple(receiving))
