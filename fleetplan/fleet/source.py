"""Where a fact came from."""

from __future__ import annotations

import msgspec


class Location(msgspec.Struct, frozen=True, order=True, gc=False):
    """A place in a file that people or machines wrote.

    `line` and `column` count from 1. Line 0 means the whole file.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


NOWHERE = Location("")
"""For values that were made in memory and stand in no file."""
