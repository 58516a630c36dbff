"""What `kubectl get nodes,vmi -A -o json` prints: nodes are hosts, KubeVirt's VirtualMachineInstances are guests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fleetplan.importers.source import ARM64, LeftOut, Said, Source, SourceKind, Told, at, rows_of, text, whole

SCALE = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40}
ZONE = "topology.kubernetes.io/zone"
KINDS_READ = ("Node", "VirtualMachineInstance")


def _items(document: Any) -> list[dict[str, Any]]:
    items = at(document, "items")
    return rows_of([document] if items is None else items)


def recognises(document: Any) -> bool:
    """A list of Kubernetes objects, or one, all of them nodes or guests."""
    items = _items(document)
    return bool(items) and all(item.get("kind") in KINDS_READ for item in items)


def read(document: Any, source: Source) -> Iterator[Told]:  # noqa: ARG001 - every object says what it is of
    """Hosts and guests."""
    for item in _items(document):
        yield _node(item) if item.get("kind") == "Node" else _guest(item)


def _node(item: dict[str, Any]) -> Told:
    name = text(at(item, "metadata", "name")) or ""
    architecture = at(item, "status", "nodeInfo", "architecture")
    given = at(item, "status", "allocatable") or {}
    labels = at(item, "metadata", "labels")
    if architecture not in ARM64:
        return LeftOut(f"host `{name}`", f"its CPUs are {architecture}")
    if at(given, "devices.kubevirt.io/kvm") is None and at(labels, "kubevirt.io/schedulable") is None:
        return LeftOut(f"host `{name}`", "KubeVirt does not run there (no devices.kubevirt.io/kvm)")
    keys = {
        "kernel": at(item, "status", "nodeInfo", "kernelVersion"),
        "vcpus": _cpus(at(given, "cpu"), up=False),
        "memory": _memory(given),
        "hugepages": {_page(key): _bytes(value) // _bytes(key[10:]) for key, value in _huge(given).items()} or None,
        "zone": at(labels, ZONE),
        "state": _state(item),
    }
    return Said(noun="host", name=name, keys=keys)


def _state(item: dict[str, Any]) -> str | None:
    """Down where the node is not ready, cordoned where nothing may be scheduled."""
    ready = [row.get("status") for row in rows_of(at(item, "status", "conditions")) if row.get("type") == "Ready"]
    if any(status != "True" for status in ready):
        return "down"
    return "cordoned" if at(item, "spec", "unschedulable") is True else None


def _huge(given: Any) -> dict[str, Any]:
    """Allocatable huge pages, such as `hugepages-2Mi: 4Gi`."""
    found = {key: value for key, value in given.items() if key.startswith("hugepages-")} if isinstance(given, dict) else {}
    return {key: value for key, value in sorted(found.items()) if _bytes(key[10:]) and _bytes(value)}


def _page(key: str) -> str:
    return f"{_bytes(key[10:]) >> 10}KiB"


def _memory(given: Any) -> str | None:
    """Allocatable memory does not count huge pages; the inventory's does."""
    plain = _bytes(at(given, "memory"))
    return f"{(plain + sum(_bytes(value) for value in _huge(given).values())) >> 20}MiB" if plain else None


def _bytes(quantity: Any) -> int:
    """A quantity of Kubernetes in bytes; 0 where it is none."""
    found = re.fullmatch(r"(\d{1,18})(k|M|G|T|Ki|Mi|Gi|Ti)?", str(quantity), re.ASCII)
    return int(found[1]) * SCALE[found[2] or ""] if found else 0


def _cpus(quantity: Any, *, up: bool) -> int | None:
    """CPUs, `80` or `79500m`: down for what is there, up for what is needed."""
    found = re.fullmatch(r"(\d{1,9})(m)?", str(quantity), re.ASCII)
    if found is None:
        return None
    count = int(found[1])
    return count if not found[2] else -(-count // 1000) if up else count // 1000


def _guest(item: dict[str, Any]) -> Told:
    name = f"{at(item, 'metadata', 'namespace') or 'default'}/{at(item, 'metadata', 'name') or ''}"
    phase, architecture = at(item, "status", "phase"), at(item, "spec", "architecture")
    if architecture not in (None, *ARM64):
        return LeftOut(f"guest `{name}`", f"it is {architecture}")
    if phase != "Running":
        return LeftOut(f"guest `{name}`", f"it does not run (phase {phase})")
    domain = at(item, "spec", "domain")
    memory = _bytes(at(domain, "memory", "guest")) or _bytes(at(domain, "resources", "requests", "memory"))
    keys = {
        "on": at(item, "status", "nodeName"),
        "vcpus": _vcpus(domain),
        "memory": f"{-(-memory >> 20)}MiB" if memory else None,
        "machine": at(item, "status", "machine", "type") or at(domain, "machine", "type"),
        "migrate": _migrate(item),
        "devices": _devices(at(domain, "devices")) or None,
    }
    return Said(noun="guest", name=name, keys=keys)


def _vcpus(domain: Any) -> int | None:
    """Cores, sockets and threads, each 1 where not given; without any of them, the CPUs that are requested."""
    cpu = at(domain, "cpu")
    if isinstance(cpu, dict) and cpu.keys() & {"cores", "sockets", "threads"}:
        cores, sockets, threads = (whole(cpu.get(part, 1)) or 1 for part in ("cores", "sockets", "threads"))
        return cores * sockets * threads
    requested = at(domain, "resources", "limits", "cpu") or at(domain, "resources", "requests", "cpu")
    return _cpus(requested, up=True) if requested is not None else 1


def _migrate(item: dict[str, Any]) -> str | None:
    conditions = rows_of(at(item, "status", "conditions"))
    return "never" if any(row.get("type") == "LiveMigratable" and row.get("status") == "False" for row in conditions) else None


def _devices(devices: Any) -> list[str]:
    rows = [*rows_of(at(devices, "hostDevices")), *rows_of(at(devices, "gpus"))]
    return [text(row.get("deviceName")) or "hostdev" for row in rows]


KIND = SourceKind(id="kubernetes", made_by="kubectl get nodes,vmi -A -o json", recognises=recognises, read=read)
