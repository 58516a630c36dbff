"""What a source is, what it can say, and how its bytes become a document: with limits, and without obeying anything in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec

from fleetplan.importers.xml import Element, parse_xml
from fleetplan.inventory.text import flaw

LARGEST = 256 << 20
"""Bytes of a source that are read; `kubectl get nodes` of 5,000 nodes is some 100 MiB."""

ARM64 = ("aarch64", "arm64")
"""Not a set, so that any JSON value may be looked for in it."""


class SourceError(Exception):
    """A source that cannot be used; the text says why."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes with the name by which findings call them. `host` is the host that they are about, where the user says so."""

    name: str
    data: bytes
    host: str | None = None


class Unreadable(msgspec.Struct, frozen=True):
    """A source that could not be opened, and why."""

    name: str
    problem: str


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a source says of one host, guest or flavor: keys of the inventory, as JSON values; None means that it does not say.

    `same` are other marks of the same guest (its UUID, its libvirt domain): what shares one is one guest. `flavor` is where its size
    stands. `adds` only adds to a guest that another source names, because this one does not know its proper name.
    """

    noun: str
    name: str
    keys: Mapping[str, Any]
    same: tuple[str, ...] = ()
    flavor: str | None = None
    adds: bool = False


class LeftOut(msgspec.Struct, frozen=True):
    """Something in a source that is not imported, and why."""

    what: str
    problem: str


Told = Said | LeftOut
Document = Element | str | Any
"""The root of an XML document, a JSON value, or text that is neither."""

Reader = Callable[[Any, Source], Iterator[Told]]


class SourceKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of source: how it is called, what prints it, whether a document is one, and what it says."""

    id: str
    made_by: str
    recognises: Callable[[Any], bool]
    read: Reader


def document_of(data: bytes) -> Document:
    """Bytes as a document. Raises SourceError for what is too large, is no text, or is broken."""
    if len(data) > LARGEST:
        message = f"it is larger than {LARGEST >> 20} MiB"
        raise SourceError(message)
    if (found := flaw(data)) is not None:
        offset, problem = found
        line = data.count(b"\n", 0, offset) + 1
        message = f"line {line}: {problem}"
        raise SourceError(message)
    start = data.lstrip()[:1]
    if not start:
        message = "there is nothing in it"
        raise SourceError(message)
    if start == b"<":
        try:
            return parse_xml(data.lstrip())
        except ValueError as problem:
            raise SourceError(str(problem)) from None
    return _json(data) if start in {b"{", b"["} else data.decode()


def _json(data: bytes) -> Any:
    """One JSON value; or several, a line each (probes of several hosts in one file)."""
    try:
        return msgspec.json.decode(data)
    except RecursionError:
        message = "it is nested too deeply"
        raise SourceError(message) from None
    except msgspec.DecodeError as problem:
        lines = [line for line in data.splitlines() if line.strip()]
        try:
            return [msgspec.json.decode(line) for line in lines] if len(lines) > 1 else _broken(problem)
        except (msgspec.DecodeError, RecursionError):
            return _broken(problem)


def _broken(problem: Exception) -> Any:
    message = f"it is no JSON: {problem}"
    raise SourceError(message)


def named_host(source: Source) -> str:
    """The host that a source is about, where only the user can say so. Raises SourceError."""
    if source.host is None:
        message = "it does not say which host it is of: write NAME=FILE, or --host NAME"
        raise SourceError(message)
    return source.host


def at(value: Any, *path: str) -> Any:
    """What stands at a path of keys in a JSON value; None where there is no such thing."""
    for key in path:
        if not isinstance(value, dict):
            return None
        value = value.get(key)
    return value


def rows_of(value: Any) -> list[dict[str, Any]]:
    """The objects in a list, or nothing."""
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []


def text(value: Any) -> str | None:
    """A text that says something, or None."""
    return value if isinstance(value, str) and value else None


def whole(value: Any) -> int | None:
    """A whole number, also one in text, or None."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 18 else None


def mib(value: Any, unit_bytes: int, *, up: bool = False) -> str | None:
    """An amount of memory as the inventory has it: whole MiB, rounded down, or up for what is needed rather than there."""
    number = whole(value)
    if number is None or number < 0:
        return None
    amount = number * unit_bytes
    return f"{-(-amount // (1 << 20)) if up else amount // (1 << 20)}MiB"
