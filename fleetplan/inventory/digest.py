"""A digest of what an inventory says: of its canonical facts, not of the bytes of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from fleetplan.fleet.model import Fleet
from fleetplan.fleet.source import Location

NOT_FACTS = frozenset({"at", "overrides"})
"""Where something stands, and what it replaced, says nothing about the fleet."""


def inventory_digest(fleet: Fleet) -> str:
    """`sha256:` and 64 hex digits; equal for inventories that say the same, however they are written. O(hosts + guests)."""
    digest = hashlib.sha256()
    for piece in _pieces(fleet):
        digest.update(piece)
        digest.update(b"\n")
    return f"sha256:{digest.hexdigest()}"


def _pieces(fleet: Fleet) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder(order="deterministic")
    facts: dict[int, Any] = {}
    for field in fleet.__struct_fields__:
        value = getattr(fleet, field)
        if field in {"hosts", "guests"}:
            for record in value:
                yield encoder.encode(_canonical(record, facts))
        elif field not in NOT_FACTS:
            yield encoder.encode([field, _canonical(value, facts)])


@cache
def _defaults(kind: type[msgspec.Struct]) -> tuple[tuple[str, Any], ...]:
    """Every field that is a fact, with its default: a key that is not given says nothing, so a new key changes no digest."""
    return tuple((field.name, field.default) for field in msgspec.structs.fields(kind) if field.name not in NOT_FACTS)


def _canonical(value: Any, facts: dict[int, Any]) -> Any:
    """Records as lists of what they state, without places. Facts shared by many hosts are worked out once."""
    if isinstance(value, Location):
        return None
    if isinstance(value, msgspec.Struct):
        key = id(value)
        if key in facts:
            return facts[key]
        stated = ((name, getattr(value, name), default) for name, default in _defaults(type(value)))
        canonical = [[name, _canonical(own, facts)] for name, own, default in stated if own != default]
        if "registers" in value.__struct_fields__:
            facts[key] = canonical
        return canonical
    if isinstance(value, Mapping):
        return sorted([str(key), _canonical(item, facts)] for key, item in value.items())
    if isinstance(value, tuple):
        return [_canonical(item, facts) for item in value]
    return value
