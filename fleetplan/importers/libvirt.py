"""What virsh prints: `capabilities` of a host, `dumpxml` of a guest, `domstats` of many, and `version`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from fleetplan.importers.source import ARM64, LeftOut, Said, Source, SourceKind, Told, mib, named_host, whole
from fleetplan.importers.xml import Element

UNITS: Mapping[str, int] = {
    **dict.fromkeys(("b", "bytes"), 1),
    **{name: 1000**power for power, names in enumerate((("KB",), ("MB",), ("GB",), ("TB",)), 1) for name in names},
    **{name: 1024**power for power, names in enumerate((("k", "KiB"), ("M", "MiB"), ("G", "GiB"), ("T", "TiB")), 1) for name in names},
}
"""Bytes of a unit. Source: libvirt docs/formatdomain.rst, `memory`; KiB where none is given."""

BASE_PAGES_KIB = frozenset({4, 16, 64})
SHUT_OFF = frozenset({"5", "6"})
"""`state.state` of domstats: shut off, crashed. Source: libvirt include/libvirt/libvirt-domain.h, virDomainState."""


def _bytes(element: Element | None) -> int:
    """An amount with its unit; 0 where there is none."""
    if element is None:
        return 0
    return (whole(element.text.strip()) or 0) * UNITS.get(element.attributes.get("unit", "KiB"), 0)


# --- capabilities ---------------------------------------------------------------------------------------------------------------------


def read_capabilities(root: Element, source: Source) -> Iterator[Told]:
    """CPUs, memory and huge pages of a host."""
    host = named_host(source)
    architecture = root.text_at("host/cpu/arch")
    if architecture not in (None, *ARM64):
        yield LeftOut(f"host `{host}`", f"its CPUs are {architecture}")
        return
    cells = root.all("host/topology/cells/cell")
    cpus = sum(whole(cell.get("cpus", "num")) or 0 for cell in cells)
    memory = sum(_bytes(memory) for cell in cells for memory in cell.all("memory"))
    keys = {
        "vcpus": cpus or None,
        "memory": mib(memory, 1) if memory else None,
        "hugepages": _pages([page for cell in cells for page in cell.all("pages")]),
    }
    yield Said(noun="host", name=host, keys=keys)


def _pages(elements: list[Element]) -> dict[str, int] | None:
    """How many huge pages there are of each size, over all cells."""
    counts: dict[int, int] = {}
    for element in elements:
        size, count = whole(element.attributes.get("size")), whole(element.text.strip())
        if size and count and size not in BASE_PAGES_KIB and element.attributes.get("unit", "KiB") == "KiB":
            counts[size] = counts.get(size, 0) + count
    return {f"{size}KiB": count for size, count in sorted(counts.items())} or None


# --- dumpxml --------------------------------------------------------------------------------------------------------------------------


def read_domain(root: Element, source: Source) -> Iterator[Told]:
    """A running guest. Its host does not stand in it."""
    host, name, uuid = source.host, root.text_at("name") or "", root.text_at("uuid")
    architecture = root.get("os/type", "arch")
    if architecture not in (None, *ARM64):
        yield LeftOut(f"guest `{name}`", f"it is {architecture}")
        return
    if "id" not in root.attributes:
        yield LeftOut(f"guest `{name}`", "it does not run (the domain has no id)")
        return
    same = ([f"uuid {uuid.lower()}"] if uuid else []) + ([f"domain {host} {name}"] if host else [])
    keys = {
        "on": host,
        "vcpus": whole(root.get("vcpu", "current") or root.text_at("vcpu")),
        "memory": mib(_bytes(root.first("memory")) or None, 1, up=True),
        "machine": root.get("os/type", "machine"),
        "gic": whole(root.get("features/gic", "version")),
        "hugepages": _page_size(root.first("memoryBacking/hugepages/page")),
        "devices": _devices(root) or None,
        "disks": _disks(root),
        "born": _born(root),
    }
    yield Said(noun="guest", name=name, keys=keys, same=tuple(same))


def _page_size(page: Element | None) -> str | None:
    size = whole(page.attributes.get("size")) if page is not None else None
    unit = UNITS.get(page.attributes.get("unit", "KiB")) if page is not None else None
    return f"{size * unit >> 10}KiB" if size and unit else None


def _devices(root: Element) -> list[str]:
    """Host devices, by PCI address or mdev UUID where they have one."""
    passed = [*root.all("devices/hostdev"), *(one for one in root.all("devices/interface") if one.attributes.get("type") == "hostdev")]
    return [_address(one) for one in passed]


def _address(device: Element) -> str:
    address = device.first("source/address")
    given = address.attributes if address is not None else {}
    if "uuid" in given:
        return given["uuid"]
    try:
        domain, bus, slot, function = (int(given[part], 16) for part in ("domain", "bus", "slot", "function"))
    except (KeyError, ValueError):
        return device.attributes.get("type", "hostdev")
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


def _disks(root: Element) -> str | None:
    """Shared if all disks come over the network; a file or a block device may be shared or not, and the XML does not say which."""
    disks = [disk for disk in root.all("devices/disk") if disk.attributes.get("device", "disk") not in {"cdrom", "floppy"}]
    return "shared" if all(disk.attributes.get("type") == "network" for disk in disks) else None


def _born(root: Element) -> dict[str, str] | None:
    """The PSCI pin, as it stands in arguments for QEMU."""
    arguments = " ".join(argument.attributes.get("value", "") for argument in _arguments(root))
    pin = re.search(r"kvm-psci-version=(\d\.\d)\b", arguments)
    return {"psci": pin[1]} if pin else None


def _arguments(root: Element) -> list[Element]:
    lines = [child for child in root.children if child.tag.endswith("schemas/domain/qemu/1.0 commandline")]
    return [child for line in lines for child in line.children if child.tag.endswith(" arg")]


# --- domstats, version ----------------------------------------------------------------------------------------------------------------


def read_domstats(document: str, source: Source) -> Iterator[Told]:
    """Guests of one host: vCPUs that are there, and memory."""
    host = named_host(source)
    for block in re.split(r"^Domain: ", document, flags=re.MULTILINE)[1:]:
        first, *lines = block.splitlines()
        name = first.strip().removeprefix("'").removesuffix("'")
        found = dict(line.strip().split("=", 1) for line in lines if "=" in line)
        if found.get("state.state") in SHUT_OFF:
            yield LeftOut(f"guest `{name}`", "it does not run (state.state)")
            continue
        keys = {"on": host, "vcpus": whole(found.get("vcpu.current")), "memory": mib(found.get("balloon.maximum"), 1 << 10, up=True)}
        yield Said(noun="guest", name=name, keys=keys, same=(f"domain {host} {name}",))


VERSION = re.compile(r"^Running hypervisor: QEMU (\d+\.\d+\.\d+)\s*$", re.MULTILINE)


def read_version(document: str, source: Source) -> Iterator[Told]:
    """The QEMU that libvirt would start."""
    found = VERSION.search(document)
    if found is not None:
        yield Said(noun="host", name=named_host(source), keys={"vmm": f"qemu-{found[1]}"})


def _is_xml(tag: str) -> Any:
    return lambda document: isinstance(document, Element) and document.tag == tag


KINDS = (
    SourceKind(id="virsh-capabilities", made_by="virsh capabilities", recognises=_is_xml("capabilities"), read=read_capabilities),
    SourceKind(id="virsh-dumpxml", made_by="virsh dumpxml GUEST", recognises=_is_xml("domain"), read=read_domain),
    SourceKind(
        id="virsh-domstats",
        made_by="virsh domstats --state --vcpu --balloon --raw",
        recognises=lambda document: isinstance(document, str) and re.match(r"\s*Domain: ", document) is not None,
        read=read_domstats,
    ),
    SourceKind(
        id="virsh-version",
        made_by="virsh version",
        recognises=lambda document: isinstance(document, str) and VERSION.search(document) is not None,
        read=read_version,
    ),
)
