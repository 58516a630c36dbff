"""FP2xx: what verdicts rest on, and moves that need attention."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

from fleetplan.findings.finding import Finding, Rule, Severity
from fleetplan.findings.registry import Evidence, rule
from fleetplan.fleet.guest import Birth, Guest
from fleetplan.fleet.model import Fleet, Host, HostName, Release
from fleetplan.fleet.table import Among
from fleetplan.migration.asking import Ask, AskKind, asked
from fleetplan.migration.births import Doubt

FOLLOWS = "What KVM gives a guest follows from the CPU, the boot firmware, the kernel and its command line, and is equal where they are."


def _by_class(evidence: Evidence) -> dict[int, list[Host]]:
    """Hosts of each class as they are now, in the order of their names."""
    found: dict[int, list[Host]] = defaultdict(list)
    for host, number in zip(evidence.fleet.hosts, evidence.classes.hosts_now, strict=True):
        found[number].append(host)
    return found


@rule(
    Rule(
        id="FP201",
        severity=Severity.NOTE,
        title="Something is assumed of a host",
        message="{assumed} (host `{host}`{others}); `{key}` would say",
        help="Verdicts about this host rest on something that the inventory does not say. If it is not so, a verdict may be wrong.",
        fix="Give `{key}`, or probe the host.",
        fact="KVM's ID registers follow from MIDR_EL1 and REVIDR_EL1, workaround levels from the CPU, the command line and sysfs.",
        source="levels and ID registers follow from MIDR_EL1, the command line and sysfs: arch/arm64/kernel/proton-pack.c",
        example="""\
defaults:
  host: {kernel: 6.12.117, vmm: qemu-11.1.3, cpu: neoverse-n1, vcpus: 80, memory: 256GiB}
""",
        mended="""\
defaults:
  host: {kernel: 6.12.117, vmm: qemu-11.1.3, midr: 0x413fd0c1, revidr: 0x0, cmdline: quiet, vcpus: 80, memory: 256GiB}
""",
        same_by=("key", "assumed"),
    )
)
def assumed_of_hosts(evidence: Evidence) -> Iterator[Finding]:
    """Assumptions of each host class, told once with the number of hosts that they are made of."""
    found: dict[tuple[str, str], list[Host]] = defaultdict(list)
    for number, hosts in _by_class(evidence).items():
        for assumption in evidence.classes.host_class(number).assumptions:
            found[assumption.subject, assumption.text] += hosts
    for (key, text), hosts in found.items():
        first = min(hosts, key=lambda host: host.name)
        yield Finding(
            rule="FP201",
            subject=first.name,
            at=first.at,
            hosts=sorted(_names(hosts)),
            facts={"assumed": text, "host": first.name, "key": key, "others": _others(len(hosts))},
        )


def _names(hosts: Iterable[Host]) -> tuple[HostName, ...]:
    return tuple(host.name for host in hosts)


def _others(count: int) -> str:
    return "" if count == 1 else f" and {count - 1} more"


@rule(
    Rule(
        id="FP202",
        severity=Severity.WARNING,
        title="What a host offers is not known",
        message="what host `{host}`{others} offers a guest is not known; {deciding} would decide",
        help="Moves from and to this host may be UNKNOWN, and no plan uses an UNKNOWN move unless policy accepts it.",
        fix="Give that fact, or probe the host.",
        fact="Distributions patch kernels and VMMs under one number; workaround levels follow from what the boot firmware offers.",
        source="docs/registers.md; the candidates stand in `fleetplan registers INVENTORY`",
        example="""\
hosts:
  arm-01: {vmm: qemu-10.1.0-19.el10}
""",
        mended="""\
hosts:
  arm-01: {}
