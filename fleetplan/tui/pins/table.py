"""The table of PSCI pins."""

from __future__ import annotations

import numpy as np

from fleetplan.output.document import Align
from fleetplan.output.ink import Ink
from fleetplan.output.sentences import clock
from fleetplan.rollout.columns import KIND_CODE, StepColumns
from fleetplan.rollout.plan import Pin, Plan, StepId, StepKind
from fleetplan.tui.table.model import Field, Table, Worded


def pin_table(plan: Plan | None, steps: StepColumns | None) -> Table:
    """A row for each pin, those that take something promised first. Filters look for words in the names of guests."""
    pins = ordered(plan)
    since = _since(steps) if steps is not None else {}
    waves = np.array([since.get(pin.effective, (0, 0))[0] for pin in pins], np.int64)
    times = np.array([since.get(pin.effective, (0, 0))[1] for pin in pins], np.int64)
    return Table(
        fields=(
            Field(key="guest", title="guest", values=[pin.guest for pin in pins], least=8),
            Field(key="psci", title="PSCI", values=[pin.psci for pin in pins]),
            Field(key="wave", title="wave", values=Worded(waves, str), rank=waves, width=4, align=Align.RIGHT),
            Field(key="since", title="counts from", values=Worded(times, clock), rank=times, width=11, align=Align.RIGHT),
            Field(key="breaks", title="takes", values=[", ".join(pin.breaks) for pin in pins], inks=Ink.STRIPS, rest=2),
            Field(key="cost", title="cost", values=[pin.cost for pin in pins], least=12, rest=3),
            Field(key="why", title="why", values=[pin.reason for pin in pins], inks=Ink.FAINT, least=20, rest=4),
        ),
        rows=len(pins),
        names=("guest",),
        risky=np.array([bool(pin.breaks) for pin in pins], np.bool_),
    )


def ordered(plan: Plan | None) -> tuple[Pin, ...]:
    """The pins of a plan as the table has them."""
    return tuple(sorted(plan.pins, key=lambda pin: not pin.breaks)) if plan is not None else ()


def _since(steps: StepColumns) -> dict[StepId, tuple[int, int]]:
    """Of each cold boot, its wave and when it begins: from then on its pin counts."""
    rows = np.flatnonzero(steps.kind == KIND_CODE[StepKind.START])
    places = zip(steps.wave[rows].tolist(), steps.start_s[rows].tolist(), strict=True)
    return dict(zip(steps.ids(rows), places, strict=True))
