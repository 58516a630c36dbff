"""Plans as JSON text, piece by piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from fleetplan.fleet.model import GuestName, HostName
from fleetplan.rollout.plan import Infeasible, Plan, PlanStatus, Wave

MOST_INDENTED = 20_000
"""Plans with more steps than this are written without indentation."""
AT_ONCE = 1024
"""Steps, or guests, that are turned into text at a time."""


def encode_plan(outcome: Plan | Infeasible) -> bytes:
    """The JSON of a plan, or of why there is none; ends with a newline. Deterministic: equal plans are equal bytes."""
    return b"".join(plan_pieces(outcome))


def plan_pieces(outcome: Plan | Infeasible) -> Iterator[bytes]:
    """The same bytes piece by piece: of a plan with a million steps, only some thousand are in memory at a time as text."""
    if isinstance(outcome, Infeasible):
        document: Any = {
            "version": outcome.version,
            "inventory_digest": outcome.inventory_digest,
            "target": outcome.target,
            "status": PlanStatus.INFEASIBLE,
            "proved": outcome.proved,
            "causes": outcome.causes,
            "remedies": outcome.remedies,
        }
        yield msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    elif sum(len(wave.steps) for wave in outcome.waves) <= MOST_INDENTED:
        yield msgspec.json.format(b"".join(_compact(outcome)), indent=2) + b"\n"
    else:
        yield from _compact(outcome)
        yield b"\n"


def _compact(plan: Plan) -> Iterator[bytes]:
    """A plan without blanks, as `msgspec.json.encode` would write it."""
    for number, name in enumerate(plan.__struct_fields__):
        yield b'%s"%s":' % (b"," if number else b"{", name.encode())
        if name == "waves":
            yield from _joined(b"[", map(_wave, plan.waves), b"]")
        elif name == "placement":
            yield from placement_pieces(plan.placement)
        else:
            yield msgspec.json.encode(getattr(plan, name))
    yield b"}"


def _wave(wave: Wave) -> Iterator[bytes]:
    yield b'{"number":%d,"hosts":%s,"steps":' % (wave.number, msgspec.json.encode(wave.hosts))
    chunks = (msgspec.json.encode(wave.steps[first : first + AT_ONCE])[1:-1] for first in range(0, len(wave.steps), AT_ONCE))
    yield from _joined(b"[", ([chunk] for chunk in chunks), b"]}")


def placement_pieces(placement: Mapping[GuestName, HostName]) -> Iterator[bytes]:
    """The JSON of a placement, piece by piece."""
    pairs = iter(placement.items())
    chunks = iter(lambda: dict(islice(pairs, AT_ONCE)), {})
    yield from _joined(b"{", ([msgspec.json.encode(chunk)[1:-1]] for chunk in chunks), b"}")


def _joined(opening: bytes, parts: Iterable[Iterable[bytes]], closing: bytes) -> Iterator[bytes]:
    """Parts of several pieces each, with commas between the parts."""
    yield opening
    for number, part in enumerate(parts):
        if number:
            yield b","
        yield from part
    yield closing
