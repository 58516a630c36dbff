#!/usr/bin/env python3
"""Converts what real QEMUs did with real migrations into compact test data.

usage: compact_migrations.py OBSERVED_FOLDER -o tests/data/migrations.json

Each end becomes kernel, QEMU, MIDR and the register list that QEMU migrates there; each migration its ends, pins and outcome.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

CORE, SVE = 0x10, 0x15


def registers_of(host: dict[str, Any]) -> list[list[str]]:
    """Ids and values of a fresh vCPU as QEMU makes it, in list order; new registers of the PMU read 0."""
    values = dict(pair.split("=") for pair in host["regs_psci02"].split())
    hostlike = host["reglists"]["hostlike"]
    values |= {register: new for register, (_, new) in hostlike["changed"].items()}
    values |= dict.fromkeys(hostlike["new"].split(), "0") if isinstance(hostlike["new"], str) else {}
    for register in hostlike["gone"]:
        values.pop(register, None)
    return [[register, value] for register, value in values.items() if int(register, 16) >> 16 & 0xFFF not in {CORE, SVE}]


def pins_of(what: str) -> tuple[str | None, bool]:
    """`psci1.0+dstpin`: the pin on the source, and whether the destination has it too."""
    pin = what.removeprefix("psci").partition("+")[0] if what.startswith("psci") else None
    return pin, "+dstpin" in what


def host_of(observed: Path, kernel: str, cpu: str, firmware: str, qemu: str) -> dict[str, Any]:
    """One end: what it is, and its register list."""
    host = json.loads((observed / "vcpu" / f"{kernel}_{cpu}_{firmware}_default.json").read_text())
    facts = {"kernel": kernel, "qemu": qemu, "cpu": cpu, "midr": host["midr_el1"], "revidr": host["revidr_el1"]}
    return {**facts, "vulnerabilities": host["vulnerabilities"], "registers": registers_of(host)}


SEEN = ("psci", "wa1", "wa2", "wa3", "trng", "vendor")


STREAM = ("registers", "psci", "wa1", "wa2", "wa3", "std", "std_hyp", "vendor_hyp", "vendor_hyp2")
"""What a stream of a chain says: how many registers it has, and the firmware registers, each as it was saved."""


def step_of(step: dict[str, Any]) -> dict[str, Any]:
    """A hop of a chain: where, whether it went well, what the guest saw, also after a reset, and what left in the stream."""
    kept: dict[str, Any] = {"host": step["host"], "pin": step["pin"], "ok": step["ok"]}
    for key in ("seen", "seen_after_reset"):
        if key in step:
            kept[key] = {name: step[key][name] for name in SEEN}
    if "stream_out" in step:
        kept["stream"] = {name: step["stream_out"][name] for name in STREAM if name in step["stream_out"]}
    return kept


def main() -> None:
    """Read the observations, write one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("observed", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    observed = json.loads((options.observed / "qemu-migrations.json").read_text())
    hosts = {
        name: host_of(options.observed, end["kernel"], end["l1_cpu"], end["firmware"], end["qemu"])
        for name, end in observed["hosts"].items()
    }
    chains = [chain["chain"] for chain in json.loads((options.observed / "qemu-chains.json").read_text())["chains"]]
    for step in (step for chain in chains for step in chain):
        if step["host"] not in hosts:
            hosts[step["host"]] = host_of(options.observed, step["kernel"], step["cpu"], step["firmware"], step["qemu"])
    migrations = []
    for seen in observed["migrations"]:
        pin, on_both = pins_of(seen["what"])
        row = {"source": seen["stream_from"], "destination": seen["host"], "pin": pin, "destination_pinned": on_both, "what": seen["what"]}
        kept = {key: seen[key] for key in ("messages", "could_not_set", "fail_only_in_stream") if key in seen}
        migrations.append({**row, "ok": seen["ok"], **kept})
    content = {"hosts": hosts, "migrations": migrations, "chains": [[step_of(step) for step in chain] for chain in chains]}
    options.output.write_text(json.dumps(content, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
