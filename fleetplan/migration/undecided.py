"""Which missing facts decide a move: those that make the difference, not all that are missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from fleetplan.firmware import mitigations
from fleetplan.firmware.candidates import Choices, Fact, FactKind, Role, deciding
from fleetplan.migration.offers import HostOffer, evidence
from fleetplan.migration.reasons import Reason, ReasonKind, Stage, Verdict

Facts = tuple[Fact, ...]


class Told(NamedTuple):
    """What one way of a move comes to: what it rests on, its verdict, and what is missing within it where that is UNKNOWN."""

    choices: Choices
    verdict: Verdict
    missing: Facts


def deciding_facts(ways: Sequence[Told], source: HostOffer, destination: HostOffer) -> tuple[Facts, ...]:
    """All smallest sets of facts after which the move is judged alike, whatever they turn out to be; the first one is to be named.

    SAFE and CHANGES are alike: a plan may use both. Facts that are missing within a way are missing in every set.
    """
    answers = [(way.choices, _alike(way.verdict)) for way in ways]
    within = tuple(dict.fromkeys(fact for way in ways if way.verdict is Verdict.UNKNOWN for fact in way.missing))
    found = tuple(tuple(sharpened(fact, group, answers, source, destination) for fact in group) for group in deciding(answers))
    return tuple((*group, *within) for group in found) or (within or (ALL,),)


ALL = Fact(kind=FactKind.REGISTERS, of="", words="a probe of both hosts")
"""Where more is missing than can be told apart."""


def _alike(verdict: Verdict) -> Verdict:
    return Verdict.CHANGES if verdict is Verdict.SAFE else verdict


def sharpened(fact: Fact, group: Facts, answers: Sequence[tuple[Choices, Hashable]], source: HostOffer, destination: HostOffer) -> Fact:
    """Of a machine's levels, the evidence that is enough to tell apart those which lead to different verdicts."""
    if fact.kind is not FactKind.LEVELS or fact.of == Role.BIRTHPLACE:
        return fact
    by_level: dict[Hashable, set[Hashable]] = defaultdict(set)
    for choices, answer in answers:
        chosen = dict(choices)
        if fact in chosen:
            rest = tuple(chosen.get(other) for other in group if other != fact)
            for level in chosen[fact]:
                by_level[level].add((rest, answer))
    offered = source if fact.of == Role.SOURCE else destination
    words = evidence(offered, {level: frozenset(seen) for level, seen in by_level.items()})  # type: ignore[misc] # they are levels
    return replace(fact, words=words or fact.words)


def asks(fact: Fact, *, resident: bool = False) -> str:
    """What to find out, and whose. `resident`: it is not about a move, so that the source is simply the host."""
    if fact.kind is FactKind.EQUIPMENT:
        return fact.words
    whose = "host" if resident and fact.of == Role.SOURCE else fact.of
    match fact.of, fact.words:
        case Role.BIRTHPLACE, _:
            return "`born.registers` of the guest (a dump)"
        case Role.SOURCE | Role.DESTINATION, mitigations.BY_PROBE:
            return f"a probe of the {whose}"
        case Role.SOURCE | Role.DESTINATION, mitigations.BY_TARGET_PROBE:
            return f"a probe of a host like the {whose} on its kernel"
        case Role.SOURCE | Role.DESTINATION | Role.GUEST, _:
            return f"{fact.words} of the {whose}"
        case _:
            return fact.words


def reasons(facts: Iterable[Fact]) -> tuple[Reason, ...]:
    """Each fact as a reason of an UNKNOWN; `whose` it is, where it is one machine's or the guest's."""
    return tuple(Reason(kind=ReasonKind.UNDECIDED, stage=Stage.AFTER, detail=(("decided_by", asks(fact)), *_whose(fact))) for fact in facts)


def _whose(fact: Fact) -> tuple[tuple[str, str], ...]:
    return (("whose", fact.of),) if fact.of in set(Role) else ()