""",
    )
)
def undecided_hosts(evidence: Evidence) -> Iterator[Finding]:
    """Host classes with more than one candidate."""
    for number, hosts in _by_class(evidence).items():
        offered = evidence.classes.host_class(number)
        if len(offered.kvms) > 1 or len(offered.vmms) > 1:
            facts = {"host": hosts[0].name, "others": _others(len(hosts)), "deciding": ", ".join(offered.undecided) or "a probe"}
            yield Finding(rule="FP202", subject=hosts[0].name, at=hosts[0].at, hosts=_names(hosts), facts=facts)


@rule(
    Rule(
        id="FP203",
        severity=Severity.NOTE,
        title="Part of a birth is assumed",
        message="{assumed} ({count} of the guests, `{guest}` is the first); `{key}` would say",
        help="PSCI version and services travel with a guest from its birth, and it was promised what it saw when it last booted. A guest "
        "born on an older kernel has less than its host now gives, and can go back where one born here cannot.",
        fix="Give `{key}`.",
        fact="PSCI_VERSION and the bitmaps are set at a cold boot and travel with the guest; levels are looked at when it reboots.",
        source="KVM keeps PSCI_VERSION and the bitmaps over migration and warm reboot: Documentation/virt/kvm/arm/fw-pseudo-registers",
        example="""\
guests:
  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}
""",
        mended="""\
guests:
  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, born: {kernel: 6.12.117}}
""",
        same_by=("key", "assumed"),
    )
)
def assumed_births(evidence: Evidence) -> Iterator[Finding]:
    """What is assumed of births, each told once with the number of guests."""
    guests = evidence.fleet.guests
    release = {host.name: host.release for host in evidence.fleet.hosts}
    here = [release[name] for name in guests.host_names]
    cases = list(zip(guests.template, guests.on, strict=True))
    told = {(template, on): tuple(_assumed_of_birth(guests.templates[template], here[on])) for template, on in dict.fromkeys(cases)}
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, case in enumerate(cases):
        for assumption in told[case]:
            found[assumption].append(number)
    for (key, assumed), numbers in sorted(found.items()):
        first = guests[numbers[0]]
        facts = {"assumed": assumed, "key": key, "count": str(len(numbers)), "guest": first.name}
        yield Finding(rule="FP203", subject=first.name, at=first.at, guests=Among(guests.names, numbers), facts=facts)


def _assumed_of_birth(guest: Guest, here: Release) -> Iterator[tuple[str, str]]:
    """The key that would say, and what is assumed without it."""
    birth = guest.born
    if birth is None:
        yield "born", "guests are taken to have cold booted on the release that their host runs now"
        return
    if birth.kernel is None and birth.registers is None:
        yield "born.kernel", "guests are taken to have cold booted on the kernel that their host runs now"
    hopped = birth.kernel not in {None, here.kernel}
    if hopped and birth.vmm is None:
        yield "born.vmm", "guests born on another kernel are taken to have cold booted under the VMM that their host runs now"
    if hopped and guest.rebooted is None:
        yield "rebooted", "guests born on another kernel are taken to have rebooted, if at all since, on the host that they are on"


@rule(
    Rule(
        id="FP204",
        severity=Severity.NOTE,
        title="What to find out first",
        message="{what}: with this and what is named before, {decides} of {moves} UNKNOWN moves are decided (number {step} of {steps})",
        help="These are the fewest things that decide the moves which a rollout may need, in the order in which they decide the most. A "
        "move is a guest class, from the kind of host it is on, to a kind of host of its pool as it is or at the target.",
        fix="Find it out, and write it into the inventory or its facts.",
        fact="An UNKNOWN move has several candidates that end differently; each fact that is learnt strikes some of them out.",
        source="fleetplan/migration/asking.py: set cover over the facts that decide each UNKNOWN move",
        example="""\
hosts:
  arm-01: {cpu: cortex-a72, midr: 0x410fd083}
  arm-02: {like: arm-01}
""",
        mended="""\
hosts:
  arm-01: {cpu: cortex-a72, midr: 0x410fd083, workarounds: {arch_workaround_1: 1, arch_workaround_2: 0, arch_workaround_3: 1}}
  arm-02: {like: arm-01}
