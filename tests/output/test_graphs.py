"""Graphs in three formats."""

from __future__ import annotations

import json

from fleetplan.output.graphs import Drawing, Edge, Node, as_dot, as_json, as_mermaid

DRAWING = Drawing(
    title='A "graph"',
    nodes=(Node(id="a", label='first "quoted" <b>', lit=True), Node(id="b", label="second\nline")),
    edges=(Edge(source="a", target="b", label="SAFE", dashed=True),),
    remarks=("one remark",),
)


def test_json_says_all() -> None:
    told = json.loads(as_json(DRAWING))
    assert told["nodes"][0] == {"id": "a", "label": 'first "quoted" <b>', "lit": True}
    assert told["edges"] == [{"source": "a", "target": "b", "label": "SAFE", "dashed": True}]
    assert told["remarks"] == ["one remark"]


def test_dot_escapes_quotes_and_newlines() -> None:
    text = as_dot(DRAWING)
    assert text.startswith('digraph "A \\"graph\\"" {')
    assert '"a" [label="first \\"quoted\\" <b>", penwidth=3];' in text
    assert '"b" [label="second\\nline"];' in text
    assert '"a" -> "b" [label="SAFE", style=dashed];' in text


def test_mermaid_lets_no_markup_through() -> None:
    text = as_mermaid(DRAWING)
    assert 'n0["first #quot;quoted#quot; #lt;b#gt;"]' in text
    assert 'n0 -.->|"SAFE"| n1' in text
    assert "style n0 stroke-width:4px" in text
