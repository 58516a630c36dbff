"""How two plans, or two inventories, differ: what needs a new approval, apart from what does not.

Of plans that is what `follow.approved` says; landings and times are worked out anew all the time. Of inventories it is what people decide:
the target, policy, waivers, groups, which hosts there are to upgrade, and what may be done to guests. What machines report (states,
sizes, places, facts) is not.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import asdict, replace

from fleetplan.fleet.model import Fleet, Guest, GuestName, Host, HostName, Release
from fleetplan.fleet.source import NOWHERE
from fleetplan.follow.approved import Approved, approved
from fleetplan.rollout.plan import Plan, StepKind


class ChangeKind(StrEnum):
    """What has changed."""

    TARGET = "target"
    ORDER = "order"
    """The wave in which a host goes."""
    SKIPPED = "skipped"
    PIN = "pin"
    RESTART = "restart"
    ANSWER = "answer"
    """Verdicts of a guest's moves that somebody answers for."""
    GATE = "gate"
    WAIVER = "waiver"
    POLICY = "policy"
    GROUP = "group"
    RELEASE_FACTS = "release-facts"
    HOST_TO_UPGRADE = "host-to-upgrade"
    """A host that has come and is not on the target, or that runs a release which is neither the target nor what it ran."""
    PERMISSION = "permission"
    """Whether a guest may move or restart, where it may be, and which PSCI version it bears."""
    LANDING = "landing"
    TIME = "time"
    ON_FAILURE = "on-failure"
    INVENTORY = "inventory"
    """The digest of the inventory that a plan was made for."""
    HOST = "host"
    GUEST = "guest"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that differs, as texts; `before` or `after` is empty where it was not, or is no more."""

    kind: ChangeKind
    subject: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Two plans, or two inventories. `digests` are those of what has to be approved (plans) or of all facts (inventories)."""

    of: str
    digests: tuple[str, str]
    to_approve: tuple[Change, ...]
    others: tuple[Change, ...]


# --- plans ----------------------------------------------------------------------------------------------------------------------------


def diff_plans(before: Plan, after: Plan) -> Changes:
    """Compare what of two plans was approved, and the rest. Of a plan that is one wave of a rollout, only what it has counts. O(steps)."""
    one, other = approved(before), approved(after)
    changes = _approved_changes(one, other)
    if after.part_of is not None:
        changes = (change for change in changes if _is_new(change))
    others = (*_values(ChangeKind.LANDING, _landings(before), _landings(after), whole=after.part_of is None), *_stated(before, after))
    return Changes(of="plans", digests=(one.digest, other.digest), to_approve=tuple(changes), others=others)


def _is_new(change: Change) -> bool:
    """Whether a wave of its own asks for something beyond the plan that it belongs to: its hosts go in one wave, whatever their number."""
    if change.kind is ChangeKind.ORDER:
        return not change.before
    return bool(change.after)


def _approved_changes(before: Approved, after: Approved) -> Iterator[Change]:
    if before.target != after.target:
        yield Change(kind=ChangeKind.TARGET, subject="plan", before=str(before.target), after=str(after.target))
    pairs: tuple[tuple[ChangeKind, Mapping[Any, str], Mapping[Any, str]], ...] = (
        (ChangeKind.ORDER, _order(before), _order(after)),
        (ChangeKind.SKIPPED, _set(before.skipped), _set(after.skipped)),
        (ChangeKind.PIN, _pins(before), _pins(after)),
        (ChangeKind.RESTART, _set(before.restarts), _set(after.restarts)),
        (ChangeKind.ANSWER, _answers(before), _answers(after)),
        (ChangeKind.GATE, _gates(before), _gates(after)),
    )
    for kind, one, other in pairs:
        yield from _values(kind, one, other)


def _order(those: Approved) -> dict[str, str]:
    return {host: f"wave {number}" for host, number in those.wave_of().items()}


def _set(names: Iterable[str]) -> dict[str, str]:
    return dict.fromkeys(names, "yes")


def _pins(those: Approved) -> dict[str, str]:
    return {guest: f"PSCI {psci}" for guest, psci in those.pins.items()}


def _answers(those: Approved) -> dict[str, str]:
    return {guest: ", ".join(verdicts) for guest, verdicts in those.answered.items()}


def _gates(those: Approved) -> dict[str, str]:
    return {f"after wave {gate.after}": gate.note or f"soak {gate.soak_s} s" for gate in those.gates}


def _landings(plan: Plan) -> dict[GuestName, str]:
    """The hosts that guests move to, in order."""
    moves = [step for wave in plan.waves for step in wave.steps if step.kind is StepKind.MIGRATE]
    found: dict[GuestName, str] = {}
    for step in sorted(moves, key=lambda step: step.start_s):
        if step.guest is not None and step.destination is not None:
            found[step.guest] = f"{found[step.guest]}, {step.destination}" if step.guest in found else step.destination
    return found


def _stated(before: Plan, after: Plan) -> Iterator[Change]:
    """What is said of the plan as a whole."""
    stated = (
        (ChangeKind.TIME, "all waves", f"{before.bounds.makespan_s.plan} s", f"{after.bounds.makespan_s.plan} s"),
        (ChangeKind.ON_FAILURE, "plan", _fields(before.on_failure), _fields(after.on_failure)),
        (ChangeKind.INVENTORY, "plan", before.inventory_digest, after.inventory_digest),
    )
    for kind, subject, one, other in stated:
        if one != other:
            yield Change(kind=kind, subject=subject, before=one, after=other)