""",
        same_by=("what",),
    )
)
def find_out_first(evidence: Evidence) -> Iterator[Finding]:
    """The answer of `migration.asking`, a step each."""
    steps = asked(evidence.fleet, evidence.classes)
    for number, step in enumerate(steps, 1):
        what, subjects = _to_find_out(evidence, step.ask)
        first = subjects[0] if subjects else None
        yield Finding(
            rule="FP204",
            subject=first.name if first is not None else step.ask.what,
            at=first.at if first is not None else evidence.fleet.at,
            hosts=tuple(one.name for one in subjects if isinstance(one, Host)),
            guests=tuple(one.name for one in subjects if isinstance(one, Guest)),
            place=number,
            facts={
                "what": what,
                "kind": step.ask.kind.value,
                "decides": str(step.decides),
                "moves": str(step.moves),
                "step": str(number),
                "steps": str(len(steps)),
            },
        )


def _to_find_out(evidence: Evidence, ask: Ask) -> tuple[str, Sequence[Host | Guest]]:
    """What to do, and the hosts or guests that it is done to: it is enough to ask one of them."""
    fleet, classes = evidence.fleet, evidence.classes
    match ask.kind:
        case AskKind.PROBE:
            hosts = _of_class(fleet, classes.hosts_now, ask.number)
            return f"probe host `{hosts[0].name}`{_others(len(hosts))}", hosts
        case AskKind.PROBE_THEN:
            hosts = _of_class(fleet, classes.hosts_then, ask.number)
            return f"probe host `{hosts[0].name}`{_others(len(hosts))} on {classes.host_class(ask.number).release}", hosts
        case AskKind.HOST_FACT:
            known = classes.hosts_now if ask.number in classes.hosts_now else classes.hosts_then
            hosts = _of_class(fleet, known, ask.number)
            return f"give {ask.what} of host `{hosts[0].name}`{_others(len(hosts))}", hosts
        case AskKind.GUEST_FACT:
            guests = [fleet.guests[number] for number, kind in enumerate(classes.guests) if kind == ask.number]
            return f"give {ask.what} of guest `{guests[0].name}`{_others(len(guests))}", guests
        case AskKind.PACKAGE:
            return f"read {ask.what}", ()
        case _:
            assert_never(ask.kind)


def _of_class(fleet: Fleet, numbers: list[int], wanted: int) -> list[Host]:
    return [host for host, number in zip(fleet.hosts, numbers, strict=True) if number == wanted]


@rule(
    Rule(
        id="FP205",
        severity=Severity.WARNING,
        title="A guest cannot have been born so",
        message="{problem} ({count} of the guests, `{guest}` is the first)",
        help="Two facts of a birth contradict each other, and nobody can say which is right. Both are judged, so that moves of the guest "
        "may be UNKNOWN; a dump is believed before what follows from the kernel.",
        fix="Correct `born`.",
        fact="KVM refuses a PSCI version that it does not offer (EINVAL), and QEMU has the property for a pin since 11.0.",
        source="arch/arm64/kvm/hypercalls.c: kvm_arm_set_fw_reg; `kvm-psci-version` of QEMU 11.0",
        example="""\
guests:
  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, born: {kernel: 6.1.176, psci: '1.3'}}
""",
        mended="""\
guests:
  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, born: {kernel: 6.1.176, psci: '1.0'}}
