"""The keys of an inventory: a row each. Parsing, errors, suggestions and defaults all follow from these tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fleetplan.findings import inventory_rules as rules
from fleetplan.fleet.model import Disks, HostState, Release, Scope
from fleetplan.fleet.policy import (
    Converge,
    GateRule,
    Immovable,
    KubeVirt,
    MaxUnavailable,
    Nova,
    OnFailure,
    OnHostFailure,
    Orchestrators,
    TimeoutAction,
    Window,
)
from fleetplan.inventory import values as v
from fleetplan.inventory.events import MapNode, Mark, Node
from fleetplan.inventory.values import BAD, Place, Reader
from fleetplan.migration.vmm import PROFILES


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key: how its value is read and what it means. `refers` keys name another thing, whose existence is looked at later."""

    read: Reader
    help: str
    required: bool = False
    refers: bool = False


Kind = Mapping[str, Key]

MOST_VCPUS = 65_536
WORKAROUND_LEVELS = v.integer(0, 0x1F)

TARGET: Kind = {
    "kernel": Key(read=v.kernel, required=True, help="release to roll out, as `uname -r` prints it"),
    "vmm": Key(read=v.vmm, required=True, help="VMM that comes with it, such as qemu-11.1.3"),
}

READ_ON: Kind = {
    "kernel": Key(read=v.kernel, required=True, help="kernel release on which the host's facts were read"),
    "vmm": Key(read=v.vmm, required=True, help="VMM that it had then"),
}

WORKAROUNDS: Kind = {
    f"arch_workaround_{number}": Key(read=WORKAROUND_LEVELS, help=f"SMCCC_ARCH_WORKAROUND_{number} as a fresh GET reads it")
    for number in (1, 2, 3)
}

VCPU_FEATURES = {feature: feature for feature in ("pmu", "pauth", "mte", "nested", "protected")}

PLATFORM: Kind = {
    "ipa_bits": Key(read=v.integer(32, 56), help="largest guest physical address size, in bits (KVM_CAP_ARM_VM_IPA_SIZE)"),
    "sve": Key(read=v.ascending(v.integer(128, 2048)), help="SVE vector lengths in bits; an empty list: no SVE"),
    "features": Key(read=v.several(v.word(VCPU_FEATURES)), help="vCPU features that KVM gives here: pmu, pauth, mte, nested, protected"),
    "gic": Key(read=v.ascending(v.integer(2, 5)), help="GIC versions that a guest may have"),
    "hugepages": Key(
        read=v.pages, help="reserved pages: {size: number}, such as {2MiB: 1024}; or the sizes alone, where the numbers are not known"
    ),
    "counter_hz": Key(read=v.integer(1, 10**10), help="CNTFRQ_EL0, in Hz"),
}

HOST_FACTS: Kind = {
    "cpu": Key(read=v.text, help="name of the CPU, such as neoverse-n1, where its MIDR is not known"),
    "midr": Key(read=v.several(v.hexadecimal), help="MIDR_EL1 of every CPU; a list where the CPUs differ"),
    "revidr": Key(read=v.hexadecimal, help="REVIDR_EL1 of every CPU"),
    "cmdline": Key(read=v.text, help="/proc/cmdline"),
    "vulnerabilities": Key(read=v.mapping(str, v.text), help="file of /sys/devices/system/cpu/vulnerabilities: its text"),
    "workarounds": Key(read=lambda node, place: section(WORKAROUNDS, node, place), help="workaround levels as a fresh GET reads them"),
    "registers": Key(read=v.registers, help="[id, value] of every register of a fresh vCPU, in list order"),
    "masks": Key(read=v.mapping(lambda key: int(key, 0), v.hexadecimal), help="register id: bits that userspace may write"),
    "vmm_profile": Key(
        read=v.word({name: name for name in PROFILES}),
        help=f"how the VMM loads a stream, where its version does not say: {', '.join(PROFILES)}",
    ),
    "firmware": Key(read=v.text, help="platform firmware and its version; hosts that are twins have the same"),
    **PLATFORM,
}

