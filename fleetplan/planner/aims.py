"""What a plan should be besides safe: how few waves, at the cost of how many moves, and how long to look for it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Effort(StrEnum):
    """How long a search looks for a shorter plan. The number of moves does not depend on it."""

    FAST = "fast"
    DEFAULT = "default"
    BEST = "best"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aims:
    """Without a number: as few moves as can be found.

    `max_waves`: moves may be spent until there are no more waves than this. `max_extra_moves`: so many moves above the fewest may be spent
    to save time.
    """

    max_waves: int | None = None
    max_extra_moves: int | None = None
    effort: Effort = Effort.DEFAULT


FEWEST_MOVES = Aims()
