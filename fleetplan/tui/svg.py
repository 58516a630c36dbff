"""The screen as a picture that needs nothing from anywhere: no font is fetched."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.terminal_theme import TerminalTheme

from fleetplan.output.ink import Ink
from fleetplan.output.palettes import DARK, Palette
from fleetplan.tui.theme import BY_THEME

if TYPE_CHECKING:
    from textual.app import App

FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", "Fira Code", Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def picture(app: App[Any]) -> str:
    """The screen as SVG, modal pages included."""
    width, height = app.size
    console = Console(
        width=width,
        height=height,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
        record=True,
        legacy_windows=False,
        safe_box=False,
    )
    screens = app._background_screens  # noqa: SLF001 - what Textual's own screenshot draws; it has no public name
    console.print(app.screen._compositor.render_update(full=True, screen_stack=screens, simplify=True))  # noqa: SLF001 - as above
    return console.export_svg(title="fleetplan", theme=_terminal(BY_THEME.get(app.theme, DARK)), code_format=FORMAT, unique_id="fleetplan")


SIXTEEN = (Ink.FAINT, Ink.FAILS, Ink.SAFE, Ink.STRIPS, Ink.CHANGES, Ink.UNKNOWN, Ink.HEAD, Ink.PLAIN)
"""What stands for black, red, green, yellow, blue, magenta, cyan and white in a picture of a terminal with colours of its own."""


def _terminal(palette: Palette) -> TerminalTheme:
    shown = DARK if palette.ansi else palette
    colours = [_rgb(shown.inks[ink]) for ink in SIXTEEN]
    return TerminalTheme(_rgb(shown.screen), _rgb(shown.inks[Ink.PLAIN]), colours, colours)


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
