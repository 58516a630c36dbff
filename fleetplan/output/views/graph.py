"""A graph as a list of nodes with the edges that leave them."""

from __future__ import annotations

from collections import defaultdict

from fleetplan.output.document import Bullets, Document, Paragraph, Section
from fleetplan.output.graphs import Drawing, Edge
from fleetplan.output.sentences import counted

MOST_SHOWN = 120


def graph_document(drawing: Drawing) -> Document:
    """Remarks first, then every node with its outgoing edges."""
    leaving: dict[str, list[Edge]] = defaultdict(list)
    for edge in drawing.edges:
        leaving[edge.source].append(edge)
    labels = {node.id: node.label for node in drawing.nodes}
    points: list[tuple[int, str]] = []
    for node in drawing.nodes[:MOST_SHOWN]:
        points.append((0, f"{node.label}{' *' if node.lit else ''}"))
        points.extend((1, f"{edge.label + ' ' if edge.label else ''}-> {labels[edge.target]}") for edge in leaving[node.id])
    size = f"{drawing.title}: {counted(len(drawing.nodes), 'node')}, {counted(len(drawing.edges), 'edge')}."
    if len(drawing.nodes) > MOST_SHOWN:
        size += f" The first {MOST_SHOWN} nodes are shown; `--format json` has all."
    remarks = [Section("Remarks", (Bullets(tuple((0, remark) for remark in drawing.remarks)),))] if drawing.remarks else []
    return Document((Section("", (Paragraph(size),)), *remarks, Section("Nodes", (Bullets(tuple(points)),))))
