"""The steps of a plan as numbered orders, which is how every executable form names them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from fleetplan.fleet.model import GuestName, HostName
from fleetplan.rollout.plan import Plan, Step, StepKind


class Order(msgspec.Struct, frozen=True):
    """A step with its number in the plan (from 1), its wave, and the numbers of the steps that it waits for."""

    number: int
    wave: int
    step: Step
    after: tuple[int, ...]


def orders(plan: Plan) -> Iterator[Order]:
    """All steps in the order of the plan. O(steps + edges)."""
    number = {step.id: place for place, step in enumerate((step for wave in plan.waves for step in wave.steps), 1)}
    for wave in plan.waves:
        for step in wave.steps:
            yield Order(number[step.id], wave.number, step, tuple(number[earlier] for earlier in step.after))


def ways(plan: Plan) -> dict[GuestName, list[HostName]]:
    """For each guest that the plan touches, the hosts that it is on, one after the other."""
    found: dict[GuestName, list[HostName]] = {}
    for order in orders(plan):
        guest = order.step.guest
        if guest is not None:
            way = found.setdefault(guest, [plan.placement[guest]])
            if order.step.kind is StepKind.MIGRATE and order.step.destination is not None:
                way.append(order.step.destination)
    return found


def hosts_of(plan: Plan) -> list[HostName]:
    """The hosts that the plan touches: upgraded ones, and those that guests come from and go to. In the order of their names."""
    named = {host for order in orders(plan) for host in (order.step.host, order.step.source, order.step.destination) if host is not None}
    return sorted(named)
