"""Documents as plain text for a terminal or a log, readable without colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import assert_never

from fleetplan.output.document import Align, Block, Bullets, Column, Document, Paragraph, Quote, Section, Table, Tone

WIDTH = 100
"""Columns that text is fitted to; quoted lines are never broken."""

NARROWEST = 12
"""Characters that a column keeps, however many it should give way."""

STYLES = {Tone.GOOD: "32", Tone.CAUTION: "33", Tone.BAD: "31", Tone.FAINT: "2"}
BOLD = "1"


def render(document: Document, *, colour: bool = False, width: int = WIDTH) -> str:
    """The document as text that ends with a newline; ANSI colours only if `colour`."""
    sections = (_section(section, colour=colour, width=width) for section in document.sections)
    return "\n\n".join("\n".join(lines) for lines in sections) + "\n"


def _paint(text: str, style: str, *, colour: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if colour else text


def _section(section: Section, *, colour: bool, width: int) -> Iterator[str]:
    indent = ""
    if section.title:
        yield _paint(section.title, BOLD, colour=colour)
        indent = "  "
    for block in section.blocks:
        yield from _block(block, indent=indent, colour=colour, width=width - len(indent))


def _block(block: Block, *, indent: str, colour: bool, width: int) -> Iterator[str]:
    match block:
        case Paragraph():
            wrapped = [] if block.whole else textwrap.wrap(block.text, width, break_long_words=False, break_on_hyphens=False)
            for line in wrapped or [block.text]:
                style = STYLES.get(block.tone)
                yield indent + (_paint(line, style, colour=colour) if style else line)
        case Quote():
            yield from (f"{indent}  {line}" for line in block.lines)
        case Bullets():
            for depth, point in block.points:
                yield from _bullet(point, indent + "  " * depth, width - 2 * depth)
        case Table():
            yield from (indent + line for line in _table(block, width))
        case _:
            assert_never(block)


def _bullet(point: str, indent: str, width: int) -> Iterable[str]:
    return textwrap.wrap(
        point,
        width,
        initial_indent=indent + "- ",
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _table(table: Table, width: int) -> Iterator[str]:
    widths = _widths(table, width)
    rows = [tuple(column.title for column in table.columns), *table.rows]
    for row in rows:
        cells = (_cell(text, column, size) for text, column, size in zip(row, table.columns, widths, strict=True))
        yield "  ".join(cells).rstrip()
    if table.note:
        yield table.note


def _widths(table: Table, width: int) -> list[int]:
    """Widths that show every cell in full, save that growing columns give way, the widest first, until a line fits."""
    columns = zip(*([column.title for column in table.columns], *table.rows), strict=True)
    widths = [max(map(len, cells)) for cells in columns]
    growing = [index for index, column in enumerate(table.columns) if column.grows]
    excess = sum(widths) + 2 * (len(widths) - 1) - width
    while excess > 0 and growing:
        widest = max(growing, key=lambda index: widths[index])
        if widths[widest] <= NARROWEST:
            break
        widths[widest] -= 1
        excess -= 1
    return widths


def _cell(text: str, column: Column, size: int) -> str:
    shown = text if len(text) <= size else text[: size - 1] + "…"
    return shown.rjust(size) if column.align is Align.RIGHT else shown.ljust(size)