HOST: Kind = {
    "kernel": Key(read=v.kernel, required=True, help="kernel release, as `uname -r` prints it"),
    "vmm": Key(read=v.vmm, required=True, help="VMM that the host would start for an incoming guest"),
    "vcpus": Key(read=v.integer(1, MOST_VCPUS), required=True, help="CPUs that guests' vCPUs count against"),
    "memory": Key(read=v.quantity("memory", least=1), required=True, help="memory for guests, reserved pages included"),
    **HOST_FACTS,
    "zone": Key(read=v.text, help="scope of max_unavailable (default: default)"),
    "rack": Key(read=v.text, help="hosts that fail together (default: default)"),
    "pool": Key(read=v.text, help="hosts between which migration may be attempted (default: default)"),
    "address": Key(read=v.text, help="how to reach the host"),
    "state": Key(read=v.word(HostState), help="up, cordoned, upgrading, down, lost or held (default: up)"),
    "bandwidth": Key(read=v.quantity("rate", least=1), help="rate of one migration stream (default: 25Gbit)"),
    "reboot": Key(read=v.quantity("duration"), help="time from the order to reboot until the host answers (default: 300s)"),
    "last": Key(read=v.boolean, help="whether it is upgraded when all others have been (default: false)"),
    "read_on": Key(
        read=lambda node, place: built(Release, section(READ_ON, node, place)),
        help="release on which these facts were read (default: the one that runs)",
    ),
    "like": Key(read=v.text, refers=True, help="another host, all of whose keys are copied"),
}

BORN: Kind = {
    "kernel": Key(read=v.kernel, help="kernel of the host on which the guest cold booted"),
    "vmm": Key(read=v.vmm, help="VMM under which it cold booted"),
    "psci": Key(read=v.psci, help="PSCI version pinned at that boot"),
    "registers": Key(read=v.registers, help="a dump of its registers"),
}

EQUIPMENT: Kind = {
    "ipa_bits": Key(read=v.integer(32, 56), help="guest physical address size that it was started with, in bits"),
    "sve": Key(read=v.ascending(v.integer(128, 2048)), help="SVE vector lengths that it was started with (default: its host's)"),
    "features": Key(
        read=v.several(v.word(VCPU_FEATURES)), help="vCPU features that it was started with (default: what the VMM turns on, the PMU)"
    ),
    "gic": Key(read=v.integer(2, 5), help="version of its GIC"),
    "hugepages": Key(read=v.quantity("page", least=1), help="size of the pages that back its memory"),
    "devices": Key(read=v.several(v.text), help="host devices that are passed through to it"),
    "disks": Key(read=v.word(Disks), help="shared, copied along, or local to its host (default: shared)"),
    "bound_to": Key(read=v.hexadecimal, help="MIDR_EL1 of the CPUs that its vCPUs are bound to, where a host's differ"),
}

GUEST: Kind = {
    "on": Key(read=v.text, required=True, refers=True, help="host that it is on"),
    "vcpus": Key(read=v.integer(1, MOST_VCPUS), required=True, help="number of vCPUs"),
    "memory": Key(read=v.quantity("memory", least=1), required=True, help="memory"),
    "group": Key(read=v.text, refers=True, help="group that it belongs to"),
    "migrate": Key(read=v.word({"always": True, "never": False}), help="always or never (default: always)"),
    "restart": Key(read=v.word({"ok": True, "never": False}), help="ok or never (default: never)"),
    "born": Key(read=lambda node, place: section(BORN, node, place), help="its last cold boot"),
    "rebooted": Key(
        read=v.reboot, help="its last warm reboot since: never, here, or the kernel of the host that it was on (default: never, or here)"
    ),
    "psci_max": Key(read=v.psci, help="newest PSCI version that the guest bears"),
    "vmm": Key(read=v.vmm, help="VMM of its own process, where older than its host's"),
    "machine": Key(read=v.text, help="machine type, such as virt-10.0"),
    **EQUIPMENT,
    "allow": Key(read=v.several(v.text), refers=True, help="host name patterns it may land on"),
    "deny": Key(read=v.several(v.text), refers=True, help="host name patterns it may not land on"),
    "dirty_rate": Key(read=v.quantity("rate"), help="memory that it dirties per second (default: 0MiB)"),
    "like": Key(read=v.text, refers=True, help="another guest, all of whose keys are copied"),
}

GROUP: Kind = {
    "apart": Key(read=v.word(Scope), help="members share no host, rack or zone"),
    "together": Key(read=v.word(Scope), help="members that share a host, rack or zone still do after each wave"),
    "max_disrupted": Key(read=v.share, help="members that may migrate or be stopped at a time, as a count or a share"),
}

