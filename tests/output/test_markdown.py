"""Markdown shows what was meant: a parser of CommonMark and of tables says so."""

from __future__ import annotations

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from fleetplan.output.document import Align, Bar, Bars, Bullets, Column, Document, Kind, Paragraph, Quote, Section, Table
from fleetplan.output.markdown import CODE, escaped, render
from fleetplan.output.printable import printable
from tests.output.hostile import hostile

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
INLINE = {"text", "code_inline", "softbreak"}


def shown(text: str) -> str:
    """What a reader sees of a paragraph; blanks are drawn together, as they are on a page."""
    return " ".join(text.split())


def inline(tokens: list[Token]) -> list[Token]:
    return [child for token in tokens for child in token.children or ()]


@given(hostile)
def test_a_line_becomes_one_paragraph_of_the_same_text(text: str) -> None:
    tokens = PARSER.parse(escaped(text))
    kinds = {token.type for token in inline(tokens)} - {"html_inline"}
    assert kinds <= INLINE
    assert [token.type for token in tokens] in ([], ["paragraph_open", "inline", "paragraph_close"])
    seen = "".join(token.content for token in inline(tokens) if token.type in INLINE)
    assert shown(seen) == shown(CODE.sub(r"\1", printable(text)))


@given(hostile)
def test_no_html_but_our_own(text: str) -> None:
    raw = [token.content for token in inline(PARSER.parse(escaped(text))) if token.type == "html_inline"]
    assert set(raw) <= {"<code>", "</code>"}


@given(st.lists(st.tuples(hostile, hostile), min_size=1, max_size=4))
def test_tables_keep_their_cells(rows: list[tuple[str, str]]) -> None:
    columns = (Column(title="a"), Column(title="b", align=Align.RIGHT))
    page = PARSER.render(render(Document((Section("", (Table(columns, tuple(rows)),)),))))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", page, re.DOTALL)
    assert len(cells) == 2 * len(rows)
    wanted = [shown(CODE.sub(r"\1", printable(cell))) for row in rows for cell in row]
    assert [shown(unescape(re.sub("</?code>", "", cell))) for cell in cells] == wanted


@given(st.lists(hostile, min_size=1, max_size=3))
def test_quoted_lines_stay_within_their_fence(lines: list[str]) -> None:
    tokens = PARSER.parse(render(Document((Section("", (Quote(tuple(lines)),)),))))
    assert [token.type for token in tokens] == ["fence"]
    assert tokens[0].content == "".join(f"{printable(line)}\n" for line in lines)


def test_addresses_mentions_and_references_are_no_links() -> None:
    told = escaped("@you #12 https://example.org www.example.org &lt;")
    assert not re.search(r"@|#1|://|www\.|&lt;", told)


def test_headings_points_and_charts() -> None:
    chart = Bars("by rule", (Kind("errors"), Kind("notes")), (Bar("FP1", (2, 0)),))
    document = Document((Section("Title", (Paragraph("Text."), Bullets(((0, "one"), (1, "deeper"))), chart)),))
    assert render(document) == (
        "## Title\n\nText.\n\n- one\n  - deeper\n\n| by rule | errors | notes |\n|---|---:|---:|\n| FP1 | 2 | 0 |\n"
    )
