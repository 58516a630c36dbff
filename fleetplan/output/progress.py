"""How far long work is, in one line."""

from __future__ import annotations

from collections.abc import Mapping

from fleetplan.output.sentences import clock

STAGES: Mapping[str, str] = {
    "load": "reading the inventory",
    "plan file": "reading the plan",
    "classes": "sorting guests and hosts into classes",
    "waves": "planning: hosts in waves",
    "times": "timing the waves",
    "steps": "laying out the steps",
    "remedies": "trying what would help",
    "judge": "judging every step",
    "simulate": "rolling forward: hosts on the target",
    "write": "writing the plan",
    "cells": "planning the cells",
}
"""What is done in each stage that is announced."""

CELLS = 24
"""Characters of a bar."""


def progress_line(stage: str, done: int, total: int, elapsed_s: int, width: int) -> str:
    """Time, stage, and a bar where it is known of how much; cut to a width."""
    words = f"{clock(elapsed_s)}  {STAGES.get(stage, stage)}"
    if total > 0:
        share = min(max(done, 0), total)
        filled = CELLS * share // total
        words += f"  [{'#' * filled}{'.' * (CELLS - filled)}] {share:,} of {total:,}"
    return words[: max(width - 1, 0)]
