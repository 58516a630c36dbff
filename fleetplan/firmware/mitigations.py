"""What is known of a host -> the levels of its workarounds, on the kernel it runs or on any other.

Evidence leaves those platforms (`platforms.py`) that would have produced it; the levels on any kernel are the set over the platforms
that remain. The two halves of a platform decide different registers and are searched apart, so that the search stays small.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import chain, combinations, product
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from fleetplan.firmware.candidates import Candidate, Candidates
from fleetplan.firmware.cpus import TABLE, Cpu, by_midr, by_name, parts, unlisted
from fleetplan.firmware.kernels import KernelProfile, Workaround2Era
from fleetplan.firmware.platforms import (
    EBPF,
    UNAFFECTED,
    VULNERABLE,
    Answer,
    Branch,
    Store,
    Switches,
    bhb_affected,
    bhb_state,
    read_second,
    spectre_v2_state,
    spectre_v2_texts,
    ssb_affected,
    ssb_state,
    store_bypass_text,
    v2_affected,
)
from fleetplan.firmware.vcpu import Levels

BY_PROBE = "a probe of the host"
MOST_COMPARED = 1_000
"""Where next to nothing is known, no single fact is worth looking for: a probe answers at once."""
BY_TARGET_PROBE = "a probe of a host of this kind on that kernel"

OTHER_SWITCHES = tuple(
    Switches(nospectre_v2=v2, nospectre_bhb=bhb, mitigations_off=off, ssbd=ssbd)
    for off, v2, bhb, ssbd in product((False, True), (False, True), (False, True), ("kernel", "force-off", "force-on"))
)[1:]
"""Every command line that is not the default, for hosts whose texts the default one cannot have produced."""


class LevelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a host. None: not known.

    `cpu` is a name of `cpus.TABLE`, used where `midr` is not given. `cmdline` None means the default one (an assumption). `ssbs` is
    whether ID_AA64PFR1_EL1 of a fresh vCPU shows SSBS. The texts are those of sysfs, `workarounds` those of GET_ONE_REG on a fresh
    vCPU (with PSCI_0_2), all read on the kernel that the host runs.
    """

    midr: int | None = None
    cpu: str | None = None
    cmdline: str | None = None
    ssbs: bool | None = None
    spectre_v2: str | None = None
    spec_store_bypass: str | None = None
    workarounds: tuple[int | None, int | None, int | None] = (None, None, None)


class Assumption(msgspec.Struct, frozen=True, kw_only=True):
    """Something that is taken to be so because the inventory does not say: the fact that would replace it, and what is assumed."""

    subject: str
    text: str
    source: str


def assumptions(facts: LevelFacts) -> tuple[Assumption, ...]:
    """What `host_levels` takes to be so beyond the facts."""
    found = []
    if facts.midr is None and facts.cpu is not None:
        text = f"every host with cpu {facts.cpu} has the same MIDR_EL1 and REVIDR_EL1"
        found.append(Assumption(subject="midr", text=text, source="a CPU given by name counts as one MIDR and REVIDR"))
    if facts.cmdline is None:
        text = "the kernel command line switches no mitigation on or off"
        found.append(Assumption(subject="cmdline", text=text, source="the default command line where none is given"))
    return tuple(found)


class _Outcome(NamedTuple):
    """One way the host can be: the CPU model, the texts and levels on the kernel it runs, the levels on the kernel asked for."""

    model: tuple[int, int]
    switches: Switches
    texts: tuple[str, str]
    before: Levels
    after: Levels


@lru_cache(maxsize=4096)
def host_levels(*, facts: LevelFacts, read_on: KernelProfile, profile: KernelProfile) -> Candidates[Levels]:
    """The levels of a host on kernel `profile`, from facts read on kernel `read_on` (the same one, or the one before an upgrade).

    One value where the facts decide, else candidates with `decided_by`. Facts that contradict each other (or the CPU table) are
    believed in this order: workarounds, texts, CPU; the answer is then never narrower than what is left.
    Complexity: at most some 10 CPU kinds x 120 platforms; results are remembered.
    """
    return _candidates(facts, _possible(facts, read_on, profile))


