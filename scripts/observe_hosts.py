#!/usr/bin/env python3
"""Runs the probe on real kernels, and tries every host's registers on every other: raw material for tests/data/probed.json.

usage: observe_hosts.py --runner PROGRAM --kernels 6.1,6.12,7.2 --cpus neoverse-n1,neoverse-v1 -o FOLDER

PROGRAM boots an arm64 kernel with a working /dev/kvm and runs a command in it:
`PROGRAM run --kernel K --cpu C --file PATH... -- COMMAND`, with the command's stdout and exit code as its own.
Writes FOLDER/probes/KERNEL_CPU.json, then FOLDER/restores/KERNEL_CPU.json; what is there already is not made again.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROBE = Path(__file__).resolve().parent.parent / "fleetplan" / "probe.py"

RESTORE = """
import json, pathlib, sys
import probe

kvm = probe.open_kvm()
answers = {}
for path in sorted(pathlib.Path("probes").glob("*.json")):
    dump = json.loads(path.read_text())
    for which, entry in (("plain", dump["probe"]["lists"][0]), ("whole", dump["probe"]["lists"][-1])):
        if not set(entry["features"]) <= set(probe.offered_features(kvm)):
            continue
        registers = [(int(register, 16), int(value, 16)) for register, value in entry["registers"]]
        refused = []
        with probe.Vm(kvm, entry["features"]) as vm:
            for register, value in registers if which == "plain" else sorted(registers):
                try:
                    vm.write(register, value)
                except OSError as problem:
                    refused.append([hex(register), problem.errno])
        answers[path.stem + "/" + which] = refused
json.dump(answers, sys.stdout)
"""
"""Plain vCPUs are written in list order, whole ones (PMU, and what else the host gives) in ascending order, as QEMU does."""


def main() -> int:
    """Probe all hosts, then restore all probes on all hosts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runner", type=Path, required=True)
    parser.add_argument("--kernels", required=True)
    parser.add_argument("--cpus", required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    hosts = [(kernel, cpu) for kernel in options.kernels.split(",") for cpu in options.cpus.split(",")]
    probes, restores = options.output / "probes", options.output / "restores"
    failed = [
        *run_all(options.runner, hosts, probes, [PROBE], ["python3", "probe.py"]),
        *run_all(options.runner, hosts, restores, [PROBE, probes, script()], ["python3", "restore_all.py"]),
    ]
    for line in failed:
        print(line, file=sys.stderr)
    return 1 if failed else 0


def script() -> Path:
    """What restores all probes, as a file."""
    path = Path(tempfile.mkdtemp(prefix="fleetplan-observe-")) / "restore_all.py"
    path.write_text(RESTORE)
    return path


def run_all(runner: Path, hosts: list[tuple[str, str]], folder: Path, files: list[Path], command: list[str]) -> Iterator[str]:
    """Run a command on every host and keep what it prints; says what failed."""
    folder.mkdir(parents=True, exist_ok=True)
    for kernel, cpu in hosts:
        target = folder / f"{kernel}_{cpu}.json"
        if target.exists():
            continue
        given = [argument for file in files for argument in ("--file", str(file))]
        line = [str(runner), "run", "--kernel", kernel, "--cpu", cpu, "--mem", "2048", *given, "--", *command]
        done = subprocess.run(line, capture_output=True, check=False)
        if done.returncode:
            yield f"{kernel} {cpu}: exit {done.returncode}: {done.stderr.decode(errors='replace').strip()[-200:]}"
        else:
            target.write_bytes(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
