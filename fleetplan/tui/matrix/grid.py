"""The matrix as lines of cells, and what is to be said about one of them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fleetplan.migration.classes import HostClassId
from fleetplan.migration.matrix import Mark, Matrix, Row
from fleetplan.migration.reasons import RANK, Verdict
from fleetplan.output.class_names import ClassNames
from fleetplan.output.document import Block, Bullets, Document, Paragraph, Quote, Section
from fleetplan.output.ink import Ink, Line, Span
from fleetplan.output.reasons import reason_sentence
from fleetplan.output.risk import VERDICTS
from fleetplan.output.views.matrix import MARKS
from fleetplan.output.views.verdict import headline
from fleetplan.workflow import Study

CELL = 11
"""Characters of a cell: glyph, word, marks."""
SMALL = 5
"""Characters of a cell where words do not fit: glyph, marks."""

WORDS = {
    Mark.ONE_WAY_DOOR: "one-way door: no allowed migration leads back",
    Mark.TRAP: "trap: the guest never leaves what it then is in",
    Mark.STEPPING_STONE: "stepping stone: not at once, but by way of other hosts",
}
LEGEND: Line = tuple(Span(f"{MARKS[mark]} {words.partition(':')[0]}  ", Ink.FAINT) for mark, words in WORDS.items())


class Grid(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The matrix with names. `lines` are rows of it, or (text) headings between them."""

    matrix: Matrix
    names: ClassNames
    lines: tuple[Row | str, ...]
    label: int

    def head(self, cell: int) -> Line:
        """The names of the columns."""
        columns = "".join(
            f"{f'to {self.names.host(host)}' if cell > SMALL else self.names.host(host):<{cell}}" for host in self.matrix.columns
        )
        return (Span(f"{'guests of':<{self.label}}{columns}", Ink.HEAD),)

    def line(self, y: int, cell: int) -> Line:
        """A row of cells, or a heading."""
        row = self.lines[y]
        if isinstance(row, str):
            return (Span(row, Ink.STRONG),)
        cells = (self.cell(row, place, cell) for place in range(len(self.matrix.columns)))
        return (Span(f"{self.row_name(row):<{self.label}}"), *cells)

    def row_name(self, row: Row) -> str:
        """`g1 on A  20`: a state, and how many guests are in it."""
        return f"{self.names.state(row.state)}  {row.guests:,}{' (restarted)' if row.restarted else ''}"

    def cell(self, row: Row, place: int, width: int) -> Span:
        """Verdict and marks of one move; a host of the guest's own class is `here`."""
        host, (verdict, _) = self.matrix.columns[place], row.rulings[place]
        if host == row.state[1] and verdict is Verdict.SAFE:
            return Span(f"{'· here' if width > SMALL else '·':<{width}}", Ink.FAINT)
        sign, marks = VERDICTS[verdict], "".join(MARKS[mark] for mark in self.marks(row, host))
        text = f"{sign.text}{marks}" if width > SMALL else f"{sign.glyph}{marks}"
        return Span(f"{text:<{width}}", sign.ink)

    def worst(self) -> tuple[int, int]:
        """The line and the column of the first of the worst moves."""
        cells = (
            (y, place, ruling[0]) for y, row in enumerate(self.lines) if isinstance(row, Row) for place, ruling in enumerate(row.rulings)
        )
        y, place, _ = max(cells, key=lambda cell: RANK[cell[2]], default=(0, 0, Verdict.SAFE))
        return y, place

    def marks(self, row: Row, host: HostClassId) -> tuple[Mark, ...]:
        """What a move is beside its verdict."""
        return self.matrix.ways.marks.get((row.state, host), ()) if self.matrix.ways is not None else ()


def grid(study: Study, matrix: Matrix) -> Grid:
    """The matrix, ready to be drawn. O(guests) for the names of classes."""
    names = ClassNames(study.fleet, study.classes)
    now, then = [row for row in matrix.rows if not row.upgraded], [row for row in matrix.rows if row.upgraded]
    lines: list[Row | str] = ["Now", *now]
    if then:
        lines += [f"At the target {study.fleet.target} (what guests become and others are already stands above)", *then]
    found = Grid(matrix=matrix, names=names, lines=tuple(lines), label=0)
    return msgspec.structs.replace(found, label=max((len(found.row_name(row)) for row in matrix.rows), default=9) + 3)


def cell_document(study: Study, found: Grid, row: Row, place: int) -> Document:
    """The move of a cell: whose, where, the verdict with its reasons, what the VMM prints, and what marks mean."""
    host = found.matrix.columns[place]
    return Document((Section("", tuple(_cell(study, found, row, host))),))


def _cell(study: Study, found: Grid, row: Row, host: HostClassId) -> Iterator[Block]:
    guest, here = row.state
    judgment = study.classes.judgment(guest, here, host)
    yield Paragraph(f"guests  {found.names.guest_line(guest)}")
    yield Paragraph(f"from    {found.names.host_line(here)}")
    yield Paragraph(f"to      {found.names.host_line(host)}")
    yield headline(judgment)
    for mark in found.marks(row, host):
        yield Paragraph(f"{MARKS[mark]} {WORDS[mark]}{_chain(found, row, host, mark)}")
    if judgment.reasons:
        yield Bullets(tuple((0, reason_sentence(reason)) for reason in judgment.reasons))
    if judgment.messages:
        yield Quote(judgment.messages)


def _chain(found: Grid, row: Row, host: HostClassId, mark: Mark) -> str:
    ways = found.matrix.ways
    if mark is not Mark.STEPPING_STONE or ways is None:
        return ""
    return f": {found.names.path(ways.stones[row.state, host])}"
