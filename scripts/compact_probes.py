#!/usr/bin/env python3
"""Converts what observe_hosts.py wrote into compact test data.

usage: compact_probes.py FOLDER -o tests/data/probed.json

Registers with their values are numbered, and a list is their numbers. Of the restores those between hosts of one CPU are kept, and of
other pairs those with the first CPU in the order of names.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

FACTS = ("kernel", "midr", "revidr", "cmdline", "vulnerabilities", "sve", "features", "masks")


class Numbered:
    """Gives equal things equal numbers."""

    def __init__(self) -> None:
        self.things: list[Any] = []
        self._places: dict[str, int] = {}

    def __call__(self, thing: Any) -> int:
        """The number of a thing."""
        text = json.dumps(thing, sort_keys=True)
        if text not in self._places:
            self._places[text] = len(self.things)
            self.things.append(thing)
        return self._places[text]


def main() -> None:
    """Read all hosts and restores, write one file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    registers, refusals, hosts, restores = Numbered(), Numbered(), {}, []
    for path in sorted((options.folder / "probes").glob("*.json")):
        seen = json.loads(path.read_text())
        lists = [seen["probe"]["lists"][0], seen["probe"]["lists"][-1]]
        hosts[path.stem] = {
            **{key: seen[key] for key in FACTS if key in seen},
            "psci": seen["probe"]["psci_accepted"],
            "vcpu": [entry["features"] for entry in lists],
            "lists": [[registers(pair) for pair in entry["registers"]] for entry in lists],
        }
    first = min(name.split("_")[1] for name in hosts)
    for path in sorted((options.folder / "restores").glob("*.json")):
        cpu = path.stem.split("_")[1]
        for source, refused in json.loads(path.read_text()).items():
            if source.split("/")[0].split("_")[1] in {cpu, first}:
                restores.append([source, path.stem, refusals(refused)])
    compact = {"registers": registers.things, "refusals": refusals.things, "hosts": hosts, "restores": restores}
    options.output.write_text(json.dumps(compact, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
