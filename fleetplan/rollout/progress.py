"""How long work says how far it is, and is told to stop."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """What long work announces. It never prints."""

    def report(self, stage: str, done: int, total: int) -> None:
        """So much of a stage is done; `total` 0: nobody knows of how much."""

    @property
    def cancelled(self) -> bool:
        """Whether somebody wants the work to stop."""


class CancelledError(Exception):
    """The work was told to stop."""


def announce(progress: Progress | None, stage: str, done: int = 0, total: int = 0) -> None:
    """Report, if anybody listens. Raises CancelledError if the work is to stop."""
    if progress is not None:
        progress.report(stage, done, total)
        if progress.cancelled:
            raise CancelledError