@lru_cache(maxsize=64)
def _possible(facts: LevelFacts, read_on: KernelProfile, profile: KernelProfile) -> tuple[_Outcome, ...]:
    """Every way in which the host can be, by the strongest reading of the facts that leaves one."""
    for given, cpus, switches in _readings(facts, read_on, profile):
        outcomes = tuple(_outcomes(given, cpus, switches, read_on, profile))
        if outcomes:
            return outcomes
    msg = "a platform without evidence always has an outcome"
    raise AssertionError(msg)


def _readings(
    facts: LevelFacts, read_on: KernelProfile, profile: KernelProfile
) -> Iterator[tuple[LevelFacts, tuple[Cpu, ...], tuple[Switches, ...]]]:
    """From the facts as they stand to ever weaker readings of them; the last one contradicts nothing."""
    own, every = _cpus(facts, read_on, profile), _kinds(read_on, profile)
    default = (Switches.parse(facts.cmdline or ""),)
    possible = default if facts.cmdline is not None else (*default, *OTHER_SWITCHES)
    # A default command line is assumed for a CPU that is known; for one that is not, nothing would check the assumption.
    yield facts, own, default if len(own) == 1 else possible
    yield facts, own, possible
    yield facts, every, possible
    silent = replace(facts, ssbs=None, spectre_v2=None, spec_store_bypass=None)
    yield silent, every, (*default, *OTHER_SWITCHES)
    yield replace(silent, workarounds=(None, None, None)), every, (*default, *OTHER_SWITCHES)


def _cpus(facts: LevelFacts, read_on: KernelProfile, profile: KernelProfile) -> tuple[Cpu, ...]:
    if facts.midr is not None:
        return (by_midr(facts.midr) or unlisted(*parts(facts.midr)[:2]),)
    named = by_name(facts.cpu) if facts.cpu is not None else None
    return (named,) if named is not None else _kinds(read_on, profile)


@lru_cache(maxsize=256)
def _kinds(read_on: KernelProfile, profile: KernelProfile) -> tuple[Cpu, ...]:
    """One CPU for each kind that these two kernels can tell apart, and one that no list names."""
    kinds: dict[tuple[object, ...], Cpu] = {}
    for cpu in (*TABLE, unlisted(0, 0)):
        lists = (cpu.v2_safe, cpu.v4_safe, cpu.bhb_safe, cpu.bhb_firmware, cpu.since_5_10)
        loops = (cpu.model in read_on.loop_cpus, cpu.model in profile.loop_cpus)
        open_cpu = replace(cpu, csv2=(0, 1, 3), ssbs=None, ecbhb=None, clrbhb=None)
        kinds.setdefault((*lists, *loops), open_cpu)
    return tuple(kinds.values())


def _both(known: bool | None) -> tuple[bool, ...]:
    return (False, True) if known is None else (known,)


def _branches(cpu: Cpu) -> Iterator[Branch]:
    answers = (Answer.NONE, Answer.NEEDED, Answer.NOT_HERE)
    for csv2, first, third, ecbhb, clrbhb in product(cpu.csv2, answers, answers, _both(cpu.ecbhb), _both(cpu.clrbhb)):
        yield Branch(csv2=csv2, workaround_1=first, workaround_3=third, ecbhb=ecbhb, clrbhb=clrbhb)


def _stores(cpu: Cpu) -> Iterator[Store]:
    for ssbs, second in product(_both(cpu.ssbs), Answer):
        yield Store(ssbs=ssbs, workaround_2=second)


_Half = tuple[str, tuple[int, ...], tuple[int, ...]]
"""A text, and the levels before and after, of one half of a platform."""


