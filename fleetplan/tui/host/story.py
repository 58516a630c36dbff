"""All about one host: its place in the plan, its register file now and once upgraded, and its guests as a table."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fleetplan.migration.register_file import RegisterRow, register_file
from fleetplan.output.document import Align, Column, Document, Paragraph, Section
from fleetplan.output.document import Table as Drawn
from fleetplan.output.reasons import value_words
from fleetplan.output.sentences import listed
from fleetplan.output.views.why import story_document
from fleetplan.rollout.columns import NONE
from fleetplan.rollout.why import Why
from fleetplan.tui.fleet.brief import brief_document
from fleetplan.tui.moves.landings import RISKS, SAFE
from fleetplan.tui.situation import Situation
from fleetplan.tui.table.model import Field, Table, Worded

SAME = "the same"


def host_document(situation: Situation, host: int) -> Document:
    """What the host is, its registers, and why its turn comes when it comes. Ask in a worker."""
    study = situation.study
    brief = brief_document(situation, situation.journey.at(), host)
    story = () if situation.plan is None else story_document(Why(study.fleet, study.classes, situation.plan).host(host)).sections
    return Document((*brief.sections, _registers(situation, host), *story))


def _registers(situation: Situation, host: int) -> Section:
    study = situation.study
    record, classes = study.fleet.hosts[host], study.classes
    now, then = (register_file(classes.host_class(numbers[host])) for numbers in (classes.hosts_now, classes.hosts_then))
    rows = tuple(_beside({row.name: row for row in now}, {row.name: row for row in then}))
    if not rows:
        return Section("Firmware registers", (Paragraph("Neither kernel has firmware registers."),))
    columns = (
        Column(title="register"),
        Column(title=f"now, {record.release.kernel}", grows=True),
        Column(title=f"then, {study.fleet.target.kernel}", grows=True),
    )
    sources = listed(list(dict.fromkeys(row.source for row in (*now, *then))), most=9)
    return Section(
        "Firmware registers that it gives to guests that boot there", (Drawn(columns, rows), Paragraph(f"known from: {sources}"))
    )


def _beside(now: dict[str, RegisterRow], then: dict[str, RegisterRow]) -> Iterator[tuple[str, ...]]:
    for name in dict.fromkeys((*now, *then)):
        before, after = _values(now.get(name)), _values(then.get(name))
        yield name, before, SAME if before == after else after


def _values(row: RegisterRow | None) -> str:
    if row is None:
        return "none"
    return " or ".join([*(value_words(row.id, value) for value in row.values), *(["none"] if row.may_lack else [])])


def guest_rows(situation: Situation, host: int) -> Table:
    """The guests of a host, the riskiest to move first."""
    columns, found = situation.columns, situation.landings
    leaving = np.flatnonzero(found.source == host)
    first = leaving[np.unique(found.guest[leaving], return_index=True)[1]]
    landing = np.full(len(columns.guests.names), NONE, np.int64)
    landing[found.guest[first]] = first
    here = np.flatnonzero(columns.guests.on == host)
    risk = np.where(landing[here] == NONE, NONE, found.risk[landing[here]]) if len(found) else np.full(len(here), NONE)
    order = np.lexsort((here, -risk))
    guests, risk, place = here[order], risk[order], landing[here][order]
    to = np.where(place == NONE, NONE, found.destination[place]) if len(found) else place
    size = columns.guests.size[guests]
    return Table(
        fields=(
            Field(key="guest", title="guest", values=Worded(guests, columns.guests.names.__getitem__), width=20, least=8),
            Field(key="vcpus", title="vCPUs", values=Worded(size[:, 0], str), rank=size[:, 0], width=7, align=Align.RIGHT),
            Field(key="memory", title="memory", values=Worded(size[:, 1], _gib), rank=size[:, 1], width=9, align=Align.RIGHT),
            Field(
                key="verdict",
                title="its move",
                values=[sign.text for sign in RISKS],
                codes=risk,
                rank=[-number for number in range(len(RISKS))],
                inks=[sign.ink for sign in RISKS],
                said=[sign.word for sign in RISKS],
            ),
            Field(key="to", title="to", values=columns.hosts.names, codes=to),
        ),
        rows=len(guests),
        names=("guest", "to"),
        risky=risk > SAFE,
    )


def _gib(mib: int) -> str:
    return f"{mib / 1024:g} GiB"
