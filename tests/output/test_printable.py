"""Nothing that a terminal would obey gets through."""

from __future__ import annotations

import unicodedata

from hypothesis import given

from fleetplan.output.document import Bar, Bars, Bullets, Column, Document, Kind, Paragraph, Quote, Section, Table, Tone
from fleetplan.output.printable import HARMLESS, OBEYED, printable
from fleetplan.output.text import render
from tests.output.hostile import hostile


def obeyed(text: str) -> list[str]:
    return [mark for mark in text if unicodedata.category(mark) in OBEYED and mark not in HARMLESS]


@given(hostile)
def test_what_is_obeyed_is_written_out(text: str) -> None:
    assert not obeyed(printable(text))


@given(hostile)
def test_what_is_shown_stays_as_it_is(text: str) -> None:
    kept = [mark for mark in text if not obeyed(mark)]
    remaining = iter(printable(text))
    assert all(mark in remaining for mark in kept)


def test_escapes_say_what_they_stand_for() -> None:
    assert printable("\x1b[31m\u202e\U000e0001\n\t\r") == "\\x1b[31m\\u202e\\U000e0001\\n \\r"


@given(hostile)
def test_no_block_of_a_document_lets_it_through(text: str) -> None:
    blocks = (
        Paragraph(text),
        Paragraph(text, Tone.BAD, whole=True),
        Quote((text,)),
        Bullets(((0, text),)),
        Table((Column(title="x"),), ((text,),), text),
        Bars(text, (Kind("k"),), (Bar(text, (1,)),)),
    )
    assert not obeyed(render(Document((Section(text, blocks),))).replace("\n", ""))
