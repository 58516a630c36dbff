"""The next wave of a rollout, from the state that is.

What was approved stays: the order of hosts, pins, restarts, answers for losses, gates, target. Landings are worked out anew, and the judge
looks at the wave before anybody sees it. A host that would need more than was approved waits, and the others go on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetplan.fleet.model import Fleet, GuestName, HostName, HostState, Release
from fleetplan.follow.turns import Script, Turns
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.one_wave import Choice, OneWave
from fleetplan.rollout.columns import Places
from fleetplan.rollout.invariants import Violation
from fleetplan.rollout.part import Barrier, PartOf, Waiting, WhyWaits
from fleetplan.rollout.plan import Plan
from fleetplan.rollout.progress import Progress, announce


@dataclass(frozen=True, slots=True, kw_only=True)
class NextWave:
    """A wave that the judge has passed. `plan.part_of` says what it is part of."""

    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """Every host that lives is on the target, or stays as it is as was approved. `waiting` are the dead ones."""

    target: Release
    waiting: tuple[Waiting, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoWave:
    """Nothing can go: `waiting` says why. `other_order` are hosts that could go now if their turn were earlier."""

    approved: str
    target: Release
    other_target: Release | None = None
    """The target of the inventory, where it is not the one that was approved."""
    shut: Barrier | None = None
    """A gate in front of which no host has been upgraded."""
    waiting: tuple[Waiting, ...] = ()
    other_order: tuple[HostName, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuted:
    """A wave that the judge refutes: a bug of ours, and nobody may use it."""

    violations: tuple[Violation, ...]


DEAD = frozenset({HostState.DOWN.value, HostState.LOST.value})

Outcome = NextWave | Finished | NoWave | Refuted


def next_wave(fleet: Fleet, classes: ClassTable, script: Script, *, digest: str, progress: Progress | None = None) -> Outcome:
    """The next wave of the rollout that a script is for. O(hosts + guests), and the steps of the wave. Raises CancelledError."""
    if fleet.target != script.approved.target:
        return NoWave(approved=script.digest, target=script.approved.target, other_target=fleet.target)
    announce(progress, "waves")
    turns = Turns(script, OneWave(fleet, classes))
    if not len(turns.unfinished) and all(each.what in DEAD for each in turns.waiting):
        return Finished(target=fleet.target, waiting=tuple(turns.waiting))
    wave, choice = _chosen(turns)
    if choice.wave is None:
        return _no_wave(turns, choice)
    plan = _plan(turns, wave, choice, digest)
    announce(progress, "judge")
    violations = verify(fleet, classes, plan, digest=digest, columns=turns.problem.columns)
    return Refuted(violations=tuple(violations)) if violations else NextWave(plan=plan)


def _chosen(turns: Turns) -> tuple[int, Choice]:
    """The hosts whose turn it is, as many as can go; again without those whose moves nobody has answered for.

    Hosts for which failures left no slot are passed over. Hosts without room are not: that would be another order.
    """
    nobody = np.zeros(0, np.int32)
    while True:
        wave, hosts = turns.due()
        if not len(hosts):
            return wave, Choice(None, nobody, nobody)
        choice = turns.maker.choose(hosts, turns.landing(hosts, wave), turns.most(wave))
        if choice.wave is None and not len(choice.no_room):
            turns.pass_over(choice.no_slot)
        elif choice.wave is None or not turns.unanswered(choice.wave):
            return wave, choice


def _plan(turns: Turns, wave: int, choice: Choice, digest: str) -> Plan:
    assert choice.wave is not None  # noqa: S101 - who calls has looked
    hosts, names = choice.wave.hosts, turns.problem.hosts.names
    later = turns.unfinished[~np.isin(turns.unfinished, hosts)]
    part_of = PartOf(
        approved=turns.script.digest,
        wave=wave,
        behind=turns.behind(hosts),
        later=tuple(names[host] for host in later.tolist()),
        waiting=_waiting(turns, choice),
    )
    return turns.maker.plan(choice.wave, part_of, digest=digest, in_place=_in_place(turns))


def _in_place(turns: Turns) -> list[GuestName]:
    """Guests on upgraded hosts whose restart with this pin was approved."""
    boots, names, told = turns.maker.boots, turns.problem.guests.names, turns.script.approved
    those = zip(boots.in_place.tolist(), boots.boot_in_place.tolist(), strict=True)
    pins = {names[guest]: boots.boots[boot].pin for guest, boot in those}
    return [guest for guest, pin in pins.items() if guest in told.restarts and told.pins.get(guest) == pin]


def _waiting(turns: Turns, choice: Choice) -> tuple[Waiting, ...]:
    """All that waits, in the order of hosts."""
    problem = turns.problem
    found = [*turns.waiting, *(Waiting(host=problem.hosts.names[host], why=WhyWaits.SLOTS) for host in choice.no_slot.tolist())]
    for host in choice.no_room.tolist():
        guests = tuple(problem.guests.names[guest] for guest in problem.residents.one(host).tolist())
        found.append(Waiting(host=problem.hosts.names[host], why=WhyWaits.NO_ROOM, guests=guests))
    return tuple(sorted(found, key=lambda each: (each.host, each.why)))


def _no_wave(turns: Turns, choice: Choice) -> NoWave:
    """Nothing can go; what could, were its turn earlier."""
    shut, nowhere = turns.shut, len(turns.script.approved.waves)
    others: Places = np.flatnonzero(turns.waits).astype(np.int32)
    others = others[~np.isin(others, np.concatenate((choice.no_slot, choice.no_room)))]
    could = shut is None and len(others) > 0
    found = turns.maker.choose(others, turns.landing(others, nowhere)).wave if could else None
    return NoWave(
        approved=turns.script.digest,
        target=turns.script.approved.target,
        shut=shut,
        waiting=_waiting(turns, choice),
        other_order=() if found is None else tuple(turns.problem.hosts.names[host] for host in np.sort(found.hosts).tolist()),
    )
