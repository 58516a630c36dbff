"""Small pieces of prose that several views share."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str) -> str:
    """`1 host`, `2 hosts`, `no moves`, `12,290 guests`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}s" if number else f"no {noun}s"


def clock(seconds: int) -> str:
    """A duration or a time from the start as h:mm:ss (`0:05:10`)."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def week_time(minutes: int) -> str:
    """A time of the week, given in minutes after Monday 00:00 UTC, as `Tue 22:00 UTC`."""
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')[day]} {hour:02}:{minute:02} UTC"


def listed(names: Sequence[str], most: int = 6) -> str:
    """Names with commas; beyond `most` their number."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
