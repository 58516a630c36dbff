"""What `fleetplan probe` prints: keys of the inventory, and under `probe` what else it saw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fleetplan.importers.source import Said, Source, SourceError, SourceKind, Told, at, rows_of, text

OURS = frozenset({"like", "zone", "rack", "pool", "state", "last"})
"""Keys that are for people, or for orchestrators, to say; a host's own word on them does not count."""


def _probes(document: Any) -> list[dict[str, Any]]:
    return rows_of(document if isinstance(document, list) else [document])


def recognises(document: Any) -> bool:
    """An object, or lines of them, with `host` and `probe`."""
    probes = _probes(document)
    return bool(probes) and all("host" in probe and "probe" in probe for probe in probes)


def read(document: Any, source: Source) -> Iterator[Told]:
    """The host, and what the command lines of its running VMMs say of guests."""
    for found in _probes(document):
        host = source.host or text(found.get("host"))
        if host is None:
            message = "a probe names no host"
            raise SourceError(message)
        keys = {key: value for key, value in found.items() if key not in {"host", "probe", *OURS}}
        pages = at(found, "probe", "hugepages")
        if isinstance(pages, dict):
            keys["hugepages"] = {f"{size}KiB": count for size, count in pages.items() if count}
        yield Said(noun="host", name=host, keys=keys)
        yield from _running(at(found, "probe", "running"), host)


def _running(rows: Any, host: str) -> Iterator[Said]:
    """A VMM process names its guest as libvirt does, which may not be how its orchestrator calls it."""
    for row in rows_of(rows):
        name = text(row.get("guest"))
        if name is not None:
            born = {"psci": row["psci"]} if row.get("psci") else None
            keys = {"on": host, "vmm": row.get("vmm"), "machine": row.get("machine"), "born": born}
            yield Said(noun="guest", name=name, keys=keys, same=(f"domain {host} {name}",), adds=True)


KIND = SourceKind(id="probe", made_by="fleetplan probe", recognises=recognises, read=read)
