"""A digest of what an inventory says: of its canonical facts, not of the bytes of its files."""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from fleetplan.fleet.model import Fleet
from fleetplan.fleet.source import Location
from fleetplan.fleet.table import OWN, GuestTable

NOT_FACTS = frozenset({"at", "overrides"})
"""Where something stands, and what it replaced, says nothing about the fleet."""


def inventory_digest(fleet: Fleet) -> str:
    """`sha256:` and 64 hex digits; equal for inventories that say the same, however they are written. O(hosts + guests).

    Every guest must be on a host of the fleet.
    """
    digest = hashlib.sha256()
    for piece in _pieces(fleet):
        digest.update(piece)
        digest.update(b"\n")
    return f"sha256:{digest.hexdigest()}"


def _pieces(fleet: Fleet) -> Iterator[bytes | memoryview]:
    encoder = msgspec.json.Encoder(order="deterministic")
    known: dict[int, Any] = {}
    for field in fleet.__struct_fields__:
        value = getattr(fleet, field)
        if field == "hosts":
            for record in value:
                yield encoder.encode(_record(record, known))
        elif field == "guests":
            yield from _columns(value, {host.name: place for place, host in enumerate(fleet.hosts)})
        elif field not in NOT_FACTS:
            yield encoder.encode([field, _canonical(value, known)])


def _columns(guests: GuestTable, hosts: Mapping[str, int]) -> Iterator[bytes | memoryview]:
    """Guests column by column. Names and templates are numbered anew, since a table may number them in any order and name too many."""
    groups = sorted({guests.group_names[number] for number in set(guests.group) if number >= 0})
    of_group = {name: place for place, name in enumerate(groups)}
    templates = [msgspec.json.encode(_record(template, {}, OWN)).decode() for template in guests.templates]
    used = list(dict.fromkeys(map(templates.__getitem__, dict.fromkeys(guests.template))))
    of_template = {text: place for place, text in enumerate(used)}
    yield msgspec.json.encode(["guests", len(guests), groups, used])
    yield guests.names.text.encode()
    yield _bytes(guests.names.ends)
    yield _bytes(_mapped(guests.on, [hosts[name] for name in guests.host_names]))
    yield _bytes(guests.sizes)
    yield _bytes(_mapped(guests.group, [*(of_group.get(name, -1) for name in guests.group_names), -1]))
    yield _bytes(guests.dirty_rate_mib_s)
    yield _bytes(_mapped(guests.template, [of_template.get(text, -1) for text in templates]))


def _mapped(column: array[int], numbers: list[int]) -> array[int]:
    return array(column.typecode, map(numbers.__getitem__, column))


def _bytes(column: array[int]) -> memoryview:
    """A column as 64-bit numbers, the low byte first, on every machine."""
    wide = array("q", column)
    if sys.byteorder == "big":
        wide.byteswap()
    return memoryview(wide)


@cache
def _defaults(kind: type[msgspec.Struct]) -> tuple[tuple[str, Any], ...]:
    """Every field that is a fact, with its default: a key that is not given says nothing, so a new key changes no digest."""
    return tuple((field.name, field.default) for field in msgspec.structs.fields(kind) if field.name not in NOT_FACTS)


def _canonical(value: Any, known: dict[int, Any]) -> Any:
    """What a value states, without places. Records that many others share are worked out once."""
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, Location):
        return None
    if isinstance(value, msgspec.Struct):
        key = id(value)
        if key not in known:
            known[key] = _record(value, known)
        return known[key]
    if isinstance(value, Mapping):
        return sorted([str(key), _canonical(item, known)] for key, item in value.items())
    if isinstance(value, tuple):
        return [_canonical(item, known) for item in value]
    return value


def _record(record: msgspec.Struct, known: dict[int, Any], left_out: frozenset[str] = frozenset()) -> list[Any]:
    """Every field that is a fact and not its default."""
    stated = [(name, own) for name, default in _defaults(type(record)) if (own := getattr(record, name)) != default]
    return [[name, own if isinstance(own, (str, int)) else _canonical(own, known)] for name, own in stated if name not in left_out]
