"""A simulated rollout as JSON."""

from __future__ import annotations

from fleetplan.follow.simulate import Simulated
from fleetplan.output.json_text import encode


def simulated_json(result: Simulated) -> bytes:
    """`waves` as they went, what the plan forecast, and the `end`."""
    return encode(
        {
            "version": 1,
            "target": result.target,
            "chances": result.chances,
            "planned": {"waves": result.planned_waves, "moves": result.planned_moves, "makespan_s": result.planned_s},
            "hosts": result.hosts,
            "on_target_before": result.on_target_before,
            "moves": result.moves,
            "makespan_s": result.lasts_s,
            "waves": result.waves,
            "end": result.end,
        }
    )
