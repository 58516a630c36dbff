"""Ways to a release that arrived while a rollout was running, side by side, as a document."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.output.document import Align, Bullets, Column, Document, Paragraph, Section, Table, Tone
from fleetplan.output.sentences import clock, counted
from fleetplan.output.views.refusal import cause_sentence
from fleetplan.rollout.tally import Course, Sum


def courses_document(courses: tuple[Course, ...]) -> Document:
    """A table with a column for each way, and what keeps a way from existing."""
    return Document((_table(courses), *_refusals(courses)))


def _table(courses: tuple[Course, ...]) -> Section:
    columns = (Column(title=""), *(Column(title=course.name, align=Align.RIGHT) for course in courses))
    cells = [_cells(course.added) for course in courses]
    rows = tuple((name, *(column[place] for column in cells)) for place, name in enumerate(ROWS))
    note = "guest time: how long guests still run another release than the last target, summed over guests."
    judged = Paragraph("The judge has passed every plan that is counted here.", Tone.GOOD)
    return Section("", (Table(columns, rows, note), judged))


ROWS = ("plans", "host upgrades", "migrations", "restarts", "waves", "time", "guest time", "way back to", "cannot go back")


def _cells(added: Sum | None) -> tuple[str, ...]:
    if added is None:
        return ("no plan", *("-" for _ in ROWS[1:]))
    return (
        ", ".join(each.target.kernel for each in added.plans),
        f"{added.upgrades:,}",
        f"{added.moves:,}",
        f"{added.restarts:,}",
        f"{added.waves:,}",
        clock(added.makespan_s),
        clock(added.waiting_s),
        added.back_to.kernel if added.back_to is not None else "-",
        counted(added.no_return, "guest"),
    )


def _refusals(courses: tuple[Course, ...]) -> Iterator[Section]:
    for course in courses:
        if course.refusal is not None:
            causes = tuple((0, cause_sentence(cause)) for cause in course.refusal.causes)
            headline = Paragraph(f"{course.name}: no safe plan to {course.refusal.target} exists.", Tone.BAD)
            yield Section("", (headline, Bullets(causes)))
