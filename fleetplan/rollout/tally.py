"""What a plan costs, in numbers that can be added up over plans that follow each other."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import numpy as np

from fleetplan.fleet.model import Fleet, Release
from fleetplan.rollout.columns import KIND_CODE, NONE, Places, step_columns
from fleetplan.rollout.plan import Infeasible, Plan, StepKind


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """`upgrades` counts reboots of hosts. `no_return` are guests that cannot go back to `back_to` in the end.

    `waiting_s` is the time that guests still spend on another release than the target, summed over guests: what there is to be exposed to
    there, they are exposed to for so long. A guest that the plan leaves there counts until the end of the plan.
    """

    target: Release
    upgrades: int
    moves: int
    restarts: int
    waves: int
    makespan_s: int
    waiting_s: int
    back_to: Release | None
    no_return: int


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """Plans that follow each other, added up. `waiting_s` is that for the last target; `back_to` and `no_return` are those of the last."""

    plans: tuple[Tally, ...]
    upgrades: int
    moves: int
    restarts: int
    waves: int
    makespan_s: int
    waiting_s: int
    back_to: Release | None
    no_return: int


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """Plans that follow each other, as a way to the last target. `added` is None where one of them does not exist: `refusal` says why."""

    name: str
    added: Sum | None
    refusal: Infeasible | None = None


def tally(fleet: Fleet, plan: Plan) -> Tally:
    """Count one plan. O(steps + guests)."""
    steps = step_columns(plan, [host.name for host in fleet.hosts], fleet.guests.names)
    count = {kind: int((steps.kind == code).sum()) for kind, code in KIND_CODE.items()}
    end_s = int(steps.end_s.max(initial=0))
    last = len(plan.waves)
    return Tally(
        target=plan.target,
        upgrades=count[StepKind.UPGRADE],
        moves=count[StepKind.MIGRATE],
        restarts=count[StepKind.STOP],
        waves=last,
        makespan_s=end_s,
        waiting_s=_waiting_s(fleet, plan, end_s),
        back_to=plan.back_to,
        no_return=sum(len(point.guests) for point in plan.points_of_no_return if point.closed_after(last)),
    )


def _waiting_s(fleet: Fleet, plan: Plan, end_s: int) -> int:
    """Until each guest is on the target: its last migration or start has ended, or it was there from the start."""
    names = {host.name: place for place, host in enumerate(fleet.hosts)}
    steps = step_columns(plan, list(names), fleet.guests.names)
    arrives = np.flatnonzero((steps.kind == KIND_CODE[StepKind.MIGRATE]) | (steps.kind == KIND_CODE[StepKind.START]))
    there = np.array([host.release == plan.target for host in fleet.hosts], np.bool_)
    place_of = np.array([names[name] for name in fleet.guests.host_names], np.int64)
    waits = ~there[place_of[np.asarray(fleet.guests.on)]]
    since = np.full(len(waits), -1, np.int64)
    np.maximum.at(since, steps.guest[arrives], steps.end_s[arrives])
    return int(np.where(since >= 0, since, end_s)[waits].sum())


def total(tallies: Iterable[Tally], guests: int) -> Sum:
    """Plans that follow each other: until the last begins, every guest waits for its target."""
    plans = tuple(tallies)
    before_s = sum(each.makespan_s for each in plans[:-1])
    return Sum(
        plans=plans,
        upgrades=sum(each.upgrades for each in plans),
        moves=sum(each.moves for each in plans),
        restarts=sum(each.restarts for each in plans),
        waves=sum(each.waves for each in plans),
        makespan_s=before_s + plans[-1].makespan_s,
        waiting_s=before_s * guests + plans[-1].waiting_s,
        back_to=plans[-1].back_to,
        no_return=plans[-1].no_return,
    )


def kept(fleet: Fleet, previous: Plan, plan: Plan) -> tuple[int, int]:
    """Of the guests that land in both plans, those that land on the same host; and how many there are. O(steps log steps)."""
    before, now = _landings(fleet, previous), _landings(fleet, plan)
    both = (before >= 0) & (now >= 0)
    return int((both & (before == now)).sum()), int(both.sum())


def _landings(fleet: Fleet, plan: Plan) -> Places:
    """By guest, where its last migration takes it, NONE without one."""
    steps = step_columns(plan, [host.name for host in fleet.hosts], fleet.guests.names)
    moves = np.flatnonzero((steps.kind == KIND_CODE[StepKind.MIGRATE]) & (steps.guest >= 0))
    moves = moves[np.argsort(steps.start_s[moves], kind="stable")]
    found = np.full(len(fleet.guests), NONE, np.int32)
    found[steps.guest[moves]] = steps.destination[moves]
    return found
