"""A document as lines, and as text for a terminal or a file; readable without colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from fleetplan.output.document import Align, Bar, Bars, Block, Bullets, Column, Document, Kind, Paragraph, Quote, Section, Table
from fleetplan.output.ink import Ink, Line, Span, plain
from fleetplan.output.printable import printable
from fleetplan.output.risk import TONES, told

WIDTH = 100
"""Columns that text is fitted to; quoted lines are never broken."""

NARROWEST = 12
"""Characters that a column keeps, however many it should give way."""

STYLES = {
    Ink.HEAD: "1",
    Ink.FAINT: "2",
    Ink.SAFE: "32",
    Ink.CHANGES: "34",
    Ink.STRIPS: "33",
    Ink.UNKNOWN: "35",
    Ink.FAILS: "31",
}
"""SGR codes of inks; those of the sixteen colours, which terminals fit to their ground."""


def render(document: Document, *, colour: bool = False, width: int = WIDTH) -> str:
    """The document as text that ends with a newline; ANSI colours only if `colour`."""
    return "\n".join(_painted(line) if colour else plain(line) for line in layout(document, width)) + "\n"


def _painted(line: Line) -> str:
    return "".join(f"\x1b[{style}m{text}\x1b[0m" if (style := STYLES.get(ink)) and text else text for text, ink in line)


def layout(document: Document, width: int = WIDTH) -> Iterator[Line]:
    """The lines of a document, fitted to a width; an empty one between sections."""
    for number, section in enumerate(document.sections):
        if number:
            yield ()
        yield from _section(section, width)


def _section(section: Section, width: int) -> Iterator[Line]:
    indent = ""
    if section.title:
        yield (Span(printable(section.title), Ink.HEAD),)
        indent = "  "
    for block in section.blocks:
        yield from _block(block, indent, width - len(indent))


def _block(block: Block, indent: str, width: int) -> Iterator[Line]:
    match block:
        case Paragraph():
            text = printable(block.text)
            wrapped = [] if block.whole else textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
            yield from (told(indent + line, TONES[block.tone]) for line in wrapped or [text])
        case Quote():
            yield from ((Span(f"{indent}  {printable(line)}"),) for line in block.lines)
        case Bullets():
            for depth, point in block.points:
                yield from map(told, _bullet(point, indent + "  " * depth, width - 2 * depth))
        case Table():
            yield from _table(block, indent, width)
        case Bars():
            yield from ((Span(indent), *line) for line in _bars(block, width))
        case _:
            assert_never(block)


def _bullet(point: str, indent: str, width: int) -> Iterable[str]:
    return textwrap.wrap(
        printable(point),
        width,
        initial_indent=indent + "- ",
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _table(table: Table, indent: str, width: int) -> Iterator[Line]:
    heads, *rows = [tuple(column.title for column in table.columns), *(tuple(map(printable, row)) for row in table.rows)]
    widths = _widths(table.columns, [heads, *rows], width)
    yield (Span(indent + _row(table, heads, widths), Ink.STRONG),)
    yield from (told(indent + _row(table, row, widths)) for row in rows)
    if table.note:
        yield (Span(indent + printable(table.note), Ink.FAINT),)


def _row(table: Table, row: tuple[str, ...], widths: list[int]) -> str:
    cells = (_cell(text, column, size) for text, column, size in zip(row, table.columns, widths, strict=True))
    return "  ".join(cells).rstrip()


def _widths(columns: Sequence[Column], rows: Sequence[tuple[str, ...]], width: int) -> list[int]:
    """Widths that show every cell in full, save that growing columns give way, the widest first, until a line fits."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    growing = [index for index, column in enumerate(columns) if column.grows]
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


def _bars(bars: Bars, width: int) -> Iterator[Line]:
    """A line for each bar, the longest as long as there is room; and the numbers. Of what is left of a cell, a cell is drawn."""
    yield (Span(printable(bars.title)),)
    labels = [printable(bar.label) for bar in bars.bars]
    numbers = [_numbers(bar, bars.kinds) for bar in bars.bars]
    wide, most = max(map(len, labels), default=0), max((sum(bar.parts) for bar in bars.bars), default=0)
    room = max(NARROWEST, width - wide - max(map(len, numbers), default=0) - 5)
    for bar, label, number in zip(bars.bars, labels, numbers, strict=True):
        lengths = (-(-part * room // max(most, 1)) for part in bar.parts)
        stretches = [Span("▇" * length, TONES[kind.tone]) for length, kind in zip(lengths, bars.kinds, strict=True) if length]
        yield (Span(f"  {label:<{wide}}  "), *stretches, Span(f" {number}")) if number else (Span(f"  {label}"),)


def _numbers(bar: Bar, kinds: Sequence[Kind]) -> str:
    if len(kinds) == 1:
        return f"{bar.parts[0]:,}"
    return ", ".join(f"{kind.label} {part:,}" for part, kind in zip(bar.parts, kinds, strict=True) if part)
