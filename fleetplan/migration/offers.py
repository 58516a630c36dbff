"""What a host offers a guest: its KVM and its VMM, as far as they are known; else all that they may be."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.candidates import MOST_CANDIDATES, Candidates, Choices, Fact, FactKind, Role, both, certain, chosen, either
from fleetplan.firmware.cpus import by_name
from fleetplan.firmware.families import Seen, listed, others, shows_features, without
from fleetplan.firmware.kernels import KernelProfile, KernelRelease, profiles
from fleetplan.firmware.kernels import parse as parse_kernel
from fleetplan.firmware.mitigations import Assumption, LevelFacts, assumptions, decided_by, firmware_answers, host_levels, mixed
from fleetplan.firmware.platforms import UNAFFECTED
from fleetplan.firmware.sightings import Probe, agreeing
from fleetplan.firmware.vcpu import PFR1, SSBS, Feature, Kvm, Levels, OtherRegister
from fleetplan.fleet.model import Equipment, HostFacts, Release, ReleaseFacts
from fleetplan.migration.carry import Guests, GuestState
from fleetplan.migration.vmm import VmmProfile, on_kernel
from fleetplan.migration.vmm import parse as parse_vmm
from fleetplan.migration.vmm import profiles as vmm_profiles
from fleetplan.migration.vmm import stated as stated_vmm

PLAIN: frozenset[Feature] = frozenset({"psci_0_2"})
WITH_PMU: frozenset[Feature] = frozenset({"psci_0_2", "pmu_v3"})
POINTER_AUTHENTICATION: frozenset[Feature] = frozenset({"ptrauth_address", "ptrauth_generic"})

Read = tuple[LevelFacts, KernelProfile]
"""What is known of a machine's levels, and the kernel on which it was read."""


