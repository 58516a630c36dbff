#!/usr/bin/env python3
"""Converts what real kernels answered about firmware registers into compact test data.

usage: compact_observed.py OBSERVED_FOLDER -o tests/data/firmware.json

Every host becomes its kernel, its levels as GET read them, and the answers of each section; equal sections are kept once.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

SECTIONS = ("set", "set_after_run", "changed_then_run", "scope", "preinit", "preinit2")


def main() -> None:
    """Read all hosts, write one file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("observed", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    bodies: list[Any] = []
    places: dict[str, int] = {}

    def kept(body: Any) -> int:
        text = json.dumps(body, sort_keys=True)
        if text not in places:
            places[text] = len(bodies)
            bodies.append(body)
        return places[text]

    hosts = []
    for path in sorted((options.observed / "vcpu").glob("*.json")):
        host = json.loads(path.read_text())
        firmware = [pair.split("=")[0] for pair in host["regs_psci02"].split() if pair[9:12] == "014" or pair[9:12] == "016"]
        sections = {section: kept(host[section]) for section in SECTIONS if section in host}
        hosts.append(
            {"name": path.stem, "kernel": host["config"]["kernel"], "listed": kept(firmware), "guest": kept(host["guest"]), **sections}
        )
    calls = json.loads((options.observed / "guest-calls.json").read_text())["calls"]
    options.output.write_text(json.dumps({"calls": calls, "bodies": bodies, "hosts": hosts}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
