"""How two plans or inventories differ, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleetplan.follow.diff import Change, Changes
from fleetplan.output.json_text import encode
from fleetplan.output.views.diff import change_sentence


def diff_json(changes: Changes) -> bytes:
    """`of`, both `digests`, `to_approve` and `others`."""
    return encode(
        {
            "version": 1,
            "of": changes.of,
            "digests": {"before": changes.digests[0], "after": changes.digests[1]},
            "to_approve": [*map(_change, changes.to_approve)],
            "others": [*map(_change, changes.others)],
        }
    )


def _change(change: Change) -> Mapping[str, Any]:
    return {
        "kind": change.kind,
        "subject": change.subject,
        "before": change.before or None,
        "after": change.after or None,
        "message": change_sentence(change),
    }
