"""Where a rollout stands, as JSON and as metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from fleetplan.follow.position import Deviation, Difference, Position, Stage
from fleetplan.follow.rest import RolloutStatus
from fleetplan.output.deviations import difference_sentence
from fleetplan.output.json import violation_fields
from fleetplan.output.json_text import encode
from fleetplan.output.prometheus import Metric, exposition
from fleetplan.output.views.status import moves_of, step_words


def status_json(standing: RolloutStatus) -> bytes:
    """`on_the_way`, `differences`, `rest`, counts by stage and by wave, the steps that may run now, and `left_s`."""
    where, rest = standing.where, standing.rest
    return encode(
        {
            "version": 1,
            "target": where.plan.target,
            "on_the_way": where.on_the_way,
            "finished": not where.left,
            "differences": [_difference(each) for each in where.differences],
            "rest": {"safe": rest.safe, "violations": [*map(violation_fields, rest.violations)], "left_out": rest.left_out},
            "hosts": _stages(where.stages.values()),
            "steps": {"done": len(where.done), "left": len(where.left)},
            "left_s": where.left_s,
            "waves": [_wave(where, number) for number in range(len(where.plan.waves))],
            "stages": where.stages,
            "now": [{"id": step.id, "kind": step.kind, "message": step_words(step)} for step in where.ready],
        }
    )


def _difference(difference: Difference) -> Mapping[str, Any]:
    return {
        "kind": difference.kind,
        "subject": difference.subject,
        "found": difference.found,
        "planned": difference.planned,
        "behind": difference.behind,
        "begun": difference.begun,
        "message": difference_sentence(difference),
    }


def _stages(stages: Iterable[Stage]) -> dict[str, int]:
    found = Counter(stages)
    return {stage.value: found[stage] for stage in Stage}


def _wave(where: Position, number: int) -> Mapping[str, Any]:
    wave = where.plan.waves[number]
    done, moves = moves_of(where, wave)
    return {"number": wave.number, "hosts": _stages(where.stages[host] for host in wave.hosts), "moves": moves, "moves_done": done}


def status_metrics(standing: RolloutStatus) -> str:
    """Gauges for Prometheus. Every series is there from the beginning to the end, with 0 where there is nothing."""
    where, rest = standing.where, standing.rest
    moves = [moves_of(where, wave) for wave in where.plan.waves]
    done = sum(ended for ended, _ in moves)
    kinds = Counter(each.kind for each in where.differences)
    target = {"kernel": where.plan.target.kernel, "vmm": where.plan.target.vmm}
    hosts = [({"stage": stage}, float(count)) for stage, count in _stages(where.stages.values()).items()]
    migrations = [({"state": "done"}, float(done)), ({"state": "left"}, float(sum(all_ for _, all_ in moves) - done))]
    deviations = [({"kind": kind.value}, float(kinds[kind])) for kind in Deviation]
    return exposition(
        (
            Metric("fleetplan_rollout_info", "The target of the plan.", [(target, 1.0)]),
            Metric("fleetplan_rollout_hosts", "Hosts of the plan, by how far they are.", hosts),
            Metric("fleetplan_rollout_migrations", "Migrations of the plan.", migrations),
            Metric("fleetplan_rollout_left_seconds", "Time that the rest takes by forecast.", [({}, float(where.left_s))]),
            Metric(
                "fleetplan_rollout_on_the_way",
                "1 if the plan passes through the state of the fleet, else 0.",
                [({}, _flag(where.on_the_way))],
            ),
            Metric("fleetplan_rollout_differences", "Differences from the plan, by kind.", deviations),
            Metric(
                "fleetplan_rollout_rest_safe", "1 if the judge passes the rest from the state that is, else 0.", [({}, _flag(rest.safe))]
            ),
            Metric("fleetplan_rollout_violations", "What the judge holds against the rest.", [({}, float(len(rest.violations)))]),
        )
    )


def _flag(value: bool) -> float:
    return float(value)
