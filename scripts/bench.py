#!/usr/bin/env python3
"""Measures CPU seconds and peak memory, each measurement in a process of its own, and prints one table.

usage: bench.py [--sizes 1000,10000] [--load-sizes 10000,100000] [--workloads FOLDER] [--objects 110000] [--json] [--chart FILE.svg]

`--workloads` names a folder with `ext1g-1000.hosts.csv` and `ext1g-1000.guests.csv`: 1,000 hosts and 10,000 guests, one pool and zone,
memory and cores as capacity, guests of one `app` on different hosts, at most 100 hosts unavailable.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench_chart import chart

HOW = (
    "CPU seconds, user and system, of one run each in a process of its own; fleets by scripts/generate_fleet.py with seed 1, 12 guests a "
    "host, 70-90 % full; `peak MiB` holds the fleet, its classes and the plan."
)

ROOT = Path(__file__).resolve().parent.parent
MIB = 1024

STAGES = """
import json, resource, sys, time
from pathlib import Path
marks = [("import", time.process_time())]
from fleetplan.inventory.digest import inventory_digest
from fleetplan.inventory.load import load
from fleetplan.inventory.plan_text import plan_pieces
from fleetplan.inventory.output_file import write_atomically
from fleetplan.inventory.planfile import read_plan
from fleetplan.judge.verify import verify
from fleetplan.migration.classes import ClassTable
from fleetplan.planner.search import plan
marks.append(("load", time.process_time()))
fleet = load(Path(sys.argv[1])).fleet
digest = inventory_digest(fleet)
marks.append(("classes", time.process_time()))
classes = ClassTable(fleet)
marks.append(("plan", time.process_time()))
outcome = plan(fleet, classes, digest=digest)
marks.append(("judge", time.process_time()))
violations = verify(fleet, classes, outcome, digest=digest)
peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
path = Path(sys.argv[2])
marks.append(("write", time.process_time()))
write_atomically(path, plan_pieces(outcome))
marks.append(("read", time.process_time()))
again = read_plan(path, fleet)
marks.append(("end", time.process_time()))
assert isinstance(again, type(outcome)), again
cpu = {name: round(after - before, 3) for (name, before), (_, after) in zip(marks, marks[1:])}
bounds = outcome.bounds
print(json.dumps({
    "cpu_s": cpu,
    "peak_mib": peak_mib,
    "violations": len(violations),
    "plan_mib": path.stat().st_size >> 20,
    "moves": [bounds.moves.plan, bounds.moves.bound],
    "waves": [bounds.waves.plan, bounds.waves.bound],
    "makespan_s": [bounds.makespan_s.plan, bounds.makespan_s.bound],
}))
"""

LOAD = """
import json, resource, sys, time
from pathlib import Path
from fleetplan.inventory.load import load
before = time.process_time()
loaded = load(Path(sys.argv[1]))
assert loaded.fleet is not None
print(json.dumps({
    "cpu_s": round(time.process_time() - before, 3),
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    "objects": len(loaded.fleet.hosts) + len(loaded.fleet.guests),
}))
"""

MATRIX = """
import json, resource, sys, time
from pathlib import Path
from fleetplan.inventory.load import load
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.matrix import matrix
fleet = load(Path(sys.argv[1])).fleet
marks = [time.process_time()]
classes = ClassTable(fleet)
hosts, states = sorted(set(classes.hosts_now)), sorted(classes.states_now())
marks.append(time.process_time())
rulings = [classes.rulings(*state, hosts) for state in states]
marks.append(time.process_time())
print(json.dumps({
    "pairs": sum(map(len, rulings)),
    "classes_s": round(marks[1] - marks[0], 2),
    "rulings_s": round(marks[2] - marks[1], 2),
    "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
}))
"""

LINES = {
    "5.4": "qemu-5.2.0",
    "5.10": "qemu-6.2.0",
    "5.15": "qemu-7.2.18",
    "6.1": "qemu-8.2.2",
    "6.6": "qemu-9.2.1",
    "6.12": "qemu-10.0.13",
    "6.18": "qemu-10.2.2",
    "7.0": "qemu-11.0.3",
    "7.1": "qemu-11.1.2",
    "7.2": "qemu-11.1.3",
}
"""Lines of kernels, each with a QEMU of its time."""

CPUS = {
    "cortex-a53": 0x410FD034,
    "cortex-a57": 0x411FD073,
    "cortex-a72": 0x410FD083,
    "cortex-a76": 0x414FD0B1,
    "neoverse-n1": 0x413FD0C1,
    "neoverse-v1": 0x411FD401,
    "neoverse-n2": 0x410FD493,
    "neoverse-v2": 0x410FD4F1,
    "kunpeng-920": 0x481FD010,
    "ampere-1": 0xC00FAC30,
}
"""CPUs of which some are known in full, and some leave candidates."""


def run(*command: str) -> tuple[float, int, str]:
    """CPU seconds (user and system), peak MiB, and stdout of one process."""
    reader, writer = os.pipe()
    process = subprocess.Popen(command, stdout=writer, cwd=ROOT)
    os.close(writer)
    with os.fdopen(reader) as stream:
        output = stream.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss // MIB, output


def least(times: int, *command: str) -> float:
    """The least CPU seconds of several runs."""
    return min(run(*command)[0] for _ in range(times))


def start_up() -> dict[str, Any]:
    """`fleetplan check` on the small fleet, alone and with `--reach`, against the imports that it cannot do without, all compiled."""
    imports = least(7, sys.executable, "-c", "import click, yaml, msgspec")
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(ROOT / "fleetplan")], check=True)
    command = (str(Path(sys.executable).parent / "fleetplan"), "check", "inventories/small.yaml")
    check, reach = least(7, *command), least(3, *command, "--reach")
    seconds = {"imports_s": round(imports, 3), "check_s": round(check, 3), "reach_s": round(reach, 3)}
    return {**seconds, "ratio": round(check / imports, 2), "reach_ratio": round(reach / imports, 2)}


def yaml_load(objects: int, folder: Path) -> dict[str, Any]:
    """A file of hosts and guests, one to ten, in block style."""
    hosts = objects // 11
    path = folder / "objects.yaml"
    with path.open("w") as file:
        file.write("fleetplan: 1\ntarget: {kernel: 6.18.15, vmm: qemu-11.1.3}\nhosts:\n")
        for number in range(hosts):
            file.write(f"  host-{number:05}:\n    kernel: 6.12.117\n    vmm: qemu-11.1.3\n    cpu: neoverse-n1\n    midr: 0x413fd0c1\n")
            file.write(f"    vcpus: 80\n    memory: 512GiB\n    zone: zone-{number % 3}\n    rack: rack-{number // 20}\n")
        file.write("guests:\n")
        for number in range(objects - hosts):
            file.write(f"  vm-{number:06}:\n    on: host-{number % hosts:05}\n    vcpus: 4\n    memory: 16GiB\n    restart: ok\n")
    _, _, output = run(sys.executable, "-c", LOAD, str(path))
    return {"bytes": path.stat().st_size, **json.loads(output)}


def generated(hosts: int, folder: Path) -> Path:
    """A generated fleet of this size, as JSON lines."""
    target = folder / f"generated-{hosts}"
    if target.exists():
        return target
    script = str(ROOT / "scripts" / "generate_fleet.py")
    subprocess.run([sys.executable, script, "--hosts", str(hosts), "--seed", "1", "-o", str(target)], check=True, stderr=subprocess.DEVNULL)
    return target


def stages(target: Path) -> dict[str, Any]:
    """A fleet from its files to a judged plan, and to a plan file and back."""
    return json.loads(run(sys.executable, "-c", STAGES, str(target), f"{target}.plan.json")[2])  # type: ignore[no-any-return] # an object


def facts_load(target: Path) -> dict[str, Any]:
    """The files of a fleet read, and nothing more; and `fleetplan check` of them."""
    seen: dict[str, Any] = json.loads(run(sys.executable, "-c", LOAD, str(target))[2])
    checked, peak, _ = run(str(Path(sys.executable).parent / "fleetplan"), "check", str(target), "--format", "json")
    return {**seen, "check_s": round(checked, 2), "check_peak_mib": peak}


def ext1g(workloads: Path, folder: Path) -> dict[str, Any]:
    """The fleet that others were measured on."""
    target = folder / "ext1g"
    (target / "facts").mkdir(parents=True)
    common = {"kernel": "6.12.117", "vmm": "qemu-11.1.3", "cpu": "neoverse-n1", "midr": "0x413fd0c1", "revidr": "0x0", "cmdline": "quiet"}
    with (workloads / "ext1g-1000.hosts.csv").open() as rows, (target / "facts" / "hosts.jsonl").open("w") as out:
        for row in csv.DictReader(rows):
            out.write(json.dumps({"host": row["host"], **common, "vcpus": int(row["cores"]), "memory": f"{row['mem_mib']}MiB"}) + "\n")
    apps = set()
    with (workloads / "ext1g-1000.guests.csv").open() as rows, (target / "facts" / "guests.jsonl").open("w") as out:
        for row in csv.DictReader(rows):
            apps.add(row["app"])
            fact = {
                "guest": row["guest"],
                "on": row["host"],
                "vcpus": int(row["vcpus"]),
                "memory": f"{row['mem_mib']}MiB",
                "group": row["app"],
            }
            out.write(json.dumps(fact) + "\n")
    with (target / "policy.yaml").open("w") as policy:
        policy.write("fleetplan: 1\ntarget: {kernel: 6.18.15, vmm: qemu-11.1.3}\npolicy: {max_unavailable: {fleet: 100}}\ngroups:\n")
        policy.writelines(f"  {app}: {{apart: host}}\n" for app in sorted(apps))
    return stages(target)


def matrix(folder: Path) -> dict[str, Any]:
    """100 releases on 10 CPUs: a host of each, and a guest born there. Every guest is judged against every host."""
    target = folder / "matrix"
    (target / "facts").mkdir(parents=True)
    releases = [(f"{line}.{step}", vmm) for line, vmm in LINES.items() for step in range(1, 11)]
    with (target / "facts" / "hosts.jsonl").open("w") as hosts, (target / "facts" / "guests.jsonl").open("w") as guests:
        for kernel, vmm in releases:
            for cpu, midr in CPUS.items():
                name = f"{cpu}-{kernel}"
                facts = {"kernel": kernel, "vmm": vmm, "cpu": cpu, "midr": f"{midr:#x}", "revidr": "0x0", "cmdline": "quiet"}
                hosts.write(json.dumps({"host": name, **facts, "vcpus": 64, "memory": "256GiB"}) + "\n")
                guests.write(
                    json.dumps({"guest": f"on-{name}", "on": name, "vcpus": 4, "memory": "8GiB", "born": {"kernel": kernel}}) + "\n"
                )
    (target / "policy.yaml").write_text("fleetplan: 1\ntarget: {kernel: 7.2.10, vmm: qemu-11.1.3}\n")
    seen: dict[str, Any] = json.loads(run(sys.executable, "-c", MATRIX, str(target))[2])
    command = str(Path(sys.executable).parent / "fleetplan")
    whole, peak, _ = run(command, "verdict", str(target), "--matrix")
    return {**seen, "verb_s": round(whole, 2), "verb_peak_mib": peak}


def row_of(name: str, seen: dict[str, Any]) -> str:
    """A planned fleet as a line of the table."""
    cpu = seen["cpu_s"]
    cells = [f"{cpu[stage]:8.2f}" for stage in ("load", "classes", "plan", "judge", "write", "read")]
    pairs = [f"{plan:,}/{bound:,}" for plan, bound in (seen["moves"], seen["waves"], seen["makespan_s"])]
    return f"{name:16}{''.join(cells)}{seen['peak_mib']:10}  {pairs[0]:>20}{pairs[1]:>10}{pairs[2]:>16}{seen['violations']:>12}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000", help="hosts of generated fleets (default 1000)")
    parser.add_argument("--load-sizes", default="10000", help="hosts of generated fleets that are only loaded (default 10000)")
    parser.add_argument("--workloads", type=Path, help="folder with the ext1g-1000 fleet")
    parser.add_argument("--objects", type=int, default=110_000, help="YAML objects to load (default 110000)")
    parser.add_argument("--json", action="store_true", help="print all figures as JSON, which bench_chart.py draws, too")
    parser.add_argument("--chart", type=Path, metavar="FILE.svg", help="also draw the generated fleets beside other planners")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fleetplan-bench-") as name:
        folder = Path(name)
        seen: dict[str, Any] = {"start_up": start_up(), "yaml_load": yaml_load(options.objects, folder), "fleets": {}}
        sizes = filter(None, options.load_sizes.split(","))
        seen["facts_load"] = {size: facts_load(generated(int(size), folder)) for size in sizes}
        seen["matrix"] = matrix(folder)
        for size in options.sizes.split(","):
            seen["fleets"][f"generated {size}"] = stages(generated(int(size), folder))
        if options.workloads is not None:
            seen["fleets"]["ext1g-1000"] = ext1g(options.workloads, folder)
    seen["own_peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // MIB
    seen["how"] = HOW
    if options.chart is not None:
        options.chart.write_text(chart(seen))
    if options.json:
        print(json.dumps(seen, indent=2))
        return
    start, loaded = seen["start_up"], seen["yaml_load"]
    print(f"check small.yaml: {start['check_s']} s CPU, {start['ratio']} times `import click, yaml, msgspec` ({start['imports_s']} s)")
    print(f"check --reach small.yaml: {start['reach_s']} s CPU, {start['reach_ratio']} times the same")
    print(f"load YAML: {loaded['objects']:,} objects, {loaded['cpu_s']} s CPU, peak {loaded['peak_mib']} MiB")
    judged = seen["matrix"]
    print(f"matrix of 100 releases x 10 CPUs: {judged['pairs']:,} pairs ruled in {judged['rulings_s']} s CPU, ", end="")
    print(f"classes in {judged['classes_s']} s, peak {judged['peak_mib']} MiB; ", end="")
    print(f"`verdict --matrix` as a whole {judged['verb_s']} s, peak {judged['verb_peak_mib']} MiB")
    for size, facts in seen["facts_load"].items():
        print(f"load JSON lines: {size} hosts, {facts['objects']:,} objects, {facts['cpu_s']} s CPU, peak {facts['peak_mib']} MiB")
        print(f"check of JSON lines: {size} hosts, {facts['check_s']} s CPU, peak {facts['check_peak_mib']} MiB")
    print(f"\n{'fleet':16}{'load s':>8}{'class s':>8}{'plan s':>8}{'judge s':>8}{'write s':>8}{'read s':>8}{'peak MiB':>10}", end="")
    print(f"  {'moves/bound':>20}{'waves':>10}{'makespan s':>16}{'violations':>12}")
    for name, fleet in seen["fleets"].items():
        print(row_of(name, fleet))
    print(f"\n{HOW}")


if __name__ == "__main__":
    main()
