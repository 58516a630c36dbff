"""What `next` says where it has no wave to give, as JSON. A wave is a plan, and written as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleetplan.follow.next import Finished, NoWave
from fleetplan.output.json_text import encode
from fleetplan.rollout.part import TO_APPROVE, Waiting


def finished_json(outcome: Finished) -> bytes:
    """`status` `FINISHED`, `target`, and the dead hosts in `waiting`."""
    return encode({"version": 1, "status": "FINISHED", "target": outcome.target, "waiting": [*map(_waiting, outcome.waiting)]})


def no_wave_json(outcome: NoWave) -> bytes:
    """`status` `WAITING`, and what for."""
    return encode(
        {
            "version": 1,
            "status": "WAITING",
            "approved": outcome.approved,
            "target": outcome.target,
            "other_target": outcome.other_target,
            "shut": outcome.shut,
            "waiting": [*map(_waiting, outcome.waiting)],
            "other_order": outcome.other_order,
        }
    )


def _waiting(each: Waiting) -> Mapping[str, Any]:
    return {"host": each.host, "why": each.why, "guests": each.guests, "what": each.what, "to_approve": each.why in TO_APPROVE}
