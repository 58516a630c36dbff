"""The state graph: what a guest can become by migration and cold boot, over the host classes that a fleet has now and at the target."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import networkx as nx

from fleetplan.migration.classes import ClassTable, GuestClassId, HostClassId

State = tuple[GuestClassId, HostClassId]
"""A guest class on a host class."""

if TYPE_CHECKING:
    StateGraph = nx.DiGraph[State]

MOST_STATES = 5_000
"""A graph that grows beyond this is cut off: no fleet that was seen comes near."""


def state_graph(classes: ClassTable) -> StateGraph:
    """All states that the fleet's guests can reach. Edge attributes: `label` (verdict, or cold boot), `allowed`, `kind`.

    Cold boots are without a new pin. O(states x host classes) judgments, each remembered by the table.
    """
    hosts = sorted({*classes.hosts_now, *classes.hosts_then})
    graph: StateGraph = nx.DiGraph()
    waiting = sorted(classes.states_now())
    graph.add_nodes_from(waiting)
    while waiting and len(graph) < MOST_STATES:
        state = waiting.pop()
        for other, label, allowed, kind in _steps(classes, state, hosts):
            if other == state:
                continue
            if other not in graph:
                waiting.append(other)
            graph.add_edge(state, other, label=label, allowed=allowed, kind=kind)
    return graph


def _steps(classes: ClassTable, state: State, hosts: list[HostClassId]) -> Iterator[tuple[State, str, bool, str]]:
    guest, here = state
    for there in hosts:
        if there != here:
            hop = classes.hop(guest, here, there)
            yield (hop.after, there), hop.verdict.value, hop.allowed, "migrate"
    fresh = classes.cold_boot(guest, here)
    if fresh is not None:
        yield (fresh, here), "cold boot", True, "cold boot"


def _usable(graph: StateGraph) -> StateGraph:
    """The edges that a plan may use."""
    return graph.edge_subgraph([(one, other) for one, other, data in graph.edges(data=True) if data["allowed"]])


def one_way_doors(graph: StateGraph) -> list[tuple[State, State]]:
    """Migrations that are allowed, after which no chain of allowed migrations leads back to the host class that was left."""
    moves: StateGraph = nx.DiGraph()
    moves.add_nodes_from(graph)
    moves.add_edges_from((a, b) for a, b, data in graph.edges(data=True) if data["allowed"] and data["kind"] == "migrate")
    reach = {state: {host for _, host in nx.descendants(moves, state)} for state in moves}
    return sorted((one, other) for one, other in moves.edges if one[1] not in reach[other])


def traps(graph: StateGraph) -> list[State]:
    """States that can be entered, by an allowed step, and never left for another host class."""
    usable = _usable(graph)
    return sorted(
        state for state in usable if usable.in_degree(state) and all(host == state[1] for _, host in nx.descendants(usable, state))
    )


def stepping_stones(graph: StateGraph, start: State, host: HostClassId) -> list[State]:
    """The shortest chain of allowed steps from a state to a host class, the state itself first; empty if there is none."""
    usable = _usable(graph)
    if start not in usable:
        return []
    chains = [path for goal, path in nx.single_source_shortest_path(usable, start).items() if goal[1] == host]
    return min(chains, key=lambda path: (len(path), path), default=[])
