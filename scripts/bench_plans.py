#!/usr/bin/env python3
"""Measures plans: CPU seconds, and how near they come to their bounds, beside what the planning study reached.

usage: bench_plans.py [--sizes 1000,10000,100000] [--variants SIZE] [--workloads FOLDER] [--json]

Every plan is made in a process of its own, from a fleet in memory; the least of three times is told, and the judge looks at the plan.
`--variants` plans generated fleets of that size that are fuller, have no empty host, other limits, gates. `--workloads` names a folder with
`ext1g-1000.*.csv` and `btrplace/li-r6-c0-noclone.json.gz`; third parties' data is converted into inventories in a temporary folder.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

MEASURE = """
import json, resource, sys, time
from pathlib import Path
from fleetplan.inventory.load import load
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.aims import Aims, Effort
from fleetplan.planner.bounds import Floor
from fleetplan.planner.problem import Problem
from fleetplan.planner.search import plan
from fleetplan.rollout.plan import Infeasible
given = json.loads(sys.argv[2])
aims = Aims(max_waves=given.get("max_waves"), max_extra_moves=given.get("max_extra_moves"), effort=Effort(given.get("effort", "default")))
fleet = load(Path(sys.argv[1])).fleet
classes = ClassTable(fleet)
def timed(act):
    before = time.process_time()
    found = act()
    return time.process_time() - before, found
plan_s = []
for _ in range(int(given.get("times", 3))):
    taken, outcome = timed(lambda: plan(fleet, classes, digest="", aims=aims))
    plan_s.append(taken)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
if isinstance(outcome, Infeasible):
    print(json.dumps({"plan_s": min(plan_s), "peak_mib": peak, "causes": [cause.blocked_on.value for cause in outcome.causes]}))
    sys.exit()
problem = Problem(fleet, classes)
bounds_s = min(timed(lambda: Floor(problem).bounds(0, 0, 0))[0] for _ in range(3))
judge_s, violations = timed(lambda: verify(fleet, classes, outcome, digest=""))
bounds = outcome.bounds
print(json.dumps({
    "hosts": len(fleet.hosts), "guests": len(fleet.guests),
    "plan_s": min(plan_s), "bounds_s": bounds_s, "judge_s": judge_s, "peak_mib": peak,
    "violations": len(violations),
    "bounds": {name: [bound.plan, bound.bound, bound.by] for name in ("moves", "waves", "makespan_s") for bound in [getattr(bounds, name)]},
}))
"""

COMMON = {"kernel": "6.12.117", "vmm": "qemu-11.1.3", "cpu": "neoverse-n1", "midr": "0x413fd0c1", "revidr": "0x0", "cmdline": "quiet"}
TARGET = "fleetplan: 1\ntarget: {kernel: 6.18.15, vmm: qemu-11.1.3}\n"

VARIANTS: dict[str, list[str]] = {
    "gate after every wave": ["--gate-every", "10m"],
    "85-95 % full": ["--fill", "85-95"],
    "92-99 % full": ["--fill", "92-99"],
    "no empty host": ["--empty", "0"],
    "5 % empty": ["--empty", "5"],
    "2 % unavailable": ["--max-unavailable", "2%"],
    "10 % unavailable": ["--max-unavailable", "10%"],
    "5 % upgraded": ["--upgraded", "5"],
}

STUDY = {
    "1000": "0.17 s, waves 23/21, time 1.16",
    "10000": "0.42 s, waves 22/21, time 1.19",
    "100000": "3.7 s, waves 22/21, time 1.26",
    "85-95 % full": "waves 23/21, time 1.51",
    "92-99 % full": "waves 25/21, time 1.94",
    "no empty host": "waves 31/21, time 1.94",
    "5 % empty": "waves 21/21, time 1.18",
    "2 % unavailable": "waves 51/51, time 1.07",
    "10 % unavailable": "waves 13/11, time 1.81",
    "5 % upgraded": "waves 20/20, time 1.20",
    "ext1g-1000 10 waves": "BtrPlace: 29.8 s, 11,075 moves",
    "btrplace 20 waves": "BtrPlace: 80 s, 32,246 moves",
}
"""What the study's prototype reached on 10,000 hosts (the first three: on so many), or what others were measured to need."""


@dataclass(frozen=True, slots=True)
class Run:
    """One line of the table: a fleet, and what is asked of the planner."""

    name: str
    fleet: Path
    aims: dict[str, Any]


def generated(folder: Path, name: str, hosts: str, *options: str) -> Path:
    """A generated fleet as an inventory folder."""
    target = folder / name.replace(" ", "-").replace("%", "")
    script = str(ROOT / "scripts" / "generate_fleet.py")
    subprocess.run(
        [sys.executable, script, "--hosts", hosts, "--seed", "1", "-o", str(target), *options], check=True, stderr=subprocess.DEVNULL
    )
    return target


def ext1g(workloads: Path, folder: Path) -> Path:
    """1,000 hosts and 10,000 guests, one pool and zone, guests of one app on different hosts, at most 100 hosts unavailable."""
    with (workloads / "ext1g-1000.hosts.csv").open() as rows:
        hosts = [
            {"host": row["host"], **COMMON, "vcpus": int(row["cores"]), "memory": f"{row['mem_mib']}MiB"} for row in csv.DictReader(rows)
        ]
    with (workloads / "ext1g-1000.guests.csv").open() as rows:
        guests = [
            {"guest": row["guest"], "on": row["host"], "vcpus": int(row["vcpus"]), "memory": f"{row['mem_mib']}MiB", "group": row["app"]}
            for row in csv.DictReader(rows)
        ]
    groups = "".join(f"  {app}: {{apart: host}}\n" for app in sorted({guest["group"] for guest in guests}))
    return written(folder / "ext1g", hosts, guests, f"policy: {{max_unavailable: {{fleet: 100}}}}\ngroups:\n{groups}")


