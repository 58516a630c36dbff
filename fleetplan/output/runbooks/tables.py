"""Plans as tables and drawings: CSV, a Gantt chart for Mermaid, and the step graph."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.output.csv import csv_pieces
from fleetplan.output.graphs import Drawing, Edge, Node, as_dot
from fleetplan.output.runbooks.orders import Order, orders
from fleetplan.output.sentences import clock
from fleetplan.rollout.plan import Plan, StepKind

HEADS = ("number", "wave", "id", "kind", "guest", "host", "source", "destination", "start_s", "duration_s", "verdict", "after", "note")

MOST_BARS = 400
"""Hosts of which a Gantt chart has a bar each; beyond, one for each wave."""


def as_csv(plan: Plan) -> Iterator[bytes]:
    """A line for each step. Fields that a spreadsheet would take for a formula are guarded."""
    return csv_pieces((HEADS, *map(_row, orders(plan))))


def _row(order: Order) -> tuple[str | int, ...]:
    step = order.step
    who = (step.guest or "", step.host or "", step.source or "", step.destination or "")
    times = (step.start_s, step.duration_s)
    return (
        order.number,
        order.wave,
        step.id,
        step.kind.value,
        *who,
        *times,
        step.verdict or "",
        " ".join(map(str, order.after)),
        step.note or "",
    )


def mermaid(plan: Plan) -> Iterator[str]:
    """A Gantt chart: for each wave the hosts, from cordon to uncordon; in seconds from the start."""
    yield "gantt\n    dateFormat X\n    axisFormat %H:%M:%S\n"
    yield f"    title To {_plain(str(plan.target))}\n"
    each = sum(len(wave.hosts) for wave in plan.waves) <= MOST_BARS
    for wave in plan.waves:
        yield f"    section Wave {wave.number}\n"
        spans: dict[str, list[int]] = {}
        for step in wave.steps:
            who = step.host if each else "all hosts"
            if who is not None and step.guest is None:
                span = spans.setdefault(who, [step.start_s, step.end_s])
                span[:] = min(span[0], step.start_s), max(span[1], step.end_s)
            if step.kind is StepKind.GATE:
                yield f"    gate :milestone, {step.start_s}, {max(step.duration_s, 1)}s\n"
        for who, (start, end) in spans.items():
            yield f"    {_plain(who)} :{start}, {end}\n"


def _plain(text: str) -> str:
    """A name without what Mermaid's Gantt charts take for syntax."""
    return "".join(character if character.isalnum() or character in "-_. " else "_" for character in text)


def dot(plan: Plan) -> Iterator[str]:
    """The step graph for Graphviz; the critical path is lit."""
    lit = set(plan.critical_path)
    nodes = [Node(id=each.step.id, label=f"{each.step.id}\n{clock(each.step.start_s)}", lit=each.step.id in lit) for each in orders(plan)]
    edges = [Edge(source=earlier, target=each.step.id) for each in orders(plan) for earlier in each.step.after]
    yield as_dot(Drawing(title=f"Steps to {plan.target}", nodes=tuple(nodes), edges=tuple(edges)))
