"""The views there are: a row for each, in the order of their keys. A new view is a folder and a row."""

from __future__ import annotations

import msgspec

from fleetplan.tui.frame.heading import Tab
from fleetplan.tui.frame.view import View
from fleetplan.tui.moves.view import MovesView


class Row(msgspec.Struct, frozen=True):
    """A view: its name in jumps, its class, and its key (none: it is about one thing, and is gone into)."""

    name: str
    view: type[View]
    key: str = ""


ROWS: tuple[Row, ...] = (Row("moves", MovesView, "1"),)

TABS: tuple[Tab, ...] = tuple(Tab(row.key, row.name, row.view.title) for row in ROWS if row.key)

FIRST = ROWS[0].name
