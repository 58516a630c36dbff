"""Reasons of verdicts as sentences."""

from __future__ import annotations

from fleetplan.migration.verdict import Reason


def reason_sentence(reason: Reason) -> str:
    """What happens and why, in one sentence."""
    return str(reason.kind)
