"""Ways to a yes: what would make a move work that is not allowed. Each is tried by judging it, cheapest first.

A way is a change of the inventory (`applied`): a guest born again with a PSCI pin, another release on the destination, a waiver. It is
offered as tried only where the changed inventory was judged and the move is allowed. A warm reboot is no way: it changes the promise to
what the host gives now, and a move is never blamed for what was lost before (a law says so).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import assert_never

import msgspec
from msgspec.structs import replace

from fleetplan.firmware.guest_view import Item, losses
from fleetplan.firmware.vcpu import Kvm
from fleetplan.fleet.model import Birth, Disks, Equipment, Fleet, Guest, Host, HostName, HostState, Reboot, Release
from fleetplan.fleet.policy import Waiver
from fleetplan.migration.carry import certainly
from fleetplan.migration.classes import ClassTable, GuestClassId
from fleetplan.migration.offers import HostOffer, combinations, suited
from fleetplan.migration.reasons import Judgment, ReasonKind, Verdict
from fleetplan.migration.verdict import Judge
from fleetplan.migration.vmm import ROWS, VmmProfile, knows_machine, parse

PINS = ("1.3", "1.2", "1.1", "1.0", "0.2")
"""PSCI versions that a pin may have, newest first: a pin takes no more from the guest than it must."""


class WayKind(StrEnum):
    """What is changed, cheapest first."""

    FACT = "fact"
    """Nothing: what is not known is found out, and may decide for the move. Never tried."""
    STEPPING_STONE = "stepping-stone"
    """Nothing: the guest goes by way of other hosts."""
    EQUIPMENT = "equipment"
    """What the guest has beside vCPUs and memory."""
    RESTART = "restart"
    """The guest is stopped and started where it is, with a PSCI pin or another machine type, or without."""
    BOOT_THERE = "boot-there"
    """The guest is stopped where it is and started on the destination."""
    RELEASE = "release"
    """The destination gets another VMM or another kernel."""
    WAIVER = "waiver"
    """The guest's promise is made weaker."""
    POLICY = "policy"
    """Policy accepts the verdict."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way.

    `tried`: it was judged, and the move is allowed, with `verdict` (None: no move is left to judge). `permitted` False: policy forbids
    the restart that it needs. `psci` None: without a pin. `lost` are services and mitigations that the guest has not got any more.
    `offered`: the release is one that the inventory has anywhere. `hosts` are those in between. `keys` are the registers of a waiver,
    or the key that is changed. `fact` is what decides, `outcomes` what it may come to.
    """

    kind: WayKind
    tried: bool
    verdict: Verdict | None = None
    permitted: bool = True
    psci: str | None = None
    machine: str | None = None
    lost: tuple[Item, ...] = ()
    release: Release | None = None
    offered: bool = False
    hosts: tuple[HostName, ...] = ()
    keys: tuple[str, ...] = ()
    fact: str = ""
    outcomes: tuple[Verdict, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """A guest of a fleet on its way to a host. `upgraded`: as if the host already ran the target release."""

    fleet: Fleet
    guest: Guest
    destination: Host
    upgraded: bool = False

    @property
    def source(self) -> Host:
        """The host that the guest is on."""
        return next(host for host in self.fleet.hosts if host.name == self.guest.on)

    @property
    def goal(self) -> Release:
        """What the destination runs when the guest comes."""
        return self.fleet.target if self.upgraded else self.destination.release


class Judged(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """A move with what was judged of it. `plain` is the guest with no PSCI pin in its configuration."""

    classes: ClassTable
    kind: GuestClassId
    plain: GuestClassId
    here: int
    there: int
    judgment: Judgment
    allowed: bool


def judged(move: Move) -> Judged:
    """Judge a move, looking at nothing but its guest and its two hosts."""
    hosts = tuple(host for host in move.fleet.hosts if host.name in {move.guest.on, move.destination.name})
    classes = ClassTable(replace(move.fleet, hosts=hosts, guests=(move.guest, _without_pin(move.guest))))
    place = {host.name: number for number, host in enumerate(hosts)}
    here, goal = classes.hosts_now[place[move.guest.on]], place[move.destination.name]
    there = classes.hosts_then[goal] if move.upgraded else classes.hosts_now[goal]
    kind, plain = classes.guests
    allowed, judgment = classes.hop(kind, here, there).allowed, classes.judgment(kind, here, there)
    return Judged(classes=classes, kind=kind, plain=plain, here=here, there=there, judgment=judgment, allowed=allowed)


def _without_pin(guest: Guest) -> Guest:
    return guest if guest.born is None else replace(guest, born=replace(guest.born, psci=None))


def ways(move: Move) -> tuple[Way, ...]:
    """The ways that work, permitted ones first, then cheapest first; none where the move is allowed.

    Some twenty judgments of a move, each of a fleet of one guest.
    """
    now = judged(move)
    if now.allowed:
        return ()
    move = Move(replace(move.fleet, guests=(move.guest,)), move.guest, move.destination, move.upgraded)
    found = [
        *_facts(now),
        *_stones(move),
        *_equipment(move, now),
        *_restarts(move, now),
        *_boot_there(move, now),
        *_releases(move),
        *_waivers(move, now),
        *_policies(move, now),
    ]
    rank = {kind: number for number, kind in enumerate(WayKind)}
    return tuple(sorted(found, key=lambda way: (not way.permitted, rank[way.kind])))


def applied(move: Move, way: Way) -> Move:
    """The move in the inventory that the way makes; for stepping stones the last hop is another matter, and facts change nothing."""
    guest, fleet = move.guest, move.fleet
    match way.kind:
        case WayKind.FACT | WayKind.STEPPING_STONE:
            return move
        case WayKind.EQUIPMENT:
            return _with_guest(move, replace(guest, equipment=_changed(guest.equipment, way.keys)))
        case WayKind.RESTART:
            release = move.source.release
            born = Birth(kernel=release.kernel, vmm=release.vmm, psci=way.psci)
            return _with_guest(move, replace(guest, born=born, rebooted=NEVER, vmm=None, machine=way.machine or guest.machine))
        case WayKind.BOOT_THERE:
            born = Birth(kernel=move.goal.kernel, vmm=move.goal.vmm, psci=way.psci)
            return _with_guest(move, replace(guest, on=move.destination.name, born=born, rebooted=NEVER, vmm=None))
        case WayKind.RELEASE:
            target = fleet.target if way.release is None else way.release
            return Move(replace(fleet, target=target), guest, move.destination, upgraded=True)
        case WayKind.WAIVER:
            added = tuple(waiver(guest, register) for register in way.keys)
            return Move(replace(fleet, waivers=(*fleet.waivers, *added)), guest, move.destination, move.upgraded)
        case WayKind.POLICY:
            unknown = "unknown" in way.keys
            policy = replace(fleet.policy, accept_unknown=True) if unknown else replace(fleet.policy, forbid_psci_change=False)
            return Move(replace(fleet, policy=policy), guest, move.destination, move.upgraded)
        case _:
            assert_never(way.kind)


NEVER = Reboot(ever=False)
"""Of a guest that has just cold booted."""


def _with_guest(move: Move, guest: Guest) -> Move:
    guests = tuple(guest if one.name == guest.name else one for one in move.fleet.guests)
    return Move(replace(move.fleet, guests=guests), guest, move.destination, move.upgraded)


def waiver(guest: Guest, register: str) -> Waiver:
    """The waiver of one register for one guest, with what its owner has to fill in."""
    return Waiver(scope=(guest.name,), register=register, reason="FILL IN", owner="FILL IN", expires="2099-01-01")


def _works(move: Move, way: Way) -> Way | None:
    """The way as tried, if the move is allowed in the inventory that it makes."""
    then = judged(applied(move, way))
    return replace(way, tried=True, verdict=then.judgment.verdict) if then.allowed else None


def _trials(move: Move, candidates: Iterable[Way]) -> Iterator[Way]:
    """The first that works."""
    for way in candidates:
        found = _works(move, way)
        if found is not None:
            yield found
            return


# --- nothing is changed ---------------------------------------------------------------------------------------------------------------


def _facts(now: Judged) -> Iterator[Way]:
    if now.judgment.verdict is not Verdict.UNKNOWN:
        return
    outcomes = _outcomes(now)
    deciding = (dict(reason.detail).get("decided_by", "") for reason in now.judgment.reasons if reason.kind is ReasonKind.UNDECIDED)
    for fact in dict.fromkeys(fact for fact in deciding if fact):
        yield Way(kind=WayKind.FACT, tried=False, fact=fact, outcomes=outcomes)


MOST_OUTCOMES = 64


def _outcomes(now: Judged) -> tuple[Verdict, ...]:
    """What the move comes to in each of the ways in which the hosts may be, best first."""
    state = now.classes.guest_class(now.kind)
    here, there = (suited(now.classes.host_class(place), state.features, state.equipment.bound_to) for place in (now.here, now.there))
    judge, cases = Judge(), combinations(now.classes.possible(now.kind), here, there)[:MOST_OUTCOMES]
    found = set()
    for case in cases:
        one, other = _certain(here, case.source, case.saver), _certain(there, case.destination, case.loader)
        found.add(judge.ruling(certainly(case.guest), one, other)[0])
    return tuple(verdict for verdict in Verdict if verdict in found)


def _certain(offered: HostOffer, kvm: Kvm, vmm: VmmProfile) -> HostOffer:
    """A host of which it is known which of the things that it may be it is."""
    return replace(offered, kvms=(kvm,), vmms=(vmm,), choices=((),), read=offered.read[:1])


def _stones(move: Move) -> Iterator[Way]:
    """By way of hosts as they are now, one of each class, of the pool and let in by the guest's `allow` and `deny`."""
    from fleetplan.migration.graph import allowed_moves, state_graph, stepping_stones  # noqa: PLC0415 - networkx, for blocked moves only

    hosts = _representatives(move)
    if len(hosts) < LEAST_HOSTS:
        return
    classes = ClassTable(replace(move.fleet, hosts=hosts, guests=(move.guest,)))
    by_class = {number: host.name for host, number in zip(hosts, classes.hosts_now, strict=True)}
    moves, goal = allowed_moves(state_graph(classes)), _goal(move, hosts, classes)
    places = by_class.keys() | {goal}
    start = next(classes.states_now())
    chain = stepping_stones(moves.subgraph([state for state in moves if state[1] in places]), start).get(goal, ())
    between = tuple(by_class[place] for _, place in chain[1:-1])
    if between and set(between).isdisjoint({move.guest.on, move.destination.name}):
        yield Way(kind=WayKind.STEPPING_STONE, tried=True, verdict=_last_verdict(classes, chain), hosts=between)


LEAST_HOSTS = 3
"""A stepping stone takes at least so many hosts: two ends and one between."""

MOST_STONES = 24
"""Kinds of hosts that are tried in between: among 24 kinds there are some 600 moves to judge."""


def _goal(move: Move, hosts: tuple[Host, ...], classes: ClassTable) -> int:
    number = next(number for number, host in enumerate(hosts) if host.name == move.destination.name)
    return classes.hosts_then[number] if move.upgraded else classes.hosts_now[number]


def _last_verdict(classes: ClassTable, chain: tuple[tuple[int, int], ...]) -> Verdict:
    (kind, here), (_, there) = chain[-2], chain[-1]
    return classes.hop(kind, here, there).verdict


def _representatives(move: Move) -> tuple[Host, ...]:
    """The two ends, and one host for each kind of release and facts in the pool."""
    ends = {move.guest.on, move.destination.name}
    seen: list[tuple[Release, object]] = [(host.release, host.facts) for host in (move.source, move.destination)]
    kept = []
    for host in move.fleet.hosts:
        if host.name in ends:
            kept.append(host)
        elif len(seen) < MOST_STONES and _is_stone(move, host) and (host.release, host.facts) not in seen:
            seen.append((host.release, host.facts))
            kept.append(host)
    return tuple(kept)


def _is_stone(move: Move, host: Host) -> bool:
    return host.pool == move.source.pool and host.state is HostState.UP and may_land(move.guest, host)


def may_land(guest: Guest, host: Host) -> bool:
    """Whether `allow` and `deny` let a guest onto a host."""
    allowed = not guest.allow or any(fnmatchcase(host.name, pattern) for pattern in guest.allow)
    return allowed and not any(fnmatchcase(host.name, pattern) for pattern in guest.deny)


# --- the guest is changed -------------------------------------------------------------------------------------------------------------


def _equipment(move: Move, now: Judged) -> Iterator[Way]:
    """Disks may be copied along, and devices be unplugged, without a restart."""
    keys = {dict(reason.detail).get("key") for reason in now.judgment.reasons if reason.kind is ReasonKind.EQUIPMENT}
    changed = tuple(key for key in ("devices", "disks") if key in keys)
    if changed:
        yield from _trials(move, [Way(kind=WayKind.EQUIPMENT, tried=False, keys=changed)])


def _changed(equipment: Equipment, keys: Iterable[str]) -> Equipment:
    if "disks" in keys:
        equipment = replace(equipment, disks=Disks.COPIED)
    return replace(equipment, devices=()) if "devices" in keys else equipment


def _restarts(move: Move, now: Judged) -> Iterator[Way]:
    """A restart where the guest is: plain if that is enough, else with the newest pin that its VMM, both kernels and the guest bear."""
    machine = None
    if any(reason.kind is ReasonKind.MACHINE_TYPE for reason in now.judgment.reasons):
        machine = _common_machine(now)
        if machine is None:
            return
        now = judged(_with_guest(move, replace(move.guest, machine=machine)))
    candidates = ((pin, _cost(now, now.here, pin)) for pin in (None, *PINS))
    yield from _trials(
        move,
        (
            Way(kind=WayKind.RESTART, tried=False, permitted=move.guest.restartable, psci=pin, machine=machine, lost=lost)
            for pin, lost in candidates
            if lost is not None
        ),
    )


def _common_machine(now: Judged) -> str | None:
    """The newest versioned machine type that both VMMs know, None where they have none in common."""
    vmms = [vmm for place in (now.here, now.there) for vmm in now.classes.host_class(place).vmms]
    newest = min((vmm.machines[1] for vmm in vmms if vmm.machines is not None), default=None)
    name = f"virt-{newest[0]}.{newest[1]}" if newest is not None else ""
    return name if name and all(knows_machine(vmm, name) for vmm in vmms) else None


def _cost(now: Judged, place: int, pin: str | None) -> tuple[Item, ...] | None:
    """What the guest has not got any more after a cold boot with this pin (None: with none); None where it does not start, or may not."""
    before = now.classes.guest_class(now.kind)
    fresh, usual = (now.classes.cold_boot(now.plain, place, psci) for psci in (pin, None))
    if fresh is None or (before.psci_max is not None and now.classes.newest_psci(fresh) > before.psci_max):
        return None
    had = [now.kind] if usual is None else [now.kind, usual]
    promises = [possible.state.promise for kind in had for possible in now.classes.possible(kind)]
    gone = {item for possible in now.classes.possible(fresh) for promise in promises for item in losses(promise, possible.state.promise)}
    return tuple(item for item in Item if item in gone)


def _boot_there(move: Move, now: Judged) -> Iterator[Way]:
    """A cold boot on the destination; with a pin only where the guest bears no newer version."""
    if any(reason.kind is ReasonKind.EQUIPMENT for reason in now.judgment.reasons):
        # What a guest has beside registers would be missing there too.
        return
    for pin in (None, *(PINS if move.guest.psci_max is not None else ())):
        lost = _cost(now, now.there, pin)
        if lost is not None:
            yield Way(kind=WayKind.BOOT_THERE, tried=True, permitted=move.guest.restartable, psci=pin, lost=lost)
            return


# --- the destination is changed ---------------------------------------------------------------------------------------------------------


def _releases(move: Move) -> Iterator[Way]:
    """The first other VMM, and the first other kernel, that opens the way: the inventory's, then newer QEMUs, the source's kernel."""
    offered, now = _offered(move.fleet), move.goal
    vmms = dict.fromkeys([*(release.vmm for release in offered), *_newer(now.vmm)])
    kernels = dict.fromkeys([*(release.kernel for release in offered), move.source.release.kernel])
    other_vmm = [Release(now.kernel, vmm) for vmm in vmms if vmm != now.vmm]
    other_kernel = [release for release in offered if release.kernel != now.kernel]
    other_kernel += [Release(kernel, now.vmm) for kernel in kernels if kernel != now.kernel]
    for group in (other_vmm, dict.fromkeys(other_kernel)):
        candidates = (release for release in group if _family(release.vmm) == _family(now.vmm))
        yield from _trials(move, (_release(release, offered) for release in candidates))


def _release(release: Release, offered: list[Release]) -> Way:
    known = release.kernel in {one.kernel for one in offered} and release.vmm in {one.vmm for one in offered}
    return Way(kind=WayKind.RELEASE, tried=False, release=release, offered=known)


def _offered(fleet: Fleet) -> list[Release]:
    """Every release that the inventory names: the target, hosts', `releases:`."""
    found = (fleet.target, *(host.release for host in fleet.hosts), *(entry.release for entry in fleet.releases))
    return [*dict.fromkeys(found)]


def _newer(vmm: str) -> Iterator[str]:
    """Newer versions of the same VMM that have a row of their own."""
    release = parse(vmm)
    for row in ROWS:
        if row.family is release.family and row.first > release.numbers:
            yield f"{row.family.value}-{'.'.join(map(str, row.first))}"


def _family(vmm: str) -> str:
    return parse(vmm).family.value


# --- what was asked is changed ----------------------------------------------------------------------------------------------------------


def _waivers(move: Move, now: Judged) -> Iterator[Way]:
    if now.judgment.verdict is Verdict.STRIPS:
        missing = now.judgment.lost - now.classes.guest_class(now.kind).waived
        yield from _trials(move, [Way(kind=WayKind.WAIVER, tried=False, keys=tuple(sorted(missing)))])


def _policies(move: Move, now: Judged) -> Iterator[Way]:
    key = {Verdict.UNKNOWN: "unknown", Verdict.CHANGES: "psci_change"}.get(now.judgment.verdict)
    if key is not None:
        yield from _trials(move, [Way(kind=WayKind.POLICY, tried=False, keys=(key,))])
