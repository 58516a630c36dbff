"""What hosts have and guests take: vCPUs, memory, and reserved pages where an inventory says how many there are.

Guests that are backed by pages of a size take what is reserved in that size; all others take the rest of the memory. A host of which it is
not said how much is reserved is taken to bear either with all its memory.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fleetplan.fleet.model import Fleet, Host

Numbers = NDArray[np.int64]


class ResourceKind(Enum):
    """What is counted."""

    VCPUS = "vcpus"
    MEMORY = "memory"
    PAGES = "pages"
    """Memory that is reserved in pages of one size."""
    REST = "rest"
    """Memory that is reserved in no such pages."""


class Resource(NamedTuple):
    """One of the things that guests take of hosts: vCPUs, or MiB."""

    kind: ResourceKind
    page_kib: int = 0

    @property
    def name(self) -> str:
        """As it stands in facts, with its unit."""
        names = {ResourceKind.VCPUS: "vcpus", ResourceKind.MEMORY: "memory_mib", ResourceKind.REST: "unreserved_mib"}
        return names.get(self.kind) or f"pages_{self.page_kib}kib_mib"


ALWAYS = (Resource(ResourceKind.VCPUS), Resource(ResourceKind.MEMORY))
"""What is counted in every fleet, in this order."""


def resources_of(fleet: Fleet) -> tuple[Resource, ...]:
    """What is counted in a fleet."""
    stated = [host.reserved_mib for host in fleet.hosts if host.reserved_mib is not None]
    if not stated:
        return ALWAYS
    used = {kib for template in fleet.guests.templates if (kib := template.equipment.hugepages_kib) is not None}
    sizes = sorted(used.union(*stated))
    return (*ALWAYS, Resource(ResourceKind.REST), *(Resource(ResourceKind.PAGES, size) for size in sizes))


def host_sizes(fleet: Fleet, resources: tuple[Resource, ...]) -> Numbers:
    """By host and resource, what is installed."""
    if resources == ALWAYS:
        sizes = [size for host in fleet.hosts for size in (host.vcpus, host.memory_mib)]
    else:
        sizes = [_installed(host, resource) for host in fleet.hosts for resource in resources]
    return np.array(sizes, np.int64).reshape(-1, len(resources))


def _installed(host: Host, resource: Resource) -> int:
    if resource.kind is ResourceKind.VCPUS:
        return host.vcpus
    if resource.kind is ResourceKind.MEMORY or host.reserved_mib is None:
        return host.memory_mib
    if resource.kind is ResourceKind.PAGES:
        return host.reserved_mib.get(resource.page_kib, 0)
    return max(host.memory_mib - sum(host.reserved_mib.values()), 0)


def guest_sizes(fleet: Fleet, resources: tuple[Resource, ...]) -> Numbers:
    """By guest and resource, what it takes."""
    guests = fleet.guests
    size = np.asarray(guests.sizes, np.int64).reshape(-1, len(ALWAYS))
    if resources == ALWAYS:
        return size
    of_template = [template.equipment.hugepages_kib or 0 for template in guests.templates]
    page_kib = np.array(of_template, np.int64)[np.asarray(guests.template, np.int32)]
    # A guest without such pages has size 0 of them, as the rest of the memory has.
    more = [np.where(page_kib == resource.page_kib, size[:, 1], 0) for resource in resources[len(ALWAYS) :]]
    return np.ascontiguousarray(np.column_stack((size, *more)))
