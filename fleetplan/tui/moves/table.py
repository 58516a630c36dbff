"""The table of moves: a row for each landing, the riskiest first."""

from __future__ import annotations

from functools import partial

import numpy as np

from fleetplan.migration.classes import ClassTable
from fleetplan.output.document import Align
from fleetplan.output.ink import Ink
from fleetplan.output.reasons import reason_sentence
from fleetplan.output.sentences import clock
from fleetplan.rollout.columns import NONE, FleetColumns, Ints
from fleetplan.rollout.distinct import distinct
from fleetplan.tui.moves.landings import RESTARTS, RISKS, Landings
from fleetplan.tui.table.model import Field, Table, Worded

LIKE_IT = "(like it, upgraded)"
"""Where a landing is only thought of: a host like the guest's own."""

REASONS_WIDTH = 60


def move_table(columns: FleetColumns, classes: ClassTable, found: Landings) -> Table:
    """Landings as a table. Filters look for words in the names of guests and hosts."""
    hosts = columns.hosts
    risk = _risk("verdict", "verdict", found.risk)
    guest = Field(key="guest", title="guest", values=Worded(found.guest, columns.guests.names.__getitem__), width=16, least=8)
    source = Field(key="from", title="from", values=hosts.names, codes=found.source, least=6)
    target = Field(key="to", title="to", values=(*hosts.names, LIKE_IT), codes=_landing_places(found, len(hosts.names)), least=6)
    back = _risk("back", "way back", found.back, rest=2)
    why = _why(classes, found)
    zone = Field(key="zone", title="zone", values=hosts.zone_names, codes=hosts.zone[found.source], rest=5)
    memory = _memory(columns, found)
    times = _times(found) if found.planned else ()
    return Table(
        fields=(risk, guest, source, target, *times, back, memory, zone, why),
        rows=len(found),
        names=("guest", "from", "to"),
        risky=found.risky,
    )


def _risk(key: str, title: str, codes: Ints, rest: int = 0) -> Field:
    return Field(
        key=key,
        title=title,
        values=[sign.text for sign in RISKS],
        codes=codes,
        rank=[-number for number in range(len(RISKS))],
        inks=[sign.ink for sign in RISKS],
        rest=rest,
        said=[sign.word for sign in RISKS],
    )


def _landing_places(found: Landings, hosts: int) -> Ints:
    return np.where(found.destination == NONE, hosts, found.destination)


def _times(found: Landings) -> tuple[Field, ...]:
    waves = Field(key="wave", title="wave", values=Worded(found.wave, str), rank=found.wave, width=4, align=Align.RIGHT, rest=1)
    at = Field(key="at", title="at", values=Worded(found.start_s, clock), rank=found.start_s, width=7, align=Align.RIGHT, rest=3)
    takes = Field(
        key="takes", title="takes", values=Worded(found.duration_s, clock), rank=found.duration_s, width=7, align=Align.RIGHT, rest=4
    )
    return waves, at, takes


def _memory(columns: FleetColumns, found: Landings) -> Field:
    mib = columns.guests.size[found.guest, 1]
    return Field(key="memory", title="memory", values=Worded(mib, _gib), rank=mib, width=8, align=Align.RIGHT, rest=5)


def _gib(mib: int) -> str:
    return f"{mib / 1024:g} GiB"


def _why(classes: ClassTable, found: Landings) -> Field:
    """The first reason of each landing; of those that are safe, the first reason why they cannot be taken back."""
    texts, codes = distinct(partial(_reason, classes), found.kind, found.here, found.there)
    shown = np.where(found.risk == RESTARTS, len(texts), codes)
    values = [*texts, "stopped and started in place"]
    return Field(key="why", title="why", values=values, codes=shown, inks=Ink.FAINT, width=REASONS_WIDTH, least=24, rest=6)


def _reason(classes: ClassTable, kind: int, here: int, there: int) -> str:
    judgment = classes.judgment(kind, here, there)
    if judgment.reasons:
        return reason_sentence(judgment.reasons[0])
    back = classes.judgment(classes.hop(kind, here, there).after, there, here)
    return f"back: {reason_sentence(back.reasons[0])}" if back.reasons else ""
