"""The three graphs, ready to be drawn."""

from __future__ import annotations

from fleetplan.output.graphs import Drawing, Edge, Node
from fleetplan.output.sentences import clock, counted
from fleetplan.rollout.plan import Plan, Step, StepKind
from fleetplan.rollout.step_graph import generations, host_graph, step_graph


def host_drawing(plan: Plan) -> Drawing:
    """Where the guests of each host land; hosts of the plan with their wave."""
    graph = host_graph(plan)
    wave_of: dict[str, int] = {host: wave.number for wave in plan.waves for host in wave.hosts}
    nodes = tuple(Node(id=name, label=f"{name} (wave {wave_of[name]})" if name in wave_of else name) for name in sorted(graph))
    edges = tuple(
        Edge(source=source, target=target, label=counted(data["guests"], "guest"))
        for source, target, data in sorted(graph.edges(data=True), key=lambda edge: edge[:2])
    )
    return Drawing(title="Host graph: whose guests land where", nodes=nodes, edges=edges)


def step_drawing(plan: Plan) -> Drawing:
    """Every step and what waits for it; the critical path is lit."""
    lit = set(plan.critical_path)
    graph = step_graph(plan)
    steps = [step for wave in plan.waves for step in wave.steps]
    nodes = tuple(Node(id=step.id, label=_step_label(step), lit=step.id in lit) for step in steps)
    edges = tuple(Edge(source=source, target=target) for source, target in graph.edges)
    layers = generations(plan)
    remarks = (
        f"{counted(len(layers), 'layer')} of steps that may run in parallel; the widest has {max(map(len, layers), default=0)}",
        f"critical path (marked *): {counted(len(plan.critical_path), 'step')}, {clock(plan.bounds.makespan_s.plan)}",
    )
    return Drawing(title="Step graph: what waits for what", nodes=nodes, edges=edges, remarks=remarks)


def _step_label(step: Step) -> str:
    if step.kind is StepKind.MIGRATE:
        return f"{step.id}: {step.source} to {step.destination}, {clock(step.start_s)} + {clock(step.duration_s)}"
    return f"{step.id}: {clock(step.start_s)} + {clock(step.duration_s)}"
