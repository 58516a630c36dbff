"""FP2xx, on: what becomes of guests on their way to the target and back."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.findings.finding import Finding, Rule, Severity
from fleetplan.findings.registry import Evidence, rule
from fleetplan.fleet.model import Fleet, HostName
from fleetplan.fleet.table import Among
from fleetplan.migration.classes import GuestClassId, HostClassId
from fleetplan.migration.crossings import Crossing, doors, pin_back
from fleetplan.migration.reasons import Verdict

REFUSES = "A restore writes every saved register. The destination's KVM refuses values that it does not offer, and the VMM gives up."
PSCI = "KVM_REG_ARM_PSCI_VERSION: Documentation/virt/kvm/arm/fw-pseudo-registers, since 4.17; `kvm-psci-version` of QEMU 11.0"
RESTORE = "KVM_SET_ONE_REG on the destination: arch/arm64/kvm/hypercalls.c, kvm_arm_set_fw_reg; docs/registers.md"

Move = tuple[GuestClassId, HostClassId, HostClassId]


@rule(
    Rule(
        id="FP208",
        severity=Severity.WARNING,
        title="No migration to the target",
        message="guest `{guest}`{others} on {source} cannot migrate to any host of pool `{pool}` at the target; to {target}: "
        "{stage}, {because}",
        help="Such a guest can only be stopped and started again, where `restart: ok` allows it. A live migration would fail, most often "
        "after all of its memory was copied.",
        fix="`fleetplan verdict INVENTORY {guest} {host} --upgraded` says what would make it work.",
        fact=REFUSES,
        source=RESTORE,
        example="""\
target: {kernel: 7.3.4, vmm: qemu-10.0.13}
hosts:
  arm-01: {vmm: qemu-10.0.13}
""",
        mended="""\
target: {kernel: 7.3.4, vmm: qemu-11.1.3}
hosts:
  arm-01: {vmm: qemu-10.0.13}
""",
        same_by=("guest", "source"),
    )
)
def no_move(evidence: Evidence) -> Iterator[Finding]:
    """Guests of which every move to the target fails; the first kind of host stands for all."""
    for crossing in evidence.crossings.found:
        failing = _failing(crossing)
        if crossing.old and failing and len(failing) == len(crossing.rulings):
            yield _found(evidence, "FP208", crossing, failing[0])


@rule(
    Rule(
        id="FP209",
        severity=Severity.NOTE,
        title="Some hosts refuse a guest",
        message="guest `{guest}`{others} on {source} cannot migrate to host `{host}`{other_hosts} at the target: {stage}, {because}",
        help="A plan lands these guests on other hosts of their pool. Whoever moves one by hand must know.",
        fix="Nothing, if other hosts have room. `fleetplan verdict INVENTORY {guest} {host} --upgraded` says what would make it work.",
        fact=REFUSES,
        source=RESTORE,
        example="""\
hosts:
  arm-01: {}
  arm-02: {like: arm-01, cpu: neoverse-v1, midr: 0x411fd401}
""",
        mended="""\
hosts:
  arm-01: {}
  arm-02: {like: arm-01}
""",
        same_by=("guest", "source", "target"),
    )
)
def some_refuse(evidence: Evidence) -> Iterator[Finding]:
    """Guests of which some moves to the target fail, and others do not: once for all hosts that refuse them."""
    for crossing in evidence.crossings.found:
        failing = _failing(crossing)
        if crossing.old and failing and len(failing) < len(crossing.rulings):
            hosts = [evidence.fleet.hosts[number].name for kind in failing for number in crossing.hosts[kind]]
            yield _found(evidence, "FP209", crossing, failing[0], hosts=tuple(sorted(hosts)))


def _failing(crossing: Crossing) -> list[HostClassId]:
    return [there for there, (verdict, _) in crossing.rulings.items() if verdict is Verdict.FAILS]


@rule(
    Rule(
        id="FP210",
        severity=Severity.WARNING,
        title="A move takes something away in silence",
        message="guest `{guest}`{others} on {source} loses {lost} on the way to {target}, without an error: {because}",
        help="The migration succeeds, and the guest goes on without a mitigation or a service that it was promised. No plan uses such a "
        "move without a waiver that names the register.",
        fix="Restart the guest in place of the move, or waive the loss of {lost} for it, with a reason.",
        fact="Workaround levels do not travel: a guest that moves has what the destination has, and looks again only when it reboots.",
        source="arch/arm64/kvm/hypercalls.c: a level that is set is checked against the host and stored nowhere; docs/registers.md",
        example="""\
hosts:
  arm-01: {counter_hz: 25000000}
  arm-02: {like: arm-01, counter_hz: 1000000000}
