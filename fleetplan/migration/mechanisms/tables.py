"""The comparison: every mechanism on every move, what a userspace must be taught for it, what could be known beforehand.

Nothing here says how a move ends; the moves are run (`simulation`), and what is said of them is worked out from what came of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from itertools import chain, combinations

import msgspec
from msgspec.structs import replace

from fleetplan.migration.mechanisms.simulation import PRESUMED, Kernel, Means, Origin, Outcome, Skill, Userspace, migrate, restorable
from fleetplan.migration.mechanisms.worlds import BOTH, NOVELTIES, WORKAROUND_2, Novelty, World, first_revision, second_revision
from fleetplan.migration.reasons import Verdict
from fleetplan.migration.vmm import Load

BETTER = (Verdict.SAFE, Verdict.CHANGES, Verdict.FAILS, Verdict.STRIPS)
"""From good to bad: an unexpected failure beats an unsafe success."""


class End(StrEnum):
    """Where a guest comes from, or goes: compat is the new kernel asked to be as the old one."""

    OLD = "old"
    NEW = "new"
    COMPAT = "compat"


class Move(msgspec.Struct, frozen=True):
    """From one end to another."""

    source: End
    destination: End

    def __str__(self) -> str:
        return f"{self.source} -> {self.destination}"


FIVE = (
    Move(End.NEW, End.NEW),
    Move(End.OLD, End.NEW),
    Move(End.NEW, End.OLD),
    Move(End.COMPAT, End.OLD),
    Move(End.OLD, End.COMPAT),
)
"""The moves that the comparison was made on."""

FURTHER = (Move(End.COMPAT, End.COMPAT), Move(End.COMPAT, End.NEW), Move(End.NEW, End.COMPAT))
"""Moves that follow from the five once a guest in compat lives among new hosts."""


class Mechanism(msgspec.Struct, frozen=True, kw_only=True):
    """A way to keep a guest on old firmware.

    What the new kernel offers, what userspace was taught, and whether compat is asked for by machine type: then the version is the
    type's, the guest keeps its type wherever it goes, and both ends are asked for it.
    """

    name: str
    means: Means
    skills: frozenset[Skill] = frozenset()
    by_type: bool = False


SYSREG = Mechanism(name="sysreg", means=Means.REGISTER, skills=frozenset({Skill.ASK}))
FEATURE = Mechanism(name="vCPU feature", means=Means.BIT, skills=frozenset({Skill.ASK}))
HIDDEN = Mechanism(name="sysreg, hidden at compat", means=Means.REGISTER, skills=frozenset({Skill.ASK, Skill.HIDE}))
TYPED_SYSREG = Mechanism(name="machine type, sysreg", means=Means.REGISTER, skills=frozenset({Skill.ASK}), by_type=True)
TYPED_FEATURE = Mechanism(name="machine type, feature", means=Means.BIT, skills=frozenset({Skill.ASK}), by_type=True)
NO_COMPAT = Mechanism(name="no compat", means=Means.NONE)
MECHANISMS = (SYSREG, FEATURE, HIDDEN, TYPED_SYSREG, TYPED_FEATURE, NO_COMPAT)


class Remark(StrEnum):
    """What is to be said of an outcome beside whether the move works."""

    UNDER_ITS_FEET = "under-its-feet"
    """The guest sees other firmware than at its boot, and loses nothing by it."""
    BY_LUCK = "by-luck"
    """Nothing says what the guest had; the destination happens to give it the same."""
    UNSAFE = "unsafe"
    """It runs, and has lost something without an error."""
    PROTECTS = "protects"
    """The failure keeps the guest from losing something, or from firmware that it has not seen."""
    NEEDLESS = "needless"
    """The move fails though the destination would show the guest what it saw."""
    OVERRULED = "overruled"
    """The destination was asked for another version than the stream then set."""
    NO_MEANS = "no-means"
    """Compat cannot be asked for."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One mechanism on one move.

    `outcome` None: there is no compat. `needs` is the least that a userspace must be taught for the best end that the move can have
    (empty: nothing, None: it has no good end, whatever it is taught).
    """

    mechanism: Mechanism
    move: Move
    outcome: Outcome | None
    needs: tuple[Skill, ...] | None

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What is to be said of it."""
        return tuple(_remarks(self.outcome))

    @property
    def starred(self) -> bool:
        """Whether it ends as it does by accident, or with something to be said of it (a failure that protects needs no star)."""
        return any(remark not in {Remark.PROTECTS, Remark.NO_MEANS} for remark in self.remarks)


