"""The rollout of many cells, as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetplan.fleet.policy import MaxUnavailable
from fleetplan.output.document import Align, Column, Document, Paragraph, Section, Table, Tone
from fleetplan.output.sentences import clock, counted
from fleetplan.output.views.refusal import infeasible_document
from fleetplan.planner.cells import Exhausted, Scheduled
from fleetplan.rollout.plan import Infeasible


def cells_document(cells: Sequence[Scheduled], budget: MaxUnavailable) -> Document:
    """When each cell begins and ends, and its share of what may be unavailable."""
    hosts, moves = sum(cell.hosts for cell in cells), sum(cell.moves for cell in cells)
    end_s = max((cell.ends_s for cell in cells), default=0)
    told = f"{counted(len(cells), 'cell')}: {counted(hosts, 'host')}, {counted(moves, 'migration')}, {clock(end_s)} in all."
    judged = f"Judged: every plan holds for its cell, and all together keep {limits_words(budget)}, whatever steps take."
    columns = (
        Column(title="cell", grows=True),
        Column(title="hosts", align=Align.RIGHT),
        Column(title="waves", align=Align.RIGHT),
        Column(title="moves", align=Align.RIGHT),
        Column(title="starts", align=Align.RIGHT),
        Column(title="ends", align=Align.RIGHT),
        Column(title="after", grows=True),
        Column(title="unavailable at most"),
    )
    head = Section("", (Paragraph(told), Paragraph(judged, Tone.GOOD)))
    return Document((head, Section("Cells", (Table(columns, tuple(map(_row, cells))),))))


def _row(cell: Scheduled) -> tuple[str, ...]:
    times = (clock(cell.starts_s), clock(cell.ends_s))
    return (
        cell.name,
        f"{cell.hosts:,}",
        f"{cell.waves:,}",
        f"{cell.moves:,}",
        *times,
        cell.after or "",
        limits_words(cell.max_unavailable),
    )


def limits_words(limits: MaxUnavailable) -> str:
    """`fleet 3, zone 5%`."""
    given = ((scope, getattr(limits, scope)) for scope in ("fleet", "zone", "rack"))
    return ", ".join(f"{scope} {share}" for scope, share in given if share is not None) or "no limit"


def refused_cells_document(refused: Sequence[tuple[str, Infeasible]]) -> Document:
    """Why cells have no plan, one after the other."""
    return Document(tuple(section for name, why in refused for section in _refusal(name, why)))


def _refusal(name: str, why: Infeasible) -> Iterator[Section]:
    yield Section("", (Paragraph(f"Cell {name}", Tone.BAD),))
    yield from infeasible_document(why).sections


def exhausted_document(exhausted: Exhausted) -> Document:
    """Why nothing can begin."""
    where = f"{exhausted.scope} {exhausted.place}".strip()
    away = f"{counted(exhausted.unavailable, 'host')} unavailable already, and no more than {exhausted.limit} may be"
    told = f"No safe plan: in the {where} {away}."
    return Document((Section("", (Paragraph(told, Tone.BAD), Paragraph("Bring hosts back, or raise the limit in `cells.yaml`."))),))
