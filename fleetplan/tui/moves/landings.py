"""The landings of a plan as columns, the riskiest first: what the table of moves, the map and the timeline are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fleetplan.migration.classes import ClassTable
from fleetplan.migration.reasons import RANK, Verdict
from fleetplan.output.risk import RESTART, VERDICTS, Sign
from fleetplan.rollout.columns import NONE, Flags, FleetColumns, Ints, Numbers, Places
from fleetplan.rollout.distinct import distinct
from fleetplan.rollout.each_move import each_move
from fleetplan.rollout.plan import Plan

RISKS: tuple[Sign, ...] = (
    VERDICTS[Verdict.SAFE],
    VERDICTS[Verdict.CHANGES],
    RESTART,
    VERDICTS[Verdict.STRIPS],
    VERDICTS[Verdict.UNKNOWN],
    VERDICTS[Verdict.FAILS],
)
"""What a landing can come to, the least harmful first."""

RESTARTS = RISKS.index(RESTART)
SAFE = RISKS.index(VERDICTS[Verdict.SAFE])
OF_VERDICT = {verdict: RISKS.index(VERDICTS[verdict]) for verdict in RANK}

OPEN = OF_VERDICT[Verdict.CHANGES]
"""A way back that is as good as this, or better, is open."""


@dataclass(frozen=True, slots=True, eq=False)
class Landings:
    """An entry for each landing, the riskiest first, then those without a way back, then by time.

    `risk` numbers `RISKS`. `back` does so for the move back, as the guest then is (NONE: there was no move). `kind`, `after`, `here` and
    `there` are classes (see `rollout.each_move`). `destination` is NONE where a landing is only thought of: a host like the guest's own,
    upgraded; then `wave` is 0 and there are no times. `source` and `destination` of a restart are the same host.
    """

    guest: Places
    source: Places
    destination: Places
    wave: Places
    start_s: Numbers
    duration_s: Numbers
    risk: Places
    back: Places
    kind: Places
    after: Places
    here: Places
    there: Places
    upgraded: Flags
    planned: bool

    def __len__(self) -> int:
        """The number of landings."""
        return len(self.guest)

    @property
    def risky(self) -> Flags:
        """Landings that are not safe, or cannot be taken back."""
        return (self.risk > SAFE) | (self.back > OPEN)


def landings(columns: FleetColumns, classes: ClassTable, plan: Plan) -> Landings:
    """The landings of a plan. O(steps log steps)."""
    each = each_move(columns, classes, plan)
    steps, step = each.steps, each.step
    moves = np.flatnonzero(~each.boots)
    risk, back = np.full(len(step), RESTARTS, np.int32), np.full(len(step), NONE, np.int32)
    risk[moves], back[moves] = _judged(classes, each.kind[moves], each.here[moves], each.there[moves])
    return _sorted(
        Landings(
            guest=steps.guest[step],
            source=each.source,
            destination=np.where(each.boots, steps.host[step], steps.destination[step]),
            wave=steps.wave[step],
            start_s=steps.start_s[step],
            duration_s=steps.duration_s[step],
            risk=risk,
            back=back,
            kind=each.kind,
            after=each.after,
            here=each.here,
            there=each.there,
            upgraded=each.upgraded,
            planned=True,
        )
    )


def would_be(columns: FleetColumns, classes: ClassTable) -> Landings:
    """Without a plan: every guest on a host that is not upgraded, on its way to a host like its own that is."""
    hosts, on = columns.hosts, columns.guests.on
    guest = np.flatnonzero(~hosts.on_target[on]).astype(np.int32)
    here, there, kind = hosts.now[on[guest]], hosts.then[on[guest]], columns.guests.kind[guest]
    risk, back = _judged(classes, kind, here, there)
    nothing = np.zeros(len(guest), np.int64)
    return _sorted(
        Landings(
            guest=guest,
            source=on[guest],
            destination=np.full(len(guest), NONE, np.int32),
            wave=nothing.astype(np.int32),
            start_s=nothing,
            duration_s=nothing,
            risk=risk,
            back=back,
            kind=kind,
            after=kind,
            here=here,
            there=there,
            upgraded=np.ones(len(guest), np.bool_),
            planned=False,
        )
    )


def _judged(classes: ClassTable, kind: Ints, here: Ints, there: Ints) -> tuple[Places, Places]:
    """The risk of each move, and of the move back (NONE where the guest does not get there)."""

    def both(guest: int, source: int, destination: int) -> tuple[int, int]:
        hop = classes.hop(guest, source, destination)
        if hop.verdict is Verdict.FAILS:
            return OF_VERDICT[hop.verdict], NONE
        return OF_VERDICT[hop.verdict], OF_VERDICT[classes.hop(hop.after, destination, source).verdict]

    found, which = distinct(both, kind, here, there)
    risks = np.array(found, np.int32).reshape(-1, 2)[which]
    return risks[:, 0], risks[:, 1]


def _sorted(found: Landings) -> Landings:
    order = np.lexsort((found.start_s, found.wave, -found.back, -found.risk))
    taken = {name: getattr(found, name)[order] for name in found.__slots__ if name != "planned"}
    return Landings(planned=found.planned, **taken)


def counts(risk: Sequence[int] | Ints) -> list[int]:
    """How many landings come to each of `RISKS`."""
    found: list[int] = np.bincount(np.asarray(risk, np.int64), minlength=len(RISKS)).tolist()
    return found