def _remarks(outcome: Outcome | None) -> Iterator[Remark]:
    if outcome is None:
        yield Remark.NO_MEANS
        return
    match outcome.verdict:
        case Verdict.FAILS:
            yield Remark.NEEDLESS if outcome.same else Remark.PROTECTS
        case Verdict.STRIPS:
            yield Remark.UNSAFE
        case Verdict.CHANGES:
            yield Remark.UNDER_ITS_FEET
        case _ if outcome.origin is Origin.DEFAULT:
            yield Remark.BY_LUCK
    if outcome.after is not None and outcome.asked not in {None, outcome.after.psci}:
        yield Remark.OVERRULED


# --- running a case ------------------------------------------------------------------------------------------------------------------


def outcome(
    mechanism: Mechanism, world: World, move: Move, load: Load = Load.A, *, known_bits: frozenset[int] | None = None
) -> Outcome | None:
    """Run one move; None where it is one of compat, and compat cannot be asked for.

    `known_bits` are the feature bits that userspace knows, where these are not all that the new kernel has.
    """
    userspace = _userspace(mechanism, world, load, known_bits)
    if End.COMPAT in {move.source, move.destination} and not userspace.can_state(world.old_psci):
        return None
    here, there = _wishes(mechanism, world, move, userspace)
    return migrate(userspace, _kernel(world, move.source), here, _kernel(world, move.destination), there)


def _userspace(mechanism: Mechanism, world: World, load: Load, known_bits: frozenset[int] | None = None) -> Userspace:
    bits = frozenset(world.new.bits) if known_bits is None else known_bits
    return Userspace(means=mechanism.means, skills=mechanism.skills, load=load, bits=bits, hides=world.added)


def _kernel(world: World, end: End) -> Kernel:
    return world.old if end is End.OLD else world.new


def _wishes(mechanism: Mechanism, world: World, move: Move, userspace: Userspace) -> tuple[int | None, int | None]:
    """What both ends are asked for: the ends in compat for the old version; by machine type both for what the type stands for."""
    if Skill.ASK not in mechanism.skills:
        return None, None
    if not mechanism.by_type:
        compat = {End.COMPAT: world.old_psci}
        return compat.get(move.source), compat.get(move.destination)
    version = world.new_psci if move.source is End.NEW else world.old_psci
    wish = version if userspace.can_state(version) else None
    return wish, wish


def case(mechanism: Mechanism, world: World, move: Move, load: Load = Load.A) -> Case:
    """Run one move, and find out what userspace needs for its best end."""
    return Case(
        mechanism=mechanism,
        move=move,
        outcome=outcome(mechanism, world, move, load),
        needs=_needs(mechanism, world, move, load),
    )


def _needs(mechanism: Mechanism, world: World, move: Move, load: Load) -> tuple[Skill, ...] | None:
    """The smallest set of skills with the best end. A move that names compat needs to ask for it, or it is another move."""
    asks = mechanism.by_type or End.COMPAT in {move.source, move.destination}
    found: list[tuple[int, int, tuple[Skill, ...]]] = []
    for skills in _subsets(tuple(Skill)):
        if asks <= (Skill.ASK in skills):
            tried = outcome(replace(mechanism, skills=frozenset(skills)), world, move, load)
            found.append((_rank(tried), len(found), skills))
    best, _, skills = min(found)
    return skills if best <= BETTER.index(Verdict.CHANGES) else None


def _rank(outcome: Outcome | None) -> int:
    return BETTER.index(outcome.verdict) if outcome is not None else len(BETTER)


def _subsets(skills: tuple[Skill, ...]) -> Iterator[tuple[Skill, ...]]:
    return chain.from_iterable(combinations(skills, size) for size in range(len(skills) + 1))


# --- what could be known beforehand --------------------------------------------------------------------------------------------------


class Foresight(msgspec.Struct, frozen=True, kw_only=True):
    """Whether two checks would keep a guest where it is, before its move is tried.

    `capability`: management asks both kernels which versions they can give a guest, and keeps a guest where the destination has not got
    its version. `restore_check`: every register of the stream is written to a guest that was started there for the purpose.
    """

    case: Case
    capability: bool
    restore_check: bool

    @property
    def bad(self) -> bool:
        """Whether the guest is better kept where it is."""
        return self.case.outcome is not None and self.case.outcome.verdict in {Verdict.FAILS, Verdict.STRIPS}


