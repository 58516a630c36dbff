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


def main() -> None:
    """Read the observations, write one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("observed", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    observed = json.loads((options.observed / "qemu-migrations.json").read_text())
    hosts = {}
    for name, end in observed["hosts"].items():
        file = options.observed / "vcpu" / f"{end['kernel']}_{end['l1_cpu']}_{end['firmware']}_default.json"
        host = json.loads(file.read_text())
        facts = {"kernel": end["kernel"], "qemu": end["qemu"], "cpu": end["l1_cpu"], "midr": host["midr_el1"], "revidr": host["revidr_el1"]}
        hosts[name] = {**facts, "vulnerabilities": host["vulnerabilities"], "registers": registers_of(host)}
    migrations = []
    for seen in observed["migrations"]:
        pin, on_both = pins_of(seen["what"])
        row = {"source": seen["stream_from"], "destination": seen["host"], "pin": pin, "destination_pinned": on_both, "what": seen["what"]}
        kept = {key: seen[key] for key in ("messages", "could_not_set", "fail_only_in_stream") if key in seen}
        migrations.append({**row, "ok": seen["ok"], **kept})
    options.output.write_text(json.dumps({"hosts": hosts, "migrations": migrations}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
