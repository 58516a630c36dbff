"""Exit codes, the same for every command and format."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a command's exit code means."""

    CLEAN = 0
    FINDINGS = 1
    """Findings at or above `--fail-on`."""
    USAGE = 2
    """Wrong usage, or input that cannot be read or is invalid."""
    NO_PLAN = 3
    """No safe plan exists."""
    REFUTED = 4
    """The judge refutes the plan, or the plan is not for this fleet."""
    BUG = 70
    """A bug in fleetplan."""
    INTERRUPTED = 130
