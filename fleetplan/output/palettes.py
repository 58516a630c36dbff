"""The colours of inks: a dark, a light and an ANSI palette.

Every ink has a contrast of at least 4.5:1 (WCAG 2.2, 1.4.3) on every ground of its palette, and the risk inks stay apart for eyes that do
not tell red from green: a test measures both. The ANSI palette takes whatever colours the terminal has, and marks by shape as well.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from fleetplan.output.ink import Ink


class Palette(msgspec.Struct, frozen=True, kw_only=True):
    """Colours as `#rrggbb`, or (`ansi`) as names of the sixteen.

    `grounds` are behind text: the screen, raised bars, and the line of the cursor.
    """

    name: str
    dark: bool
    ansi: bool = False
    screen: str
    raised: str
    cursor: str
    inks: Mapping[Ink, str]

    @property
    def grounds(self) -> tuple[str, ...]:
        """Everything that text stands on."""
        return self.screen, self.raised, self.cursor


DARK = Palette(
    name="fleetplan-dark",
    dark=True,
    screen="#0f1318",
    raised="#1b222b",
    cursor="#22384f",
    inks={
        Ink.PLAIN: "#d5dce4",
        Ink.FAINT: "#a0acba",
        Ink.STRONG: "#f2f5f8",
        Ink.HEAD: "#9cc9ff",
        Ink.LIT: "#ffffff",
        Ink.SAFE: "#3fcf9e",
        Ink.CHANGES: "#58a8f8",
        Ink.STRIPS: "#f2bd45",
        Ink.UNKNOWN: "#f7c6ff",
        Ink.FAILS: "#ff8660",
    },
)

LIGHT = Palette(
    name="fleetplan-light",
    dark=False,
    screen="#fcfcfa",
    raised="#eceeea",
    cursor="#dcebfa",
    inks={
        Ink.PLAIN: "#1d2329",
        Ink.FAINT: "#4c5762",
        Ink.STRONG: "#000000",
        Ink.HEAD: "#0b4a86",
        Ink.LIT: "#000000",
        Ink.SAFE: "#056055",
        Ink.CHANGES: "#062c75",
        Ink.STRIPS: "#8f5a02",
        Ink.UNKNOWN: "#af13bd",
        Ink.FAILS: "#72110b",
    },
)

ANSI = Palette(
    name="fleetplan-ansi",
    dark=True,
    ansi=True,
    screen="default",
    raised="default",
    cursor="default",
    inks={
        Ink.PLAIN: "default",
        Ink.FAINT: "default",
        Ink.STRONG: "default",
        Ink.HEAD: "default",
        Ink.LIT: "default",
        Ink.SAFE: "green",
        Ink.CHANGES: "blue",
        Ink.STRIPS: "yellow",
        Ink.UNKNOWN: "magenta",
        Ink.FAILS: "red",
    },
)

PALETTES = (DARK, LIGHT, ANSI)

BOLD = frozenset({Ink.STRONG, Ink.HEAD, Ink.LIT, Ink.FAILS})
"""Inks that show without colour too."""
