"""What keeps the guests of one host from landing: the minimum cut between them and the hosts that could take them.

Guests of one size and class are a flavour. Source -> flavour carries what the flavour needs, flavour -> class of hosts what single hosts of
the class could take of it in whole guests, class -> sink what is free on them: of the resource that is scarce. A flow that carries all
would land everybody, were guests divisible; so a cut is a reason, and its absence proves nothing: then pieces do not fit together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fleetplan.planner.grouping import distinct
from fleetplan.planner.occupancy import Occupancy
from fleetplan.planner.packing import Bins, allowed_on
from fleetplan.rollout.columns import Places
from fleetplan.rollout.resources import ALWAYS

if TYPE_CHECKING:
    import networkx as nx


@dataclass(frozen=True, slots=True)
class FullClass:
    """Hosts of one class that are full: a cut edge from the class to the sink. `free` is what they have left of all resources."""

    host_class: int
    hosts: int
    free: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Shut:
    """Guests of one flavour that no class takes: there is no edge. `guest` is the first of them."""

    guest: int
    guests: int


@dataclass(frozen=True, slots=True)
class Crumbs:
    """A cut edge between a flavour and a class: single hosts of the class take only `fit` of the guests, though more is free in all."""

    guest: int
    guests: int
    fit: int
    host_class: int
    largest: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """The minimum cut: what is needed and what flows of the scarce resource (its place among the problem's), and the edges in words."""

    resource: int
    needed: int
    flows: int
    full: tuple[FullClass, ...]
    shut: tuple[Shut, ...]
    crumbs: tuple[Crumbs, ...]


def cut_of(occupancy: Occupancy, guests: Places, landing: Places) -> Cut:
    """The cut for some guests and the hosts that are open to them. O(flavours x hosts), and a flow in a graph of some tens of nodes."""
    import networkx as nx  # noqa: PLC0415 - only for those who find no plan

    bins = Bins.of(occupancy, landing)
    sizes = occupancy.size[guests]
    needed = sizes.sum(axis=0)
    resource = int(np.argmax(needed / np.maximum(bins.free.sum(axis=0), 1)))
    flavours = _flavours(occupancy, guests)
    graph: nx.DiGraph[Any] = nx.DiGraph()
    graph.add_nodes_from(("source", "sink"))
    for number, members in enumerate(flavours):
        graph.add_edge("source", ("flavour", number), capacity=int(sizes[members, resource].sum()))
        for kind, room in _room_by_class(occupancy, int(guests[members[0]]), bins, resource).items():
            graph.add_edge(("flavour", number), ("class", kind), capacity=room)
    for kind in range(len(bins.classes)):
        graph.add_edge(("class", kind), "sink", capacity=int(bins.free[bins.class_at == kind, resource].sum()))
    flows, (reached, _) = nx.minimum_cut(graph, "source", "sink")
    return Cut(resource, int(needed[resource]), int(flows), *_edges(graph, reached, occupancy, bins, guests, flavours))


def _flavours(occupancy: Occupancy, guests: Places) -> list[Places]:
    """Places in `guests` of those of one flavour."""
    problem = occupancy.problem
    source = occupancy.host_class[occupancy.at[guests]]
    group = problem.guests.group[guests]
    first, flavour = distinct(*occupancy.size[guests].T, occupancy.kind[guests], source, problem.rule[guests], group)
    return [np.flatnonzero(flavour == number).astype(np.int32) for number in range(len(first))]


def _room_by_class(occupancy: Occupancy, guest: int, bins: Bins, resource: int) -> dict[int, int]:
    """What hosts of each class could take of a flavour, in whole guests; classes that are not allowed at all are left out."""
    size = occupancy.size[guest]
    needs = size > 0
    allowed = allowed_on(occupancy, guest, bins) & occupancy.suits(guest, bins.hosts)
    units = (bins.free[:, needs] // size[needs]).min(axis=1)
    return {
        kind: int(units[(bins.class_at == kind) & allowed].sum() * size[resource])
        for kind in range(len(bins.classes))
        if (allowed & (bins.class_at == kind)).any()
    }


def _edges(
    graph: nx.DiGraph[Any], reached: set[Any], occupancy: Occupancy, bins: Bins, guests: Places, flavours: list[Places]
) -> tuple[tuple[FullClass, ...], tuple[Shut, ...], tuple[Crumbs, ...]]:
    """The cut edges: from what the source still reaches to what it does not."""
    full = tuple(
        FullClass(int(bins.classes[kind]), int((bins.class_at == kind).sum()), tuple(bins.free[bins.class_at == kind].sum(axis=0).tolist()))
        for kind in range(len(bins.classes))
        if ("class", kind) in reached
    )
    shut, crumbs = [], []
    for number, members in enumerate(flavours):
        node, first = ("flavour", number), int(guests[members[0]])
        if node not in reached:
            continue
        if not graph.out_degree(node):
            shut.append(Shut(first, len(members)))
        for _, there in graph.out_edges(node):
            if there not in reached:
                kind, capacity = there[1], int(graph[node][there]["capacity"])
                largest = bins.free[bins.class_at == kind].max(axis=0)
                fit = capacity // max(int(graph["source"][node]["capacity"]) // len(members), 1)
                if fit >= len(members) or _barred(occupancy, first, bins, kind):
                    continue
                crumbs.append(Crumbs(first, len(members), fit, int(bins.classes[kind]), tuple(largest.tolist())))
    return full, tuple(shut), tuple(crumbs)


def _barred(occupancy: Occupancy, guest: int, bins: Bins, kind: int) -> bool:
    """Whether a host of a class has the vCPUs and memory, but may not take the guest or lacks reserved pages: then pieces do not decide."""
    size, some = occupancy.size[guest], len(ALWAYS)
    takes = allowed_on(occupancy, guest, bins) & occupancy.suits(guest, bins.hosts) & (bins.free >= size).all(axis=1)
    room = (bins.free[:, :some] >= size[:some]).all(axis=1)
    return bool((room & ~takes & (bins.class_at == kind)).any())
