"""Convert observed hosts and restore pairs into the compact oracles of the tests.

    python scripts/compact_hosts.py OBSERVED

OBSERVED is the folder with `vcpu/`, `restore-pairs.json` and `firecracker/`. Writes `tests/data/hosts.json` (facts, workaround levels,
the registers that are neither core, SVE nor firmware, in list order), `tests/data/restores.json` (what every restore refused, with
errno) and `tests/data/metal.json` (registers of hosts without emulation). Values of timers and counters vary from run to run
and are left out.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
CORE, DEMUX, SYSREG, FIRMWARE, SVE, BITMAPS = 0x0010, 0x0011, 0x0013, 0x0014, 0x0015, 0x0016
WORKAROUNDS = ("SMCCC_ARCH_WORKAROUND_1", "SMCCC_ARCH_WORKAROUND_2", "SMCCC_ARCH_WORKAROUND_3")
TIMERS = {0x603000000013DF01, 0x603000000013DF02, 0x603000000013DF11, 0x603000000013DF12, 0x603000000013DF19, 0x603000000013DF1A}


class Table:
    """Values that are stored once and named by their place."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, row: object) -> int:
        """The index of `row`, appended when it is new."""
        key = json.dumps(row)
        if key not in self._places:
            self._places[key] = len(self.rows)
            self.rows.append(row)
        return self._places[key]


def is_other(register: str) -> bool:
    """Whether an id names a register of this oracle."""
    return int(register, 16) >> 16 & 0xFFF not in {CORE, FIRMWARE, SVE, BITMAPS}


def guest_of(raw: dict[str, Any], lists: Table, values: Table) -> dict[str, Any]:
    """The list and values of a fresh vCPU, and how `-cpu host` changes them."""
    pairs = [pair.split("=") for pair in raw["regs_psci02"].split() if is_other(pair.split("=")[0])]
    host_like = raw["reglists"]["hostlike"]
    return {
        "list": lists.place([name for name, _ in pairs]),
        "values": values.place([None if int(name, 16) in TIMERS else value for name, value in pairs]),
        "hostlike": {
            "features": host_like["feat"],
            "new": lists.place([name for name in host_like["new"].split() if is_other(name)]),
            "changed": {name: new for name, (_, new) in host_like["changed"].items() if is_other(name)},
        },
    }


def host_of(raw: dict[str, Any], lists: Table, values: Table) -> dict[str, Any]:
    """One host: its facts and what a fresh vCPU on it reads."""
    answers = raw["set"]["psci02"]
    return {
        **raw["config"],
        "midr": raw["midr_el1"],
        "revidr": raw["revidr_el1"],
        "cmdline": raw["cmdline"],
        "spectre_v2": raw["vulnerabilities"].get("spectre_v2", "Not affected"),
        "spec_store_bypass": raw["vulnerabilities"].get("spec_store_bypass", "Not affected"),
        "workarounds": [int(answers[name]["default"], 16) for name in WORKAROUNDS],
        **guest_of(raw, lists, values),
    }


def convert_hosts(observed: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """All hosts, and the place of each by the name of its file."""
    lists, values = Table(), Table()
    files = sorted((observed / "vcpu").glob("*.json"))
    hosts = [host_of(json.loads(file.read_text()), lists, values) for file in files]
    table = {"hosts": hosts, "lists": lists.rows, "values": values.rows}
    return table, {file.stem: place for place, file in enumerate(files)}


def convert_restores(observed: Path, places: dict[str, int]) -> dict[str, Any]:
    """Every pair of hosts, the PSCI version that was pinned on the source, and each register that the destination refused, with errno."""
    raw = json.loads((observed / "restore-pairs.json").read_text())
    registers, outcomes, pins, pairs = Table(), Table(), Table(), []
    for source, destination, outcome in raw["pairs"]:
        host, _, how = source.partition("/")
        failed = raw["outcomes"][outcome]["fail"]
        refused = sorted([registers.place(name), int(errno.rstrip("u"))] for errno, names in failed.items() for name in names)
        pin = how.partition("pin_")[2] or None
        pairs.append([places[host], places[destination], pins.place(pin), outcomes.place(refused)])
    return {"registers": registers.rows, "pins": pins.rows, "refused": outcomes.rows, "pairs": pairs}


def is_constant(register: int) -> bool:
    """Whether an id names an ID or cache register, which no guest changes."""
    is_id = register >> 16 & 0xFFF == SYSREG and register >> 14 & 3 == 3 and register >> 7 & 0xF == 0
    return is_id or register >> 16 & 0xFFF == DEMUX


def convert_metal(observed: Path) -> list[dict[str, Any]]:
    """Dumps of real hosts, made by Firecracker: all that a VMM migrates, and apart what does not depend on that VMM's own settings."""
    hosts = []
    for file in sorted((observed / "firecracker").glob("fingerprint_ARM_*.json")):
        raw = json.loads(file.read_text())
        dump = {int(row["addr"], 16): int(row["bitmap"], 0) for row in raw["guest_cpu_config"]["reg_modifiers"]}
        values = {f"{register:x}": f"{value:x}" for register, value in sorted(dump.items()) if is_constant(register)}
        rest = {
            f"{register:x}": f"{value:x}"
            for register, value in sorted(dump.items())
            if not is_constant(register) and register >> 16 & 0xFFF not in {CORE, SVE}
        }
        hosts.append({"file": file.name, "kernel": raw["kernel_version"], "values": values, "rest": rest})
    return hosts


def write(name: str, content: object) -> None:
    """One line of JSON, and its size for the person who runs this."""
    path = DATA / name
    path.write_text(json.dumps(content, separators=(",", ":")) + "\n")
    print(f"{path.name}: {path.stat().st_size} bytes")


def main() -> None:
    """Convert what lies under the folder given."""
    observed = Path(sys.argv[1])
    DATA.mkdir(exist_ok=True)
    hosts, places = convert_hosts(observed)
    write("hosts.json", hosts)
    write("restores.json", convert_restores(observed, places))
    write("metal.json", convert_metal(observed))


if __name__ == "__main__":
    main()
