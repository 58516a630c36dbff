"""The neutral shape of everything that people read: a document of sections, paragraphs, tables and quoted lines.

A view (`output.views`) makes a document from values; a format (`output.text` and its siblings) makes text from a document. A new
view or a new format is one file.
"""

from __future__ import annotations

from enum import Enum

import msgspec


class Align(Enum):
    """How the cells of a column stand."""

    LEFT = "left"
    RIGHT = "right"


class Tone(Enum):
    """What a line means for the reader; a format may colour it, and must be readable without."""

    PLAIN = "plain"
    GOOD = "good"
    CAUTION = "caution"
    BAD = "bad"
    FAINT = "faint"


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """The heading of a column. `grows` columns are cut short first where a line is too wide."""

    title: str
    align: Align = Align.LEFT
    grows: bool = False


class Table(msgspec.Struct, frozen=True):
    """Rows of cells under columns; `note` stands below (what was left out, for example)."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


class Paragraph(msgspec.Struct, frozen=True):
    """A sentence or a few. `whole`: a line that tools search and that is therefore never broken."""

    text: str
    tone: Tone = Tone.PLAIN
    whole: bool = False


class Quote(msgspec.Struct, frozen=True):
    """Lines that stand verbatim: messages of a VMM, an excerpt of a file."""

    lines: tuple[str, ...]


class Bullets(msgspec.Struct, frozen=True):
    """Points of equal weight; `depth` of each for a chain of causes."""

    points: tuple[tuple[int, str], ...]


class Kind(msgspec.Struct, frozen=True):
    """What one colour of a chart stands for."""

    label: str
    tone: Tone = Tone.PLAIN


class Bar(msgspec.Struct, frozen=True):
    """One bar: how much of each kind, in the order of the chart's kinds."""

    label: str
    parts: tuple[int, ...]


class Bars(msgspec.Struct, frozen=True):
    """A chart of bars that are divided by kinds. A format that cannot draw prints the numbers."""

    title: str
    kinds: tuple[Kind, ...]
    bars: tuple[Bar, ...]


Block = Table | Paragraph | Quote | Bullets | Bars


class Section(msgspec.Struct, frozen=True):
    """A heading (empty: none) and what stands below it."""

    title: str
    blocks: tuple[Block, ...]


class Document(msgspec.Struct, frozen=True):
    """All that one command says to a person."""

    sections: tuple[Section, ...]