def _values(kind: ChangeKind, before: Mapping[Any, str], after: Mapping[Any, str], *, whole: bool = True) -> Iterator[Change]:
    """Differences between two mappings, by name; unless `whole`, only of what the second has."""
    for name in sorted(before.keys() | after.keys() if whole else after.keys()):
        one, other = before.get(name, ""), after.get(name, "")
        if one != other:
            yield Change(kind=kind, subject=name, before=one, after=other)


# --- inventories ----------------------------------------------------------------------------------------------------------------------

PERMISSIONS = ("migratable", "restartable", "psci_max", "allow", "deny")
NOT_COMPARED = frozenset({"at", "name"})


def diff_inventories(before: Fleet, after: Fleet, digests: tuple[str, str]) -> Changes:
    """Compare what people decide in two inventories, and what is. O(hosts + guests)."""
    decided = [*_decided(before, after)]
    found = [*_hosts(before, after), *_guests(before, after)]
    urgent = {ChangeKind.HOST_TO_UPGRADE, ChangeKind.PERMISSION}
    return Changes(
        of="inventories",
        digests=digests,
        to_approve=(*decided, *(change for change in found if change.kind in urgent)),
        others=tuple(change for change in found if change.kind not in urgent),
    )


def _decided(before: Fleet, after: Fleet) -> Iterator[Change]:
    if before.target != after.target:
        yield Change(kind=ChangeKind.TARGET, subject="inventory", before=str(before.target), after=str(after.target))
    yield from _values(ChangeKind.POLICY, _texts(before.policy), _texts(after.policy))
    yield from _values(ChangeKind.WAIVER, _numbered(before.waivers), _numbered(after.waivers))
    yield from _values(ChangeKind.GROUP, _records(before.groups), _records(after.groups))
    yield from _values(ChangeKind.RELEASE_FACTS, _numbered(before.releases), _numbered(after.releases))


def _texts(record: msgspec.Struct) -> dict[str, str]:
    """Every field as text."""
    return {name: _text(value) for name, value in asdict(record).items() if name not in NOT_COMPARED}


def _text(value: Any) -> str:
    return msgspec.json.encode(_placeless(value), order="deterministic").decode()


def _placeless(value: Any) -> Any:
    """A value without the places where it stands in files."""
    if isinstance(value, tuple):
        return tuple(map(_placeless, value))
    return replace(value, at=NOWHERE) if isinstance(value, msgspec.Struct) and "at" in value.__struct_fields__ else value


def _numbered(records: Iterable[msgspec.Struct]) -> dict[str, str]:
    """Records without names, by what they say: one that has changed is gone, and another has come."""
    return dict.fromkeys(map(_fields, records), "yes")


def _records(records: Mapping[Any, msgspec.Struct]) -> dict[str, str]:
    return {name: _fields(record) for name, record in records.items()}


def _fields(record: msgspec.Struct) -> str:
    """The fields that are not their defaults."""
    defaults = {field.name: field.default for field in msgspec.structs.fields(type(record))}
    stated = {name: value for name, value in asdict(record).items() if name not in NOT_COMPARED and value != defaults[name]}
    return ", ".join(f"{name} {_text(value)}" for name, value in stated.items())


def _hosts(before: Fleet, after: Fleet) -> Iterator[Change]:
    old, new = ({host.name: host for host in fleet.hosts} for fleet in (before, after))
    for name in sorted(old.keys() | new.keys()):
        yield from _host(name, old.get(name), new.get(name), after.target)


def _host(name: HostName, before: Host | None, after: Host | None, target: Release) -> Iterator[Change]:
    if before is None or after is None:
        to_upgrade = after is not None and after.release != target
        kind = ChangeKind.HOST_TO_UPGRADE if to_upgrade else ChangeKind.HOST
        yield Change(kind=kind, subject=name, before=_about(before), after=_about(after))
        return
    strange = after.release not in {before.release, target}
    kind = ChangeKind.HOST_TO_UPGRADE if strange else ChangeKind.HOST
    yield from _fields_of(kind, name, before, after)


def _about(host: Host | None) -> str:
    return "" if host is None else str(host.release)


def _guests(before: Fleet, after: Fleet) -> Iterator[Change]:
    old, new = ({guest.name: guest for guest in fleet.guests} for fleet in (before, after))
    for name in sorted(old.keys() | new.keys()):
        one, other = old.get(name), new.get(name)
        if one is None or other is None:
            yield Change(kind=ChangeKind.GUEST, subject=name, before="" if one is None else one.on, after="" if other is None else other.on)
        elif one != other:
            yield from _guest(name, one, other)


def _guest(name: GuestName, before: Guest, after: Guest) -> Iterator[Change]:
    if _permitted(before) != _permitted(after):
        one, other = (
            ", ".join(f"{key} {_text(value)}" for key, value in zip(PERMISSIONS, _permitted(g), strict=True)) for g in (before, after)
        )
        yield Change(kind=ChangeKind.PERMISSION, subject=name, before=one, after=other)
    yield from _fields_of(ChangeKind.GUEST, name, before, after, beside=PERMISSIONS)


def _permitted(guest: Guest) -> tuple[Hashable, ...]:
    return tuple(getattr(guest, name) for name in PERMISSIONS)


def _fields_of(
    kind: ChangeKind, name: str, before: msgspec.Struct, after: msgspec.Struct, beside: tuple[str, ...] = ()
) -> Iterator[Change]:
    """The fields in which two records differ, as one change."""
    fields = [field for field in before.__struct_fields__ if field not in NOT_COMPARED and field not in beside]
    differ = [field for field in fields if getattr(before, field) != getattr(after, field)]
    if differ:
        one, other = (", ".join(f"{field} {_text(getattr(record, field))}" for field in differ) for record in (before, after))
        yield Change(kind=kind, subject=name, before=one, after=other)
