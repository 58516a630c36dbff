"""JSON of `explain --plan`."""

from __future__ import annotations

import msgspec

from fleetplan.output.json_text import encode
from fleetplan.rollout.why import Story


def story_json(story: Story) -> bytes:
    """`host`, `guest`, `wave`, `skipped`, `last`, `moves`, `restart`, `waves` and `chain`."""
    return encode({"version": 1, **msgspec.to_builtins(story)})
