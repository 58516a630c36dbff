"""Records from the keys that were read, once these are whole and sound."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fleetplan.fleet.model import (
    Birth,
    Equipment,
    Guest,
    GuestName,
    Host,
    HostFacts,
    HostName,
    Platform,
    Release,
    Workarounds,
)
from fleetplan.fleet.source import Location
from fleetplan.inventory import schema

HOST_RENAMED = {"memory": "memory_mib", "bandwidth": "bandwidth_mib_s", "reboot": "reboot_s"}
GUEST_RENAMED = {"memory": "memory_mib", "migrate": "migratable", "restart": "restartable", "dirty_rate": "dirty_rate_mib_s"}
PLATFORM_RENAMED = {"hugepages": "hugepages_kib"}


WILDCARDS = frozenset("*?[")


def is_pattern(name: str) -> bool:
    """Whether a text in `allow` or `deny` is a pattern, which need not match anything."""
    return not WILDCARDS.isdisjoint(name)


def _renamed(values: Mapping[str, Any], names: Mapping[str, str], left_out: Collection[str]) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in values.items() if key not in left_out}


def facts_of(values: Mapping[str, Any], shared: dict[tuple[Any, ...], HostFacts]) -> HostFacts:
    """The facts among a host's keys; equal ones are one object (hosts by the thousand are alike)."""
    given = {key: values[key] for key in schema.HOST_FACTS if key in values}
    if "workarounds" in given:
        given["workarounds"] = Workarounds(**given["workarounds"])
    if "midr" in given:
        first, *others = dict.fromkeys(given["midr"])
        given |= {"midr": first, "other_midrs": tuple(sorted(others))}
    if isinstance(given.get("hugepages"), dict):
        # What a host can give is a matter of the sizes; how much of it, of room.
        given["hugepages"] = tuple(size for size, reserved_mib in given["hugepages"].items() if reserved_mib)
    platform = {PLATFORM_RENAMED.get(key, key): given.pop(key) for key in schema.PLATFORM if key in given}
    if platform:
        given["platform"] = Platform(**platform)
    token = tuple((key, tuple(value.items()) if isinstance(value, dict) else value) for key, value in given.items())
    if token not in shared:
        shared[token] = HostFacts(**given)
    return shared[token]


def host_of(name: str, at: Location, values: Mapping[str, Any], shared: dict[tuple[Any, ...], HostFacts]) -> Host:
    """A host from all its keys."""
    rest = _renamed(values, HOST_RENAMED, {"like", "kernel", "vmm", *schema.HOST_FACTS})
    release = Release(values["kernel"], values["vmm"])
    if isinstance(values.get("hugepages"), dict):
        rest["reserved_mib"] = values["hugepages"]
    return Host(name=HostName(name), release=release, facts=facts_of(values, shared), at=at, **rest)


def guest_of(name: str, at: Location, values: Mapping[str, Any]) -> Guest:
    """A guest from all its keys."""
    rest = _renamed(values, GUEST_RENAMED, {"like"})
    if "born" in rest:
        rest["born"] = Birth(**rest["born"])
    equipment = {PLATFORM_RENAMED.get(key, key): rest.pop(key) for key in schema.EQUIPMENT if key in rest}
    if equipment:
        rest["equipment"] = Equipment(**equipment)
    return Guest(name=GuestName(name), at=at, **rest)
