"""The three graphs, ready to be drawn."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.fleet.model import Fleet
from fleetplan.migration.classes import ClassTable, HostClassId
from fleetplan.migration.graph import State, state_graph
from fleetplan.migration.matrix import Matrix, ways
from fleetplan.migration.reasons import Verdict
from fleetplan.output.class_names import ClassNames
from fleetplan.output.graphs import Drawing, Edge, Node
from fleetplan.output.sentences import clock, counted, listed
from fleetplan.output.state_sentences import MOST_TOLD, first, way_sentences
from fleetplan.output.waits import chain_lines, short_words
from fleetplan.rollout.plan import Plan, Step, StepKind
from fleetplan.rollout.step_graph import generations, host_graph
from fleetplan.rollout.waits import Waits


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


def step_drawing(fleet: Fleet, plan: Plan) -> Drawing:
    """Every step, what waits for it, and why; the critical path is lit, and told with its reasons."""
    lit = set(plan.critical_path)
    waits = Waits(fleet, plan)
    steps = [step for wave in plan.waves for step in wave.steps]
    nodes = tuple(Node(id=step.id, label=_step_label(step), lit=step.id in lit) for step in steps)
    edges = tuple(Edge(source=link.earlier, target=link.later, label=short_words(link.reasons)) for link in waits.links())
    layers = generations(plan)
    last = waits.last()
    remarks = (
        f"{counted(len(layers), 'layer')} of steps that may run in parallel; the widest has {max(map(len, layers), default=0)}",
        f"critical path (marked *): {counted(len(plan.critical_path), 'step')}, {clock(plan.bounds.makespan_s.plan)}",
        *chain_lines(waits.stretches(last) if last is not None else ()),
    )
    return Drawing(title="Step graph: what waits for what", nodes=nodes, edges=edges, remarks=remarks)


def _step_label(step: Step) -> str:
    if step.kind is StepKind.MIGRATE:
        return f"{step.id}: {step.source} to {step.destination}, {clock(step.start_s)} + {clock(step.duration_s)}"
    return f"{step.id}: {clock(step.start_s)} + {clock(step.duration_s)}"


def state_drawing(fleet: Fleet, classes: ClassTable) -> Drawing:
    """The state graph over guest classes and host classes: what a guest can become by migration and cold boot.

    Moves that fail lead to a node of their host class that no guest is on; those to another CPU are only counted.
    """
    names, graph = ClassNames(fleet, classes), state_graph(classes)
    found = ways(fleet, classes, graph, sorted(set(classes.states_now())))
    caught = {state for states in found.traps for state in states}
    identity = {host: classes.host_class(host).identity for host in graph.hosts}
    refused = [(state, host, stage) for state, moves in graph.refused.items() for host, stage in moves]
    drawn = [(state, host, stage) for state, host, stage in refused if identity[host] == identity[state[1]]]
    shut = sorted({host for _, host, _ in drawn})
    nodes = [
        Node(
            id=_state_id(state),
            label=f"{names.guest(state[0])} ({names.guest_words(state[0])}) on {names.host(state[1])}",
            lit=state in caught,
        )
        for state in graph.steps
    ]
    nodes += [Node(id=f"h{host}", label=f"{names.host(host)}, not reached") for host in shut]
    edges = [
        Edge(source=_state_id(one), target=_state_id(other), label=data["label"], dashed=not data["allowed"])
        for one, other, data in graph.steps.edges(data=True)
    ]
    edges += [Edge(source=_state_id(state), target=f"h{host}", label=f"FAILS at {stage}", dashed=True) for state, host, stage in drawn]
    key = first([names.host_line(host) for host in graph.hosts[:MOST_TOLD]], len(graph.hosts), "host classes")
    apart = [f"not drawn: {counted(len(refused) - len(drawn), 'move')} to another CPU, which fail"] if len(refused) > len(drawn) else []
    remarks = (*key, *way_sentences(found, names), *apart)
    return Drawing(title="State graph: guest class on host class", nodes=tuple(nodes), edges=tuple(edges), remarks=remarks)


def _state_id(state: State) -> str:
    guest, host = state
    return f"g{guest}h{host}"


def matrix_drawing(found: Matrix, fleet: Fleet, classes: ClassTable) -> Drawing:
    """The matrix as a graph of host classes: which guest classes move between them, with which verdicts."""
    names = ClassNames(fleet, classes)
    between: dict[tuple[HostClassId, HostClassId], list[tuple[str, Verdict]]] = {}
    for row in found.rows:
        for goal, (verdict, _) in zip(found.columns, row.rulings, strict=True):
            if goal != row.state[1]:
                between.setdefault((row.state[1], goal), []).append((names.guest(row.state[0]), verdict))
    nodes = tuple(Node(id=names.host(host), label=names.host_line(host)) for host in found.columns)
    edges = tuple(
        Edge(
            source=names.host(one),
            target=names.host(other),
            label="; ".join(_by_verdict(moves)),
            dashed=all(verdict is Verdict.FAILS for _, verdict in moves),
        )
        for (one, other), moves in sorted(between.items())
    )
    remarks = tuple(way_sentences(found.ways, names)) if found.ways is not None else ()
    return Drawing(title="Matrix: which guest classes move between host classes", nodes=nodes, edges=edges, remarks=remarks)


def _by_verdict(moves: list[tuple[str, Verdict]]) -> Iterator[str]:
    for verdict in Verdict:
        guests = [guest for guest, theirs in moves if theirs is verdict]
        if guests:
            yield f"{verdict}: {listed(list(dict.fromkeys(guests)))}"
