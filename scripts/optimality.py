#!/usr/bin/env python3
"""How far plans are from the best there is: small generated fleets, planned by the search alone and with exact models.

usage: optimality.py [--fleets 40] [--seconds 5] [--json]

Fleets have 8 to 20 hosts in one pool and zone, a sixth of which may be unavailable, and up to 200 guests. A line is printed for every fleet
where the two plans differ or where something is left open, and then the means: of the search's plans above those with exact models, and of
these above what was proved. Fleets in which some guests must move twice stand apart: there the models know the fewest moves only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fleetplan.inventory.digest import inventory_digest
from fleetplan.inventory.load import load
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.exact.case import case_of
from fleetplan.planner.exact.solver import Allowance
from fleetplan.planner.search import plan
from fleetplan.rollout.plan import Bounds, Plan

SCRIPT = Path(__file__).resolve().parent / "generate_fleet.py"
AIMS = ("moves", "makespan_s", "waves")
SMALLEST, SPAN = 8, 13


def fleets(count: int, folder: Path) -> Iterator[tuple[int, int, Path]]:
    """Size, seed and folder of each fleet. Every third has no empty host."""
    for seed in range(count):
        hosts, empty = SMALLEST + seed * 5 % SPAN, 0 if seed % 3 == 2 else 12
        target = folder / f"fleet-{seed}"
        options = {"hosts": hosts, "seed": seed, "pools": 1, "zones": 1, "max-unavailable": "17%", "empty": empty, "guests-per-host": 9}
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        subprocess.run([sys.executable, str(SCRIPT), *words, "-o", str(target)], check=True, stderr=subprocess.DEVNULL)
        yield hosts, seed, target


def measure(path: Path, seconds: float) -> dict[str, Any]:
    """Both plans of a fleet."""
    fleet = load(path).fleet
    if fleet is None:
        raise ValueError(path)
    digest, found = inventory_digest(fleet), {}
    for name, allowance in (("search", None), ("exact", Allowance(seconds))):
        begun = time.process_time()
        outcome = plan(fleet, ClassTable(fleet), digest=digest, exactly=allowance)
        cpu_s = round(time.process_time() - begun, 2)
        if isinstance(outcome, Plan):
            refuted = bool(verify(fleet, ClassTable(fleet), outcome, digest=digest))
            found[name] = {"status": "REFUTED" if refuted else outcome.status.value, "cpu_s": cpu_s, **aims(outcome.bounds)}
        else:
            found[name] = {"status": "none, proved" if outcome.proved else "none", "cpu_s": cpu_s}
    movers = case_of(fleet, ClassTable(fleet)).movers
    return {"guests": len(fleet.guests), "twice": found["exact"].get("moves", [0])[0] > movers, **found}


def aims(bounds: Bounds) -> dict[str, list[int]]:
    """By aim, what the plan reaches and what is proved."""
    return {aim: [getattr(bounds, aim).plan, getattr(bounds, aim).bound] for aim in AIMS}


def line(hosts: int, seed: int, seen: dict[str, Any]) -> str:
    """A fleet as a line of the table."""
    cells = [f"{hosts:5}{seed:6}{seen['guests']:8}"]
    for name in ("search", "exact"):
        one = seen[name]
        cells.append("".join(f"{'/'.join(map(str, one[aim])) if aim in one else '-':>11}" for aim in AIMS) + f"  {one['status']:13}")
    return "".join(cells) + f"{seen['exact']['cpu_s']:7.1f}"


def mean_gap(pairs: list[tuple[int, int]]) -> str:
    """The mean of how far the first are above the second."""
    return f"{sum(100 * (high - low) / low for high, low in pairs if low) / max(len(pairs), 1):.2f} %"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fleets", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=5.0, help="the solver's deterministic seconds for each fleet (default 5)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    all_seen: list[dict[str, Any]] = []
    if not options.json:
        print(f"hosts  seed  guests{'search: moves':>11}{'time':>9}{'waves':>11}{'':15}{'exact: moves':>11}{'time':>10}{'waves':>11}")
    with tempfile.TemporaryDirectory(prefix="fleetplan-optimality-") as name:
        for hosts, seed, path in fleets(options.fleets, Path(name)):
            seen = measure(path, options.seconds)
            all_seen.append({"hosts": hosts, "seed": seed, **seen})
            if not options.json and (seen["exact"]["status"] not in {"OPTIMAL", "none, proved"} or seen["exact"] != seen["search"]):
                print(line(hosts, seed, seen), flush=True)
    if options.json:
        print(json.dumps(all_seen, indent=2))
        return
    both = [seen for seen in all_seen if "moves" in seen["search"] and "moves" in seen["exact"]]
    planned = [seen["exact"] for seen in all_seen if "moves" in seen["exact"]]
    print(f"\n{len(all_seen)} fleets: {len(both)} planned by the search, {len(planned)} with exact models", end="; ")
    print(f"{sum(seen['exact']['status'] == 'none, proved' for seen in all_seen)} proved to have no plan")
    for title, twice in (("each guest moves once", False), ("some move twice", True)):
        tell_means(title, [seen for seen in both if seen["twice"] is twice])


def tell_means(title: str, both: list[dict[str, Any]]) -> None:
    """Of fleets of one kind, the means by aim."""
    print(f"{title}: {len(both)} fleets, {sum(seen['exact']['status'] == 'OPTIMAL' for seen in both)} plans proved optimal in all")
    planned = [seen["exact"] for seen in both]
    for aim in AIMS:
        above = mean_gap([(seen["search"][aim][0], seen["exact"][aim][0]) for seen in both])
        left = mean_gap([(one[aim][0], one[aim][1]) for one in planned])
        worse = sum(seen["search"][aim][0] > seen["exact"][aim][0] for seen in both)
        print(f"  {aim:10} search above exact: mean {above} ({worse} fleets); exact above bound: mean {left}")


if __name__ == "__main__":
    main()
