"""The language of risk: a glyph, a word and an ink for every verdict, and for what a host or a guest is in. One place for all output.

Glyph and word say everything; the ink only says it faster.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

import msgspec

from fleetplan.fleet.model import HostState
from fleetplan.migration.exposure import Exposure
from fleetplan.migration.reasons import Verdict
from fleetplan.output.document import Tone
from fleetplan.output.ink import Ink, Line, Span


class Sign(msgspec.Struct, frozen=True):
    """How something is told: `✗ FAILS` in its ink. `means` is a sentence for legends and help."""

    glyph: str
    word: str
    ink: Ink
    means: str = ""

    @property
    def text(self) -> str:
        """Glyph and word."""
        return f"{self.glyph} {self.word}"

    @property
    def span(self) -> Span:
        """Glyph and word, inked."""
        return Span(self.text, self.ink)

    @property
    def mark(self) -> Span:
        """The glyph alone, inked."""
        return Span(self.glyph, self.ink)


VERDICTS: Mapping[Verdict, Sign] = {
    Verdict.SAFE: Sign("✓", "SAFE", Ink.SAFE, "the guest sees what it saw"),
    Verdict.CHANGES: Sign("≈", "CHANGES", Ink.CHANGES, "nothing promised is lost"),
    Verdict.STRIPS: Sign("▽", "STRIPS", Ink.STRIPS, "something promised is lost without an error"),
    Verdict.UNKNOWN: Sign("?", "UNKNOWN", Ink.UNKNOWN, "facts are missing"),
    Verdict.FAILS: Sign("✗", "FAILS", Ink.FAILS, "refused; the guest stays on the source"),
}
"""The least harmful first, as verdicts are."""

RESTART = Sign("↻", "RESTART", Ink.STRIPS, "stopped and started in place: no migration")


EXPOSURES: Mapping[Exposure, Sign] = {
    Exposure.NOT_NEEDED: Sign("·", "not needed", Ink.FAINT, "the CPU is not affected"),
    Exposure.PROTECTED: Sign("✓", "protected", Ink.SAFE, "by its host, by itself, or by calls that it makes"),
    Exposure.STALE: Sign("◔", "stale", Ink.STRIPS, "booted before it could find what its host gives; a warm reboot heals it"),
    Exposure.HIDDEN: Sign("⊘", "hidden", Ink.CHANGES, "what it carries keeps it from finding what its host gives"),
    Exposure.STRIPPED: Sign("▽", "stripped", Ink.STRIPS, "it had the mitigation and lost it on a hop"),
    Exposure.EXPOSED: Sign("✗", "exposed", Ink.FAILS, "its host does not give the mitigation"),
    Exposure.UNKNOWN: Sign("?", "unknown", Ink.UNKNOWN, "facts are missing"),
}
"""What a guest is to a flaw."""


class Stand(Enum):
    """Where a host is on its way."""

    TO_DO = "to do"
    DRAINING = "draining"
    AWAY = "away"
    DONE = "upgraded"
    LEFT = "left as it is"
    CORDONED = "cordoned"
    HELD = "held"
    LOST = "lost"


STANDS: Mapping[Stand, Sign] = {
    Stand.TO_DO: Sign("○", "to do", Ink.PLAIN, "on the old release"),
    Stand.DRAINING: Sign("◐", "draining", Ink.UNKNOWN, "cordoned, its guests leave"),
    Stand.AWAY: Sign("◇", "away", Ink.STRIPS, "reboots into the target release"),
    Stand.DONE: Sign("●", "upgraded", Ink.SAFE, "on the target release"),
    Stand.LEFT: Sign("─", "left as it is", Ink.FAINT, "the plan does not upgrade it"),
    Stand.CORDONED: Sign("◌", "cordoned", Ink.UNKNOWN, "takes no guests"),
    Stand.HELD: Sign("■", "held", Ink.UNKNOWN, "a step failed on it; a person must look"),
    Stand.LOST: Sign("✗", "lost", Ink.FAILS, "down or lost: counts as unavailable"),
}

OUT: Mapping[HostState, Stand] = {
    HostState.CORDONED: Stand.CORDONED,
    HostState.UPGRADING: Stand.AWAY,
    HostState.DOWN: Stand.LOST,
    HostState.LOST: Stand.LOST,
    HostState.HELD: Stand.HELD,
}
"""States of the inventory that say more than whether a host is upgraded."""

TONES: Mapping[Tone, Ink] = {
    Tone.PLAIN: Ink.PLAIN,
    Tone.GOOD: Ink.SAFE,
    Tone.CAUTION: Ink.STRIPS,
    Tone.BAD: Ink.FAILS,
    Tone.FAINT: Ink.FAINT,
}
"""Tones of documents as inks."""


def legend() -> str:
    """All verdicts in one line of text."""
    return ". ".join(f"{sign.text}: {sign.means}" for sign in VERDICTS.values())


_WORDS = re.compile(rf"(?:[{re.escape(''.join(sign.glyph for sign in VERDICTS.values()))}] )?\b({'|'.join(VERDICTS)})\b")


def told(text: str, ink: Ink = Ink.PLAIN) -> Line:
    """A line of text in one ink, but for the words of verdicts, which have their own."""
    if ink is not Ink.PLAIN:
        return (Span(text, ink),)
    spans, end = [], 0
    for found in _WORDS.finditer(text):
        if found.start() > end:
            spans.append(Span(text[end : found.start()]))
        spans.append(Span(found[0], VERDICTS[Verdict(found[1])].ink))
        end = found.end()
    return (*spans, Span(text[end:])) if end < len(text) else tuple(spans)