def btrplace(workloads: Path, folder: Path) -> Path:
    """5,000 hosts and 30,000 guests, uCpu and memory as capacity; what a guest must be given counts, if it is more than it has."""
    with gzip.open(workloads / "btrplace" / "li-r6-c0-noclone.json.gz") as file:
        found = json.load(file)
    model = found["model"]
    views = {view["rcId"]: view for view in model["views"] if "rcId" in view}
    needs = {resource: dict(views[resource]["vms"]) for resource in ("uCpu", "memory")}
    for constraint in found["constraints"]:
        if constraint["id"] == "preserve":
            own = needs[constraint["rc"]]
            own[str(constraint["vm"])] = max(own.get(str(constraint["vm"]), 0), constraint["amount"])
    hosts, guests = [], []
    for node, content in sorted(model["mapping"]["onlineNodes"].items(), key=lambda item: int(item[0])):
        size = {"vcpus": views["uCpu"]["nodes"][node], "memory": f"{views['memory']['nodes'][node]}MiB"}
        hosts.append({"host": f"n{int(node):04}", **COMMON, **size})
        for guest in content["runningVMs"]:
            size = {"vcpus": max(needs["uCpu"].get(str(guest), 0), 1), "memory": f"{max(needs['memory'].get(str(guest), 0), 1)}MiB"}
            guests.append({"guest": f"vm{guest:05}", "on": f"n{int(node):04}", **size})
    return written(folder / "btrplace", hosts, guests, "policy: {max_unavailable: {fleet: 250}}\n")


def written(target: Path, hosts: list[dict[str, Any]], guests: list[dict[str, Any]], policy: str) -> Path:
    """An inventory folder of some facts."""
    (target / "facts").mkdir(parents=True)
    for name, facts in (("hosts", hosts), ("guests", guests)):
        (target / "facts" / f"{name}.jsonl").write_text("".join(json.dumps(fact) + "\n" for fact in facts))
    (target / "policy.yaml").write_text(TARGET + policy)
    return target


def runs(options: argparse.Namespace, folder: Path) -> Iterator[Run]:
    """Everything that is asked for."""
    for size in filter(None, options.sizes.split(",")):
        fleet = generated(folder, size, size)
        yield Run(size, fleet, {"times": 1 if int(size) > 50_000 else 3})
        if int(size) > 50_000:
            yield Run(f"{size} best", fleet, {"effort": "best", "times": 1})
    for name, choice in VARIANTS.items() if options.variants else ():
        yield Run(name, generated(folder, name, options.variants, *choice), {"times": 1})
    if options.variants:
        fleet = generated(folder, "no empty host spend", options.variants, "--empty", "0")
        yield Run("no empty host, 1 % more moves", fleet, {"max_extra_moves": int(options.variants) * 12 // 100, "times": 1})
    if options.workloads is not None:
        fleet = ext1g(options.workloads, folder)
        yield Run("ext1g-1000", fleet, {})
        yield Run("ext1g-1000 10 waves", fleet, {"max_waves": 10})
        yield Run("btrplace 20 waves", btrplace(options.workloads, folder), {"max_waves": 20})


def measured(run: Run) -> dict[str, Any]:
    """What a process of its own says."""
    command = [sys.executable, "-c", MEASURE, str(run.fleet), json.dumps(run.aims)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)  # type: ignore[no-any-return] # an object


def row_of(name: str, seen: dict[str, Any]) -> str:
    """A line of the table."""
    if "causes" in seen:
        return f"{name:30}{seen['plan_s']:8.2f}  no plan: {', '.join(seen['causes'])}"
    moves, waves, time = (seen["bounds"][key] for key in ("moves", "waves", "makespan_s"))
    reached = (
        f"{moves[0]:>10,}{moves[0] - moves[1]:>+7,}{waves[0]:>5}/{waves[1]:<4}{time[0]:>7,}{time[0] / max(time[1], 1):>6.2f} {time[2]:13}"
    )
    spent = f"{seen['plan_s']:8.2f}{seen['bounds_s']:8.3f}{seen['judge_s']:8.2f}{seen['peak_mib']:6}"
    return f"{name:30}{spent}{reached}{seen['violations']:>4}  {STUDY.get(name, '')}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000", help="hosts of generated fleets (default 1000)")
    parser.add_argument("--variants", default="", metavar="SIZE", help="hosts of the generated fleets that are not the default ones")
    parser.add_argument("--workloads", type=Path, help="folder with the fleets that others were measured on")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    seen: dict[str, Any] = {}
    if not options.json:
        print(f"{'fleet':30}{'plan s':>8}{'bounds':>8}{'judge s':>8}{'MiB':>6}{'moves':>10}{'over':>7}", end="")
        print(f"{'waves':>9} {'time s':>7}{'ratio':>6} {'bound by':13}{'viol':>4}  study's prototype, or others")
    with tempfile.TemporaryDirectory(prefix="fleetplan-bench-") as name:
        for run in runs(options, Path(name)):
            seen[run.name] = measured(run)
            if not options.json:
                print(row_of(run.name, seen[run.name]), flush=True)
    if options.json:
        print(json.dumps(seen, indent=2))


if __name__ == "__main__":
    main()