""",
        same_by=("problem",),
    )
)
def impossible_births(evidence: Evidence) -> Iterator[Finding]:
    """Births that contradict themselves, each kind of contradiction told once."""
    guests, doubts = evidence.fleet.guests, evidence.classes.doubts()
    place = {host.name: number for host, number in zip(evidence.fleet.hosts, evidence.classes.hosts_now, strict=True)}
    classes = [place[name] for name in guests.host_names]
    found: dict[tuple[Doubt, int], list[int]] = defaultdict(list)
    for number, (template, on) in enumerate(zip(guests.template, guests.on, strict=True)):
        for doubt in doubts.get((classes[on], template), ()):
            found[doubt, template].append(number)
    for (doubt, template), numbers in found.items():
        first, birth = guests[numbers[0]], guests.templates[template].born or Birth()
        problem = PROBLEMS[doubt].format(kernel=birth.kernel or "the host's kernel", vmm=birth.vmm, psci=birth.psci)
        facts = {"problem": problem, "count": str(len(numbers)), "guest": first.name}
        yield Finding(rule="FP205", subject=first.name, at=first.at, guests=Among(guests.names, numbers), facts=facts)


PROBLEMS: Mapping[Doubt, str] = {
    Doubt.PIN_REFUSED: "no guest starts on {kernel} with PSCI {psci}, which `born.psci` says was pinned",
    Doubt.NO_PROPERTY: "{vmm} has no property for the PSCI pin that `born.psci` gives",
    Doubt.DUMP: "`born.registers` has firmware registers, or values, that {kernel} does not give",
}


@rule(
    Rule(
        id="FP206",
        severity=Severity.NOTE,
        title="A probe speaks for twins",
        message="the probe of host `{probe}` is taken for {count} hosts that were not probed (`{host}` is the first)",
        help="`policy.probe_twins` says that hosts with the same kernel build, MIDR, REVIDR, command line and platform firmware are alike.",
        fix="Probe each host, if that is not so.",
        fact=FOLLOWS,
        source="arch/arm64/kernel/proton-pack.c; docs/registers.md",
        example="""\
policy: {probe_twins: true}
hosts:
  arm-01: {firmware: edk2-2025.02}
  arm-02: {like: arm-01, registers: [[0x6030000000140000, 0x10001]]}
""",
        mended="""\
policy: {probe_twins: false}
hosts:
  arm-01: {firmware: edk2-2025.02}
  arm-02: {like: arm-01, registers: [[0x6030000000140000, 0x10001]]}
""",
    )
)
def lent_probes(evidence: Evidence) -> Iterator[Finding]:
    """Every probe that speaks for others."""
    hosts = {host.name: host for host in evidence.fleet.hosts}
    for probe, others in evidence.classes.twins.speaks.items():
        facts = {"probe": probe, "count": str(len(others)), "host": others[0]}
        yield Finding(rule="FP206", subject=probe, at=hosts[probe].at, hosts=(probe, *others), facts=facts)


@rule(
    Rule(
        id="FP207",
        severity=Severity.WARNING,
        title="Twins were probed and differ",
        message="the probes of hosts {hosts} differ, though all that makes them twins is equal: none of them speaks for others",
        help="Something that makes a difference is not in the inventory, or one of the probes is out of date.",
        fix="Probe them again; if they still differ, give `firmware` more precisely.",
        fact=FOLLOWS,
        source="arch/arm64/kernel/proton-pack.c; docs/registers.md",
        example="""\
policy: {probe_twins: true}
hosts:
  arm-01: {firmware: edk2-2025.02}
  arm-02: {like: arm-01, registers: [[0x6030000000140000, 0x10001]]}
  arm-03: {like: arm-01, registers: [[0x6030000000140000, 0x10000]]}
""",
        mended="""\
policy: {probe_twins: true}
hosts:
  arm-01: {firmware: edk2-2025.02}
  arm-02: {like: arm-01, registers: [[0x6030000000140000, 0x10001]]}
  arm-03: {like: arm-01, registers: [[0x6030000000140000, 0x10001]]}
""",
    )
)
def quarrelling_twins(evidence: Evidence) -> Iterator[Finding]:
    """Families of twins whose probes disagree."""
    hosts = {host.name: host for host in evidence.fleet.hosts}
    for names in evidence.classes.twins.quarrels:
        shown = ", ".join(f"`{name}`" for name in names[:5])
        facts = {"hosts": shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"}
        yield Finding(rule="FP207", subject=names[0], at=hosts[names[0]].at, hosts=names, facts=facts)
