"""The state graph: what a guest can become by migration and cold boot, over host classes.

A state is a guest class on a host class. Its steps are the moves that do not fail and the cold boot in place; a step that policy does not
allow stays in the graph, marked. Moves that fail lead nowhere: they stand beside the graph.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx

from fleetplan.migration.classes import ClassTable, GuestClassId, HostClassId
from fleetplan.migration.reasons import Stage, Verdict

State = tuple[GuestClassId, HostClassId]
"""A guest class on a host class."""

if TYPE_CHECKING:
    StateSteps = nx.DiGraph[State]

MOST_STATES = 5_000
MOST_MOVES = 5_000
"""A graph that grows beyond one of the two is cut off, and says so: no fleet that was seen comes near."""

MIGRATE, COLD_BOOT = "migrate", "cold boot"


@dataclass(frozen=True, slots=True)
class StateGraph:
    """`steps` have the attributes `label` (verdict, or cold boot), `allowed` and `kind`.

    `refused` are the moves that fail, by state: the host class and the stage. `open_ended` are states that were met when the graph was
    cut off: what leads on from them is not in it, so that a way that it lacks may exist.
    """

    steps: StateSteps
    refused: Mapping[State, Sequence[tuple[HostClassId, Stage]]]
    hosts: tuple[HostClassId, ...]
    open_ended: tuple[State, ...]


def fleet_hosts(classes: ClassTable) -> tuple[HostClassId, ...]:
    """The host classes that a fleet has, now and at the target, ascending."""
    return tuple(sorted({*classes.hosts_now, *classes.hosts_then}))


def state_graph(classes: ClassTable, starts: Iterable[State] | None = None) -> StateGraph:
    """All states that guests can reach on the host classes that the fleet has, now and at the target.

    `starts` are the states that they are in (default: as they are now). Nearest states come first, so that a graph that is cut off has
    what matters most. Cold boots are without a new pin. O(states x host classes) rulings, and a judgment for each move that does not fail.
    """
    goals = fleet_hosts(classes)
    steps: StateSteps = nx.DiGraph()
    refused: dict[State, list[tuple[HostClassId, Stage]]] = {}
    waiting = deque(sorted(set(classes.states_now() if starts is None else starts)))
    steps.add_nodes_from(waiting)
    while waiting and len(steps) < MOST_STATES and steps.number_of_edges() < MOST_MOVES:
        state = waiting.popleft()
        known = len(steps)
        refused[state] = _add_moves(classes, steps, state, goals)
        fresh = classes.cold_boot(*state)
        if fresh is not None and fresh != state[0]:
            steps.add_edge(state, (fresh, state[1]), label=COLD_BOOT, allowed=True, kind=COLD_BOOT)
        waiting.extend(list(steps)[known:])
    return StateGraph(steps, refused, goals, tuple(waiting))


def _add_moves(classes: ClassTable, steps: StateSteps, state: State, goals: Sequence[HostClassId]) -> list[tuple[HostClassId, Stage]]:
    """Add the moves from a state that do not fail; the others are the answer."""
    guest, here = state
    refused = []
    for there, (verdict, stage) in zip(goals, classes.rulings(guest, here, goals), strict=True):
        if there == here:
            continue
        if verdict is Verdict.FAILS:
            refused.append((there, stage))
            continue
        hop = classes.hop(guest, here, there)
        steps.add_edge(state, (hop.after, there), label=hop.verdict.value, allowed=hop.allowed, kind=MIGRATE)
    return refused


def allowed_moves(graph: StateGraph) -> StateSteps:
    """The migrations that a plan may use, on all states."""
    return _kept(graph, {MIGRATE})


def _kept(graph: StateGraph, kinds: set[str]) -> StateSteps:
    kept: StateSteps = nx.DiGraph()
    kept.add_nodes_from(graph.steps)
    kept.add_edges_from((one, other) for one, other, data in graph.steps.edges(data=True) if data["allowed"] and data["kind"] in kinds)
    return kept


def hosts_in_reach(steps: StateSteps) -> dict[State, frozenset[HostClassId]]:
    """The host classes that each state can come to, its own included.

    By condensation: states that reach each other share one answer, and the others follow in reverse topological order. O(states + steps)
    sets (Tarjan 1972, Depth-first search and linear graph algorithms).
    """
    parts = nx.condensation(steps)
    reach: dict[int, frozenset[HostClassId]] = {}
    for part in reversed(list(nx.topological_sort(parts))):
        own = frozenset(host for _, host in parts.nodes[part]["members"])
        reach[part] = own.union(*(reach[after] for after in parts.successors(part)))
    return {state: reach[part] for state, part in parts.graph["mapping"].items()}


@dataclass(frozen=True, slots=True, order=True)
class Door:
    """A migration that is allowed, after which no chain of allowed migrations leads back to the host class that was left.

    `restart_opens`: with a cold boot on the way there is a way back.
    """

    source: State
    target: State
    restart_opens: bool


def one_way_doors(graph: StateGraph) -> list[Door]:
    """All one-way doors, sorted."""
    moves = allowed_moves(graph)
    by_moves, by_all = hosts_in_reach(moves), hosts_in_reach(_kept(graph, {MIGRATE, COLD_BOOT}))
    shut = ((one, other) for one, other in moves.edges if one[1] not in by_moves[other])
    return sorted(Door(one, other, one[1] in by_all[other]) for one, other in shut)


def traps(graph: StateGraph) -> list[tuple[State, ...]]:
    """Sets of states that a guest can enter by an allowed step (a migration, or a cold boot without a new pin), and never leave.

    A state is caught if nothing that follows it reaches fewer host classes than it does; caught states with the same host classes are one
    set, and a set is a trap if a step leads into it from a state that reaches others. Where the graph was cut off, a set with an open end
    is none.
    """
    steps = _kept(graph, {MIGRATE, COLD_BOOT})
    reach = hosts_in_reach(steps)
    parts = nx.condensation(steps)
    final: dict[int, bool] = {}
    for part in reversed(list(nx.topological_sort(parts))):
        own = reach[next(iter(parts.nodes[part]["members"]))]
        after = [(final[other], reach[next(iter(parts.nodes[other]["members"]))]) for other in parts.successors(part)]
        final[part] = all(closed and hosts == own for closed, hosts in after)
    sets: dict[frozenset[HostClassId], list[State]] = {}
    for state, part in parts.graph["mapping"].items():
        if final[part]:
            sets.setdefault(reach[state], []).append(state)
    entered = {reach[other] for one, other in steps.edges if reach[one] != reach[other] and final[parts.graph["mapping"][other]]}
    ends = frozenset(graph.open_ended)
    return sorted(tuple(sorted(states)) for hosts, states in sets.items() if hosts in entered and ends.isdisjoint(states))


def stepping_stones(moves: StateSteps, start: State) -> dict[HostClassId, tuple[State, ...]]:
    """For each host class that a state cannot move to at once, but by way of others: the shortest chain of allowed migrations.

    The chain has the state itself first; of equally long ones it is the least. O(states + moves).
    """
    near = {host for _, host in moves.successors(start)} | {start[1]}
    chains: dict[HostClassId, tuple[State, ...]] = {}
    for goal, path in nx.single_source_shortest_path(moves, start).items():
        chain = tuple(path)
        if goal[1] not in near and (goal[1] not in chains or (len(chain), chain) < (len(chains[goal[1]]), chains[goal[1]])):
            chains[goal[1]] = chain
    return dict(sorted(chains.items()))
