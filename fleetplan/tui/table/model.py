"""Tables as values: columns of a hundred thousand rows, and which of them are shown in which order. No terminal here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import overload

import msgspec
import numpy as np

from fleetplan.fleet.filter import Column, parse
from fleetplan.output.document import Align
from fleetplan.output.ink import Ink
from fleetplan.rollout.columns import Codes, Flags, Ints, Numbers


class Worded(Sequence[str]):
    """Texts that are made of numbers when they are asked for: nobody needs a hundred thousand times of day at once."""

    __slots__ = ("numbers", "words")

    def __init__(self, numbers: Ints, words: Callable[[int], str]) -> None:
        self.numbers = numbers
        self.words = words

    def __len__(self) -> int:
        """The number of texts."""
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """One text, or some of them."""
        if isinstance(index, slice):
            return list(map(self.words, self.numbers[index].tolist()))
        return self.words(int(self.numbers[index]))


class Field(msgspec.Struct, frozen=True, kw_only=True, dict=True, eq=False):
    """A column: `values[codes[row]]`, or `values[row]` without codes.

    `key` names it in filters. `rank` orders values (by their text, if None). `inks` is an ink for each value, or one for all. `width` is
    how many characters it wants (0: as many as its longest value); it is cut down to `least` before others are left out. Of columns that do
    not fit, those of the highest `rest` go first; 0 never goes. `said` is what filters compare with, where cells have more than the word.
    """

    key: str
    title: str
    values: Sequence[str]
    codes: Ints | Codes | None = None
    rank: Sequence[int] | Ints | None = None
    inks: Sequence[Ink] | Ink = Ink.PLAIN
    align: Align = Align.LEFT
    width: int = 0
    least: int = 0
    rest: int = 0
    said: Sequence[str] | None = None

    def text(self, row: int) -> str:
        """The cell of a row; empty for the code -1."""
        value = self._value(row)
        return self.values[value] if value >= 0 else ""

    def ink(self, row: int) -> Ink:
        """How the cell of a row is inked."""
        if isinstance(self.inks, Ink):
            return self.inks
        value = self._value(row)
        return self.inks[value] if value >= 0 else Ink.PLAIN

    def _value(self, row: int) -> int:
        return row if self.codes is None else int(self.codes[row])

    @cached_property
    def wanted(self) -> int:
        """Characters that show every cell and the heading, with room for the arrow that tells the order. O(values), once."""
        return self.width or max(max(map(len, self.values), default=0), len(self.title) + 2)

    @cached_property
    def keys(self) -> Numbers:
        """A number for each row by which rows are sorted. O(values log values), once."""
        rank = np.asarray(self.rank, np.int64) if self.rank is not None else _ranked(self.values)
        if self.codes is None:
            return rank
        # The code -1 finds what is appended: rows without a value come last.
        return np.append(rank, np.iinfo(np.int64).max)[self.codes]

    @cached_property
    def searched(self) -> Column:
        """The column as a filter reads it. O(rows), once."""
        return Column(self.values if self.said is None else self.said, None if self.codes is None else self.codes.tolist())


def _ranked(values: Sequence[str]) -> Numbers:
    order = sorted(range(len(values)), key=list(values).__getitem__)
    rank = np.empty(len(values), np.int64)
    rank[order] = np.arange(len(values))
    return rank


class Table(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Columns of equal length. `rows` counts; `risky` flags the rows that a risky-only view keeps; `names` are the keys that words look in.

    Rows stand in the order in which they are shown at first: the riskiest first.
    """

    fields: tuple[Field, ...]
    rows: int
    names: tuple[str, ...] = ()
    risky: Flags | None = None

    def warmed(self) -> Table:
        """The same table, once what filters and orders need of its names is there: a worker does that before anybody types."""
        for field in self.fields:
            if field.key in self.names:
                _ = field.searched.lowered, field.keys
        return self

    def field(self, key: str) -> Field | None:
        """The column of a key."""
        return next((field for field in self.fields if field.key == key), None)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to see of a table. `sort` is the key of a column; None: the table's own order."""

    text: str = ""
    risky: bool = False
    sort: str | None = None
    descending: bool = False


def picked(text: str, table: Table) -> Flags:
    """The rows that a filter picks. Raises FilterError."""
    columns = {field.key: field.searched for field in table.fields}
    return np.frombuffer(parse(text, columns).select(columns, table.names, table.rows), np.bool_)


def arranged(table: Table, wish: Wish) -> Numbers:
    """The rows that are wished for, in their order. O(rows log rows) if sorted, O(rows) if not; stable, so ties keep the table's order.

    Raises FilterError.
    """
    kept = np.ones(table.rows, np.bool_)
    if wish.risky and table.risky is not None:
        kept &= table.risky
    if wish.text.strip():
        kept &= picked(wish.text, table)
    rows = np.flatnonzero(kept)
    field = table.field(wish.sort) if wish.sort is not None else None
    if field is None:
        return rows[::-1] if wish.descending else rows
    keys = field.keys[rows]
    return rows[np.argsort(-keys if wish.descending else keys, kind="stable")]
