"""Graphs in three formats."""

from __future__ import annotations

import json
import re

from hypothesis import given

from fleetplan.output.graphs import Drawing, Edge, Node, as_dot, as_json, as_mermaid
from fleetplan.output.printable import printable
from tests.output.hostile import hostile

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


@given(hostile)
def test_names_end_no_quotes_and_fill_nothing_in(name: str) -> None:
    drawing = Drawing(title=name, nodes=(Node(id=name, label=name),), edges=(Edge(source=name, target=name, label=name),))
    dot, mermaid = as_dot(drawing), as_mermaid(drawing)
    shown = [json.loads(text).replace("&amp;", "&") for text in re.findall(r'"(?:[^"\\\n]|\\.)*"', dot)[:1]]
    assert shown == ["\n".join(map(printable, name.split("\n")))]
    assert re.sub(r'"(?:[^"\\\n]|\\.)*"', '""', dot) == (
        'digraph "" {\n  rankdir=LR;\n  node [shape=box, fontname=""];\n  "" [label=""];\n  "" -> "" [label=""];\n}\n'
    )
    label = f"|{BARE}|" if name else ""
    assert re.fullmatch(f"flowchart LR\n  n0\\[{BARE}\\]\n  n0 -->{label.replace('|', chr(92) + '|')} n0\n", mermaid)


BARE = '"[^"<>&%`$\n]*"'
"""Quotes with nothing between them that Mermaid reads."""


def test_mermaid_takes_no_directive_from_a_name() -> None:
    drawing = Drawing(title="x", nodes=(Node(id="a", label="%%{init: {'theme': 'dark'}}%% `x` $$y$$ &lt; \x9b"),), edges=())
    assert "n0[\"#37;#37;{init: {'theme': 'dark'}}#37;#37; #96;x#96; #36;#36;y#36;#36; #amp;lt; \\x9b\"]" in as_mermaid(drawing)


def test_mermaid_lets_no_markup_through() -> None:
    text = as_mermaid(DRAWING)
    assert 'n0["first #quot;quoted#quot; #lt;b#gt;"]' in text
    assert 'n0 -.->|"SAFE"| n1' in text
    assert "style n0 stroke-width:4px" in text
