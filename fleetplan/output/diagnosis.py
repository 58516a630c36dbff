"""What pasted messages mean, in sentences: who prints them, at which stage, what usually causes them, what would help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from fleetplan.firmware import registers as fw
from fleetplan.firmware.encodings import CCSIDR_IDS
from fleetplan.migration.causes import Cause, Leaving, Trouble
from fleetplan.migration.diagnosis import Counts, Diagnosis, Group, Named, Series
from fleetplan.migration.reasons import Stage, register_name
from fleetplan.migration.recognise import Printer
from fleetplan.migration.vmm import Family
from fleetplan.migration.wordings import Role
from fleetplan.output.reasons import CACHES, IMPLEMENTATION, register_protects, value_words
from fleetplan.output.sentences import listed

MAKERS = {
    Family.QEMU: "QEMU",
    Family.CLOUD_HYPERVISOR: "Cloud Hypervisor",
    Family.FIRECRACKER: "Firecracker",
    Family.CROSVM: "crosvm",
}

STAGES = {
    Stage.START: "the destination's VMM does not start, or does not take the stream up: nothing was copied, the guest stays on the source",
    Stage.LENGTH: "after the whole copy the guest's register list proved longer than the destination's; the guest stays on the source",
    Stage.MERGE: "after the whole copy a register was brought that the destination does not have; the guest stays on the source",
    Stage.SET: "after the whole copy the destination's kernel refused a register; the guest stays on the source",
    Stage.AFTER: "the move may have gone well: the line alone is no failure",
}


def stage_sentence(stage: Stage) -> str:
    """Where the load ended, and what that means for the guest."""
    return f"{stage}: {STAGES[stage]}"


def printer_words(printers: tuple[Printer, ...]) -> str:
    """`QEMU 10.2 and later; RHEL 9.8's 10.1`."""
    return "; ".join(_printer(printer) for printer in printers) or "no VMM that is known prints all of these lines together"


def _printer(printer: Printer) -> str:
    name = MAKERS[printer.family]
    if printer.package:
        return f"{printer.package} ({name} {_dotted(printer.first)})"
    if printer.first == (0,):
        return name
    if printer.before:
        return f"{name} before {_dotted(printer.before)}" if printer.first <= (2, 6) else f"{name} {_dotted(printer.first)}{_end(printer)}"
    return f"{name} {_dotted(printer.first)} and later"


def _end(printer: Printer) -> str:
    return f" and later, before {_dotted(printer.before)}"


def _dotted(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


# --- registers ------------------------------------------------------------------------------------------------------------------------


def group_points(group: Group) -> Iterator[tuple[int, str]]:
    """Registers in the same trouble, what that means, and what usually causes it."""
    yield 0, _subject(group)
    if group.trouble is Trouble.REFUSED:
        guards = register_protects(group.registers[0].register)
        yield 1, f"the refusal protects {guards}"
    for cause in group.causes:
        yield 1, cause_sentence(cause)
    if group.trouble is not None:
        yield from ((1, text) for text in _other_causes(group))
        yield 1, f"what helps: {_help(group)}"


MOST_NAMED = 4


def _subject(group: Group) -> str:
    first = group.registers[0]
    if len(group.registers) == 1:
        return f"{register_name(first.register)} ({first.register:#x}): {_trouble(first)}"
    names = listed([register_name(one.register) for one in group.registers], most=MOST_NAMED)
    return f"{len(group.registers)} registers, {names}: {_trouble(Named(register=first.register, trouble=group.trouble))}"


def _trouble(named: Named) -> str:
    match named.trouble:
        case None:
            return _about(named.register)
        case Trouble.LACKING:
            return "the guest brings it, and the destination's kernel does not have it"
        case Trouble.UNSENT:
            return "the destination has it, and the guest does not bring it; a warning, it keeps the value of a new guest"
        case Trouble.REFUSED:
            return _refused(named)
        case _:
            assert_never(named.trouble)


def _refused(named: Named) -> str:
    errno = f": {named.errno.name}" if named.errno is not None else ""
    if named.written is None:
        return f"the destination's kernel refuses its value{errno}"
    there = f", where it is {value_words(named.register, named.there)}" if named.there is not None else ""
    return f"the guest brings {value_words(named.register, named.written)}{there}, and the destination's kernel refuses that{errno}"


def _about(register: int) -> str:
    row = fw.BY_ID.get(register)
    if row is not None:
        return f"a firmware register, a {row.kind.value}: {', '.join(f'{value:#x} {word}' for value, word in row.words.items())}"
    if register in CCSIDR_IDS:
        return "the size of a cache, as seen through one value of CSSELR_EL1"
    return "a system register"


def cause_sentence(cause: Cause) -> str:
    """A change of the kernel, and which way the guest must have gone over it."""
    since = _dotted(cause.since)
    match cause.leaving:
        case Leaving.NEWER:
            return f"usual cause: from a kernel of {since} or later to an older one ({cause.what})"
        case Leaving.OLDER:
            return f"usual cause: from a kernel older than {since} to {since} or later ({cause.what})"
        case Leaving.EITHER:
            return f"may be the cause: one kernel is older than {since}, the other is not ({cause.what})"
        case _:
            assert_never(cause.leaving)


def _other_causes(group: Group) -> Iterator[str]:
    """Causes that are no change of the kernel."""
    register = group.registers[0].register
    row = fw.BY_ID.get(register)
    if group.trouble is Trouble.REFUSED and row is not None and row.kind is fw.Kind.LEVEL:
        yield "usual cause: the source mitigates and the destination does not: other platform firmware (SMCCC), CPU or command line"
    elif group.trouble is Trouble.REFUSED and register in IMPLEMENTATION:
        yield "usual cause: the hosts have different CPUs, or a stepping of one; or a host has several kinds of CPU, and vCPUs wander"
    elif group.trouble is Trouble.REFUSED and row is None:
        yield "another cause: the hosts' CPUs differ, or their platform firmware"
    elif not group.causes:
        yield "no change of the kernel that is known does this: the vCPU's features differ (PMU, SVE, pointer authentication), or the CPUs"


def _help(group: Group) -> str:
    register = group.registers[0].register
    row = fw.BY_ID.get(register)
    match group.trouble:
        case Trouble.UNSENT | None:
            return "nothing is needed; the guest has the value of a new guest from now on"
        case Trouble.LACKING:
            return "a destination on the source's kernel or a newer one; QEMU 11.1 on the destination, for those that it tolerates"
        case Trouble.REFUSED if row is fw.PSCI_VERSION:
            return f"restart the guest with {_pin(group.registers[0])} (kvm-psci-version, QEMU 11.0 and later), or upgrade the destination"
        case Trouble.REFUSED if row is not None:
            return "a destination that is mitigated as well; or a cold boot there, which gives the mitigation up"
        case Trouble.REFUSED if register in IMPLEMENTATION:
            return "a destination with the same CPU; or bind vCPUs to CPUs of one kind"
        case Trouble.REFUSED if register in CACHES:
            return "a destination on the source's kernel or a newer one; or a cold boot there"
        case Trouble.REFUSED:
            return "a destination with the same CPU and a kernel that is not older; or a cold boot there"
        case _:
            assert_never(group.trouble)


def _pin(named: Named) -> str:
    return "a PSCI pin that both kernels have" if named.there is None else f"a PSCI pin to {fw.psci_text(named.there)}"


# --- lists ----------------------------------------------------------------------------------------------------------------------------


def counts_points(counts: Counts) -> Iterator[tuple[int, str]]:
    """Two lengths of lists, and whose they are."""
    more = counts.brought - counts.listed
    yield 0, f"the guest brings {counts.brought} registers, the destination lists {counts.listed}: {more} too many"
    yield 1, f"{counts.brought} registers are what a vCPU has on {_series(counts.sources)}"
    yield 1, f"{counts.listed} registers are what a vCPU has on {_series(counts.destinations)}"
    yield 1, "what helps: QEMU 11.1 on the destination, which does not count (what it tolerates then decides); or a newer kernel there"


def _series(series: Series) -> str:
    words = ["kernel " + (_dotted(first) if first == last else f"{_dotted(first)} to {_dotted(last)}") for first, last in series]
    return f"{', or '.join(words)} (QEMU's `-cpu host`, with the PMU, without SVE)" if words else "no kernel that is known, without SVE"


def general_points(diagnosis: Diagnosis) -> Iterator[tuple[int, str]]:
    """What lines say that name no register."""
    names = {line.wording.name for line in diagnosis.reading.lines}
    version = next((line.version for line in diagnosis.reading.lines if line.version is not None), None)
    machine = next((line.machine for line in diagnosis.reading.lines if line.machine is not None), None)
    if "psci-unsupported" in names and version is not None:
        yield 0, f"the guest is pinned to PSCI {version}, and the kernel of the host that starts it does not offer that version"
        yield 1, "what helps: another pin, set on the source before a cold boot; or a newer kernel on the destination"
    if {"no-pin-property", "no-pin-property-bare"} & names:
        yield 0, "the guest's configuration has a PSCI pin (kvm-psci-version), which QEMU knows from 11.0 on"
        yield 1, "what helps: QEMU 11.0 or later on every host that the guest may visit; or a restart without the pin"
    if {"no-machine", "no-machine-unnamed", "libvirt-machine"} & names:
        yield 0, f"the destination's QEMU does not know the guest's machine type{f' {machine}' if machine else ''}: too new, or removed"
        yield 1, "what helps: restart the guest with a versioned type that both know"
    if "other-machine" in names:
        yield 0, "both ends were started with different machine types: an unversioned `virt` is the newest of each QEMU"
        yield 1, "what helps: name the versioned type of the running guest on the destination"
    if not diagnosis.groups and not diagnosis.counts and {Stage.MERGE, Stage.SET} & set(diagnosis.reading.stages):
        yield (
            0,
            "these lines name no register: what failed is known only from both hosts' lists (`fleetplan explain INVENTORY` with the text)",
        )
    if diagnosis.reading.about(Role.WRAP):
        yield 0, "libvirt's words only wrap the VMM's: see /var/log/libvirt/qemu/GUEST.log on the destination for all of them"
