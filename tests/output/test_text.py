"""Documents as text."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from fleetplan.output.document import Align, Bullets, Column, Document, Paragraph, Quote, Section, Table, Tone
from fleetplan.output.text import WIDTH, render


def document(*blocks: Paragraph | Quote | Bullets | Table) -> Document:
    return Document((Section("Title", blocks),))


def test_blocks_stand_under_their_title() -> None:
    text = render(document(Paragraph("Two words."), Quote(("as it is",)), Bullets(((0, "first"), (1, "deeper")))))
    assert text == "Title\n  Two words.\n    as it is\n  - first\n    - deeper\n"


def test_columns_align_and_trailing_blanks_are_cut() -> None:
    columns = (Column(title="host"), Column(title="moves", align=Align.RIGHT))
    text = render(document(Table(columns, (("arm-01", "3"), ("a", "12")), note="and more")))
    assert text == "Title\n  host    moves\n  arm-01      3\n  a          12\n  and more\n"


def test_a_growing_column_gives_way_where_a_line_is_too_wide() -> None:
    columns = (Column(title="name", grows=True), Column(title="rest"))
    lines = render(document(Table(columns, (("x" * 200, "kept whole"),)))).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[2].endswith("…  kept whole")


def test_colour_changes_nothing_but_colour() -> None:
    told = document(*(Paragraph(tone.value, tone) for tone in Tone))
    plain, coloured = render(told), render(told, colour=True)
    assert "\x1b" not in plain
    assert re.sub(r"\x1b\[\d*m", "", coloured) == plain
    assert coloured != plain


@given(st.lists(st.text(st.characters(categories=("L", "N", "P", "Zs"))), min_size=1, max_size=5))
def test_no_word_of_a_paragraph_is_lost(words: list[str]) -> None:
    text = " ".join(words)
    assert render(document(Paragraph(text))).split()[1:] == text.split()
