"""Graphs as DOT, Mermaid and JSON."""

from __future__ import annotations

import msgspec

from fleetplan.output.json_text import encode
from fleetplan.output.printable import printable


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node: its id is shown where a format needs one, its label to people. `lit` nodes stand out."""

    id: str
    label: str
    lit: bool = False


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """A directed edge. `dashed` ones cannot be used."""

    source: str
    target: str
    label: str = ""
    dashed: bool = False


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """A graph ready to be drawn, with remarks about it in words."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    remarks: tuple[str, ...] = ()


def as_json(drawing: Drawing) -> bytes:
    """`title`, `nodes` (id, label, lit), `edges` (source, target, label, dashed) and `remarks`."""
    return encode({"version": 1, **msgspec.to_builtins(drawing)})


def as_dot(drawing: Drawing) -> str:
    """Graphviz."""
    lines = [f"digraph {_quoted(drawing.title)} {{", "  rankdir=LR;", '  node [shape=box, fontname="sans-serif"];']
    lines += [f"  {_quoted(node.id)} [label={_quoted(node.label)}{', penwidth=3' if node.lit else ''}];" for node in drawing.nodes]
    lines += [
        f"  {_quoted(edge.source)} -> {_quoted(edge.target)} [label={_quoted(edge.label)}{', style=dashed' if edge.dashed else ''}];"
        for edge in drawing.edges
    ]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    r"""Text in DOT's quotes. Lines stay lines; escapes such as `\N` and entities, which Graphviz would fill in, stay what they are."""
    lines = (printable(line).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for line in text.split("\n"))
    return '"' + "\\n".join(lines) + '"'


def as_mermaid(drawing: Drawing) -> str:
    """Mermaid flowchart. Node ids are n0, n1, ... because Mermaid reserves words."""
    ids = {node.id: f"n{index}" for index, node in enumerate(drawing.nodes)}
    lines = ["flowchart LR"]
    lines += [f"  {ids[node.id]}[{_entities(node.label)}]" for node in drawing.nodes]
    for edge in drawing.edges:
        arrow = "-.->" if edge.dashed else "-->"
        label = f"|{_entities(edge.label)}|" if edge.label else ""
        lines.append(f"  {ids[edge.source]} {arrow}{label} {ids[edge.target]}")
    lit = [ids[node.id] for node in drawing.nodes if node.lit]
    lines += [f"  style {name} stroke-width:4px" for name in lit]
    return "\n".join(lines) + "\n"


MERMAID = str.maketrans({'"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "#": "#35;", "%": "#37;", "`": "#96;", "$": "#36;"})
"""What could end Mermaid's quotes or start markup, a directive (`%%{init: ...}%%`, which counts wherever it stands), or a formula."""


def _entities(text: str) -> str:
    """Text in Mermaid's quotes, on one line."""
    return f'"{printable(text.replace(chr(10), " ")).translate(MERMAID)}"'
