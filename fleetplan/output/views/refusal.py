"""No plan, or a plan that the judge refutes, as documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fleetplan.output.document import Bullets, Document, Paragraph, Section, Tone
from fleetplan.output.sentences import clock, counted
from fleetplan.rollout.invariant_rows import INVARIANTS
from fleetplan.rollout.invariants import Violation
from fleetplan.rollout.plan import BlockedOn, Cause, Infeasible, Remedy, RemedyKind

MOST_SHOWN = 50


def infeasible_document(outcome: Infeasible) -> Document:
    """Why there is no plan, as a chain of causes, and what would help."""
    found = "exists: that is proved." if outcome.proved else "was found; it is not proved that there is none."
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
    if "needs_vcpus" in facts:
        return _homeless(cause.blocked_on, facts)
    if "host" in facts and "waiting_hosts" in facts:
        return _no_room(cause.blocked_on, facts)
    if cause.blocked_on is BlockedOn.HOST_CLASS:
        return _full_class(facts)
    if cause.blocked_on is BlockedOn.VERDICT:
        return _verdict(facts)
    if cause.blocked_on is BlockedOn.CONVERGENCE and "link_mib_s" in facts:
        return _convergence(facts)
    return f"{WORDS[cause.blocked_on].format(subject=_subject(facts))}{_tail(facts)}"


WORDS: Mapping[BlockedOn, str] = {
    BlockedOn.IMMOVABLE_GUEST: "{subject} may neither migrate nor restart",
    BlockedOn.FIRMWARE: "every landing place refuses {subject}",
    BlockedOn.CAPACITY: "{subject}: not enough room on upgraded hosts",
    BlockedOn.ANTI_AFFINITY: "{subject}: every place with room already has a member of its group",
    BlockedOn.AFFINITY: "{subject}: no place has room for all of its group that must stay together",
    BlockedOn.DISRUPTION: "{subject}: more members of its group stop with this host than may be disrupted at a time",
    BlockedOn.CONVERGENCE: "{subject}: no copy of it would end, or not in the time that policy allows",
    BlockedOn.LAST: "{subject}: only hosts that go last could make room",
    BlockedOn.PLACEMENT: "{subject}: `allow` and `deny` leave no landing place",
    BlockedOn.ALONE: "{subject}: no other host of the pool takes guests",
    BlockedOn.NO_UPGRADED_HOST: "{subject}: no host is upgraded or empty, and none can be emptied onto the others",
    BlockedOn.UNAVAILABLE: "{subject}: unavailable hosts use up max-unavailable",
    BlockedOn.LIMITS: "there are plans, but none was found within what was asked for",
    BlockedOn.ANY_VMM: "no other VMM on the same kernel would let such guests move",
    BlockedOn.PIECES: "{subject}: what is free is in pieces that are too small",
}
"""For causes without a sentence of their own."""


def _no_room(kind: BlockedOn, facts: Mapping[str, str]) -> str:
    """A pool in which no host can be emptied: the one that comes nearest."""
    lacks = f"{_amounts('missing', facts)} of its guests find no room"
    why = "no host of it is upgraded or empty" if kind is BlockedOn.NO_UPGRADED_HOST else "its upgraded hosts have too little room"
    waiting = f"of {counted(int(facts['waiting_hosts']), 'host')} that wait none can be emptied"
    return f"pool {facts['pool']}: {why}, and {waiting}; of {facts['host']}, the first, {lacks}"


def _convergence(facts: Mapping[str, str]) -> str:
    """Why the copy of a guest does not count as ending, in numbers."""
    if facts["link_mib_s"] == "0":
        return f"{_subject(facts)}: no other host of its pool serves that it could be copied to"
    link = f"its fastest link carries {facts['link_mib_s']} MiB/s"
    if "takes_s" in facts:
        return f"{_subject(facts)}: {link}, and the copy takes {facts['takes_s']} s; policy allows {facts['within_s']} s"
    ends = f"a copy ends only up to {facts['ends_up_to_mib_s']} MiB/s"
    return f"{_subject(facts)} dirties {facts['dirties_mib_s']} MiB/s; {link}, over which {ends}"


HOMELESS: Mapping[BlockedOn, str] = {
    BlockedOn.CAPACITY: "no host that may take {it} has so much left",
    BlockedOn.PLACEMENT: "`allow` and `deny` leave no host that has room",
    BlockedOn.ANTI_AFFINITY: "every host with room already has a member of the group {group}",
    BlockedOn.PIECES: "there is room for {it} alone, but not beside the others of the host",
    BlockedOn.FIRMWARE: "every host with room refuses {it}",
}


def _homeless(kind: BlockedOn, facts: Mapping[str, str]) -> str:
    """Guests, alike in what they need, that find no place."""
    alike = int(facts.get("alike", "1"))
    who = f"guest {facts['guest']}" if alike == 1 else f"guest {facts['guest']} and {alike - 1} like it"
    size = f"{facts['needs_vcpus']} vCPUs, {size_words(int(facts['needs_memory_mib']))}" + (" each" if alike > 1 else "")
    if "fit" in facts:
        free = f"{facts['largest_free_vcpus']} vCPUs and {size_words(int(facts['largest_free_memory_mib']))}"
        told = f"single hosts on {facts['class']} take {facts['fit']} of {facts['alike']}: none has more than {free} left"
    else:
        told = _lack(kind, facts).format(it="it" if alike == 1 else "one", **{"group": "", **facts})
    return f"{who} ({size}): {told}"


def _lack(kind: BlockedOn, facts: Mapping[str, str]) -> str:
    """What one guest found missing, as a pattern."""
    lacks = _amounts("lacks", facts)
    if lacks:
        return f"no host that has room for {{it}} has {lacks} left"
    if kind is BlockedOn.AFFINITY:
        return STAYS if "stays_in" in facts else LEAVE_TOGETHER
    return HOMELESS[kind]


STAYS = "every host with room is outside of {stays_in}, where its group {group} stays together"
LEAVE_TOGETHER = "no host has room for all {members} of the group {group}, which leave for one host together"


def size_words(memory_mib: int) -> str:
    """Memory as people write it: whole GiB where it is, else with one digit; MiB below one."""
    if memory_mib < MIB_PER_GIB:
        return f"{memory_mib} MiB"
    return f"{memory_mib / MIB_PER_GIB:.1f} GiB".replace(".0 GiB", " GiB")


MIB_PER_GIB = 1024


def _amounts(what: str, facts: Mapping[str, str]) -> str:
    """All facts of a kind (`missing_vcpus`, `missing_memory_mib`) as one phrase."""
    kinds = {name.removeprefix(f"{what}_"): value for name, value in facts.items() if name.startswith(f"{what}_")}
    return " and ".join(_amount(resource, value) for resource, value in kinds.items())


def _amount(resource: str, value: str) -> str:
    """So much of a resource: `40 vCPUs`, `320 GiB`; which memory, where pages are told apart."""
    if resource == "vcpus":
        return f"{value} vCPUs"
    kind = resource.removesuffix("_mib").replace("_", " ")
    return size_words(int(value)) + (f" of {kind}" if kind != "memory" else "")


def _full_class(facts: Mapping[str, str]) -> str:
    """The bottleneck: an edge of the minimum cut."""
    needed, fits = (_amount(facts["scarce"], facts[name]) for name in ("needed", "fits"))
    rest = f"{_amounts('free', facts)} are free"
    full = f"the {counted(int(facts['hosts']), 'upgraded host')} of its pool on {facts['class']} are full: {rest}"
    return f"{full}; of {needed} that its guests need no more than {fits} find room"


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
    points = tuple(point for remedy in remedies for point in _remedy_points(remedy))
    return Section("What would help, cheapest first", (Bullets(points),))


def _remedy_points(remedy: Remedy) -> Iterator[tuple[int, str]]:
    tried = f" (tried: {'a plan exists then' if remedy.alone else 'that pool can be planned then'})" if remedy.tried else ""
    yield 0, remedy_sentence(remedy) + tried
    yield from ((1, remedy_sentence(part)) for part in remedy.together)


def remedy_sentence(remedy: Remedy) -> str:
    """A remedy as an order to the operator."""
    facts = remedy.facts
    match remedy.kind:
        case RemedyKind.ADD_HOST:
            shape = f"of {facts['vcpus']} vCPU / {size_words(int(facts['memory_mib']))}"
            hosts = counted(int(facts["hosts"]), "host")
            return f"add {hosts} {shape} in zone {facts['zone']} to pool {facts['pool']}, like {facts['like']}, on the target release"
        case RemedyKind.RELAX_POLICY:
            return f"write `{facts['key']}: {facts['value']}` in `policy`"
        case RemedyKind.LOWER_RESERVE:
            return f"lower `policy.reserve` to {facts['reserve']}"
        case RemedyKind.RAISE_MAX_UNAVAILABLE:
            return f"raise `policy.max_unavailable` to {{{', '.join(f'{scope}: {count}' for scope, count in facts.items())}}}"
        case RemedyKind.RAISE_OVERCOMMIT:
            vcpus, memory = (int(facts[f"{what}_per_mille"]) / 1000 for what in ("vcpus", "memory"))
            return f"raise `policy.overcommit` to {{vcpus: {vcpus:g}, memory: {memory:g}}}"
        case RemedyKind.THROTTLE:
            slowed = ": guests that write much are slowed down to be copied" if "throttle" in facts else ""
            keys = {name.removesuffix("_s"): f"{value}s" if name == "within_s" else value for name, value in facts.items()}
            return f"set `policy.converge` to {{{', '.join(f'{key}: {value}' for key, value in keys.items())}}}{slowed}"
        case RemedyKind.RAISE_MAX_DISRUPTED:
            return f"raise `max_disrupted` of group {facts['group']} to {facts['max_disrupted']}"
        case _:
            return f"{REMEDIES[remedy.kind]}{_tail(facts)}"


REMEDIES: Mapping[RemedyKind, str] = {
    RemedyKind.ALLOW_RESTART: "allow guests to restart (`restart: ok`)",
    RemedyKind.SKIP_HOSTS: "leave hosts on the old release (`policy.immovable: skip`)",
    RemedyKind.RELAX_GROUP: "let members of groups meet (`apart`)",
    RemedyKind.RELAX_PLACEMENT: "let guests land anywhere (`allow`, `deny`)",
    RemedyKind.TOGETHER: "all of these together, none can be left out",
    RemedyKind.RELAX_LAST: "let hosts that go last go when it suits (`last`)",
    RemedyKind.RELAX_TOGETHER: "do not keep groups together (`together`)",
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