def _outcomes(
    facts: LevelFacts, cpus: Iterable[Cpu], switches: Iterable[Switches], read_on: KernelProfile, profile: KernelProfile
) -> Iterator[_Outcome]:
    """Every distinct way the host can be that agrees with the evidence."""
    for cpu, words in product(cpus, switches):
        branch = _branch_halves(cpu, replace(words, ssbd="kernel"), read_on, profile)
        store = _store_halves(cpu, Switches(mitigations_off=words.mitigations_off, ssbd=words.ssbd), read_on, profile)
        agreeing = [half for half in store if _agrees_on_store(facts, half, read_on)]
        for v2_text, (v2, bhb), (v2_then, bhb_then) in branch:
            if not _agrees_on_branch(facts, v2_text, v2, bhb):
                continue
            for ssb_text, (ssb, ssbs), (ssb_then, _) in agreeing:
                before = Levels(spectre_v2=v2, ssb=ssb, bhb=bhb, ssbs=bool(ssbs))
                after = Levels(spectre_v2=v2_then, ssb=ssb_then, bhb=bhb_then, ssbs=bool(ssbs))
                yield _Outcome(cpu.model, words, (v2_text, ssb_text), before, after)


@lru_cache(maxsize=4096)
def _branch_halves(cpu: Cpu, words: Switches, read_on: KernelProfile, profile: KernelProfile) -> tuple[_Half, ...]:
    found: dict[_Half, None] = {}
    for branch in _branches(cpu):
        before, after = (
            (spectre_v2_state(cpu, branch, kernel, words), bhb_state(cpu, branch, kernel, words)) for kernel in (read_on, profile)
        )
        for text in spectre_v2_texts(*before, read_on):
            found[(text, before, after)] = None
    return tuple(found)


@lru_cache(maxsize=4096)
def _store_halves(cpu: Cpu, words: Switches, read_on: KernelProfile, profile: KernelProfile) -> tuple[_Half, ...]:
    found: dict[_Half, None] = {}
    for store in _stores(cpu):
        before, after = ((ssb_state(cpu, store, kernel, words), int(store.ssbs)) for kernel in (read_on, profile))
        found[(store_bypass_text(cpu, store, read_on, words), before, after)] = None
    return tuple(found)


def _says(stated: int | str | None, would: int | str) -> bool:
    return stated is None or (stated.strip() if isinstance(stated, str) else stated) == would


def _agrees_on_branch(facts: LevelFacts, text: str, v2: int, bhb: int) -> bool:
    """Whether half a platform would have given the evidence on v2 and BHB; WORKAROUND_1 and _3 read the levels themselves (2.3)."""
    first, _, third = facts.workarounds
    return _says(facts.spectre_v2, text) and _says(first, v2) and _says(third, bhb)


def _agrees_on_store(facts: LevelFacts, half: _Half, read_on: KernelProfile) -> bool:
    """Whether half a platform would have given the evidence on v4."""
    text, (ssb, ssbs), _ = half
    if facts.ssbs is not None and facts.ssbs != bool(ssbs):
        return False
    return _says(facts.spec_store_bypass, text) and _says(facts.workarounds[1], read_second(ssb, bool(ssbs), read_on))


@lru_cache(maxsize=4096)
def firmware_answers(facts: LevelFacts, read_on: KernelProfile) -> int:
    """All that a host's firmware may answer for its workarounds, as far as the evidence tells: a bit for each set of three answers.

    Hosts whose answers have no bit in common have different firmware. Complexity: as `host_levels`.
    """
    for given, cpus, switches in _readings(facts, read_on, read_on):
        branch = {
            (half.workaround_1, half.workaround_3)
            for cpu, words in product(cpus, switches)
            for half in _branches(cpu)
            if _would_show(given, cpu, half, words, read_on)
        }
        store = {
            half.workaround_2
            for cpu, words in product(cpus, switches)
            for half in _stores(cpu)
            if _agrees_on_store(given, _store_half(cpu, half, words, read_on), read_on)
        }
        if branch and store:
            return sum(1 << _place(*answers, second) for answers in branch for second in store)
    msg = "a platform without evidence always answers something"
    raise AssertionError(msg)


def _would_show(facts: LevelFacts, cpu: Cpu, half: Branch, words: Switches, kernel: KernelProfile) -> bool:
    v2, bhb = spectre_v2_state(cpu, half, kernel, words), bhb_state(cpu, half, kernel, words)
    return any(_agrees_on_branch(facts, text, v2, bhb) for text in spectre_v2_texts(v2, bhb, kernel))


