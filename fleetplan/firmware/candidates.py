"""A value that may not be known: all that it can be, what each possibility rests on, and what would decide."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import combinations
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")

MOST_CANDIDATES = 64
"""Above this number of combinations nothing is judged: the answer is unknown."""


class Candidate(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One possible value. `assuming` says in words what must be so for it, empty where nothing is assumed."""

    value: T
    assuming: str = ""


class Candidates(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """All possible values, at least one; the same value may stand under several assumptions.

    `decided_by` names the fact that would leave one (`build of the distribution kernel`, `MIDR_EL1`, `a probe of the host`),
    empty where one value is left.
    """

    options: tuple[Candidate[T], ...]
    decided_by: str = ""

    def __iter__(self) -> Iterator[T]:
        """Each distinct value once, in the order of the options."""
        return iter(dict.fromkeys(option.value for option in self.options))

    @property
    def known(self) -> T | None:
        """The value, where all options agree."""
        values = list(self)
        return values[0] if len(values) == 1 else None


def certain(value: T) -> Candidates[T]:
    """A value that is known."""
    return Candidates(options=(Candidate(value=value),))


# --- facts that are missing -----------------------------------------------------------------------------------------------------------


class FactKind(StrEnum):
    """Kinds of facts that may be missing."""

    KERNEL = "kernel"
    """What the kernel of a name does."""
    VMM = "vmm"
    """What the VMM of a name does."""
    LEVELS = "levels"
    """The workaround levels of a machine."""
    REGISTERS = "registers"
    """What a machine's registers read."""
    EQUIPMENT = "equipment"
    """What a host or a guest has beside registers."""
    BIRTH = "birth"
    """How a guest was born."""
    REBOOT = "reboot"
    """Whether a guest has looked again since."""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """A fact that is missing. Equal ones turn out the same wherever they stand.

    `of` says whose it is: the name of a kernel or a VMM, a `Role`, or the kind of a machine that has twins. `words` say what to find out.
    """

    kind: FactKind
    of: str
    words: str


class Role(StrEnum):
    """Whose facts a judgment rests on, where they belong to one machine (or guest) alone."""

    GUEST = "guest"
    BIRTHPLACE = "birthplace"
    SOURCE = "source"
    DESTINATION = "destination"


Choices = tuple[tuple[Fact, frozenset[Hashable]], ...]
"""What must turn out how, for a possibility to be the one: each fact once, with all that it may be then."""


def chosen(fact: Fact, option: Hashable) -> Choices:
    """One fact that must turn out in one way."""
    return ((fact, frozenset({option})),)


def both(one: Choices, other: Choices) -> Choices | None:
    """What must turn out how for two possibilities to be so at the same time; None if they cannot be."""
    if not one or not other:
        return one or other
    found = dict(one)
    for fact, options in other:
        found[fact] = found.get(fact, options) & options
        if not found[fact]:
            return None
    return tuple(found.items())


def agree(one: Choices, other: Choices) -> bool:
    """Whether two possibilities can be so at the same time."""
    return both(one, other) is not None


def either(every: Iterable[Choices]) -> Choices:
    """What must turn out how for any of several possibilities: at least as much as is needed for one of them."""
    first, *others = map(dict, every)
    facts = [fact for fact in first if all(fact in other for other in others)]
    return tuple((fact, first[fact].union(*(other[fact] for other in others))) for fact in facts)


Ways = Sequence[tuple[Choices, Hashable]]
"""Every way in which things may be, with the answer that it gives."""


def deciding(ways: Ways) -> tuple[tuple[Fact, ...], ...]:
    """All smallest sets of facts that leave one answer, whatever each of them turns out to be; none if the answer is one already.

    Where even all facts together leave several answers, they are the only set. Facts come in the order in which the ways name them.
    Complexity: 2^facts x ways; a move has at most a handful of facts.
    """
    if len({answer for _, answer in ways}) == 1:
        return ()
    known = [dict(choices) for choices, _ in ways]
    facts = [fact for fact in dict.fromkeys(fact for choices in known for fact in choices) if len({way.get(fact) for way in known}) > 1]
    for size in range(1, len(facts) + 1):
        found = tuple(group for group in combinations(facts, size) if _decides(group, known, ways))
        if found:
            return found
    return (tuple(facts),) if facts else ()


def _decides(facts: tuple[Fact, ...], known: Sequence[Mapping[Fact, Hashable]], ways: Ways) -> bool:
    seen: dict[tuple[Hashable, ...], Hashable] = {}
    return all(
        seen.setdefault(tuple(way.get(fact) for fact in facts), answer) == answer for way, (_, answer) in zip(known, ways, strict=True)
    )
