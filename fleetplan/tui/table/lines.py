"""The lines of a table: which columns fit a width, the heading, a row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from fleetplan.output.document import Align
from fleetplan.output.ink import Ink, Line, Span
from fleetplan.output.printable import printable
from fleetplan.tui.table.model import Field, Table, Wish

GAP = 2
"""Blanks between columns."""


class Slot(msgspec.Struct, frozen=True):
    """A column in a line: where it begins, and how many characters it has."""

    field: Field
    start: int
    width: int


def fitted(table: Table, width: int) -> tuple[Slot, ...]:
    """The columns that fit a width, and how wide each is: those that may give way do, then the least needed are left out."""
    shown = list(table.fields)
    while len(shown) > 1 and _room(map(_least, shown), len(shown)) > width:
        most = max(field.rest for field in shown)
        if most == 0:
            break
        shown.remove(next(field for field in reversed(shown) if field.rest == most))
    return tuple(_placed(shown, _widths(shown, width)))


def _least(field: Field) -> int:
    return min(field.least or field.wanted, field.wanted)


def _room(widths: Iterable[int], columns: int) -> int:
    return sum(widths) + GAP * (columns - 1)


def _widths(shown: Sequence[Field], width: int) -> list[int]:
    widths = [field.wanted for field in shown]
    excess = _room(widths, len(shown)) - width
    while excess > 0:
        spare = [index for index, field in enumerate(shown) if widths[index] > _least(field)]
        if not spare:
            break
        widths[max(spare, key=widths.__getitem__)] -= 1
        excess -= 1
    return widths


def _placed(shown: Sequence[Field], widths: Sequence[int]) -> list[Slot]:
    slots, start = [], 0
    for field, width in zip(shown, widths, strict=True):
        slots.append(Slot(field, start, width))
        start += width + GAP
    return slots


def heading(slots: Sequence[Slot], wish: Wish) -> Line:
    """The names of columns; an arrow marks the one that rows are sorted by."""
    spans = []
    for slot in slots:
        sorted_by = slot.field.key == wish.sort
        title = f"{slot.field.title} {'▼' if wish.descending else '▲'}" if sorted_by else slot.field.title
        spans.append(Span(_fit(title, slot), Ink.LIT if sorted_by else Ink.HEAD))
    return _joined(spans)


def row_line(slots: Sequence[Slot], row: int) -> Line:
    """A row."""
    return _joined([Span(_fit(slot.field.text(row), slot), slot.field.ink(row)) for slot in slots])


def _joined(spans: Sequence[Span]) -> Line:
    line: list[Span] = []
    for span in spans:
        line += [Span(" " * GAP), span] if line else [span]
    return tuple(line)


def _fit(text: str, slot: Slot) -> str:
    text = printable(text)
    shown = text if len(text) <= slot.width else f"{text[: max(slot.width - 1, 0)]}…"
    return shown.rjust(slot.width) if slot.field.align is Align.RIGHT else shown.ljust(slot.width)


def column_at(slots: Sequence[Slot], x: int) -> Field | None:
    """The column under a character of a line."""
    return next((slot.field for slot in slots if slot.start <= x < slot.start + slot.width + GAP), None)