def _store_half(cpu: Cpu, half: Store, words: Switches, kernel: KernelProfile) -> _Half:
    return store_bypass_text(cpu, half, kernel, words), (ssb_state(cpu, half, kernel, words), int(half.ssbs)), ()


def _place(first: Answer, third: Answer, second: Answer) -> int:
    """The number of a set of answers; that of no answer at all is 0."""
    order = list(Answer)
    return order.index(first) + len(order) * (order.index(third) + len(order) * order.index(second))


# --- whether there is anything to mitigate ------------------------------------------------------------------------------------------


class Affected(NamedTuple):
    """Of v2, v4 and BHB, whether a host's CPUs are affected: one answer each, or both where the facts leave it open."""

    spectre_v2: frozenset[bool]
    spectre_v4: frozenset[bool]
    spectre_bhb: frozenset[bool]


EITHER = frozenset({False, True})


@lru_cache(maxsize=4096)
def affected(facts: LevelFacts, read_on: KernelProfile, profile: KernelProfile, levels: Levels | None) -> Affected:
    """Whether the CPU of a host is affected, from facts read on `read_on` and the levels that it has on `profile` (None: any).

    A level does not say so: kernels that do not know BHB have level 0 on every CPU, and up to 6.12.23 one that no list names counts as
    unaffected. This is the view of the newest kernel. Complexity: as `host_levels`.
    """
    for given, cpus, switches in _readings(facts, read_on, profile):
        branch = {
            (v2_affected(cpu, half), bhb_affected(cpu, half))
            for cpu, words in product(cpus, switches)
            for half in _branches(cpu)
            if _would_show(given, cpu, half, words, read_on) and (levels is None or _has_levels(levels, cpu, half, words, profile))
        }
        store = {
            ssb_affected(cpu, half)
            for cpu, words in product(cpus, switches)
            for half in _stores(cpu)
            if _agrees_on_store(given, _store_half(cpu, half, words, read_on), read_on)
            and (levels is None or (ssb_state(cpu, half, profile, words), half.ssbs) == (levels.ssb, levels.ssbs))
        }
        if branch and store:
            return Affected(frozenset(v2 for v2, _ in branch), frozenset(store), frozenset(bhb for _, bhb in branch))
    return Affected(EITHER, EITHER, EITHER)


def _has_levels(levels: Levels, cpu: Cpu, half: Branch, words: Switches, profile: KernelProfile) -> bool:
    have = (spectre_v2_state(cpu, half, profile, words), bhb_state(cpu, half, profile, words))
    return have == (levels.spectre_v2, levels.bhb)


def affected_of_several(designs: Iterable[Affected]) -> Affected:
    """Of a host whose CPUs differ: affected if any of them is."""
    v2, v4, bhb = (frozenset(map(any, product(*each))) for each in zip(*designs, strict=True))
    return Affected(v2, v4, bhb)


# --- hosts with several CPU designs -------------------------------------------------------------------------------------------------

LAST_CPU = "which CPU of the host came up last"


def mixed(designs: Iterable[Candidates[Levels]], profile: KernelProfile) -> Candidates[Levels]:
    """The levels of a host from those of each of its CPU designs, taken alone on kernel `profile`.

    `The worst over all CPUs` wins (4.1), and BHB is not mitigated where v2 is vulnerable; only the v4 state of 5.3 to 5.9 is the last
    writer's (4.2), which no fact tells. Raises ValueError without a design.
    """
    given = tuple(designs)
    if not given:
        msg = "a host has at least one CPU"
        raise ValueError(msg)
    options = dict.fromkeys(system for levels in product(*given) for system in _systems(levels, profile))
    decided_by = next((candidates.decided_by for candidates in given if candidates.decided_by), LAST_CPU)
    return Candidates(options=tuple(Candidate(value=value) for value in options), decided_by=decided_by if len(options) > 1 else "")