def foresight(found: Case, world: World, load: Load = Load.A) -> Foresight:
    """What the two checks say of a move, each from what it can know."""
    source, destination = _kernel(world, found.move.source), _kernel(world, found.move.destination)
    userspace = _userspace(found.mechanism, world, load)
    here, _ = _wishes(found.mechanism, world, found.move, userspace)
    version = here if here is not None else says(source)[0]
    return Foresight(
        case=found,
        capability=version not in says(destination),
        restore_check=not restorable(userspace, source, here, destination),
    )


def says(kernel: Kernel) -> tuple[int, ...]:
    """The versions that a kernel answers it can give a guest, its default first.

    A kernel that lacks the mechanism answers nothing, and is taken to have what all had before.
    """
    known = kernel.kvm.profile
    offered = (*known.psci_accepted, *kernel.bits)
    return (known.psci_default, *offered) if offered else (PRESUMED,)


# --- the second revision -------------------------------------------------------------------------------------------------------------


class Extension(msgspec.Struct, frozen=True, kw_only=True):
    """A mechanism before a second revision: as it is, and given a further register or bit.

    `helped` are moves that end better with the extension (none: it needs nothing new). `unasked` are those of them that end as well
    under a userspace that has never heard of the extension.
    """

    mechanism: Mechanism
    novelty: Novelty
    plain: tuple[Case, ...]
    extended: tuple[Case, ...]
    helped: tuple[Move, ...]
    unasked: tuple[Move, ...]

    @property
    def needed(self) -> bool:
        """Whether anything new is needed."""
        return bool(self.helped)

    @property
    def taught(self) -> bool:
        """Whether userspace must be taught it."""
        return self.unasked != self.helped


def extension(mechanism: Mechanism, novelty: Novelty, load: Load = Load.A) -> Extension:
    """Run the five moves of a second revision with and without an extension of the mechanism."""
    plain = second_revision(mechanism.means, novelty, extended=False)
    extended = second_revision(mechanism.means, novelty, extended=True)
    before, after = (tuple(case(mechanism, world, move, load) for move in FIVE) for world in (plain, extended))
    helped = tuple(new.move for old, new in zip(before, after, strict=True) if _rank(new.outcome) < _rank(old.outcome))
    ranks = {found.move: _rank(found.outcome) for found in after}
    old_bits = frozenset(plain.new.bits)
    unasked = tuple(move for move in helped if _rank(outcome(mechanism, extended, move, load, known_bits=old_bits)) <= ranks[move])
    return Extension(mechanism=mechanism, novelty=novelty, plain=before, extended=after, helped=helped, unasked=unasked)


# --- all of it -----------------------------------------------------------------------------------------------------------------------


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """All that is derived for one revision.

    `old` and `new` are the PSCI versions of both kernels; `brings` is what the new one answers beside. `cases` are ordered by mechanism,
    then by move (the five first).
    """

    revision: int
    load: Load
    carries: bool
    old: int
    new: int
    brings: str
    cases: tuple[Case, ...]
    foresights: tuple[Foresight, ...]
    extensions: tuple[Extension, ...]


SECOND = 2
"""The revision that takes the new kernel of the first for its old one."""


def mechanisms(*, carries: bool) -> tuple[Mechanism, ...]:
    """All mechanisms, under a userspace that carries feature bits in the stream, or does not."""
    if not carries:
        return MECHANISMS
    return tuple(replace(row, skills=row.skills | {Skill.CARRY}) if row.means is Means.BIT else row for row in MECHANISMS)


def compare(*, revision: int = 1, carries: bool = False, load: Load = Load.A) -> Comparison:
    """Run every mechanism on every move: some 700 small simulations."""
    rows = mechanisms(carries=carries)
    worlds = {row.name: _world(row, revision) for row in rows}
    cases = tuple(case(row, worlds[row.name], move, load) for row in rows for move in (*FIVE, *FURTHER))
    foreseen = (foresight(found, worlds[found.mechanism.name], load) for found in cases if found.outcome is not None)
    return Comparison(
        revision=revision,
        load=load,
        carries=carries,
        old=worlds[SYSREG.name].old_psci,
        new=worlds[SYSREG.name].new_psci,
        brings=WORKAROUND_2.name if revision == SECOND else "",
        cases=cases,
        foresights=tuple(seen for seen in foreseen if seen.bad or seen.capability or seen.restore_check),
        extensions=tuple(extension(row, novelty, load) for novelty in NOVELTIES for row in rows[:2]),
    )


def _world(mechanism: Mechanism, revision: int) -> World:
    return first_revision(mechanism.means) if revision != SECOND else second_revision(mechanism.means, BOTH, extended=False)
