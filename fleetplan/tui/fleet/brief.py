"""A host in short: what it is, how full, when its turn comes, and what leaves it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from fleetplan.output.document import Block, Bullets, Document, Paragraph, Section
from fleetplan.output.sentences import clock, counted
from fleetplan.tui.fleet.picture import Picture
from fleetplan.tui.moves.landings import RISKS, counts
from fleetplan.tui.situation import Situation


def brief_document(situation: Situation, picture: Picture, host: int) -> Document:
    """What stands beside the map."""
    return Document((Section("", tuple(_lines(situation, picture, host))),))


def _lines(situation: Situation, picture: Picture, host: int) -> Iterator[Block]:
    record, sign = situation.study.fleet.hosts[host], picture.sign(host)
    where = f"zone {record.zone}, rack {record.rack}, pool {record.pool}"
    yield Paragraph(f"{record.name}  {sign.text}: {sign.means}")
    yield Paragraph(f"{record.release}; {where}")
    vcpus, memory = picture.used[host].tolist()
    size = f"{vcpus:,} of {record.vcpus:,} vCPUs, {memory / 1024:g} of {record.memory_mib / 1024:g} GiB"
    yield Paragraph(f"{counted(int(picture.guests[host]), 'guest')}: {size}")
    turn = situation.journey.turn(host)
    if turn is not None:
        yield Paragraph(f"wave {turn.wave}: drains from {clock(turn.cordon_s)}, away from {clock(turn.away_s)} until {clock(turn.back_s)}")
    yield from _leaving(situation, host)


def _leaving(situation: Situation, host: int) -> Iterator[Block]:
    found = situation.landings
    leaving = np.flatnonzero(found.source == host)
    points = [
        (0, f"{sign.text}: {counted(count, 'guest')}")
        for sign, count in reversed(list(zip(RISKS, counts(found.risk[leaving]), strict=True)))
        if count
    ]
    if points:
        yield Paragraph("What becomes of its guests" if found.planned else "What would become of its guests")
        yield Bullets(tuple(points))
