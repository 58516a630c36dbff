"""What the OpenStack client prints as JSON: hypervisors are hosts, servers are guests, flavors are their sizes.

Nova's answers have two shapes: up to API version 2.87 a hypervisor says its CPUs and memory, from 2.88 on only the inventory of its
resource provider does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from fleetplan.importers.source import ARM64, LeftOut, Said, Source, SourceKind, Told, at, mib, named_host, rows_of, text, whole

RUNNING = ("ACTIVE", "PAUSED", "REBOOT", "HARD_REBOOT", "MIGRATING", "PASSWORD", "RESCUE", "VERIFY_RESIZE", "RESIZE")
"""States of a server whose guest is on its host."""


def _list_with(*columns: str) -> Callable[[Any], bool]:
    """Whether a document is a list of rows that all have these columns."""

    def recognises(document: Any) -> bool:
        rows = rows_of(document)
        return bool(rows) and len(rows) == len(document) and all(row.keys() >= set(columns) for row in rows)

    return recognises


def read_hypervisors(document: Any, source: Source) -> Iterator[Told]:  # noqa: ARG001 - every row names its host
    """`hypervisor list`, with sizes where the API still has them."""
    for row in rows_of(document):
        name, kind = text(row.get("Hypervisor Hostname")) or "", row.get("Hypervisor Type")
        if kind not in (None, "QEMU", "KVM"):
            yield LeftOut(f"host `{name}`", f"its hypervisor is {kind}")
            continue
        keys = {
            "vcpus": whole(row.get("vCPUs")),
            "memory": mib(row.get("Memory MB"), 1 << 20),
            "state": "down" if row.get("State") == "down" else None,
        }
        yield Said(noun="host", name=name, keys=keys)


def read_hypervisor(document: Any, source: Source) -> Iterator[Told]:  # noqa: ARG001 - it names its host
    """`hypervisor show`: the VMM's version beside the sizes."""
    name = text(document.get("hypervisor_hostname")) or ""
    architecture = at(document, "cpu_info", "arch")
    if architecture not in (None, *ARM64):
        yield LeftOut(f"host `{name}`", f"its CPUs are {architecture}")
        return
    down, disabled = document.get("state") == "down", document.get("status") == "disabled"
    keys = {
        "vmm": _qemu(whole(document.get("hypervisor_version"))),
        "vcpus": whole(document.get("vcpus")),
        "memory": mib(document.get("memory_mb"), 1 << 20),
        "state": "down" if down else "cordoned" if disabled else None,
    }
    yield Said(noun="host", name=name, keys=keys)


def _qemu(version: int | None) -> str | None:
    """10000013 is 10.0.13. Source: nova/virt/libvirt/driver.py, `hypervisor_version`; libvirt's virConnectGetVersion."""
    return f"qemu-{version // 10**6}.{version // 1000 % 1000}.{version % 1000}" if version is not None and version >= 10**6 else None


def read_servers(document: Any, source: Source) -> Iterator[Told]:  # noqa: ARG001 - every row names its guest
    """`server list --all-projects --long`. A name that several servers have is replaced by their ids."""
    rows = rows_of(document)
    counts = Counter(text(row.get("Name")) for row in rows)
    for row in rows:
        server, given, status = text(row.get("ID")) or "", text(row.get("Name")), row.get("Status")
        name = given if given is not None and counts[given] == 1 else server
        if status not in RUNNING:
            yield LeftOut(f"guest `{name}`", f"it does not run (status {status})")
            continue
        flavor = text(row.get("Flavor")) or text(row.get("Flavor Name"))
        yield Said(noun="guest", name=name, keys={"on": text(row.get("Host"))}, same=(f"uuid {server.lower()}",), flavor=flavor)


def read_flavors(document: Any, source: Source) -> Iterator[Told]:  # noqa: ARG001 - every row names its flavor
    """`flavor list`: RAM in MiB."""
    for row in rows_of(document):
        keys = {"vcpus": whole(row.get("VCPUs")), "memory": mib(row.get("RAM"), 1 << 20)}
        yield Said(noun="flavor", name=text(row.get("Name")) or "", keys=keys)


