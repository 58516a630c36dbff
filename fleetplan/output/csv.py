"""CSV, quoted as RFC 4180 has it, that a spreadsheet opens without running anything in it."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from io import StringIO

from fleetplan.output.printable import printable

STARTS_A_FORMULA = ("=", "+", "-", "@")
"""What spreadsheets take for the beginning of a formula (OWASP, CSV injection); full-width forms and blanks before it do not count."""

FULL_WIDTH = str.maketrans("＝＋－＠", "=+-@")  # noqa: RUF001 - these are meant


def guarded(cell: str | int) -> str:
    """A cell as a spreadsheet shows it: text that it would take for a formula gets an apostrophe in front, controls are written out.

    Numbers are ours, and stay.
    """
    if isinstance(cell, int):
        return str(cell)
    if cell.isascii() and cell.isprintable() and cell[:1].isalnum():
        return cell
    shown = printable(cell)
    return f"'{shown}" if shown.lstrip().translate(FULL_WIDTH).startswith(STARTS_A_FORMULA) else shown


def csv_pieces(rows: Iterable[Iterable[str | int]]) -> Iterator[bytes]:
    """Rows as UTF-8, some thousand at a time; the first is the heading."""
    buffer = StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    for number, row in enumerate(rows, 1):
        writer.writerow([guarded(cell) for cell in row])
        if number % 4096 == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: StringIO) -> bytes:
    text = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return text
