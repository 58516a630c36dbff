"""The views there are: a row for each, in the order of their keys. A new view is a folder and a row."""

from __future__ import annotations

import msgspec

from fleetplan.tui.exposure.view import ExposureView
from fleetplan.tui.fleet.view import FleetView
from fleetplan.tui.frame.heading import Tab
from fleetplan.tui.frame.view import View
from fleetplan.tui.guest.view import GuestView
from fleetplan.tui.host.view import HostView
from fleetplan.tui.matrix.view import MatrixView
from fleetplan.tui.moves.view import MovesView
from fleetplan.tui.pins.view import PinsView
from fleetplan.tui.waves.view import WavesView
from fleetplan.tui.whatif.view import WhatIfView


class Row(msgspec.Struct, frozen=True):
    """A view: its name in jumps, its class, and its key (none: it is about one thing, and is gone into)."""

    name: str
    view: type[View]
    key: str = ""


ROWS: tuple[Row, ...] = (
    Row("moves", MovesView, "1"),
    Row("fleet", FleetView, "2"),
    Row("waves", WavesView, "3"),
    Row("matrix", MatrixView, "4"),
    Row("pins", PinsView, "5"),
    Row("exposure", ExposureView, "6"),
    Row("what-if", WhatIfView, "7"),
    Row("guest", GuestView),
    Row("host", HostView),
)

TABS: tuple[Tab, ...] = tuple(Tab(row.key, row.name, row.view.title) for row in ROWS if row.key)

FIRST = ROWS[0].name