def _systems(levels: tuple[Levels, ...], profile: KernelProfile) -> Iterator[Levels]:
    v2 = min(level.spectre_v2 for level in levels)
    affected = any(level.bhb != UNAFFECTED for level in levels)
    bhb = VULNERABLE if affected and v2 == VULNERABLE else min(level.bhb for level in levels)
    last_writer = profile.workaround_2 is Workaround2Era.FLAG
    states = dict.fromkeys(level.ssb for level in levels) if last_writer else (min(level.ssb for level in levels),)
    for ssb in states:
        yield Levels(spectre_v2=v2, ssb=ssb, bhb=bhb, ssbs=all(level.ssbs for level in levels))


# --- what would decide --------------------------------------------------------------------------------------------------------------


def _candidates(facts: LevelFacts, outcomes: tuple[_Outcome, ...]) -> Candidates[Levels]:
    options = dict.fromkeys(outcome.after for outcome in outcomes)
    if len(options) == 1:
        return Candidates(options=tuple(Candidate(value=value) for value in options))
    return Candidates(
        options=tuple(Candidate(value=value, assuming=_assuming(facts, (o for o in outcomes if o.after == value))) for value in options),
        decided_by=_decided_by(facts, outcomes, lambda outcome: outcome.after),
    )


def _assuming(facts: LevelFacts, outcomes: Iterable[_Outcome]) -> str:
    """What the host shows if this is its value, as far as that is not known."""
    v2, ssb = zip(*(outcome.texts for outcome in outcomes), strict=True)
    shown = [("spectre_v2", facts.spectre_v2, v2), ("spec_store_bypass", facts.spec_store_bypass, ssb)]
    return ", ".join(
        f"{name} reads {' or '.join(map(repr, sorted(set(texts) - {EBPF})))}" for name, stated, texts in shown if stated is None
    )


_DECIDING: tuple[tuple[str, Callable[[LevelFacts], bool], Callable[[_Outcome], object]], ...] = (
    ("MIDR_EL1", lambda facts: facts.midr is None and (facts.cpu is None or by_name(facts.cpu) is None), lambda o: o.model),
    ("the spectre_v2 text", lambda facts: facts.spectre_v2 is None, lambda o: o.texts[0]),
    ("the spec_store_bypass text", lambda facts: facts.spec_store_bypass is None, lambda o: o.texts[1]),
    ("the kernel command line", lambda facts: facts.cmdline is None, lambda o: o.switches),
)
"""Facts that can decide, cheapest first: the name, whether it is not known yet, and what it would be in an outcome."""


def decided_by(facts: LevelFacts, read_on: KernelProfile, profile: KernelProfile, answers: Mapping[Levels, Hashable]) -> str:
    """The cheapest facts that decide between answers which depend on the levels; empty where all levels lead to one.

    Levels that lead to the same answer need not be told apart, so that this may ask for less than `host_levels` would.
    """
    outcomes = tuple(outcome for outcome in _possible(facts, read_on, profile) if outcome.after in answers)
    return _decided_by(facts, outcomes, lambda outcome: answers[outcome.after]) if len(set(answers.values())) > 1 else ""


def _decided_by(facts: LevelFacts, outcomes: tuple[_Outcome, ...], answer: Callable[[_Outcome], Hashable]) -> str:
    """The cheapest facts that would leave one answer, whatever they turn out to be."""
    open_facts = {name: key for name, is_open, key in _DECIDING if is_open(facts)}
    # The eBPF text hides what is behind it, but shows only where an administrator let users load programs.
    outcomes = tuple(o for o in outcomes if o.texts[0] != EBPF) or outcomes
    answers = [answer(outcome) for outcome in outcomes]
    if len(outcomes) > MOST_COMPARED:
        return BY_PROBE
    for names in chain.from_iterable(combinations(open_facts, size) for size in (1, 2, 3)):
        if _decides(answers, tuple(tuple(open_facts[name](o) for name in names) for o in outcomes)):
            return " and ".join(names)
    return BY_PROBE if _decides(answers, tuple(o.before for o in outcomes)) else BY_TARGET_PROBE


def _decides(answers: Iterable[Hashable], keys: tuple[object, ...]) -> bool:
    seen: dict[object, Hashable] = {}
    return all(seen.setdefault(key, answer) == answer for key, answer in zip(keys, answers, strict=True))
