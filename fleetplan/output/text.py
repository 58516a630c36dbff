"""Documents as plain text for a terminal or a log, readable without colour."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import assert_never

from fleetplan.output.document import Align, Bar, Bars, Block, Bullets, Column, Document, Kind, Paragraph, Quote, Section, Table, Tone
from fleetplan.output.printable import printable

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
        yield _paint(printable(section.title), BOLD, colour=colour)
        indent = "  "
    for block in section.blocks:
        yield from _block(block, indent=indent, colour=colour, width=width - len(indent))


def _block(block: Block, *, indent: str, colour: bool, width: int) -> Iterator[str]:
    match block:
        case Paragraph():
            text = printable(block.text)
            wrapped = [] if block.whole else textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)
            for line in wrapped or [text]:
                style = STYLES.get(block.tone)
                yield indent + (_paint(line, style, colour=colour) if style else line)
        case Quote():
            yield from (f"{indent}  {printable(line)}" for line in block.lines)
        case Bullets():
            for depth, point in block.points:
                yield from _bullet(point, indent + "  " * depth, width - 2 * depth)
        case Table():
            yield from (indent + line for line in _table(block, width))
        case Bars():
            yield from (indent + line for line in _bars(block, width, colour=colour))
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


def _table(table: Table, width: int) -> Iterator[str]:
    rows = [tuple(column.title for column in table.columns), *(tuple(map(printable, row)) for row in table.rows)]
    widths = _widths(table.columns, rows, width)
    for row in rows:
        cells = (_cell(text, column, size) for text, column, size in zip(row, table.columns, widths, strict=True))
        yield "  ".join(cells).rstrip()
    if table.note:
        yield printable(table.note)


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


def _bars(bars: Bars, width: int, *, colour: bool) -> Iterator[str]:
    """A line for each bar, the longest as long as there is room; and the numbers."""
    yield printable(bars.title)
    labels = [printable(bar.label) for bar in bars.bars]
    numbers = [_numbers(bar, bars.kinds) for bar in bars.bars]
    wide, most = max(map(len, labels), default=0), max((sum(bar.parts) for bar in bars.bars), default=0)
    room = max(NARROWEST, width - wide - max(map(len, numbers), default=0) - 5)
    for bar, label, number in zip(bars.bars, labels, numbers, strict=True):
        stretches = (_stretch(part * room, most, kind, colour=colour) for part, kind in zip(bar.parts, bars.kinds, strict=True))
        yield f"  {label:<{wide}}  {''.join(stretches)} {number}".rstrip()


def _numbers(bar: Bar, kinds: Sequence[Kind]) -> str:
    if len(kinds) == 1:
        return f"{bar.parts[0]:,}"
    return ", ".join(f"{kind.label} {part:,}" for part, kind in zip(bar.parts, kinds, strict=True) if part)


def _stretch(part: int, most: int, kind: Kind, *, colour: bool) -> str:
    """A cell for each `most` of a part, and one for what is left."""
    drawn, style = "▇" * -(-part // max(most, 1)), STYLES.get(kind.tone)
    return _paint(drawn, style, colour=colour) if style and drawn else drawn