def read_aggregates(document: Any, source: Source) -> Iterator[Told]:  # noqa: ARG001 - every row names its hosts
    """`aggregate list --long`: the availability zone of hosts, where the client prints them."""
    for row in rows_of(document):
        hosts, zone = row.get("Hosts"), text(row.get("Availability Zone"))
        if not isinstance(hosts, list):
            yield LeftOut(f"aggregate `{row.get('Name')}`", "its hosts are not printed; `openstack aggregate show` names them")
            continue
        for host in hosts if zone is not None else ():
            yield Said(noun="host", name=text(host) or "", keys={"zone": zone})


def read_groups(document: Any, source: Source) -> Iterator[Told]:  # noqa: ARG001 - a group is not of a host
    """`server group list --long`: groups are for people to write, since facts are about hosts and guests alone."""
    for row in rows_of(document):
        policy = row.get("Policy", row.get("Policies"))
        members = row.get("Members")
        words = f"its policy is {policy}, its members are {members}; write it under `groups`, and `group` at its guests"
        yield LeftOut(f"server group `{row.get('Name')}`", words)


def read_inventory(document: Any, source: Source) -> Iterator[Told]:
    """`resource provider inventory list`: what there is without what is reserved. Allocation ratios are policy."""
    host = named_host(source)
    free = {
        text(row.get("resource_class")): (whole(row.get("total")) or 0) - (whole(row.get("reserved")) or 0) for row in rows_of(document)
    }
    keys = {"vcpus": free.get("VCPU") or free.get("PCPU"), "memory": mib(free.get("MEMORY_MB"), 1 << 20)}
    yield Said(noun="host", name=host, keys=keys)
    ratios = [f"{row.get('resource_class')} {ratio}" for row in rows_of(document) if (ratio := row.get("allocation_ratio", 1.0)) != 1.0]
    if ratios:
        yield LeftOut(f"overcommit of host `{host}`", f"{', '.join(ratios)}; write it under `policy.overcommit`")


def read_usage(document: Any, source: Source) -> Iterator[Told]:  # noqa: ARG001 - nothing of it is a fact
    """`resource provider usage show`: follows from the guests."""
    yield LeftOut(f"usage in {source.name}", "how much is used follows from the guests")


KINDS = (
    SourceKind(
        id="openstack-hypervisors",
        made_by="openstack hypervisor list --long -f json",
        recognises=_list_with("Hypervisor Hostname"),
        read=read_hypervisors,
    ),
    SourceKind(
        id="openstack-hypervisor",
        made_by="openstack hypervisor show HOST -f json",
        recognises=lambda document: isinstance(document, dict) and "hypervisor_hostname" in document,
        read=read_hypervisor,
    ),
    SourceKind(
        id="openstack-servers",
        made_by="openstack server list --all-projects --long -f json",
        recognises=_list_with("ID", "Name", "Status"),
        read=read_servers,
    ),
    SourceKind(
        id="openstack-flavors", made_by="openstack flavor list -f json", recognises=_list_with("Name", "RAM", "VCPUs"), read=read_flavors
    ),
    SourceKind(
        id="openstack-aggregates",
        made_by="openstack aggregate list --long -f json",
        recognises=_list_with("Name", "Availability Zone"),
        read=read_aggregates,
    ),
    SourceKind(
        id="openstack-groups",
        made_by="openstack server group list --long -f json",
        recognises=lambda document: _list_with("Name", "Policy")(document) or _list_with("Name", "Policies")(document),
        read=read_groups,
    ),
    SourceKind(
        id="openstack-inventory",
        made_by="openstack resource provider inventory list UUID -f json (HOST=FILE)",
        recognises=_list_with("resource_class", "total"),
        read=read_inventory,
    ),
    SourceKind(
        id="openstack-usage",
        made_by="openstack resource provider usage show UUID -f json",
        recognises=_list_with("resource_class", "usage"),
        read=read_usage,
    ),
)