""",
        mended="""\
hosts:
  arm-01: {counter_hz: 25000000}
  arm-02: {like: arm-01}
""",
        same_by=("guest", "source", "lost"),
    )
)
def strips(evidence: Evidence) -> Iterator[Finding]:
    """Moves to the target that strip a guest of something, where no waiver accepts the loss."""
    classes = evidence.classes
    for crossing in evidence.crossings.found:
        for there, (verdict, _) in crossing.rulings.items():
            if verdict is Verdict.STRIPS and crossing.old:
                judgment = classes.judgment(crossing.guest, crossing.here, there)
                if not judgment.lost <= classes.guest_class(crossing.guest).waived:
                    yield _found(evidence, "FP210", crossing, there, lost=", ".join(sorted(judgment.lost)))


@rule(
    Rule(
        id="FP211",
        severity=Severity.WARNING,
        title="One-way door without a PSCI pin",
        message="guest `{guest}`{others}, started on {source}, cannot move back to {target} ({stage}): {because}. A PSCI pin to {pin} "
        "keeps the way open",
        help="The guest runs on the target release, or can only come there by a restart. With the PSCI version that it has then, the old "
        "release does not take it back, so that a rollback would have to restart it once more.",
        fix="Pin PSCI {pin} (`kvm-psci-version` of QEMU 11.0 and later), which counts from the next cold boot, or let a plan do it: "
        "`policy.reversible`.",
        fact="A guest that cold boots has the newest PSCI version of its kernel, and keeps it over migrations. Older kernels refuse it "
        "(EINVAL); a pin fixes an older version before the boot.",
        source=PSCI,
        example="""\
hosts:
  arm-01: {}
  arm-02: {like: arm-01, kernel: 6.18.15}
guests:
  web-1: {on: arm-02, vcpus: 8, memory: 32GiB, born: {kernel: 6.18.15}}
""",
        mended="""\
hosts:
  arm-01: {}
  arm-02: {like: arm-01, kernel: 6.18.15}
guests:
  web-1: {on: arm-02, vcpus: 8, memory: 32GiB, born: {kernel: 6.18.15, psci: '1.1'}}
""",
        same_by=("guest", "source"),
    )
)
def door_without_a_pin(evidence: Evidence) -> Iterator[Finding]:
    """Guests on the target, or that have to restart to come there, whose way back a pin would keep open."""
    for crossing, back, pin in _boots(evidence):
        if pin is not None:
            yield _found(evidence, "FP211", crossing, crossing.here, move=back, pin=pin)


@rule(
    Rule(
        id="FP212",
        severity=Severity.WARNING,
        title="One-way door",
        message="guest `{guest}`{others} can move from {source} to {target}, and not back ({stage}): {because}",
        help="Once the guest has moved, the old release does not take it back, so that a rollback would have to restart it. A PSCI "
        "pin does not help: what the guest brings then is something else.",
        fix="Move it last, or accept that its way back is a restart.",
        fact="What a newer kernel or VMM adds, the guest brings along from then on, and an older one refuses what it does not know.",
        source=RESTORE,
        example="""\
target: {kernel: 5.4.200, vmm: qemu-6.2.0}
hosts:
  arm-01: {kernel: 4.14.200, vmm: qemu-6.2.0}
  arm-02: {like: arm-01}
guests:
  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, born: {kernel: 4.14.200}}
""",
        mended="""\
target: {kernel: 6.18.15, vmm: qemu-11.1.3}
""",
        same_by=("guest", "source", "target"),
    )
)
def door(evidence: Evidence) -> Iterator[Finding]:
    """One-way doors on the way to the target."""
    for crossing in evidence.crossings.found:
        for there, after in doors(evidence.classes, crossing):
            yield _found(evidence, "FP212", crossing, there, move=(after, there, crossing.here))


@rule(
    Rule(
        id="FP213",
        severity=Severity.NOTE,
        title="No way back, with or without a PSCI pin",
        message="guest `{guest}`{others}, started on {source}, cannot move back to {target} ({stage}), and no PSCI pin keeps the way open: "
        "{because}",
        help="Should the rollout be turned back, these guests have to be restarted on the old release.",
        fix="Close upgraded hosts to births until the rollout is done, and upgrade hosts whose guests have to restart last.",
        fact="A newer kernel gives a guest registers and services that an older one does not know; a PSCI pin takes none of them away.",
        source=RESTORE,
        example="""\
hosts:
  arm-01: {kernel: 6.1.176}
  arm-02: {like: arm-01, kernel: 6.18.15}
guests:
  web-1: {on: arm-02, vcpus: 8, memory: 32GiB, born: {kernel: 6.18.15}}
