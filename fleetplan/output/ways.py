"""Ways to a yes as sentences, with what to paste and what to run."""

from __future__ import annotations

from typing import assert_never

from fleetplan.firmware.guest_view import MITIGATIONS, Item
from fleetplan.migration.ways import Way, WayKind
from fleetplan.output.facts import how_to
from fleetplan.output.sentences import listed
from fleetplan.rollout.move_report import MoveReport

PIN_ARGUMENT = "-global host-arm-cpu.kvm-psci-version="
"""How a pin is given to QEMU beside libvirt's own `-cpu`."""

EQUIPMENT_WORDS = {"devices": "unplug the devices that are passed through", "disks": "copy the disks along (`disks: copied`)"}
POLICY_WORDS = {"unknown": "`policy: {unknown: accept}`", "psci_change": "`policy: {psci_change: allow}`"}


def way_sentence(way: Way, report: MoveReport) -> str:
    """What to do, what the move then is, and what that costs."""
    then = f": {way.verdict} then" if way.tried and way.kind is not WayKind.BOOT_THERE else ""
    costs = "; ".join(_costs(way, report))
    forbidden = "" if way.permitted else ". Policy forbids it: the guest has no `restart: ok`"
    return f"{_deed(way, report)}{then}{f'. Cost: {costs}' if costs else ''}{forbidden}"


def _deed(way: Way, report: MoveReport) -> str:
    guest, source, destination = report.guest.name, report.source.name, report.destination.name
    match way.kind:
        case WayKind.FACT:
            may = f" (the move is {' or '.join(way.outcomes)})" if len(way.outcomes) > 1 else ""
            return f"find out {way.fact}{may}"
        case WayKind.STEPPING_STONE:
            return f"go by way of {listed(way.hosts)}"
        case WayKind.EQUIPMENT:
            return f"{' and '.join(EQUIPMENT_WORDS[key] for key in way.keys)} for the move"
        case WayKind.RESTART:
            return f"stop {guest} and start it again on {source}{_configured(way)}"
        case WayKind.BOOT_THERE:
            return f"stop {guest}, and start it on {destination}{_configured(way)}: no migration"
        case WayKind.RELEASE:
            return _release(way, report)
        case WayKind.WAIVER:
            return f"accept in writing that {guest} loses {listed(way.keys)} (a waiver)"
        case WayKind.POLICY:
            return f"accept such moves: {', '.join(POLICY_WORDS[key] for key in way.keys)}"
        case _:
            assert_never(way.kind)


def _configured(way: Way) -> str:
    changes = [f"pinned to PSCI {way.psci}"] if way.psci is not None else []
    changes += [f"with machine type {way.machine}"] if way.machine is not None else []
    return f", {' and '.join(changes)}" if changes else ""


def _release(way: Way, report: MoveReport) -> str:
    release, destination = way.release, report.destination
    assert release is not None  # noqa: S101 - a way of this kind has one
    if release == destination.release:
        return f"leave {destination.name} on {release}"
    parts = [new for new, old in ((release.kernel, report.goal.kernel), (release.vmm, report.goal.vmm)) if new != old]
    instead = [old for new, old in ((release.kernel, report.goal.kernel), (release.vmm, report.goal.vmm)) if new != old]
    known = "" if way.offered else " (not in this inventory)"
    return f"give {destination.name} {' with '.join(parts)} in place of {' with '.join(instead)}{known}"


def _costs(way: Way, report: MoveReport) -> list[str]:
    costs = []
    if way.kind in {WayKind.RESTART, WayKind.BOOT_THERE}:
        costs.append("a restart of the guest")
    if way.kind is WayKind.RELEASE and way.release != report.destination.release:
        costs.append("an upgrade of the host")
    if way.lost:
        costs.append(f"the guest is without {listed([item_words(item) for item in way.lost], most=9)}")
    return costs


def item_words(item: Item) -> str:
    """A service by its name, a mitigation as one."""
    return f"the mitigation of {item.value}" if item in MITIGATIONS else item.value


def way_details(way: Way, report: MoveReport) -> tuple[str, ...]:
    """What to run, and how to set it."""
    if way.kind is WayKind.FACT:
        how = how_to(way.fact)
        if how is None:
            return ()
        return (f"run: {how.command}", *((f"write the answer as: {how.key}",) if how.key else ()))
    if way.psci is not None:
        return (f"QEMU argument: {PIN_ARGUMENT}{way.psci}", f"write in the inventory: born: {{{_born(way, report)}}}")
    return ()


def _born(way: Way, report: MoveReport) -> str:
    release = report.source.release if way.kind is WayKind.RESTART else report.goal
    return f"kernel: {release.kernel}, vmm: {release.vmm}, psci: {way.psci}"


def paste(way: Way, report: MoveReport, expires: str) -> tuple[str, ...]:
    """Lines for the inventory, ready to paste; empty where none are needed. `expires` is the last day's successor, as an ISO date."""
    if way.kind is not WayKind.WAIVER:
        return ()
    lines = ["waivers:"]
    for key in way.keys:
        lines += [f"  - register: {key}", f"    scope: [{report.guest.name}]", "    reason: FILL IN", "    owner: FILL IN"]
        lines.append(f"    expires: {expires}")
    return tuple(lines)
