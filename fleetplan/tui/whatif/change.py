"""Changes that somebody may try: read from a line, made to a fleet, written as YAML for the inventory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, assert_never

import msgspec
from msgspec.structs import replace

from fleetplan.fleet.model import Fleet, Guest, GuestName, HostName, HostState, Release
from fleetplan.fleet.policy import Immovable, MaxUnavailable, Share


class WishError(Exception):
    """A line that is no change, or one that this fleet cannot have; the text says why."""

    def __init__(self, why: str, *names: str) -> None:
        super().__init__(why.format(*names))


class Pin(msgspec.Struct, frozen=True):
    """A guest bears no PSCI version above `most`, and is pinned where it would get a newer one; empty: a pin keeps its way back open."""

    guest: str
    most: str = ""


class Forbid(msgspec.Struct, frozen=True):
    """A guest must not land on a host; empty: it must not migrate at all."""

    guest: str
    host: str = ""


class Hold(msgspec.Struct, frozen=True):
    """A host is held: nobody comes, nobody is moved off, it is not upgraded, and it counts as unavailable."""

    host: str


class Skip(msgspec.Struct, frozen=True):
    """A host stays as it is, because its guests stay where they are and policy skips hosts of such guests."""

    host: str


class Target(msgspec.Struct, frozen=True):
    """Another target release."""

    release: Release


class Limit(msgspec.Struct, frozen=True):
    """Another max-unavailable of a scope (`fleet`, `zone`, `rack`)."""

    scope: str
    share: Share


class Reserve(msgspec.Struct, frozen=True):
    """Another reserve, in thousandths of each host."""

    per_mille: int


Change = Pin | Forbid | Hold | Skip | Target | Limit | Reserve

USAGE = (
    "pin GUEST [PSCI]",
    "forbid GUEST [HOST]",
    "hold HOST",
    "skip HOST",
    "target KERNEL VMM",
    "max-unavailable [fleet|zone|rack] N|N%",
    "reserve N%",
)
"""What can be asked."""

SCOPES = ("fleet", "zone", "rack")


def parse(text: str) -> Change:
    """The change that a line asks for. Raises WishError."""
    match text.split():
        case ["pin", guest]:
            return Pin(guest)
        case ["pin", guest, ("0.2" | "1.0" | "1.1" | "1.2" | "1.3") as most]:
            return Pin(guest, most)
        case ["forbid", guest]:
            return Forbid(guest)
        case ["forbid", guest, host]:
            return Forbid(guest, host)
        case ["hold", host]:
            return Hold(host)
        case ["skip", host]:
            return Skip(host)
        case ["target", kernel, vmm]:
            return Target(Release(kernel, vmm))
        case ["max-unavailable", scope, amount] if scope in SCOPES:
            return Limit(scope, _share(amount))
        case ["max-unavailable", amount]:
            return Limit("fleet", _share(amount))
        case ["reserve", amount] if amount.endswith("%"):
            return Reserve(_share(amount).per_mille or 0)
    raise WishError("what if: {}", "; ".join(USAGE))


def _share(text: str) -> Share:
    """`3`, or `5%`."""
    found = re.fullmatch(r"(\d{1,6})(?:\.(\d))?(%?)", text)
    if found is None or (found[2] and not found[3]) or (found[3] and int(found[1]) > 100):
        raise WishError("`{}` is no number and no share such as 5%", text)
    return Share(per_mille=int(found[1]) * 10 + int(found[2] or 0)) if found[3] else Share(count=int(found[1]))


def line(change: Change) -> str:
    """The line that asks for a change."""
    match change:
        case Pin(guest, most):
            return f"pin {guest} {most}".rstrip()
        case Forbid(guest, host):
            return f"forbid {guest} {host}".rstrip()
        case Hold(host):
            return f"hold {host}"
        case Skip(host):
            return f"skip {host}"
        case Target(release):
            return f"target {release.kernel} {release.vmm}"
        case Limit(scope, share):
            return f"max-unavailable {scope} {share}"
        case Reserve(per_mille):
            return f"reserve {per_mille / 10:g}%"
        case _:
            assert_never(change)


def made(change: Change, fleet: Fleet) -> Fleet:
    """The fleet with a change. O(guests). Raises WishError."""
    policy = fleet.policy
    match change:
        case Pin(guest, ""):
            kept = policy.reversible
            _known(guest, fleet.guests.names, "guest")
            found = True if kept is True else (*(kept or ()), guest)
            return replace(fleet, policy=replace(policy, reversible=found))
        case Pin(guest, most):
            return _with_guests(fleet, {guest}, lambda one: replace(one, psci_max=most))
        case Forbid(guest, ""):
            return _with_guests(fleet, {guest}, lambda one: replace(one, migratable=False))
        case Forbid(guest, host):
            _known(host, [each.name for each in fleet.hosts], "host")
            return _with_guests(fleet, {guest}, lambda one: replace(one, deny=(*one.deny, host)))
        case Hold(host):
            _known(host, [each.name for each in fleet.hosts], "host")
            hosts = tuple(replace(each, state=HostState.HELD) if each.name == host else each for each in fleet.hosts)
            return replace(fleet, hosts=hosts)
        case Skip(host):
            names = set(_on(fleet, host))
            stays = _with_guests(fleet, names, lambda one: replace(one, migratable=False, restartable=False))
            return replace(stays, policy=replace(policy, immovable=Immovable.SKIP))
        case Target(release):
            return replace(fleet, target=release)
        case Limit(scope, share):
            limits: MaxUnavailable = replace(policy.max_unavailable, **{scope: share})
            return replace(fleet, policy=replace(policy, max_unavailable=limits))
        case Reserve(per_mille):
            return replace(fleet, policy=replace(policy, reserve_per_mille=per_mille))
        case _:
            assert_never(change)


def _known(name: str, names: Any, kind: str) -> None:
    if name not in names:
        raise WishError("no {} `{}`", kind, name)


def _on(fleet: Fleet, host: str) -> list[GuestName]:
    """The guests of a host, of which there must be some."""
    _known(host, [each.name for each in fleet.hosts], "host")
    found = [guest.name for guest in fleet.guests if guest.on == host]
    if not found:
        raise WishError("`{}` has no guests that could keep it as it is; hold it instead", host)
    return found


def _with_guests(fleet: Fleet, names: set[GuestName] | set[str], change: Callable[[Guest], Guest]) -> Fleet:
    for name in names:
        _known(name, fleet.guests.names, "guest")
    return replace(fleet, guests=[change(guest) if guest.name in names else guest for guest in fleet.guests])


# --- for the inventory ------------------------------------------------------------------------------------------------------------------


def patch(changes: tuple[Change, ...], fleet: Fleet) -> dict[str, Any]:
    """What a person would write into the inventory for all changes; `fleet` is the one that has them. O(guests)."""
    found: dict[str, Any] = {}
    for change in changes:
        _merge(found, _piece(change, fleet))
    return found


def _piece(change: Change, fleet: Fleet) -> Mapping[str, Any]:
    policy = fleet.policy
    match change:
        case Pin(_, ""):
            return {"policy": {"reversible": policy.reversible if policy.reversible is True else list(policy.reversible or ())}}
        case Pin(guest, most):
            return {"guests": {guest: {"psci_max": most}}}
        case Forbid(guest, ""):
            return {"guests": {guest: {"migrate": "never"}}}
        case Forbid(guest, _):
            return {"guests": {guest: {"deny": list(fleet.guests[fleet.guests.names.index(GuestName(guest))].deny)}}}
        case Hold(host):
            return {"hosts": {host: {"state": "held"}}}
        case Skip(host):
            stays = {str(name): {"migrate": "never", "restart": "never"} for name in _on(fleet, HostName(host))}
            return {"policy": {"immovable": "skip"}, "guests": stays}
        case Target(release):
            return {"target": {"kernel": release.kernel, "vmm": release.vmm}}
        case Limit():
            limits = policy.max_unavailable
            shares = {scope: getattr(limits, scope) for scope in SCOPES}
            return {"policy": {"max_unavailable": {scope: _given(share) for scope, share in shares.items() if share is not None}}}
        case Reserve(per_mille):
            return {"policy": {"reserve": f"{per_mille / 10:g}%"}}
        case _:
            assert_never(change)


def _given(share: Share) -> int | str:
    return share.count if share.count is not None else str(share)


def _merge(into: dict[str, Any], piece: Mapping[str, Any]) -> None:
    for key, value in piece.items():
        if isinstance(value, Mapping):
            _merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


def patch_text(changes: tuple[Change, ...], fleet: Fleet) -> str:
    """The same as YAML, with what was asked for as comments."""
    asked = "".join(f"# {ascii(line(change))[1:-1]}\n" for change in changes)
    head = "# To be merged by hand into the inventory; it says what was tried:\n"
    return f"{head}{asked}{''.join(_yaml(patch(changes, fleet), ''))}"


def _yaml(value: Mapping[str, Any], indent: str) -> list[str]:
    lines = []
    for key, item in value.items():
        name = key if re.fullmatch(r"[a-z_]+", key) else json.dumps(key)
        if isinstance(item, Mapping):
            lines += [f"{indent}{name}:\n", *_yaml(item, f"{indent}  ")]
        else:
            lines.append(f"{indent}{name}: {json.dumps(item)}\n")
    return lines
