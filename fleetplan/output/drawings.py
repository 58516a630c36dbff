"""The three graphs, ready to be drawn."""

from __future__ import annotations

from fleetplan.firmware.registers import psci_text
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.graph import State, one_way_doors, state_graph, traps
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


def state_drawing(classes: ClassTable) -> Drawing:
    """The state graph over guest classes and host classes: what a guest can become by migration and cold boot."""
    graph = state_graph(classes)
    nodes = tuple(Node(id=_state_id(state), label=_state_label(classes, state)) for state in graph)
    edges = tuple(
        Edge(source=_state_id(one), target=_state_id(other), label=data["label"], dashed=not data["allowed"])
        for one, other, data in graph.edges(data=True)
    )
    doors = tuple(f"one-way door: {_state_label(classes, one)} to {_state_label(classes, other)}" for one, other in one_way_doors(graph))
    closed = tuple(f"trap: {_state_label(classes, state)} cannot be left" for state in traps(graph))
    return Drawing(title="State graph: guest class on host class", nodes=nodes, edges=edges, remarks=(*doors, *closed))


def _state_id(state: State) -> str:
    guest, host = state
    return f"g{guest}h{host}"


def _state_label(classes: ClassTable, state: State) -> str:
    """`guest class 0 (PSCI 1.1) on 6.12.117 with qemu-11.1.3`."""
    guest, host = state
    pinned = classes.guest_class(guest)
    pin = f", pinned to {psci_text(pinned.pin)}" if pinned.pin is not None else ""
    return f"guest class {guest} (PSCI {psci_text(pinned.psci)}{pin}) on {classes.host_class(host).label}"
