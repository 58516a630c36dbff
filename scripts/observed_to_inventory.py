#!/usr/bin/env python3
"""Makes an inventory of observed vCPUs (JSON files, as the probe experiments wrote them): a host each, and a guest born on each.

usage: observed_to_inventory.py [--facts] [--vmm VMM] FILE...

Each guest carries the registers it was born with, as a VMM would write them. With --facts hosts have no registers: kernel, MIDR and
sysfs texts must do. Prints JSON, which is YAML: fleetplan verdict FILE from-HOST HOST
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any


def host(seen: Any, vmm: str, *, lists: bool) -> dict[str, Any]:
    """What an observation says of its host."""
    facts = {"kernel": seen["uname"]["release"], "vmm": vmm, "vcpus": 8, "memory": "8GiB"}
    facts |= {"midr": seen["midr_el1"], "revidr": seen["revidr_el1"]}
    facts |= {"vulnerabilities": seen["vulnerabilities"], "cmdline": seen["cmdline"]}
    return facts | {"registers": registers(seen)} if lists else facts


def registers(seen: Any) -> list[list[str]]:
    """What a fresh vCPU with PSCI 0.2 listed, in list order."""
    return [[f"0x{register}", f"0x{value}"] for register, value in (pair.split("=") for pair in seen["regs_psci02"].split())]


def inventory(files: list[Path], vmm: str, *, lists: bool) -> dict[str, Any]:
    """Hosts by the names of their files."""
    seen = {path.stem.replace(".", "-").replace("_", "-"): json.loads(path.read_text()) for path in files}
    hosts = {name: host(one, vmm, lists=lists) for name, one in seen.items()}
    guests = {
        f"from-{name}": {"on": name, "vcpus": 1, "memory": "1GiB", "born": {"registers": registers(one)}} for name, one in seen.items()
    }
    return {"fleetplan": 1, "target": {"kernel": next(iter(hosts.values()))["kernel"], "vmm": vmm}, "hosts": hosts, "guests": guests}


def main() -> int:
    """Read, convert, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", action="store_true", help="leave out the registers of hosts")
    parser.add_argument("--vmm", default="firecracker-1.13")
    parser.add_argument("files", nargs="+", type=Path)
    wanted = parser.parse_args()
    json.dump(inventory(wanted.files, wanted.vmm, lists=not wanted.facts), sys.stdout, indent=1)
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
