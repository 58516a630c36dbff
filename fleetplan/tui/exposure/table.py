"""The table of guests by what they are exposed to, the worst first; and all about one of them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fleetplan.migration.classes import ClassTable
from fleetplan.migration.exposure import Exposure
from fleetplan.migration.standing import Standings
from fleetplan.output.document import Bullets, Document, Paragraph, Section, Tone
from fleetplan.output.exposure import FLAWS, boot_words, standing_lines
from fleetplan.output.ink import Ink
from fleetplan.output.risk import EXPOSURES
from fleetplan.output.sentences import counted
from fleetplan.output.views.audit import course_section
from fleetplan.rollout.columns import NONE, FleetColumns, Ints, Numbers
from fleetplan.tui.exposure.census import Census, Course
from fleetplan.tui.table.model import Field, Table, Worded

KINDS = tuple(Exposure)
AWAY = "its host is down or lost"


def exposure_table(columns: FleetColumns, census: Census) -> Table:
    """A row for each guest. Filters look for words in the names of guests and hosts; `v2:exposed` asks for what it is to a flaw."""
    rows = order(census)
    kind = census.kind[rows]
    names, hosts = columns.guests.names, columns.hosts
    flaws = [_flaw(census, place, title.rpartition(" ")[2], kind) for place, title in enumerate(FLAWS.values())]
    heal = [_heal(each) for each in census.standings]
    return Table(
        fields=(
            Field(key="guest", title="guest", values=Worded(rows, names.__getitem__), width=16, least=8),
            Field(key="on", title="on", values=hosts.names, codes=census.on[rows], least=6),
            *flaws,
            Field(key="heals", title="least restart", values=heal, codes=kind, inks=Ink.FAINT, least=13, rest=1),
            Field(key="zone", title="zone", values=hosts.zone_names, codes=hosts.zone[census.on[rows]], rest=3),
        ),
        rows=len(rows),
        names=("guest", "on"),
        risky=np.append([each.at_most for each in census.standings], False).astype(np.bool_)[kind],
    )


def order(census: Census) -> Numbers:
    """The guests in the order of the rows: certain exposures first, then possible ones; those of hosts that are gone last."""
    least = [sum(each.at_least for each in one.items) for one in census.standings]
    most = [sum(each.at_most for each in one.items) for one in census.standings]
    # The kind NONE is -1, and finds what is appended.
    found: Numbers = np.lexsort((-np.append(most, -1)[census.kind], -np.append(least, -1)[census.kind])).astype(np.int64)
    return found


def _flaw(census: Census, place: int, title: str, kind: Ints) -> Field:
    """What guests are to one flaw."""
    codes = np.append([KINDS.index(each.items[place].exposure) for each in census.standings], NONE).astype(np.int32)[kind]
    signs = [EXPOSURES[each] for each in KINDS]
    return Field(
        key=title.lower(),
        title=title,
        values=[sign.text for sign in signs],
        codes=codes,
        rank=[-number for number in range(len(KINDS))],
        inks=[sign.ink for sign in signs],
        said=[sign.word for sign in signs],
        width=12,
    )


def _heal(standings: Standings) -> str:
    """The least restart that heals, or that none does."""
    if not standings.at_most:
        return ""
    if standings.restart is None:
        return "none heals"
    boot = boot_words(standings.boot) if standings.boot is not None and standings.restart.value == "cold boot" else ""
    return f"{standings.restart}{boot}{', more is left' if standings.lasting else ''}"


def guest_section(columns: FleetColumns, classes: ClassTable, census: Census, guest: int) -> Section:
    """All about one guest at a moment."""
    name, host, kind = columns.guests.names[guest], columns.hosts.names[int(census.on[guest])], int(census.kind[guest])
    if kind == NONE:
        return Section("", (Paragraph(f"{name} on {host}: {AWAY}, so it is not counted.", Tone.CAUTION),))
    standings, state = census.standings[kind], classes.guest_class(census.pairs[kind][0])
    when = "now" if census.wave == 0 else f"after wave {census.wave}"
    same = census.counts[kind] - 1
    others = f" ({counted(same, 'guest')} more of its kind)" if same else ""
    tone = Tone.BAD if standings.at_least else Tone.CAUTION if standings.at_most else Tone.GOOD
    word = "is exposed" if standings.at_least else "may be exposed" if standings.at_most else "is exposed to nothing"
    lines = tuple((0, line) for line in standing_lines(standings, state))
    return Section("", (Paragraph(f"{name} on {host} {word} {when}{others}.", tone), *((Bullets(lines),) if lines else ())))


def exposure_document(course: Course, census: Census, guest: int | None) -> Document:
    """All about the guest under the cursor, and the course of the rollout."""
    return Document(tuple(_sections(course, census, guest)))


def _sections(course: Course, census: Census, guest: int | None) -> Iterator[Section]:
    if guest is not None:
        yield guest_section(course.columns, course.classes, census, guest)
    over = course_section(course.moments)
    if over.blocks:
        yield over
