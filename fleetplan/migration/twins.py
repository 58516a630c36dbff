"""Hosts for which the probe of another one speaks, where policy says so.

Twins have the same kernel build, CPUs, command line and platform firmware, so that KVM gives the same on both. A fact that is missing on
either side leaves them strangers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable

import msgspec
from msgspec.structs import replace

from fleetplan.fleet.model import Host, HostFacts, HostName
from fleetplan.migration.offers import offer

NEEDED = ("midr", "revidr", "cmdline", "firmware")
"""Facts that must be stated on both, and be equal, beside the kernel."""
COMPARED = ("vulnerabilities", "workarounds")
"""Facts that must not differ where both are stated."""


class Twins(msgspec.Struct, frozen=True, kw_only=True):
    """`facts` are those of each host as it is judged. `speaks` maps the host whose probe is taken to those that take it.

    `quarrels` are probed hosts that should be twins, and differ: none of them speaks for others.
    """

    facts: tuple[HostFacts, ...]
    speaks: dict[HostName, list[HostName]] = {}
    quarrels: tuple[tuple[HostName, ...], ...] = ()


def twins(hosts: Iterable[Host], *, speak: bool) -> Twins:
    """Lend every probe to the twins that have none (if probes `speak` for twins). O(hosts)."""
    every = tuple(hosts)
    families: dict[Hashable, list[Host]] = defaultdict(list)
    for host in every if speak else ():
        if all(getattr(host.facts, name) is not None for name in NEEDED):
            families[_family(host)].append(host)
    speakers: dict[HostName, Host] = {}
    quarrels = []
    for family in families.values():
        probed = [host for host in family if host.facts.registers is not None]
        if len({_said(host) for host in probed}) > 1:
            quarrels.append(tuple(host.name for host in probed))
        elif probed:
            silent = (host for host in family if host.facts.registers is None)
            speakers |= {host.name: probed[0] for host in silent if not _contradicts(host.facts, probed[0].facts)}
    speaks: dict[HostName, list[HostName]] = defaultdict(list)
    for name, speaker in speakers.items():
        speaks[speaker.name].append(name)
    facts = tuple(_lent(host, speakers[host.name]) if host.name in speakers else host.facts for host in every)
    return Twins(facts=facts, speaks=dict(speaks), quarrels=tuple(quarrels))


def _family(host: Host) -> Hashable:
    """Equal for twins. What the VMM turns on decides which registers a vCPU lists, so that counts too."""
    usual = offer(host.facts_of, host.facts).features
    return (host.facts_of.kernel, usual, host.facts.other_midrs, *(getattr(host.facts, name) for name in NEEDED))


def _said(host: Host) -> Hashable:
    """What a probe says that a migration can tell: counters and context differ from vCPU to vCPU."""
    probe = host.facts.registers or ()
    free = {register.id for register in offer(host.facts_of, host.facts).kvms[0].others if not register.rule.particular}
    masks = tuple(sorted((host.facts.masks or {}).items()))
    return tuple((register, None if register in free else value) for register, value in probe), masks


def _contradicts(one: HostFacts, other: HostFacts) -> bool:
    stated = ((getattr(one, name), getattr(other, name)) for name in COMPARED)
    return any(mine is not None and theirs is not None and mine != theirs for mine, theirs in stated)


def _lent(host: Host, speaker: Host) -> HostFacts:
    return replace(host.facts, registers=speaker.facts.registers, masks=speaker.facts.masks)
