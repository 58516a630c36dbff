"""The map of hosts: a block for each zone, a row of cells for each rack; cells are cards while they fit, else two characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

import msgspec
import numpy as np

from fleetplan.output.ink import Ink, Line, Span
from fleetplan.output.risk import STANDS
from fleetplan.output.sentences import counted
from fleetplan.rollout.columns import FleetColumns, Ints, Numbers
from fleetplan.tui.fleet.picture import ORDER, Picture
from fleetplan.tui.moves.landings import RISKS, SAFE

BAR = 8
"""Characters of a card's bar."""
LONGEST_NAME = 18
MOST_CARDS = 400
"""More hosts than this are shown as cells."""
LEVELS = "▁▂▃▄▅▆▇█"
RACK = 10
"""Characters for the name of a rack."""
NEARLY_FULL = 0.9


class Strip(msgspec.Struct, frozen=True):
    """A line of cells: hosts of one rack, or (no hosts) the heading of a zone. `label` is the rack's name on its first line."""

    zone: int
    hosts: tuple[int, ...] = ()
    label: str = ""


class Map(msgspec.Struct, frozen=True, kw_only=True, dict=True, eq=False):
    """The lines of a map. `cell` is how wide a cell is; `name` how wide a host's name (0: cells without names)."""

    columns: FleetColumns
    strips: tuple[Strip, ...]
    cell: int
    name: int
    places: dict[int, tuple[int, int]]
    """By host, the line and the place in it."""
    members: tuple[Numbers, ...]
    """By zone, the hosts that are shown."""

    def line(self, y: int, picture: Picture) -> Line:
        """A line of the map at a moment."""
        strip = self.strips[y]
        if not strip.hosts:
            return tuple(_zone_line(self.columns, strip.zone, self.members[strip.zone], picture))
        spans = [Span(f"{strip.label:<{RACK}.{RACK}}", Ink.FAINT)]
        for host in strip.hosts:
            spans += _card(self, host, picture) if self.name else _cell(self.columns, host, picture)
        return tuple(spans)

    def span(self, host: int) -> tuple[int, int, int]:
        """The line of a host's cell, and the characters from and to which it goes."""
        y, place = self.places[host]
        start = RACK + place * self.cell
        return y, start, start + self.cell - 1

    def at(self, y: int, x: int) -> int | None:
        """The host that is shown there."""
        if not 0 <= y < len(self.strips):
            return None
        hosts, place = self.strips[y].hosts, (x - RACK) // self.cell
        return hosts[place] if 0 <= place < len(hosts) else None

    def step(self, host: int, down: int, right: int) -> int:
        """The host next to one: in its line and on to the next, or below and above."""
        y, place = self.places[host]
        if right:
            order = list(self.places)
            return order[min(max(order.index(host) + right, 0), len(order) - 1)]
        lines = [number for number, strip in enumerate(self.strips) if strip.hosts]
        goal = self.strips[lines[min(max(lines.index(y) + down, 0), len(lines) - 1)]].hosts
        return goal[min(place, len(goal) - 1)]


def fleet_map(columns: FleetColumns, shown: Ints, width: int) -> Map:
    """The map of some hosts in a width. O(hosts log hosts)."""
    hosts = columns.hosts
    cards = len(shown) <= MOST_CARDS
    name = min(max((len(hosts.names[host]) for host in shown.tolist()), default=1), LONGEST_NAME) if cards else 0
    cell = name + BAR + 11 if cards else 3
    across = max((width - RACK) // cell, 1)
    order = shown[np.lexsort((shown, hosts.rack[shown], hosts.zone[shown]))].tolist()
    strips = tuple(_strips(columns, order, across))
    places = {host: (y, place) for y, strip in enumerate(strips) for place, host in enumerate(strip.hosts)}
    members = tuple(shown[hosts.zone[shown] == zone] for zone in range(len(hosts.zone_names)))
    return Map(columns=columns, strips=strips, cell=cell, name=name, places=places, members=members)


def _strips(columns: FleetColumns, order: Sequence[int], across: int) -> Iterator[Strip]:
    hosts = columns.hosts
    zones, racks = hosts.zone.tolist(), hosts.rack.tolist()
    for zone, of_zone in groupby(order, key=zones.__getitem__):
        yield Strip(zone)
        for rack, group in groupby(of_zone, key=racks.__getitem__):
            members = tuple(group)
            for first in range(0, len(members), across):
                yield Strip(zone, members[first : first + across], hosts.rack_names[rack] if not first else "")


def _zone_line(columns: FleetColumns, zone: int, members: Numbers, picture: Picture) -> Iterator[Span]:
    """`zone a  4 hosts  ● 2 upgraded  ○ 2 to do  vCPUs ▰▰▰▱ 63 %`."""
    yield Span(f"zone {columns.hosts.zone_names[zone]}", Ink.HEAD)
    yield Span(f"  {counted(len(members), 'host')}", Ink.STRONG)
    counts = np.bincount(picture.stand[members], minlength=len(ORDER)).tolist()
    for number, count in enumerate(counts):
        if count:
            sign = STANDS[ORDER[number]]
            yield Span(f"  {sign.glyph} {count:,} {sign.word}", sign.ink)
    for word, kind in (("vCPUs", 0), ("memory", 1)):
        share = _share(int(picture.used[members, kind].sum()), int(columns.hosts.size[members, kind].sum()))
        yield Span(f"  {word} ", Ink.FAINT)
        yield from bar(share, BAR)
        yield Span(f" {share:.0%}", _full(share))


def _card(found: Map, host: int, picture: Picture) -> Iterator[Span]:
    sign, share = picture.sign(host), fill(found.columns, host, picture)
    risk = RISKS[int(picture.risk[host])]
    name = found.columns.hosts.names[host]
    yield Span(f"{sign.glyph} ", sign.ink)
    yield Span(f"{_short(name, found.name):<{found.name}} ", Ink.PLAIN)
    yield from bar(share, BAR)
    yield Span(f"{int(picture.guests[host]):>4}", Ink.FAINT)
    yield Span(f" {risk.glyph}  " if picture.risk[host] > SAFE else "    ", risk.ink)


def _short(name: str, width: int) -> str:
    """The end of a long name tells hosts apart."""
    return name if len(name) <= width else f"…{name[1 - width :]}"


def _cell(columns: FleetColumns, host: int, picture: Picture) -> Iterator[Span]:
    sign, share = picture.sign(host), fill(columns, host, picture)
    risk = RISKS[int(picture.risk[host])]
    yield Span(sign.glyph, sign.ink)
    yield Span(f"{LEVELS[min(int(share * len(LEVELS)), len(LEVELS) - 1)]} ", risk.ink if picture.risk[host] > SAFE else Ink.FAINT)


def fill(columns: FleetColumns, host: int, picture: Picture) -> float:
    """How full a host is: the larger share of vCPUs and memory, of what is installed."""
    return max(_share(int(picture.used[host, kind]), int(columns.hosts.size[host, kind])) for kind in (0, 1))


def _share(used: int, size: int) -> float:
    return used / size if size else 0.0


def _full(share: float) -> Ink:
    return Ink.STRIPS if share > NEARLY_FULL else Ink.PLAIN


def bar(share: float, width: int) -> Iterator[Span]:
    """A bar that is so full."""
    full = min(round(share * width), width)
    if full:
        yield Span("▰" * full, _full(share))
    if full < width:
        yield Span("▱" * (width - full), Ink.FAINT)
