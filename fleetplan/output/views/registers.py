"""Register files of hosts as a document; hosts with the same file share a section."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from fleetplan.fleet.model import HostName
from fleetplan.migration.register_file import RegisterRow
from fleetplan.output.document import Align, Column, Document, Paragraph, Section, Table
from fleetplan.output.sentences import listed

COLUMNS = (
    Column(title="register"),
    Column(title="id"),
    Column(title="value", align=Align.RIGHT),
    Column(title="means", grows=True),
    Column(title="known from", grows=True),
)


def registers_document(files: Mapping[HostName, tuple[RegisterRow, ...]]) -> Document:
    """One section per distinct register file."""
    alike: dict[tuple[RegisterRow, ...], list[str]] = defaultdict(list)
    for name, rows in files.items():
        alike[rows].append(name)
    return Document(tuple(_section(names, rows) for rows, names in alike.items()))


def _section(names: list[str], rows: tuple[RegisterRow, ...]) -> Section:
    title = listed(names)
    if not rows:
        return Section(title, (Paragraph("This kernel has no firmware registers: nothing of a guest's firmware is saved."),))
    return Section(title, (Table(COLUMNS, tuple(_cells(row) for row in rows)),))


def _cells(row: RegisterRow) -> tuple[str, ...]:
    values = [f"{value:#x}" for value in row.values] + (["none"] if row.may_lack else [])
    return row.name, f"{row.id:#x}", " or ".join(values), row.words, row.source