MAX_UNAVAILABLE: Kind = {
    scope: Key(read=v.share, help=f"hosts of {what} that may be unavailable at once, as a count or a share")
    for scope, what in (("fleet", "the fleet"), ("zone", "each zone"), ("rack", "each rack"))
}
CELLS: Kind = {
    "cells": Key(read=v.integer(1, 1), required=True, help="version of this file: 1"),
    "max_unavailable": Key(
        read=lambda node, place: built(MaxUnavailable, section(MAX_UNAVAILABLE, node, place)),
        required=True,
        help="most hosts of all cells together that may be unavailable at once",
    ),
}
"""Of `cells.yaml`, which stands at the top of a folder of cells."""
OVERCOMMIT: Kind = {
    "vcpus": Key(read=v.ratio, help="guests' vCPUs per CPU of the host (default: 1)"),
    "memory": Key(read=v.ratio, help="guests' memory per memory of the host (default: 1)"),
}
GATE: Kind = {
    "after": Key(
        read=lambda node, place: None if getattr(node, "value", "") == "every" else v.integer(1, 10**6)(node, place),
        required=True,
        help="number of the wave, or every",
    ),
    "soak": Key(read=v.quantity("duration"), help="time to wait"),
    "approval": Key(read=v.boolean, help="whether somebody has to approve"),
    "hosts": Key(read=v.integer(1, 10**7), help="most hosts of a wave up to this gate (a canary)"),
}
DAYS = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), 1)}
WINDOW: Kind = {
    "start": Key(read=v.minute, required=True, help="time of day, UTC"),
    "end": Key(read=v.minute, required=True, help="time of day, UTC; before `start` means the next day"),
    "days": Key(read=v.several(v.word(DAYS)), help="days on which the window starts (default: all)"),
}
CONVERGE: Kind = {
    "throttle": Key(
        read=v.word({"forbid": False, "allow": True}),
        help="whether the VMM slows down guests that write faster than the link (auto-converge) (default: forbid)",
    ),
    "within": Key(read=v.quantity("duration", least=1), help="time that a copy may take (default: no limit)"),
}
ON_FAILURE: Kind = {
    "host": Key(read=v.word(OnHostFailure), help="hold the host, or stop the rollout (default: hold)"),
    "wave_stops_after": Key(read=v.integer(1, 10**7), help="failures that stop a wave (default: 3)"),
    "retries": Key(read=v.integer(0, 100), help="times a failed step is tried again (default: 1)"),
}

KUBEVIRT: Kind = {"allowPostCopy": Key(read=v.boolean, help="as in spec.configuration.migrations, or a MigrationPolicy (default: false)")}
NOVA: Kind = {
    "live_migration_permit_post_copy": Key(read=v.boolean, help="as in [libvirt] of nova.conf (default: false)"),
    "live_migration_timeout_action": Key(read=v.word(TimeoutAction), help="abort or force_complete, as there (default: abort)"),
}
ORCHESTRATORS: Kind = {
    "kubevirt": Key(
        read=lambda node, place: _kubevirt(section(KUBEVIRT, node, place)), help="how KubeVirt is set up, if it carries out migrations"
    ),
    "nova": Key(read=lambda node, place: _nova(section(NOVA, node, place)), help="how Nova is set up, if it carries out migrations"),
}

POLICY: Kind = {
    "max_unavailable": Key(
        read=lambda node, place: built(MaxUnavailable, section(MAX_UNAVAILABLE, node, place)),
        help="most hosts unavailable at once (default: 5% of each zone)",
    ),
    "reserve": Key(read=v.per_mille, help="share of each host that no landing may use (default: 0%)"),
    "overcommit": Key(read=lambda node, place: section(OVERCOMMIT, node, place), help="guests' sizes per host's size"),
    "immovable": Key(read=v.word(Immovable), help="restart, skip or block (default: restart)"),
    "gates": Key(read=v.listed(lambda node, place: built(GateRule, _gate(section(GATE, node, place)))), help="barriers between waves"),
    "windows": Key(
        read=v.listed(lambda node, place: built(Window, _window(section(WINDOW, node, place)))),
        help="times in which what disturbs anybody (cordon, migrate, stop, pin) may start",
    ),
    "on_failure": Key(
        read=lambda node, place: built(OnFailure, section(ON_FAILURE, node, place)), help="how the rollout goes on when a step fails"
    ),
    "reversible": Key(
        read=v.all_or_named,
        help="whether to keep the way back open with PSCI pins: true, false, or patterns of guest names (default: false)",
    ),
    "unknown": Key(read=v.word({"refuse": False, "accept": True}), help="whether plans may use UNKNOWN moves (default: refuse)"),
    "psci_change": Key(read=v.word({"allow": False, "forbid": True}), help="whether a move may change the PSCI version (default: allow)"),
    "probe_twins": Key(
        read=v.boolean,
        help="whether a probe speaks for hosts with the same kernel, midr, revidr, cmdline and firmware, all stated (default: false)",
    ),
    "converge": Key(
        read=lambda node, place: built(Converge, _converge(section(CONVERGE, node, place))), help="which migrations count as ending"
    ),
    "last": Key(read=v.several(v.text), help="name patterns of hosts that are upgraded when all others have been"),
    "orchestrators": Key(
        read=lambda node, place: built(Orchestrators, section(ORCHESTRATORS, node, place)),
        help="how those that carry out migrations are set up, for `check`",
    ),
    "streams": Key(read=v.integer(1, 1000), help="migrations that a host sends, and receives, at a time (default: 1)"),
}

