"""Times of the week, as they are typed: `Tue 22:00`, in UTC."""

from __future__ import annotations

import re
from typing import Any

import click

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class WeekTimeType(click.ParamType[int]):
    """`DAY HH:MM`, as minutes after Monday 00:00 UTC."""

    name = "DAY HH:MM"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """A day in three letters, in any case, and a time of day."""
        if isinstance(value, int):
            return value
        match = re.fullmatch(r"([a-z]{3})\s+([01]\d|2[0-3]):([0-5]\d)", str(value).strip().lower(), re.ASCII)
        if match is None or match[1] not in DAYS:
            days = ", ".join(day.capitalize() for day in DAYS)
            self.fail(f"`{value}` is no time of the week: it takes a day ({days}) and a time in UTC, such as `Tue 22:00`", param, ctx)
        return (DAYS.index(match[1]) * 24 + int(match[2])) * 60 + int(match[3])