class HostOffer(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What hosts of one class offer.

    `kvms` and `vmms` are all that may be there, at least one each; with one each, everything is known. `choices[i]` are what must be so
    for `kvms[i]`, and `read[i]` is what its levels follow from. `identity` is equal for hosts
    whose CPUs are the same as far as is known: MIDR and REVIDR, or the CPU's name; empty where nothing is known. `undecided` names the
    facts that would leave one candidate. `stated` are the facts that the inventory gives, for showing.
    """

    release: Release
    kvms: tuple[Kvm, ...]
    choices: tuple[Choices, ...]
    read: tuple[Read, ...]
    vmms: tuple[VmmProfile, ...]
    identity: str
    undecided: tuple[str, ...]
    assumptions: tuple[Assumption, ...]
    features: frozenset[Feature]
    stated: HostFacts

    @property
    def mixed(self) -> bool:
        """Whether the host's CPUs differ, so that a vCPU may be on any of them."""
        return bool(self.stated.other_midrs)

    @property
    def label(self) -> str:
        """Words for a host of this class: release and CPU."""
        return f"{self.release} on {self.identity or 'a CPU that is not known'}"


def offer(release: Release, facts: HostFacts) -> HostOffer:
    """What a host offers on the release on which its facts were read."""
    kernel = parse_kernel(release.kernel)
    vmms = _vmms(release, facts)
    known = profiles(kernel)
    features = _features(vmms, facts)
    given = _level_facts(facts)
    found: list[tuple[Kvm, Choices, Read]] = []
    kernels = _kernels(release, known, facts.registers)
    undecided = [known.decided_by] if len(kernels) > 1 else []
    for named, profile, build in kernels:
        levels = _levels(facts, given, named, named)
        undecided.append(levels.decided_by)
        for level, rests_on in _chosen_levels(levels, release, facts):
            registers = _others(profile, facts, features, facts.registers, None, level, firmware=_firmware(given, named, level, named))
            kvm = Kvm(profile=profile, levels=level, others=registers, probed=facts.registers is not None)
            found.append((kvm, (*build, *rests_on), (given, named)))
    return _offer(release, facts, found, vmms, [*undecided, vmms.decided_by], features)


def _kernels(release: Release, known: Candidates[KernelProfile], probe: Probe | None) -> list[tuple[KernelProfile, KernelProfile, Choices]]:
    """All that a kernel may be by its name, and as a probe on it shows it; equal names are the same build, wherever they run."""
    named = list(known)
    options = list(enumerate(named)) if probe is None else agreeing(named, probe)
    fact = Fact(kind=FactKind.KERNEL, of=release.kernel, words=f"{known.decided_by} ({release.kernel})")
    return [(named[number], profile, chosen(fact, number) if len(named) > 1 else ()) for number, profile in options]


def _chosen_levels(levels: Candidates[Levels], release: Release, facts: HostFacts) -> Iterator[tuple[Levels, Choices]]:
    """Each level that a machine may have, and what it rests on: SSBS is the CPU's, the rest is the machine's own, or all its twins'."""
    own = Fact(kind=FactKind.LEVELS, of=_twins(release, facts), words=levels.decided_by)
    silicon = Fact(kind=FactKind.LEVELS, of=identity(facts), words=f"whether {identity(facts)} has SSBS")
    several, unlike = levels.known is None, len({level.ssbs for level in levels}) > 1
    for level in levels:
        rests_on = chosen(silicon, level.ssbs) if unlike and silicon.of else ()
        yield level, (*rests_on, *chosen(own, level)) if several else ()


def _twins(release: Release, facts: HostFacts) -> str:
    """The kind of a machine whose levels are equal on every machine of that kind; empty where what is stated does not say.

    Levels follow from the CPU, the platform firmware, the kernel and its command line.
    """
    if None in {facts.midr, facts.revidr, facts.cmdline, facts.firmware}:
        return ""
    return f"{identity(facts)}, {facts.firmware}, {release.kernel}, {facts.cmdline}"


def offer_after(release: Release, facts: HostFacts, read_on: Release, stated: Sequence[ReleaseFacts]) -> HostOffer:
    """What a host will offer on another release than the one on which its facts were read.

    Its probe, its texts and its levels do not hold there; they say what the machine is, and so narrow what may be there. Facts that the
    inventory states for that release and this CPU hold outright. The command line is taken to be kept.
    """
    for entry in stated:
        if entry.release == release and _applies(entry.facts, facts):
            return offer(release, _merged(replaced_by_upgrade(facts, read_on, release), entry.facts))
    old, new = profiles(parse_kernel(read_on.kernel)), profiles(parse_kernel(release.kernel))
    kept = replaced_by_upgrade(facts, read_on, release)
    vmms = _vmms(release, kept)
    features = _features(vmms, facts)
    given = _level_facts(facts)
    found: list[tuple[Kvm, Choices, Read]] = []
    undecided = [new.decided_by]
    for before, asked, ran in _kernels(read_on, old, facts.registers):
        seen = Seen(kernel=asked, registers=facts.registers) if facts.registers is not None else None
        for profile, _, build in _kernels(release, new, None):
            levels = _levels(facts, given, before, profile)
            undecided.append(levels.decided_by)
            for level, rests_on in _chosen_levels(levels, release, facts):
                registers = _others(profile, facts, features, None, seen, level, firmware=_firmware(given, before, level, profile))
                found.append((Kvm(profile=profile, levels=level, others=registers), (*ran, *build, *rests_on), (given, before)))
    return _offer(release, kept, found, vmms, [*undecided, vmms.decided_by], features)


def _firmware(given: LevelFacts, read_on: KernelProfile, level: Levels, profile: KernelProfile) -> int:
    """What the firmware of a machine may answer that has these levels on a kernel.

    Of v4, what was read counts alone: before 5.10 it may be anything on a CPU that needs no help.
    """
    levels = LevelFacts(midr=given.midr, cpu=given.cpu, cmdline=given.cmdline, workarounds=(level.spectre_v2, None, level.bhb))
    seen, told = firmware_answers(given, read_on), firmware_answers(levels, profile)
    return seen & told or seen


def replaced_by_upgrade(facts: HostFacts, read_on: Release, release: Release) -> HostFacts:
    """The facts that an upgrade leaves true."""
    return replace(
        facts,
        vulnerabilities=None,
        workarounds=None,
        registers=None,
        masks=None,
        vmm_profile=facts.vmm_profile if release.vmm == read_on.vmm else None,
    )


def _vmms(release: Release, facts: HostFacts) -> Candidates[VmmProfile]:
    """What the VMM is: as the host states it, else as its name says."""
    vmm = on_kernel(parse_vmm(release.vmm), release.kernel)
    return vmm_profiles(vmm) if facts.vmm_profile is None else certain(stated_vmm(vmm, facts.vmm_profile))


def _applies(entry: HostFacts, facts: HostFacts) -> bool:
    same_cpu = entry.cpu is None or entry.cpu == facts.cpu
    return same_cpu and (entry.midr is None or entry.midr == facts.midr) and (entry.revidr is None or entry.revidr == facts.revidr)


def _merged(kept: HostFacts, stated: HostFacts) -> HostFacts:
    """What the upgrade leaves true, under what the inventory states of the release."""
    own = {name: getattr(stated, name) for name in stated.__struct_fields__ if getattr(stated, name) != getattr(NOTHING, name)}
    return replace(kept, **own)


NOTHING = HostFacts()
"""What says nothing."""


def _features(vmms: Candidates[VmmProfile], facts: HostFacts) -> frozenset[Feature]:
    """What the VMM turns on: QEMU's `-cpu host` has the PMU, and SVE and pointer authentication where the host is known to have them."""
    if not all(vmm.pmu for vmm in vmms):
        return PLAIN
    sve: frozenset[Feature] = frozenset({"sve"}) if facts.platform.sve else frozenset()
    return WITH_PMU | sve | (POINTER_AUTHENTICATION if "pauth" in (facts.platform.features or ()) else frozenset())


def features_of(equipment: Equipment, offered: HostOffer) -> frozenset[Feature]:
    """The vCPU features of a guest that boots on a host: as it states them, else what the host's VMM turns on."""
    usual = offered.features
    sve = "sve" in usual if equipment.sve is None else bool(equipment.sve)
    if equipment.features is None:
        return (usual - {"sve"}) | (frozenset({"sve"}) if sve else frozenset())
    found: set[Feature] = {"psci_0_2"}
    if "pmu" in equipment.features:
        found.add("pmu_v3")
    if "pauth" in equipment.features:
        found |= POINTER_AUTHENTICATION
    if sve:
        found.add("sve")
    return frozenset(found)


@lru_cache(maxsize=1024)
def suited(offered: HostOffer, features: frozenset[Feature], bound_to: int | None) -> HostOffer:
    """What a host offers a guest with these vCPU features, whose vCPUs are bound to CPUs of one MIDR_EL1 (None: to none).

    What is known of the host's registers stays, save of those that show features: there, fields of features that the guest has not
    got read 0, and of features that the host was not looked at with nothing is known but what is predicted.
    """
    facts = offered.stated
    binds = bound_to is not None and offered.mixed and bound_to in {facts.midr, *facts.other_midrs}
    if features == offered.features and not binds:
        return offered
    if binds:
        facts = replace(facts, midr=bound_to, other_midrs=(), registers=None, masks=None)
    kvms = tuple(replace(kvm, others=_suited(kvm, facts, offered.features, features, whole=binds)) for kvm in offered.kvms)
    return replace(offered, kvms=kvms, features=features, stated=facts, identity=identity(facts))


def _suited(
    kvm: Kvm, facts: HostFacts, before: frozenset[Feature], features: frozenset[Feature], *, whole: bool
) -> tuple[OtherRegister, ...]:
    firmware = max((register.firmware for register in kvm.others), default=0)
    predicted = {register.id: register for register in _others(kvm.profile, facts, features, None, None, kvm.levels, firmware=firmware)}
    if whole:
        return tuple(predicted.values())
    gone = set(listed(kvm.profile, before)) - predicted.keys()
    lost = before - features if features <= before else None
    kept = {register.id: _seen_as(register, predicted.get(register.id), lost, kvm) for register in kvm.others if register.id not in gone}
    return tuple((kept | {register: new for register, new in predicted.items() if _appears(register, kept, kvm, before)}).values())


def _seen_as(known: OtherRegister, predicted: OtherRegister | None, lost: frozenset[Feature] | None, kvm: Kvm) -> OtherRegister:
    """A register as a guest with other features has it, and what it is then equal to.

    Its own value, save where features show in it: without those that are `lost`, or as predicted where some are new (None).
    """
    if predicted is None:
        return known
    if shows_features(known.id):
        return predicted if lost is None or known.value is None else replace(without(known, lost, kvm.profile), era=predicted.era)
    return replace(known, era=predicted.era)


def _appears(register: int, kept: Mapping[int, OtherRegister], kvm: Kvm, before: frozenset[Feature]) -> bool:
    """Whether a register is there with the guest's features only; one that a probe did not find stays away."""
    return register not in kept and register not in listed(kvm.profile, before)


def _offer(
    release: Release,
    facts: HostFacts,
    found: list[tuple[Kvm, Choices, Read]],
    vmms: Candidates[VmmProfile],
    undecided: Iterable[str],
    features: frozenset[Feature],
) -> HostOffer:
    unique: dict[tuple[object, ...], list[tuple[Kvm, Choices, Read]]] = {}
    for way in found:
        unique.setdefault((way[0].profile, way[0].levels, id(way[0].others)), []).append(way)
    # One more than are judged, so that it is seen that there are more.
    kept = tuple(islice(unique.values(), MOST_CANDIDATES + 1))
    return HostOffer(
        release=release,
        kvms=tuple(ways[0][0] for ways in kept),
        choices=tuple(either(choices for _, choices, _ in ways) for ways in kept),
        read=tuple(ways[0][2] for ways in kept),
        vmms=tuple(vmms),
        identity=identity(facts),
        undecided=tuple(dict.fromkeys(reason for reason in undecided if reason)),
        assumptions=assumptions(_level_facts(facts)),
        features=features,
        stated=facts,
    )


def identity(facts: HostFacts) -> str:
    """Equal for CPUs that count as the same: by MIDR and REVIDR, or by name where no MIDR is given."""
    if facts.other_midrs:
        return f"MIDR {', '.join(f'{midr:#x}' for midr in sorted((facts.midr or 0, *facts.other_midrs)))}"
    if facts.midr is not None:
        return f"MIDR {facts.midr:#x}, REVIDR {facts.revidr or 0:#x}"
    if facts.cpu is None:
        return ""
    known = by_name(facts.cpu)
    return f"cpu {known.name if known is not None else facts.cpu}"


def _nominal_midr(facts: HostFacts) -> int | None:
    """The MIDR, or one that stands for a CPU given by name: implementer and part, with a variant that no silicon has."""
    if facts.midr is not None or facts.cpu is None:
        return facts.midr
    known = by_name(facts.cpu)
    return None if known is None else known.implementer << 24 | 0xF << 20 | 0xF << 16 | known.part << 4 | 0xF


def _others(
    profile: KernelProfile,
    facts: HostFacts,
    features: frozenset[Feature],
    probe: tuple[tuple[int, int], ...] | None,
    seen: Seen | None,
    level: Levels,
    *,
    firmware: int,
) -> tuple[OtherRegister, ...]:
    midr = _nominal_midr(facts)
    masks = dict(facts.masks) if facts.masks is not None and seen is None else None
    found = others(
        profile,
        midr=midr,
        revidr=facts.revidr,
        features=features,
        probe=probe,
        masks=masks,
        seen=seen,
        firmware=firmware,
        unaffected=level.spectre_v2 == UNAFFECTED,
    )
    if facts.midr is not None or probe is not None:
        return found
    return _by_name_only(found, identity(facts), profile)


@lru_cache(maxsize=256)
def _by_name_only(found: tuple[OtherRegister, ...], named: str, profile: KernelProfile) -> tuple[OtherRegister, ...]:
    """Of a CPU known by name alone MIDR_EL1 is not known, but equal on all hosts of that name; of no name, nothing is."""
    return tuple(_nameless(register, named, profile) for register in found)


def _nameless(register: OtherRegister, named: str, profile: KernelProfile) -> OtherRegister:
    if not named or not register.rule.particular:
        return register
    if register.value is not None and fully_named(register.value):
        return replace(register, value=None, era=named, partial=(0, 0))
    return register if register.era else replace(register, era=f"{named} on {hash(profile)}")


def fully_named(value: int) -> bool:
    """Whether a value is the MIDR that stands for a name."""
    return value >> 16 & 0xFF == 0xFF and value & 0xF == 0xF and value < 1 << 32


def _levels(facts: HostFacts, given: LevelFacts, read_on: KernelProfile, profile: KernelProfile) -> Candidates[Levels]:
    """The levels of a host; of one whose CPUs differ, the worst of each (its texts and answers are about all of them together)."""
    if not facts.other_midrs or (read_on == profile and None not in given.workarounds):
        return host_levels(facts=given, read_on=read_on, profile=profile)
    alone = (LevelFacts(midr=midr, cmdline=facts.cmdline) for midr in (facts.midr, *facts.other_midrs))
    return mixed((host_levels(facts=cpu, read_on=read_on, profile=profile) for cpu in alone), profile)


def _level_facts(facts: HostFacts) -> LevelFacts:
    """What decides levels among a host's facts; a probe's registers speak for themselves."""
    probe = dict(facts.registers or ())
    texts = facts.vulnerabilities or {}
    stated = facts.workarounds
    rows = (fw.WORKAROUND_1, fw.WORKAROUND_2, fw.WORKAROUND_3)
    given = (
        stated.arch_workaround_1 if stated else None,
        stated.arch_workaround_2 if stated else None,
        stated.arch_workaround_3 if stated else None,
    )
    first, second, third = (value if value is not None else probe.get(row.id) for value, row in zip(given, rows, strict=True))
    return LevelFacts(
        midr=None if facts.other_midrs else facts.midr,
        cpu=facts.cpu,
        cmdline=facts.cmdline,
        ssbs=bool(probe[PFR1] & SSBS) if PFR1 in probe else None,
        spectre_v2=texts.get("spectre_v2"),
        spec_store_bypass=texts.get("spec_store_bypass"),
        workarounds=(first, second, third),
    )


def kernel_of(offered: HostOffer) -> KernelRelease:
    """The kernel's release, parsed."""
    return parse_kernel(offered.release.kernel)


class Case(NamedTuple):
    """One way in which a guest and its two hosts may be, and the choices that it rests on."""

    guest: GuestState
    source: Kvm
    saver: VmmProfile
    destination: Kvm
    loader: VmmProfile
    choices: Choices


class _Option(NamedTuple):
    """One way in which a host may be."""

    kvm: Kvm
    vmm: VmmProfile
    choices: Choices


@lru_cache(maxsize=8192)
def options(offered: HostOffer, role: Role) -> tuple[_Option, ...]:
    """Every way in which a host may be. What belongs to one machine alone is called the fact of this `role`."""
    decides = vmm_profiles(on_kernel(parse_vmm(offered.release.vmm), offered.release.kernel)).decided_by
    vmm = Fact(kind=FactKind.VMM, of=offered.release.vmm, words=f"{decides} ({offered.release.vmm})")
    return tuple(
        _Option(kvm, profile, (*of_role(choices, role), *(chosen(vmm, profile) if len(offered.vmms) > 1 else ())))
        for kvm, choices in zip(offered.kvms, offered.choices, strict=True)
        for profile in offered.vmms
    )


def of_role(choices: Choices, role: Role) -> Choices:
    """The choices of a host, as those of one with this role."""
    return tuple((fact if fact.of else replace(fact, of=role.value), option) for fact, option in choices)


def evidence(offered: HostOffer, answers: Mapping[Levels, Hashable]) -> str:
    """The cheapest facts of a machine that tell apart what its levels lead to; `answers` is that, by the levels it may have."""
    found = {decided_by(given, read_on, kvm.profile, answers) for kvm, (given, read_on) in zip(offered.kvms, offered.read, strict=True)}
    return " and ".join(sorted(found - {""}))


class Departures(msgspec.Struct, frozen=True, kw_only=True):
    """Every way in which a guest may be on a host: `ways` are the guest, the host and what both rest on; `facts` are all of those facts."""

    ways: tuple[tuple[GuestState, _Option, Choices], ...]
    facts: frozenset[Fact]


def departures(guests: Guests, source: HostOffer) -> Departures:
    """What a guest and the host that it is on may be together; where facts contradict each other, what each may be by itself."""
    here = options(source, Role.SOURCE)
    pairs = ((guest, a, both(guest.given, a.choices)) for guest in guests for a in here)
    ways = tuple((guest.state, a, known) for guest, a, known in pairs if known is not None)
    ways = ways or tuple((guest.state, a, a.choices) for guest in guests for a in here)
    return Departures(ways=ways, facts=frozenset(fact for _, _, known in ways for fact, _ in known))


@lru_cache(maxsize=8192)
def _facts(destination: HostOffer) -> frozenset[Fact]:
    return frozenset(fact for option in options(destination, Role.DESTINATION) for fact, _ in option.choices)


def apart(leaving: Departures, destination: HostOffer) -> bool:
    """Whether the two rest on different facts, so that each way of the one goes with each way of the other."""
    return leaving.facts.isdisjoint(_facts(destination))


def combinations(guests: Guests, source: HostOffer, destination: HostOffer) -> list[Case]:
    """Every way in which all three may be, up to one more than are judged.

    A kernel and a VMM of one name are the same everywhere; two machines are alike only where what is stated says so (`_twins`).
    """
    return list(islice(meetings(departures(guests, source), destination), MOST_CANDIDATES + 1))


def meetings(leaving: Departures, destination: HostOffer) -> Iterator[Case]:
    """Every way in which those that leave and a destination may be; where facts contradict each other, every way at all."""
    there, free, met = options(destination, Role.DESTINATION), apart(leaving, destination), False
    for guest, a, known in leaving.ways:
        for b in there:
            choices = (*known, *b.choices) if free else both(known, b.choices)
            if choices is not None:
                met = True
                yield Case(guest, a.kvm, a.vmm, b.kvm, b.vmm, choices)
    if not met:
        yield from (Case(guest, a.kvm, a.vmm, b.kvm, b.vmm, b.choices) for guest, a, _ in leaving.ways for b in there)
