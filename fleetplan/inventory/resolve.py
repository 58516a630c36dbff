"""From raw records to a fleet: facts under what people wrote, `like`, defaults, and names that must exist."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from fleetplan.findings import inventory_rules as rules
from fleetplan.findings.finding import Severity
from fleetplan.fleet.model import Fleet, Group, GroupName, HostFacts, HostName, Override, Release, ReleaseFacts
from fleetplan.fleet.policy import DEFAULT_MAX_UNAVAILABLE, Policy, Waiver
from fleetplan.fleet.source import Location
from fleetplan.fleet.table import GuestRows, GuestTable
from fleetplan.inventory import schema
from fleetplan.inventory.draft import Draft, Raw, place_of
from fleetplan.inventory.records import facts_of, guest_of, host_of, is_pattern
from fleetplan.inventory.values import suggestion

ERRORS = frozenset(row.id for row in rules.INVENTORY_RULES if row.severity is Severity.ERROR)


def resolve(draft: Draft, at: Location) -> Fleet | None:
    """The fleet, or None if anything is wrong; what is, has been reported to the draft. O(n log n)."""
    overrides = (*_override(draft, draft.hosts, draft.host_facts, "host"), *_override(draft, draft.guests, draft.guest_facts, "guest"))
    hosts = _family(draft, draft.hosts, draft.host_facts, "host", schema.HOST)
    guests = _family(draft, draft.guests, draft.guest_facts, "guest", schema.GUEST)
    _sections(draft, at)
    known = {*hosts, *(host.name for host in draft.plain_hosts)}
    _references(draft, guests, known)
    _policy_references(draft, known)
    if any(finding.rule in ERRORS for finding in draft.findings):
        return None
    draft.guests.clear()
    draft.guest_facts.clear()
    return _fleet(draft, hosts, guests, overrides, at)


def _override(draft: Draft, written: Mapping[str, Raw], facts: Mapping[str, Raw], noun: str) -> list[Override]:
    """Keys that people wrote over a fact that says something else."""
    found = []
    for name in sorted(written.keys() & facts.keys()):
        raw, fact = written[name], facts[name]
        for key in sorted(raw.values.keys() & fact.values.keys()):
            if raw.values[key] != fact.values[key]:
                found.append(Override(subject=name, key=key, at=raw.at, fact_at=fact.at))
                draft.report(rules.OVERRIDE, name, raw.at, key=key, what=f"{noun} `{name}`", first=str(fact.at))
    return found


def _family(
    draft: Draft, written: Mapping[str, Raw], facts: Mapping[str, Raw], noun: str, kind: schema.Kind
) -> dict[str, tuple[Raw, dict[str, Any]]]:
    """Every host (or guest) by name, in order, with all its keys: its own, its facts', those of what it is like, the defaults."""
    every = sorted(written.keys() | facts.keys())
    own = {name: _own(written.get(name), facts.get(name)) for name in every}
    defaults = draft.sections["defaults"].values.get(noun, {}) if "defaults" in draft.sections else {}
    done: dict[str, dict[str, Any]] = {}
    for name in every:
        if name not in done:
            _follow(draft, own, done, name, noun)
    whole = {name: (own[name], {**defaults, **done[name]} if defaults else done[name]) for name in every}
    for name, (raw, values) in whole.items():
        if raw.sound and not _unlike(own, name):
            for key in kind:
                if kind[key].required and key not in values:
                    draft.report(rules.MISSING_KEY, name, raw.at, what=f"{noun} `{name}`", key=key)
    return whole


def _unlike(own: Mapping[str, Raw], name: str) -> bool:
    """Whether the record is like something that does not exist or is not sound: its missing keys are then not its own fault."""
    seen = set()
    while name not in seen:
        seen.add(name)
        if name not in own or not own[name].sound:
            return True
        base = own[name].values.get("like")
        if base is None:
            return False
        name = base
    return True


def _own(raw: Raw | None, fact: Raw | None) -> Raw:
    if raw is None or fact is None:
        only = raw or fact
        assert only is not None  # noqa: S101 - the name came from one of the two
        return only
    return Raw({**fact.values, **raw.values}, raw.at, tuple({**dict(fact.refers), **dict(raw.refers)}.items()), raw.sound and fact.sound)


def _follow(draft: Draft, own: Mapping[str, Raw], done: dict[str, dict[str, Any]], name: str, noun: str) -> None:
    """Fill `done` for a record and all that it is like, the farthest first."""
    chain = [name]
    while True:
        raw = own[chain[-1]]
        base = raw.values.get("like")
        if base is None or base in done:
            break
        if base not in own:
            plain = (host.name for host in draft.plain_hosts) if noun == "host" else draft.plain_guests.names()
            _dangling(draft, place_of(raw, "like"), f"`like` of {noun} `{chain[-1]}`", noun, base, [*own, *plain])
            break
        if base in chain:
            circle = " is like ".join(f"`{link}`" for link in [*chain[chain.index(base) :], base])
            draft.report(rules.LIKE_CYCLE, base, place_of(raw, "like"), what=f"{noun} `{base}`", chain=circle)
            break
        chain.append(base)
    values: dict[str, Any] = done.get(own[chain[-1]].values.get("like", ""), {})
    for link in reversed(chain):
        mine = own[link].values
        values = {**values, **mine} if values else mine
        done[link] = values