""",
        mended="""\
hosts:
  arm-01: {}
  arm-02: {like: arm-01, kernel: 6.18.15}
guests:
  web-1: {on: arm-02, vcpus: 8, memory: 32GiB, born: {kernel: 6.18.15, psci: '1.1'}}
""",
        same_by=("guest", "source"),
    )
)
def cannot_go_back(evidence: Evidence) -> Iterator[Finding]:
    """Guests on the target, or that have to restart to come there, whose way back nothing keeps open."""
    for crossing, back, pin in _boots(evidence):
        if pin is None:
            yield _found(evidence, "FP213", crossing, crossing.here, move=back)


def _boots(evidence: Evidence) -> Iterator[tuple[Crossing, Move, str | None]]:
    """Crossings of guests that are on the target, or come there by a restart only, and then have no way back.

    Each with the first way back that fails, and with the PSCI pin that would keep one open.
    """
    classes = evidence.classes
    for crossing in evidence.crossings.found:
        failing = _failing(crossing)
        if not failing or len(failing) < len(crossing.rulings):
            continue
        if not crossing.old:
            yield crossing, (crossing.guest, crossing.here, failing[0]), pin_back(classes, crossing.guest, crossing.here, failing)
            continue
        there = classes.on_release(crossing.here, evidence.fleet.target)
        fresh = classes.cold_boot(crossing.guest, there) if _restart(evidence, crossing) else None
        if fresh is not None and not classes.hop(fresh, there, crossing.here).allowed:
            yield crossing, (fresh, there, crossing.here), pin_back(classes, crossing.guest, there, (crossing.here,))


def _restart(evidence: Evidence, crossing: Crossing) -> bool:
    """Whether any of the guests may restart."""
    guests = evidence.fleet.guests
    return any(guests.templates[guests.template[number]].restartable for number in crossing.guests)


@rule(
    Rule(
        id="FP214",
        severity=Severity.NOTE,
        title="Not every move was looked into",
        message="{count} pairs of a kind of guest and a kind of host were not judged: there are too many kinds",
        help="A fleet of so many kinds of host and guest is judged in part, the first guests first. Planning judges what it needs.",
        fix="Check parts of the fleet, a pool at a time.",
        fact="A verdict depends on the kind of guest and on both kinds of host, so that kinds multiply.",
        source="fleetplan/migration/crossings.py",
        example="""\
# a fleet with more kinds of hosts and guests than are looked into
hosts:
  arm-01: {}
  arm-02: {like: arm-01, cpu: neoverse-v1, midr: 0x411fd401}
""",
        mended="""\
# a fleet of one kind
hosts:
  arm-01: {}
  arm-02: {like: arm-01}
""",
    )
)
def not_looked_into(evidence: Evidence) -> Iterator[Finding]:
    """What was left out, if anything."""
    if evidence.crossings.left_out:
        facts = {"count": str(evidence.crossings.left_out)}
        yield Finding(rule="FP214", subject="fleet", at=evidence.fleet.at, facts=facts)


def _found(
    evidence: Evidence,
    rule_id: str,
    crossing: Crossing,
    there: HostClassId,
    *,
    hosts: tuple[HostName, ...] = (),
    move: Move | None = None,
    **more: str,
) -> Finding:
    """A finding about the guests of a crossing, because of the judgment of their move there (or of another `move`)."""
    fleet, classes = evidence.fleet, evidence.classes
    guest = fleet.guests[crossing.guests[0]]
    judgment = classes.judgment(*(move or (crossing.guest, crossing.here, there)))
    source, target = (crossing.here, there) if move is None or rule_id == "FP212" else move[1:]
    facts = {
        "guest": guest.name,
        "others": _others(len(crossing.guests)),
        "source": str(classes.host_class(source).release),
        "target": str(classes.host_class(target).release),
        "pool": crossing.pool,
        "host": hosts[0] if hosts else _example(fleet, crossing, there),
        "other_hosts": _others(len(hosts) or 1),
        "stage": f"{judgment.verdict.value} at {judgment.stage.value}",
        **more,
    }
    among = Among(fleet.guests.names, crossing.guests)
    return Finding(rule=rule_id, subject=guest.name, at=guest.at, hosts=hosts, guests=among, because=judgment, facts=facts)


def _example(fleet: Fleet, crossing: Crossing, there: HostClassId) -> str:
    """A host of that kind, or the one that the guest is on."""
    known = crossing.hosts.get(there)
    return fleet.hosts[known[0]].name if known else fleet.guests[crossing.guests[0]].on


def _others(count: int) -> str:
    return "" if count == 1 else f" and {count - 1} more"
