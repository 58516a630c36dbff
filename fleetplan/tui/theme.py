"""Themes of the terminal UI, made from the palettes of the output: what an ink looks like on this terminal."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from rich.style import Style
from textual.theme import Theme

from fleetplan.output.ink import Ink
from fleetplan.output.palettes import ANSI, BOLD, DARK, LIGHT, PALETTES, UNDERLINED, Palette

NAMES: Mapping[str, Palette] = {"dark": DARK, "light": LIGHT, "ansi": ANSI}
"""What people call the themes."""

BY_THEME: Mapping[str, Palette] = {palette.name: palette for palette in PALETTES}


@lru_cache(maxsize=len(PALETTES))
def styles(theme: str) -> Mapping[Ink, Style]:
    """The style of every ink under a theme (an unknown theme is shown in the dark palette)."""
    palette = BY_THEME.get(theme, DARK)
    return {
        ink: Style(color=colour, bold=ink in BOLD, underline=ink in UNDERLINED, dim=palette.ansi and ink is Ink.FAINT)
        for ink, colour in palette.inks.items()
    }


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
    screen, raised, cursor = _named(palette.screen), _named(palette.raised), _named(palette.cursor)
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
            "faint": inks[Ink.FAINT],
            "footer-key-foreground": inks[Ink.HEAD],
            "footer-description-foreground": inks[Ink.PLAIN],
            "footer-background": raised,
            "footer-item-background": raised,
            "footer-key-background": raised,
            "footer-description-background": raised,
            "block-cursor-background": "ansi_white" if palette.ansi else cursor,
            "block-cursor-foreground": "ansi_black" if palette.ansi else inks[Ink.STRONG],
            "border": inks[Ink.HEAD],
            "border-blurred": "ansi_default" if palette.ansi else palette.cursor,
            "scrollbar": "ansi_default" if palette.ansi else palette.cursor,
            "scrollbar-background": raised,
            "scrollbar-corner-color": raised,
            "scrollbar-background-hover": raised,
            "scrollbar-background-active": raised,
        },
    )


def _named(colour: str) -> str:
    """As Textual names it: the sixteen have a prefix."""
    return colour if colour.startswith("#") else f"ansi_{colour}"
