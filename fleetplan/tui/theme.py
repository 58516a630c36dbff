"""Themes of the terminal UI, made from the palettes of the output: what an ink looks like on this terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from rich.style import Style
from rich.text import Text
from textual.theme import BUILTIN_THEMES, Theme

from fleetplan.output.ink import Ink, Line
from fleetplan.output.palettes import ANSI, BOLD, DARK, LIGHT, PALETTES, Palette
from fleetplan.output.printable import printable

NAMES: Mapping[str, Palette] = {"dark": DARK, "light": LIGHT, "ansi": ANSI}
"""What people call the themes."""

BY_THEME: Mapping[str, Palette] = {palette.name: palette for palette in PALETTES}


@lru_cache(maxsize=len(PALETTES))
def styles(theme: str) -> Mapping[Ink, Style]:
    """The style of every ink under a theme (an unknown theme is shown in the dark palette)."""
    palette = BY_THEME.get(theme, DARK)
    return {ink: Style(color=colour, bold=ink in BOLD, dim=palette.ansi and ink is Ink.FAINT) for ink, colour in palette.inks.items()}


@lru_cache(maxsize=2 * len(PALETTES))
def ground(theme: str, *, cursor: bool) -> Style:
    """What text stands on: the screen, or the line of the cursor (reversed where the terminal has its own colours)."""
    palette = BY_THEME.get(theme, DARK)
    if palette.ansi:
        return Style(reverse=True) if cursor else Style(bgcolor="default")
    return Style(bgcolor=palette.cursor if cursor else palette.screen)


def theme(palette: Palette) -> Theme:
    """A theme of Textual's from a palette: widgets that are not ours look alike."""
    inks = {ink: _named(colour) for ink, colour in palette.inks.items()}
    screen, raised = _named(palette.screen), _named(palette.raised)
    own = _own_colours() if palette.ansi else {"block-cursor-background": palette.cursor, "block-cursor-foreground": inks[Ink.STRONG]}
    edge = screen if palette.ansi else palette.cursor
    return Theme(
        name=palette.name,
        dark=palette.dark,
        ansi=palette.ansi,
        primary=inks[Ink.CHANGES],
        secondary=inks[Ink.HEAD],
        accent=inks[Ink.LIT],
        warning=inks[Ink.STRIPS],
        error=inks[Ink.FAILS],
        success=inks[Ink.SAFE],
        foreground=inks[Ink.PLAIN],
        background=screen,
        surface=screen,
        panel=raised,
        boost=raised,
        text_alpha=1.0,
        variables={
            **own,
            **dict.fromkeys(("footer-key-foreground", "border"), inks[Ink.HEAD]),
            **dict.fromkeys(("footer-foreground", "footer-description-foreground"), inks[Ink.PLAIN]),
            **dict.fromkeys(GROUNDS, raised),
            **dict.fromkeys(("scrollbar", "border-blurred"), edge),
        },
    )


GROUNDS = (
    "footer-background",
    "footer-item-background",
    "footer-key-background",
    "footer-description-background",
    "scrollbar-background",
    "scrollbar-background-hover",
    "scrollbar-background-active",
    "scrollbar-corner-color",
)
"""What Textual calls the grounds of bars."""


def _own_colours() -> Mapping[str, str]:
    """What Textual's theme with the terminal's colours sets beside its main ones."""
    return BUILTIN_THEMES["ansi-dark"].variables


def _named(colour: str) -> str:
    """As Textual names it: the sixteen have a prefix."""
    return colour if colour.startswith("#") else f"ansi_{colour}"


def rich_text(lines: Sequence[Line], theme: str) -> Text:
    """Lines of inked text as Rich has them."""
    inks = styles(theme)
    text = Text("\n", no_wrap=True, overflow="crop").join(
        Text.assemble(*((printable(part), inks[ink]) for part, ink in line)) for line in lines
    )
    text.no_wrap = True
    return text
