"""The step graph and the host graph of a plan, as networkx graphs.

Made for showing and for tests, up to some ten thousand nodes; planner and judge use arrays.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import networkx as nx

from fleetplan.rollout.plan import Plan, Step, StepKind

if TYPE_CHECKING:
    StepGraph = nx.DiGraph[str]
    HostGraph = nx.DiGraph[str]


def step_graph(plan: Plan) -> StepGraph:
    """Step ids with an edge from every step to those that wait for it; node attribute `step`. O(steps + edges)."""
    graph: StepGraph = nx.DiGraph()
    for wave in plan.waves:
        for step in wave.steps:
            graph.add_node(step.id, step=step)
            graph.add_edges_from((earlier, step.id) for earlier in step.after)
    return graph


def generations(plan: Plan) -> list[list[str]]:
    """Step ids in layers: all steps of a layer may run in parallel once the layers before have ended."""
    return [sorted(layer) for layer in nx.topological_generations(step_graph(plan))]


def host_graph(plan: Plan) -> HostGraph:
    """Hosts with an edge to every host on which a guest of theirs lands; edge attribute `guests` counts them. Seed moves left out.

    Acyclic for every plan that the judge passes: guests land on hosts upgraded before. Its longest path has one host per wave.
    """
    wave_of: dict[str, int] = {host: wave.number for wave in plan.waves for host in wave.hosts}
    graph: HostGraph = nx.DiGraph()
    for wave in plan.waves:
        graph.add_nodes_from(wave.hosts)
        for step in wave.steps:
            if step.kind is StepKind.MIGRATE and not _is_seed(step, wave_of):
                _count(graph, step)
    return graph


def _is_seed(step: Step, wave_of: Mapping[str, int]) -> bool:
    """A move to a host that is itself upgraded in the same wave or a later one."""
    source = wave_of.get(step.source or "", 0)
    return wave_of.get(step.destination or "", 0) >= source > 0


def _count(graph: HostGraph, step: Step) -> None:
    source, destination = step.source or "", step.destination or ""
    known = graph.get_edge_data(source, destination, default={"guests": 0})
    graph.add_edge(source, destination, guests=known["guests"] + 1)
