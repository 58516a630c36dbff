"""Documents as Markdown (GitHub's flavour): job summaries, comments, pages.

Nothing that comes from an inventory can become a link, a mention, a heading or HTML: what Markdown would obey is escaped, save pairs of
backticks, within which nothing is obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import assert_never

from fleetplan.output.document import Align, Bars, Block, Bullets, Column, Document, Paragraph, Quote, Section, Table
from fleetplan.output.printable import printable

CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
OBEYED = re.compile(r"[\\`*_\[\]<>|~$]|^[-+=](?=\s|[-=]|$)|^#|(?<=^\d)[.)]|(?<=^\d\d)[.)]")
"""What may begin emphasis, a link, HTML, a cell, a formula, a heading or a list: a backslash takes the meaning from it."""
LINKED = re.compile(r"@|#(?=\d)|&(?=#?\w+;)|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""What GitHub makes links, mentions and references of, and what begins an entity: a backslash does not help there, an entity does."""


def render(document: Document, *, level: int = 2) -> str:
    """The document as Markdown that ends with a newline; its headings at `level`."""
    sections = ("\n\n".join(_section(section, level)) for section in document.sections)
    return "\n\n".join(sections) + "\n"


def escaped(text: str) -> str:
    """One line of text that Markdown shows as it is; what stands between backticks as code."""
    shown = printable(text)
    words = shown.lstrip(" ")  # blanks before a mark take no meaning from it
    pieces = CODE.split(words)
    return shown[: len(shown) - len(words)] + "".join(_code(piece) if place % 2 else _plain(piece) for place, piece in enumerate(pieces))


def _plain(text: str) -> str:
    return OBEYED.sub(r"\\\g<0>", LINKED.sub(lambda mark: f"&#{ord(mark[0])};", text))


def _code(text: str) -> str:
    """Between backticks only the bar of a table is obeyed."""
    return f"`{text}`" if "|" not in text else f"<code>{_plain(text)}</code>"


def _section(section: Section, level: int) -> Iterator[str]:
    if section.title:
        yield f"{'#' * level} {escaped(section.title)}"
    for block in section.blocks:
        yield _block(block)


def _block(block: Block) -> str:
    match block:
        case Paragraph():
            return escaped(block.text)
        case Quote():
            return _fenced(block)
        case Bullets():
            return "\n".join(f"{'  ' * depth}- {escaped(point)}" for depth, point in block.points)
        case Table():
            note = f"\n\n{escaped(block.note)}" if block.note else ""
            return _table(block.columns, block.rows) + note
        case Bars():
            return _bars(block)
        case _:
            assert_never(block)


def _fenced(quote: Quote) -> str:
    """Lines between fences longer than any run of backticks in them."""
    lines = [printable(line) for line in quote.lines]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join((f"{fence}text", *lines, fence))


def _table(columns: tuple[Column, ...], rows: tuple[tuple[str, ...], ...]) -> str:
    heads = _row(tuple(column.title for column in columns))
    rule = "|" + "|".join("---:" if column.align is Align.RIGHT else "---" for column in columns) + "|"
    return "\n".join((heads, rule, *map(_row, rows)))


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(escaped(cell) if cell else " " for cell in cells) + " |"


def _bars(bars: Bars) -> str:
    columns = (Column(title=bars.title), *(Column(title=kind.label, align=Align.RIGHT) for kind in bars.kinds))
    rows = tuple((bar.label, *(f"{part:,}" for part in bar.parts)) for bar in bars.bars)
    return _table(columns, rows)
