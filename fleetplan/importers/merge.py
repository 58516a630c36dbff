"""Many sources, one fact each: who is the same, who knows better, and what nobody says.

A key that two sources give differently, neither knowing better, is left unknown: no guess is written as a fact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fleetplan.findings import import_rules as rules
from fleetplan.findings.finding import Finding, Rule
from fleetplan.findings.imports import Missing
from fleetplan.fleet.source import Location
from fleetplan.importers.source import Said
from fleetplan.inventory.draft import Draft
from fleetplan.inventory.facts import read_fact

NAMES_GUESTS = ("openstack-servers", "kubernetes")
"""Kinds whose names for guests are those that people use, the first before all others."""

GIVE_AWAY = ("openstack-inventory", "kubernetes", "openstack-hypervisors", "openstack-hypervisor")
"""Orchestrators: what they give away is what counts as a host's size."""

KNOWS_BETTER: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("host", "vcpus"): GIVE_AWAY,
    ("host", "memory"): (*GIVE_AWAY, "probe", "prometheus", "ansible"),
    ("host", "hugepages"): ("kubernetes", "probe"),
    ("host", "vmm"): ("probe",),
    ("host", "features"): ("probe",),
    ("host", "midr"): ("probe",),
    ("host", "workarounds"): ("probe",),
    ("host", "firmware"): ("probe",),
    ("guest", "vcpus"): ("virsh-dumpxml", "virsh-domstats", "kubernetes"),
    ("guest", "memory"): ("virsh-dumpxml", "virsh-domstats", "kubernetes"),
}
"""Kinds that know a key better than others do, the best first: a host's
own KVM knows its registers; the running domain knows its size."""

INSIDE = frozenset({"born", "vulnerabilities", "workarounds"})
"""Keys that are merged key by key."""

WANTED: Mapping[str, tuple[str, ...]] = {
    "host": ("kernel", "vmm", "vcpus", "memory", "midr", "revidr", "cmdline", "vulnerabilities", "registers"),
    "guest": ("on", "vcpus", "memory", "machine", "born", "disks"),
}
"""Keys that matter to verdicts and plans, and are listed where nobody says them."""


class From(msgspec.Struct, frozen=True):
    """Something said, by which source, of which kind."""

    said: Said
    source: str
    kind: str


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """Facts in the order of their names, hosts before guests, as JSON values; what was found; what nobody says."""

    facts: tuple[Mapping[str, Any], ...]
    findings: tuple[Finding, ...]
    missing: tuple[Missing, ...]


class _Value(msgspec.Struct, frozen=True):
    """A key as one source gives it: as JSON, and as the inventory reads it."""

    json: Any
    read: Any
    source: str
    kind: str


_Keyed = tuple[str, str, _Value]
"""A key, the key inside of it (empty: none), and its value."""


def merge(told: Sequence[From]) -> Merged:
    """Put together what sources say. O(n log n), n keys."""
    findings: list[Finding] = []
    facts: list[dict[str, Any]] = []
    sized = [*told, *_sizes(told)]
    for noun in ("host", "guest"):
        for name, parts in _things([part for part in sized if part.said.noun == noun], findings):
            values = [value for part in parts for value in _read(part, name, findings)]
            facts.append({noun: name, **_keys(noun, name, values, findings)})
    findings.extend(_near_names([fact["host"] for fact in facts if "host" in fact]))
    return Merged(facts=tuple(facts), findings=tuple(sorted(_once(findings), key=Finding.sort_key)), missing=tuple(_missing(facts)))


def _once(findings: Iterable[Finding]) -> list[Finding]:
    """Findings without repetitions, in their order."""
    return list({(finding.rule, finding.subject, finding.at, tuple(finding.facts.items())): finding for finding in findings}.values())


def _finding(rule: Rule, source: str, subject: str, **facts: str) -> Finding:
    return Finding(rule=rule.id, subject=subject, at=Location(source), facts=facts)


# --- who is the same ------------------------------------------------------------------------------------------------------------------


def _sizes(told: Sequence[From]) -> Iterator[From]:
    """What flavors say of guests. A flavor's size is that of the guest's birth, which another source may know better."""
    flavors = {part.said.name: part for part in told if part.said.noun == "flavor"}
    for part in told:
        flavor = flavors.get(part.said.flavor) if part.said.flavor is not None else None
        if flavor is not None:
            said = msgspec.structs.replace(part.said, keys=flavor.said.keys, flavor=None)
            yield From(said, flavor.source, flavor.kind)


def _things(parts: Sequence[From], findings: list[Finding]) -> Iterator[tuple[str, list[From]]]:
    """What is said of each thing, in the order of names. Things that share a mark are one."""
    root: dict[str, str] = {}

    def find(mark: str) -> str:
        while root.setdefault(mark, mark) != mark:
            root[mark] = root[root[mark]]
            mark = root[mark]
        return mark

    for part in parts:
        marks = part.said.same if part.said.adds else (f"name {part.said.name}", *part.said.same)
        for mark in marks:
            root[find(mark)] = find(marks[0])
    groups: dict[str, list[From]] = {}
    for part in parts:
        groups.setdefault(find(part.said.same[0] if part.said.adds else f"name {part.said.name}"), []).append(part)
    named = []
    for group in groups.values():
        if all(part.said.adds for part in group):
            findings.append(_left_out(group[0]))
            continue
        named.append((_name(group), group))
        findings.extend(_several(group))
    yield from sorted(named, key=lambda one: one[0])


