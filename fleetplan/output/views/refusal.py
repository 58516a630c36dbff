"""No plan, or a plan that the judge refutes, as documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from fleetplan.output.document import Bullets, Document, Paragraph, Section, Tone
from fleetplan.output.sentences import clock, counted
from fleetplan.rollout.invariants import INVARIANTS, Violation
from fleetplan.rollout.plan import BlockedOn, Cause, Infeasible, Remedy, RemedyKind

MOST_SHOWN = 50


def infeasible_document(outcome: Infeasible) -> Document:
    """Why there is no plan, as a chain of causes, and what would help."""
    found = "exists: all orders of hosts were looked at." if outcome.proved else "was found."
    headline = Paragraph(f"No safe plan to {outcome.target} {found}", Tone.BAD)
    why = Section("Why", (Bullets(tuple(point for cause in outcome.causes for point in _chain(cause, 0))),))
    return Document((Section("", (headline,)), why, _remedies(outcome.remedies)))


def _chain(cause: Cause, depth: int) -> Iterator[tuple[int, str]]:
    yield depth, cause_sentence(cause)
    for deeper in cause.because:
        yield from _chain(deeper, depth + 1)


def cause_sentence(cause: Cause) -> str:
    """One link of the chain in words."""
    facts = cause.facts
    match cause.blocked_on:
        case BlockedOn.IMMOVABLE_GUEST:
            return f"{_subject(facts)} may neither migrate nor restart{_tail(facts)}"
        case BlockedOn.FIRMWARE:
            return f"every landing place refuses {_subject(facts)}{_tail(facts)}"
        case BlockedOn.CAPACITY:
            return f"{_subject(facts)}: not enough room on upgraded hosts{_tail(facts)}"
        case BlockedOn.ANTI_AFFINITY:
            return f"{_subject(facts)}: every place with room already has a member of its group{_tail(facts)}"
        case BlockedOn.PLACEMENT:
            return f"{_subject(facts)}: `allow` and `deny` leave no landing place{_tail(facts)}"
        case BlockedOn.NO_UPGRADED_HOST:
            return f"{_subject(facts)}: no host is upgraded or empty, and none can be emptied onto the others{_tail(facts)}"
        case BlockedOn.UNAVAILABLE:
            return f"{_subject(facts)}: unavailable hosts use up max-unavailable{_tail(facts)}"
        case BlockedOn.LIMITS:
            return f"there are plans, but none was found within what was asked for{_tail(facts)}"
        case BlockedOn.VERDICT:
            return _verdict(facts)
        case _:
            assert_never(cause.blocked_on)


def _verdict(facts: Mapping[str, str]) -> str:
    """A refused move, or whatever else the chain ends at."""
    if "to" not in facts:
        return f"{_subject(facts)}{_tail(facts)}"
    rest = {name: value for name, value in facts.items() if name not in {"to", "verdict", "stage"}}
    where = f" at {facts['stage']}" if facts.get("verdict") == "FAILS" else ""
    return f"a move to {facts['to']} is {facts['verdict']}{where}{_tail(rest)}"


SUBJECTS = ("guest", "host", "pool", "zone")


def _subject(facts: Mapping[str, str]) -> str:
    named = [f"{kind} {facts[kind]}" for kind in SUBJECTS if kind in facts]
    return " on ".join(named) or "the fleet"


def _tail(facts: Mapping[str, str]) -> str:
    """The other facts, in brackets: `missing_memory_mib` reads `missing memory 512 MiB`."""
    rest = [_fact(name, value) for name, value in facts.items() if name not in SUBJECTS]
    return f" ({'; '.join(rest)})" if rest else ""


UNITS = {"_mib": " MiB", "_s": " s", "_vcpus": " vCPUs"}


def _fact(name: str, value: str) -> str:
    for suffix, unit in UNITS.items():
        if name.endswith(suffix):
            return f"{name.removesuffix(suffix).replace('_', ' ')} {value}{unit}"
    return f"{name.replace('_', ' ')} {value}"


def _remedies(remedies: tuple[Remedy, ...]) -> Section:
    if not remedies:
        return Section("What would help", (Paragraph("None of the changes that were tried gives a plan."),))
    points = tuple((0, remedy_sentence(remedy) + (" (tried: a plan exists then)" if remedy.tried else "")) for remedy in remedies)
    return Section("What would help, cheapest first", (Bullets(points),))


def remedy_sentence(remedy: Remedy) -> str:
    """A remedy as an order to the operator."""
    return f"{REMEDIES[remedy.kind]}{_tail(remedy.facts)}"


REMEDIES: Mapping[RemedyKind, str] = {
    RemedyKind.ADD_HOST: "add one host on the target release",
    RemedyKind.ALLOW_RESTART: "allow guests to restart (`restart: ok`)",
    RemedyKind.SKIP_HOSTS: "leave hosts on the old release (`policy.immovable: skip`)",
    RemedyKind.RAISE_MAX_UNAVAILABLE: "raise `policy.max_unavailable`",
    RemedyKind.LOWER_RESERVE: "lower `policy.reserve`",
    RemedyKind.PIN_AND_RESTART: "pin the PSCI version and restart",
    RemedyKind.CHANGE_RELEASE: "take the kernel together with another VMM",
    RemedyKind.STEPPING_STONE: "roll out another release first, and the target after it",
    RemedyKind.ACCEPT_LOSS: "accept the loss with a waiver",
    RemedyKind.PROBE: "find out what is not known",
}


def accepted_document() -> Document:
    """A plan that the judge passes."""
    return Document((Section("", (Paragraph(f"The plan holds: all {len(INVARIANTS)} invariants are kept.", Tone.GOOD),)),))


def refuted_document(violations: tuple[Violation, ...]) -> Document:
    """What the judge holds against a plan."""
    headline = Paragraph(f"The judge refutes the plan: {counted(len(violations), 'violation')}.", Tone.BAD)
    points = [(0, violation_sentence(violation)) for violation in violations[:MOST_SHOWN]]
    if len(violations) > MOST_SHOWN:
        points.append((0, f"and {len(violations) - MOST_SHOWN:,} more"))
    return Document((Section("", (headline, Bullets(tuple(points)))),))


LAWS = {row.id: row.law for row in INVARIANTS}


def violation_sentence(violation: Violation) -> str:
    """The broken invariant, its subject, when, and the facts."""
    where = f"{violation.invariant}: {violation.subject} at {clock(violation.at_s)}"
    steps = f" [{', '.join(violation.steps)}]" if violation.steps else ""
    return f"{where}{steps}{_tail(dict(violation.facts))}. The law: {LAWS[violation.invariant]}"
