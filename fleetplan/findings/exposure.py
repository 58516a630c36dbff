"""FP3xx: guests that are exposed to a flaw of their CPU where they are, and what would expose or lose them."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from fleetplan.findings.finding import Finding, Rule, Severity
from fleetplan.findings.registry import Evidence, rule
from fleetplan.firmware.candidates import Fact
from fleetplan.firmware.guest_view import Item
from fleetplan.firmware.registers import psci_text
from fleetplan.fleet.policy import TimeoutAction
from fleetplan.fleet.table import Among
from fleetplan.migration.classes import HostClassId
from fleetplan.migration.exposure import Exposure
from fleetplan.migration.standing import Restart
from fleetplan.migration.undecided import asks
from fleetplan.rollout.audit import PsciLimit, psci_limits

HOSTS = (
    "hosts:\n"
    "  a: {kernel: 6.12.94, vmm: qemu-11.1.3, midr: 0x410fd083, revidr: 0x0, cmdline: quiet, vcpus: 8, memory: 16GiB,\n"
    "    vulnerabilities: {spectre_v2: 'SPECTRE_V2', spec_store_bypass: 'Not affected'}}\n"
)
MITIGATED = HOSTS.replace("SPECTRE_V2", "Mitigation: Branch predictor hardening, BHB")
VULNERABLE = HOSTS.replace("SPECTRE_V2", "Vulnerable")


def _guest(more: str) -> str:
    return f"guests:\n  g: {{on: a, vcpus: 1, memory: 1GiB{more}}}\n"


SOUND = MITIGATED + _guest(", born: {kernel: 6.12.94}")
LOOKED = "what a guest learns at its last boot is all that it uses: linux arch/arm64/kernel/proton-pack.c, spectre_v2_enable_mitigation"


def _found(evidence: Evidence, rule_id: str, kind: Exposure) -> Iterator[Finding]:
    """Guests to which flaws are of a kind: one finding for each kind of host, what would heal or tell, and the flaws it holds for."""
    found: dict[tuple[_Alike, tuple[Item, ...], int], array[int]] = defaultdict(lambda: array("i"))
    for band in evidence.bands:
        alike: dict[_Alike, list[Item]] = defaultdict(list)
        for standing in band.standings.items:
            if standing.exposure is kind:
                alike[_Alike(standing.restart, standing.missing, standing.at_least)].append(standing.item)
        for what, items in alike.items():
            found[what, tuple(items), band.host_class].extend(band.numbers)
    for (what, flaws, host), numbers in found.items():
        facts = {
            "flaw": f"Spectre {', '.join(flaw.value.removeprefix('spectre-').replace('bhb', 'BHB') for flaw in flaws)}",
            "heals": _heals(what.restart, "settles" if kind is Exposure.UNKNOWN else "heals"),
            "whether": "how" if what.certain else "whether",
            "missing": " and ".join(asks(fact, resident=True) for fact in what.missing),
        }
        yield _finding(evidence, rule_id, host, numbers, facts)


class _Alike(NamedTuple):
    """What flaws have in common that are told of together."""

    restart: Restart | None
    missing: tuple[Fact, ...]
    certain: bool
    """Whether the guests are exposed, even where it is not known how."""


def _finding(evidence: Evidence, rule_id: str, host: HostClassId, numbers: Iterable[int], facts: Mapping[str, str]) -> Finding:
    """A finding about some guests on hosts of a class."""
    guests, members = evidence.fleet.guests, array("i", sorted(numbers))
    first, several = guests[members[0]], len(members) > 1
    told = {
        "guest": first.name,
        "others": f" and {len(members) - 1} more" if several else "",
        "are": "are" if several else "is",
        "host": evidence.classes.host_class(host).label,
    }
    return Finding(rule=rule_id, subject=first.name, at=first.at, guests=Among(guests.names, members), facts={**told, **facts})


def _heals(restart: Restart | None, verb: str) -> str:
    return f"no restart where it is {verb} it" if restart is None else f"a {restart} where it is {verb} it"


@rule(
    Rule(
        id="FP301",
        severity=Severity.WARNING,
        title="Exposed by its host",
        message="guest `{guest}`{others} {are} exposed to {flaw}: a host of {host} does not give the mitigation",
        help="The CPU is affected, and the host gives its guests nothing against that: its firmware, its kernel or its command line has no "
        "mitigation, or its kernel takes the CPU for one that needs none. No restart helps, only another host, firmware or kernel does.",
        fix="Update the host's firmware or kernel, take `mitigations=off` and its like off its command line, or move the guest.",
        fact="KVM answers SMCCC_ARCH_WORKAROUND_n with what the host itself has, and never with more.",
        source="linux arch/arm64/kvm/hypercalls.c, kvm_smccc_call_handler; kernel/proton-pack.c, spectre_v2_mitigations_off",
        example=VULNERABLE + _guest(", born: {kernel: 6.12.94}"),
        mended=SOUND,
        same_by=("flaw", "host"),
    )
)
def exposed_by_host(evidence: Evidence) -> Iterator[Finding]:
    """Guests on hosts without the mitigation."""
    yield from _found(evidence, "FP301", Exposure.EXPOSED)


@rule(
    Rule(
        id="FP302",
        severity=Severity.WARNING,
        title="Booted before the mitigation",
        message="guest `{guest}`{others} {are} exposed to {flaw} on a host of {host}, which gives the mitigation: {heals}",
        help="The guest last booted where there was no mitigation, and looks for one only when it boots. A live migration to a better host "
        "gives it nothing until then.",
        fix="Reboot the guest; the VMM process may stay.",
        fact="Levels do not travel: each host answers with its own, and a guest asks at boot.",
        source=LOOKED,
        example=MITIGATED + _guest(", born: {kernel: 4.15.0}, rebooted: never"),
        mended=MITIGATED + _guest(", born: {kernel: 6.12.94}"),
        same_by=("flaw", "host"),
    )
)
def stale(evidence: Evidence) -> Iterator[Finding]:
    """Guests that a warm reboot would heal."""
    yield from _found(evidence, "FP302", Exposure.STALE)


@rule(
    Rule(
        id="FP303",
        severity=Severity.ERROR,
        title="Stripped of a mitigation",
        message="guest `{guest}`{others} lost what was promised against {flaw}, and {are} on a host of {host}: {heals}",
        help="At its last boot the guest was told of the mitigation, or that it needs none. It then came to a host where that is not "
        "so, and nobody told it: it believes itself safe.",
        fix="Move it to a host that keeps the promise; if its host has the mitigation after all, reboot it.",
        fact="A kernel without the register, or a VMM that lets a loss pass, restores the guest without an error.",
        source="linux arch/arm64/kvm/hypercalls.c, kvm_arm_set_fw_reg (WORKAROUND_3: a5905d6af492); QEMU target/arm/machine.c",
        example=VULNERABLE
        + _guest(", born: {kernel: 6.12.94, registers: [[0x6030000000140000, 0x10001], [0x6030000000140001, 1]]}, rebooted: never"),
        mended=SOUND,
        same_by=("flaw", "host"),
    )
)
def stripped(evidence: Evidence) -> Iterator[Finding]:
    """Guests whose promise is broken."""
    yield from _found(evidence, "FP303", Exposure.STRIPPED)


@rule(
    Rule(
        id="FP304",
        severity=Severity.WARNING,
        title="A mitigation is hidden from a guest",
        message="guest `{guest}`{others} cannot find the mitigation of {flaw} that a host of {host} gives: {heals}",
        help="The guest's PSCI version is below 1.0, by a pin or since its birth on an old kernel. A Linux guest looks for SMCCC 1.1, and "
        "with it for workarounds, only from PSCI 1.0 on. The version travels with it, and a warm reboot keeps it.",
        fix="Cold boot the guest with a PSCI pin to 1.0 or later, or without a pin.",
        fact="KVM keeps PSCI_VERSION over migration and KVM_ARM_VCPU_INIT; SMCCC_VERSION is found by PSCI_FEATURES, which came with 1.0.",
        source="linux drivers/firmware/psci/psci.c, psci_init_smccc; Documentation/virt/kvm/arm/fw-pseudo-registers.rst",
        example=MITIGATED + _guest(", born: {kernel: 6.12.94, psci: 0.2}"),
        mended=MITIGATED + _guest(", born: {kernel: 6.12.94, psci: 1.0}"),
        same_by=("flaw", "host"),
    )
)
def hidden(evidence: Evidence) -> Iterator[Finding]:
    """Guests that carry what keeps them from a mitigation."""
    yield from _found(evidence, "FP304", Exposure.HIDDEN)


@rule(
    Rule(
        id="FP305",
        severity=Severity.WARNING,
        title="Exposure is not known",
        message="{whether} guest `{guest}`{others} {are} exposed to {flaw} on a host of {host} is not known: {missing} would tell; {heals}",
        help="Facts are missing on which it depends whether the guest is exposed, or what would heal it. What is not known counts as "
        "exposed in `at most` figures.",
        fix="Give the fact, or restart the guest if that settles it.",
        fact="What a guest was told at its last boot cannot be read from outside of it.",
        source=LOOKED,
        example=MITIGATED + _guest(""),
        mended=SOUND,
        same_by=("flaw", "host", "missing"),
    )
)
def exposure_not_known(evidence: Evidence) -> Iterator[Finding]:
    """Guests of which it is not known."""
    yield from _found(evidence, "FP305", Exposure.UNKNOWN)


@rule(
    Rule(
        id="FP306",
        severity=Severity.WARNING,
        title="A boot would give a guest a newer PSCI version than it bears",
        message="guest `{guest}`{others} bears no PSCI version above {most}, and a cold boot on {release} {gives}: {pin}",
        help="The guest does not work with a newer PSCI version. A live migration keeps the version that it has, but whoever restarts it, "
        "on purpose or after a crash, breaks it.",
        fix="Pin the PSCI version in the guest's configuration before it is restarted (QEMU: `-global host-arm-cpu.kvm-psci-version=`).",
        fact="A fresh VM has the newest PSCI version of its kernel: 1.1 from 5.18, 1.3 from 6.13.",
        source="linux 512865d83fd9 (5.18), 8be82d536a9f (6.13): include/kvm/arm_psci.h, KVM_ARM_PSCI_LATEST",
        example=MITIGATED + _guest(", born: {kernel: 6.12.94}, psci_max: 1.0"),
        mended=MITIGATED + _guest(", born: {kernel: 6.12.94, psci: 1.0}, psci_max: 1.0"),
        same_by=("most", "release"),
    )
)
def bears_no_newer_psci(evidence: Evidence) -> Iterator[Finding]:
    """Guests with `psci_max` that no pin keeps at or below it."""
    names = evidence.fleet.guests.names
    for limit in psci_limits(evidence.fleet, evidence.classes):
        first = evidence.fleet.guests[names.index(limit.guests[0])]
        facts = {
            "guest": first.name,
            "others": "" if len(limit.guests) == 1 else f" and {len(limit.guests) - 1} more",
            "most": limit.most,
            "release": str(limit.release),
            "gives": "fails" if limit.given is None else f"gives {psci_text(limit.given)}",
            "pin": _pin(limit),
        }
        yield Finding(rule="FP306", subject=first.name, at=first.at, guests=limit.guests, facts=facts)


def _pin(limit: PsciLimit) -> str:
    if limit.pin is None:
        return "and no PSCI pin helps there"
    cost = ", with which it finds no mitigation" if limit.hides else ""
    return f"pin PSCI {limit.pin}{cost}"


@rule(
    Rule(
        id="FP307",
        severity=Severity.NOTE,
        title="Cleared bitmaps hide services from a guest",
        message="guest `{guest}`{others} cannot find {services}, which a host of {host} gives",
        help="The service bitmaps of the guest were cleared before it first ran. They travel with it, and a warm reboot keeps them. "
        "Without TRNG a guest gathers entropy slowly. No bitmap covers a Spectre workaround.",
        fix="Cold boot the guest under a VMM that leaves the bitmaps as they are.",
        fact="A bitmap is frozen by the first run of any vCPU: a later change is EBUSY.",
        source="linux Documentation/virt/kvm/arm/fw-pseudo-registers.rst, `Bitmap feature firmware registers`",
        example=MITIGATED
        + _guest(", born: {kernel: 6.12.94, registers: [[0x6030000000140000, 0x10001], [0x6030000000140001, 1], [0x6030000000160000, 0]]}"),
        mended=SOUND,
        same_by=("services", "host"),
    )
)
def services_hidden(evidence: Evidence) -> Iterator[Finding]:
    """Guests that are kept from services by what they carry."""
    for band in evidence.bands:
        services = band.standings.hidden_services
        if services:
            yield _finding(evidence, "FP307", band.host_class, band.numbers, {"services": ", ".join(services)})


@rule(
    Rule(
        id="FP308",
        severity=Severity.ERROR,
        title="Post-copy is permitted across kernels",
        message="{who} permits post-copy ({setting}), and {hosts} hosts do not run the target yet: {when}",
        help="With post-copy the guest runs on the destination before its registers are restored. Where that fails, as it may between two "
        "kernels, the guest is on neither side. Pre-copy fails too, but the guest goes on at its source.",
        fix="Turn post-copy off while hosts run different kernels.",
        fact="Registers are set after the switch-over; before QEMU 10.2 a device state that fails to load then loses the guest.",
        source="QEMU qapi/migration.json, `postcopy-device` (10.2); KubeVirt `allowPostCopy`; Nova `live_migration_permit_post_copy`",
        example="policy: {orchestrators: {kubevirt: {allowPostCopy: true}}}\n",
        mended="policy: {orchestrators: {kubevirt: {allowPostCopy: false}}}\n",
        same_by=("who",),
    )
)
def post_copy_permitted(evidence: Evidence) -> Iterator[Finding]:
    """Settings of orchestrators that would switch to post-copy, while there are kernels to cross."""
    fleet = evidence.fleet
    behind = sum(host.release != fleet.target for host in fleet.hosts)
    if not behind:
        return
    for who, setting, when in _post_copy(evidence):
        facts = {"who": who, "setting": setting, "when": when, "hosts": str(behind)}
        yield Finding(rule="FP308", subject=who, at=fleet.policy.at, facts=facts)


def _post_copy(evidence: Evidence) -> Iterator[tuple[str, str, str]]:
    """Who permits it, by which settings, and when it comes to it."""
    kubevirt, nova = evidence.fleet.policy.orchestrators.kubevirt, evidence.fleet.policy.orchestrators.nova
    if kubevirt is not None and kubevirt.allow_post_copy:
        yield "KubeVirt", "`allowPostCopy: true`", "it switches by itself when a migration takes longer than completionTimeoutPerGiB allows"
    if nova is not None and nova.permit_post_copy:
        forced = nova.timeout_action is TimeoutAction.FORCE_COMPLETE
        action = ", `live_migration_timeout_action = force_complete`" if forced else ""
        when = "it switches by itself at live_migration_completion_timeout" if forced else "`--force-complete` switches to it"
        yield "Nova", f"`live_migration_permit_post_copy = true`{action}", when