MOST_COMPARED = 200_000
"""Names that are compared to find what was meant, in all: of large fleets only the first few errors get a suggestion, within a second."""


def _dangling(draft: Draft, at: Location, what: str, kind: str, name: str, known: Collection[str]) -> None:
    draft.compared += len(known)
    facts = suggestion(name, known) if draft.compared <= MOST_COMPARED else {}
    draft.report(rules.DANGLING, name, at, what=what, kind=kind, name=name[:80], **facts)


def _sections(draft: Draft, at: Location) -> None:
    """What an inventory must have, and what waivers must name."""
    if not any(finding.rule in UNREAD for finding in draft.findings):
        for name in ("fleetplan", "target", "hosts"):
            if name not in draft.seen and not (name == "hosts" and (draft.host_facts or draft.plain_hosts)):
                draft.report(rules.MISSING_KEY, name, at, what="the inventory", key=name)
    check_waivers(draft)


def check_waivers(draft: Draft) -> None:
    """A waiver is of a rule or of a register."""
    for waiver in draft.waivers:
        if waiver.sound and ("rule" in waiver.values) == ("register" in waiver.values):
            draft.report(rules.MISSING_KEY, "waivers", waiver.at, what="the waiver", key="rule` or `register")


UNREAD = frozenset(row.id for row in (rules.UNREADABLE, rules.EMPTY, rules.NOT_TEXT, rules.SYNTAX, rules.NO_INVENTORY))
"""Where part of the input could not be read at all, what seems to be missing may stand there."""


def _references(draft: Draft, guests: Mapping[str, tuple[Raw, dict[str, Any]]], hosts: Collection[str]) -> None:
    """Every name in a guest that must be the name of something; each reported where it was written."""
    for name, (raw, _) in guests.items():
        for key, at in raw.refers:
            value = raw.values.get(key)
            if value is None or key == "like":
                continue
            what = f"`{key}` of guest `{name}`"
            if key == "on" and value not in hosts:
                _dangling(draft, at, what, "host", value, hosts)
            elif key == "group" and value not in draft.groups:
                _dangling(draft, at, what, "group", value, draft.groups)
            elif key in {"allow", "deny"}:
                for pattern in value:
                    if pattern not in hosts and not is_pattern(pattern):
                        _dangling(draft, at, what, "host", pattern, hosts)


def _policy_references(draft: Draft, hosts: Collection[str]) -> None:
    """Hosts that policy names."""
    policy = draft.sections.get("policy")
    if policy is not None:
        for pattern in policy.values.get("last", ()):
            if pattern not in hosts and not is_pattern(pattern):
                _dangling(draft, policy.at, "`last` of policy", "host", pattern, hosts)


def _policy(draft: Draft, at: Location) -> Policy:
    raw = draft.sections.get("policy")
    if raw is None:
        return Policy(at=at)
    values = dict(raw.values)
    overcommit = values.pop("overcommit", {})
    renamed: dict[str, Any] = {
        {"reserve": "reserve_per_mille", "unknown": "accept_unknown", "psci_change": "forbid_psci_change"}.get(key, key): value
        for key, value in values.items()
    }
    renamed.setdefault("max_unavailable", DEFAULT_MAX_UNAVAILABLE)
    return Policy(
        overcommit_vcpus_per_mille=overcommit.get("vcpus", 1000),
        overcommit_memory_per_mille=overcommit.get("memory", 1000),
        at=raw.at,
        **renamed,
    )


def _fleet(
    draft: Draft,
    hosts: Mapping[str, tuple[Raw, dict[str, Any]]],
    guests: dict[str, tuple[Raw, dict[str, Any]]],
    overrides: tuple[Override, ...],
    at: Location,
) -> Fleet:
    shared: dict[tuple[Any, ...], HostFacts] = {}
    groups = {GroupName(name): Group(name=GroupName(name), at=raw.at, **raw.values) for name, raw in sorted(draft.groups.items())}
    releases = tuple(
        ReleaseFacts(release=Release(raw.values["kernel"], raw.values["vmm"]), facts=facts_of(raw.values, shared), at=raw.at)
        for raw in draft.releases
    )
    every = [*(host_of(name, raw.at, values, shared) for name, (raw, values) in hosts.items()), *draft.plain_hosts]
    every.sort(key=lambda host: host.name)
    return Fleet(
        target=Release(**draft.sections["target"].values),
        hosts=tuple(every),
        guests=_table(draft.plain_guests, guests, [host.name for host in every]),
        groups=groups,
        policy=_policy(draft, at),
        waivers=tuple(Waiver(**raw.values, at=raw.at) for raw in draft.waivers),
        releases=releases,
        overrides=overrides,
        at=at,
    )


def _table(rows: GuestRows, guests: dict[str, tuple[Raw, dict[str, Any]]], host_names: list[HostName]) -> GuestTable:
    """All guests in the order of their names. Each raw record goes when its guest is made, so that both never take room at once."""
    for name in list(guests):
        raw, values = guests.pop(name)
        rows.add(guest_of(name, raw.at, values))
    rows.sort()
    return rows.table(host_names)