WAIVER: Kind = {
    "rule": Key(read=v.text, help="id of the rule that is waived"),
    "register": Key(read=v.text, help="firmware register whose loss is accepted"),
    "scope": Key(read=v.several(v.text), required=True, help="host or guest name patterns"),
    "reason": Key(read=v.text, required=True, help="why"),
    "owner": Key(read=v.text, required=True, help="who answers for it"),
    "expires": Key(read=v.day, required=True, help="day from which it no longer holds"),
}

RELEASE: Kind = {**TARGET, **HOST_FACTS}

DEFAULTS: Kind = {
    "host": Key(
        read=lambda node, place: section(_optional(HOST), node, place),
        help="keys for every host that does not give them itself or through `like`",
    ),
    "guest": Key(read=lambda node, place: section(_optional(GUEST), node, place), help="the same for guests"),
}

TOP = ("fleetplan", "target", "hosts", "guests", "groups", "policy", "waivers", "releases", "defaults")
"""Keys at the top; `hosts` and `guests` are streamed, the others are small."""


def _optional(kind: Kind) -> Kind:
    return {name: Key(read=key.read, help=key.help, refers=key.refers) for name, key in kind.items() if name != "like"}


def _gate(found: Any) -> Any:
    return found if found is BAD else {"soak_s" if name == "soak" else name: value for name, value in found.items()}


def _converge(found: Any) -> Any:
    return found if found is BAD else {"within_s" if name == "within" else name: value for name, value in found.items()}


def _window(found: Any) -> Any:
    return found if found is BAD else {f"{name}_min" if name != "days" else name: value for name, value in found.items()}


def _kubevirt(found: Any) -> Any:
    return found if found is BAD else KubeVirt(allow_post_copy=found.get("allowPostCopy", False))


def _nova(found: Any) -> Any:
    return found if found is BAD else Nova(**{name.removeprefix("live_migration_"): value for name, value in found.items()})


def built(record: Callable[..., Any], found: Any) -> Any:
    """A record from what was read, or BAD."""
    return found if found is BAD else record(**found)


def section(kind: Kind, node: Node, place: Place) -> Any:
    """A mapping with these keys, as a dict; BAD if anything in it is wrong or missing."""
    if not isinstance(node, MapNode):
        return place.wrong(node, "a mapping")
    found, sound, _ = entries(kind, node, place)
    for name, key in kind.items():
        if key.required and name not in found and sound:
            place.report(rules.MISSING_KEY, node.start_mark, what=place.what, key=name)
            sound = False
    return found if sound else BAD


def entries(kind: Kind, node: MapNode, place: Place) -> tuple[dict[str, Any], bool, dict[str, Mark]]:
    """The keys of a mapping that could be read, whether all could, and the places of those that refer to something."""
    found: dict[str, Any] = {}
    given: dict[str, Mark] = {}
    refers: dict[str, Mark] = {}
    sound = True
    prefix = f"{place.key}." if place.key else ""
    for key_node, value_node in node.entries:
        name = key_node.value
        key = kind.get(name)
        if name in given:
            v.report_duplicate(place, key_node, given[name])
            sound = False
            continue
        given[name] = key_node.start_mark
        if key is None:
            _unknown(kind, key_node, place)
            sound = False
        elif not v.not_known(value_node):
            value = key.read(value_node, Place(place.owner, prefix + name, place.report))
            if value is BAD:
                sound = False
            else:
                found[name] = value
            if key.refers:
                refers[name] = value_node.start_mark
    return found, sound, refers


def _unknown(kind: Kind, key_node: Any, place: Place) -> None:
    name = key_node.value
    rule = rules.ALIAS if name == "<<" else rules.UNKNOWN_KEY
    what = place.what if place.key else (place.owner or "the inventory")
    facts = {"found": "the merge key `<<`"} if name == "<<" else {"key": name[:80], **v.suggestion(name, list(kind))}
    place.report(rule, key_node.start_mark, what=what, **facts)
