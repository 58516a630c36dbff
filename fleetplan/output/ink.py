"""Lines of coloured text as values: what a screen shows, before any terminal is asked.

An ink says what a piece of text means, never how it looks; `output.palettes` gives each ink its colours.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple


class Ink(Enum):
    """What a piece of text means. The risk inks are those of verdicts, and of whatever is as good or as bad."""

    PLAIN = auto()
    FAINT = auto()
    STRONG = auto()
    HEAD = auto()
    """Headings, and the names of columns."""
    LIT = auto()
    """What the eye is led to: the critical path, the playhead."""
    SAFE = auto()
    CHANGES = auto()
    STRIPS = auto()
    UNKNOWN = auto()
    FAILS = auto()


class Span(NamedTuple):
    """A piece of a line."""

    text: str
    ink: Ink = Ink.PLAIN


Line = tuple[Span, ...]


def plain(line: Line) -> str:
    """The text of a line."""
    return "".join(span.text for span in line)


def length(line: Line) -> int:
    """Characters of a line."""
    return sum(len(span.text) for span in line)


def padded(line: Line, width: int) -> Line:
    """The line in exactly so many characters: cut short, or filled up with blanks."""
    left = width
    spans = []
    for span in line:
        if left <= 0:
            break
        text = span.text if len(span.text) <= left else f"{span.text[: left - 1]}…"
        spans.append(span if text is span.text else Span(text, span.ink))
        left -= len(text)
    return (*spans, Span(" " * left)) if left > 0 else tuple(spans)


def beside(left: Line, width: int, right: Line) -> Line:
    """Two lines as one: the right one begins after so many characters."""
    return (*padded(left, width), *right)