def _left_out(part: From) -> Finding:
    problem = "only its VMM process was seen, so that its size is not known; import its `virsh dumpxml` too"
    return _finding(rules.LEFT_OUT, part.source, part.said.name, what=f"{part.said.noun} `{part.said.name}`", problem=problem)


def _name(group: Sequence[From]) -> str:
    """The name that people use."""
    order = {kind: place for place, kind in enumerate(NAMES_GUESTS)}
    return min((order.get(part.kind, len(order)), part.said.name) for part in group if not part.said.adds)[1]


def _several(group: Sequence[From]) -> Iterator[Finding]:
    """A name that stands for guests of different UUIDs."""
    by_uuid: dict[str, str] = {}
    for part in group:
        for mark in part.said.same:
            if mark.startswith("uuid "):
                by_uuid.setdefault(mark, part.source)
    if len(by_uuid) > 1:
        (one, first), (other, second) = sorted(by_uuid.items())[:2]
        name = _name(group)
        facts = {"what": f"guest `{name}`", "key": "uuid", "one": one[5:], "other": other[5:], "first": first, "second": second}
        yield _finding(rules.DISAGREE, second, name, **facts)


def _near_names(hosts: Sequence[str]) -> Iterator[Finding]:
    """Hosts that one source may call by a short name, and another by a long one."""
    known = frozenset(hosts)
    for host in hosts:
        short = host.partition(".")[0]
        if short != host and short in known:
            yield _finding(rules.NEAR_NAMES, "", host, name=host, short=short)


# --- what is said of one thing --------------------------------------------------------------------------------------------------------


def _read(part: From, name: str, findings: list[Finding]) -> Iterator[_Keyed]:
    """Keys as the loader of inventories reads them, with its findings; nothing else is let in."""
    keys = {key: value for key, value in part.said.keys.items() if value is not None}
    draft = Draft()
    fact = read_fact(msgspec.json.encode({part.said.noun: name, **keys}), Location(part.source), draft)
    found = draft.findings if fact is None else fact.findings
    findings.extend(msgspec.structs.replace(one, subject=name, at=Location(part.source)) for one in found)
    if fact is None or not fact.raw.sound:
        return
    for key, value in keys.items():
        if key in INSIDE and isinstance(value, dict):
            for inner, given in value.items():
                yield key, inner, _Value(given, fact.raw.values[key][inner], part.source, part.kind)
        else:
            yield key, "", _Value(value, fact.raw.values[key], part.source, part.kind)


def _keys(noun: str, name: str, values: Sequence[_Keyed], findings: list[Finding]) -> dict[str, Any]:
    """The keys of a thing, in the order of their names."""
    given: dict[tuple[str, str], list[_Value]] = {}
    for key, inner, value in values:
        given.setdefault((key, inner), []).append(value)
    keys: dict[str, Any] = {}
    for (key, inner), candidates in sorted(given.items()):
        shown = f"{key}.{inner}" if inner else key
        chosen = _choose(noun, name, key, shown, candidates, findings)
        if chosen is None:
            continue
        if inner:
            keys.setdefault(key, {})[inner] = chosen.json
        else:
            keys[key] = chosen.json
    return keys


def _choose(noun: str, name: str, key: str, shown: str, candidates: Sequence[_Value], findings: list[Finding]) -> _Value | None:
    """The value of those that know best; None if they disagree."""
    order = {kind: place for place, kind in enumerate(KNOWS_BETTER.get((noun, key), ()))}
    ranked = sorted(candidates, key=lambda value: (order.get(value.kind, len(order)), value.source))
    best, what = ranked[0], f"{noun} `{name}`"
    chosen: _Value | None = best
    for other in ranked[1:]:
        if other.read == best.read:
            continue
        equal = order.get(other.kind, len(order)) == order.get(best.kind, len(order))
        rule = rules.DISAGREE if equal else rules.KNOWN_BETTER
        facts = {"what": what, "key": shown, "one": _words(best), "other": _words(other), "first": best.source, "second": other.source}
        findings.append(_finding(rule, other.source, name, **facts))
        chosen = None if equal else chosen
    return chosen


LONGEST_SHOWN = 80


def _words(value: _Value) -> str:
    """A value for a sentence, cut short where it is long."""
    words = value.json if isinstance(value.json, str) else msgspec.json.encode(value.json).decode()
    return words if len(words) <= LONGEST_SHOWN else f"{words[:LONGEST_SHOWN]}…"


def _missing(facts: Sequence[Mapping[str, Any]]) -> Iterator[Missing]:
    """Keys that nobody says, with those of which nobody says them."""
    for noun, keys in WANTED.items():
        things = [fact for fact in facts if noun in fact]
        for key in keys:
            names = tuple(fact[noun] for fact in things if key not in fact)
            if names:
                yield Missing(noun=noun, key=key, names=names)
