"""What no plan can undercut, for the same fleet, policy and gates.

Sources: planning study, section 2: migrations, waves by count, makespan by area and by host.
"""

from __future__ import annotations

from collections import defaultdict

from fleetplan.planner.problem import Fate, Problem
from fleetplan.planner.schedule import Timetable
from fleetplan.rollout.durations import CHECK_S, STOP_S, migration_s
from fleetplan.rollout.plan import Bound, Bounds


def bounds_of(problem: Problem, timetable: Timetable, hosts: list[int]) -> Bounds:
    """The bounds beside what the plan reaches, for the hosts that it upgrades."""
    waves = waves_bound(problem, hosts)
    return Bounds(
        moves=Bound(plan=timetable.moves, bound=moves_bound(problem, hosts)),
        waves=Bound(plan=len(timetable.waves), bound=waves),
        makespan_s=Bound(plan=timetable.makespan_s, bound=makespan_bound(problem, hosts, waves)),
    )


def moves_bound(problem: Problem, hosts: list[int]) -> int:
    """Every guest that moves leaves its host once; in a pool without empty or upgraded host, the first host's guests move twice."""
    movers = {host: len(problem.movers(host)) for host in hosts}
    upgraded = {problem.hosts[host].pool for host in problem.upgraded}
    least: dict[str, int] = {}
    for host in hosts:
        pool = problem.hosts[host].pool
        least[pool] = min(least.get(pool, movers[host]), movers[host])
    return sum(movers.values()) + sum(count for pool, count in least.items() if pool not in upgraded)


def waves_bound(problem: Problem, hosts: list[int]) -> int:
    """No wave has more hosts than max-unavailable allows; hosts with guests cannot all go with those that make room for them."""
    if not hosts:
        return 0
    by_place: dict[tuple[str, str], int] = defaultdict(int)
    for host in hosts:
        for place in problem.places(host):
            by_place[place] += 1
    slots = problem.slots()
    counted = [-(-count // slots[place].most) for place, count in by_place.items() if place in slots and slots[place].most]
    upgraded = {problem.hosts[host].pool for host in problem.upgraded}
    needs_room = any(problem.movers(host) and problem.hosts[host].pool not in upgraded for host in hosts)
    return max([1 + needs_room, *counted])


def makespan_bound(problem: Problem, hosts: list[int], waves: int) -> int:
    """The longest host; and the area: time unavailable, summed over the hosts of a place, by its slots. Gates add their soaks."""
    if not hosts:
        return 0
    away = {host: _away_s(problem, host) for host in hosts}
    area: dict[tuple[str, str], int] = defaultdict(int)
    for host in hosts:
        for place in problem.places(host):
            area[place] += away[host]
    slots = problem.slots()
    shares = [-(-total // slots[place].most) for place, total in area.items() if place in slots and slots[place].most]
    return max([*away.values(), *shares]) + _soaks_s(problem, waves)


def _away_s(problem: Problem, host: int) -> int:
    """From cordon to uncordon at least: its streams carry its guests away at its own rate, then it reboots."""
    record = problem.hosts[host]
    copies = [migration_s(problem.guests[guest], record, record) for guest in problem.movers(host)]
    streams = problem.fleet.policy.streams
    drain = max([-(-sum(copies) // streams), *copies], default=0)
    stops = any(problem.fate[guest] is Fate.RESTART for guest in problem.residents[host])
    return max(drain, STOP_S if stops else 0) + record.reboot_s + CHECK_S


def _soaks_s(problem: Problem, waves: int) -> int:
    """Gates between the waves that there must be."""
    rules = problem.fleet.policy.gates
    return sum(max((rule.soak_s for rule in rules if rule.after in {None, number}), default=0) for number in range(1, waves))
