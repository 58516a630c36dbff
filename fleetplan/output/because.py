"""What a finding follows from, in words: a judgment, why there is no plan, what the judge holds against one, why a host waits."""

from __future__ import annotations

from typing import assert_never

from fleetplan.migration.reasons import Judgment
from fleetplan.output.reasons import reason_sentence
from fleetplan.output.views.next import waiting_sentence
from fleetplan.output.views.refusal import cause_sentence, violation_sentence
from fleetplan.rollout.invariants import Violation
from fleetplan.rollout.part import Waiting
from fleetplan.rollout.plan import Cause


def because_sentence(found: Judgment | Cause | Violation | Waiting) -> str:
    """One sentence without a full stop: the first reason of a judgment, a cause with the first that is behind it."""
    match found:
        case Judgment():
            return reason_sentence(found.reasons[0]) if found.reasons else f"{found.verdict.value} at {found.stage.value}"
        case Cause():
            chain = [found]
            while chain[-1].because:
                chain.append(chain[-1].because[0])
            return ": ".join(map(cause_sentence, chain))
        case Violation():
            return violation_sentence(found)
        case Waiting():
            return waiting_sentence(found)
        case _:
            assert_never(found)
