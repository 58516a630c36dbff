#!/usr/bin/env python3
"""Feeds fleetplan with damaged inventories, facts, plans, messages and arguments, and keeps what it does not bear.

usage: fuzz.py [--seconds N] [--seed N] [--target NAME]... [--keep]

Prints each input that a command does wrong with (see tests/fuzzing/cases.py), once for each place in the source. With --keep such an
input is also written to tests/data/corpus, where the tests read it from then on. Exit code 1 if there was one. The same seed makes the
same inputs in the same order.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.fuzzing.cases import CORPUS, TARGETS, Target, examined, fresh, limit_memory  # noqa: E402 - the tests are no package

MIB = 4096


def main() -> int:
    """Go round the targets until the time is over."""
    options = _options()
    limit_memory(MIB)
    targets = [TARGETS[name] for name in options.target or TARGETS]
    random, end = Random(options.seed), time.monotonic() + options.seconds  # noqa: S311 - examples, not secrets
    tried: Counter[str] = Counter()
    seen: set[str] = set()
    while time.monotonic() < end:
        target = targets[sum(tried.values()) % len(targets)]
        tried[target.name] += 1
        data = fresh(target, random)
        with tempfile.TemporaryDirectory(prefix="fleetplan-fuzz-") as folder:
            found = examined(target, Path(folder), data, 3, random)
        for fault in found:
            if _kind(fault) not in seen:
                seen.add(_kind(fault))
                _tell(target, data, fault, keep=options.keep)
    print("; ".join(f"{name}: {count} inputs" for name, count in sorted(tried.items())), f"; {len(seen)} kinds of faults", sep="")
    return 1 if seen else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Feed fleetplan with damaged input, and keep what it does not bear.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--target", action="append", choices=list(TARGETS))
    parser.add_argument("--keep", action="store_true", help="write inputs that find faults to tests/data/corpus")
    return parser.parse_args()


def _kind(fault: str) -> str:
    """What makes two faults one: the innermost line of fleetplan's own code, or else what is said."""
    lines = re.findall(r'File ".*?(fleetplan/\S+?\.py)", line (\d+)', fault)
    if lines:
        return f"{lines[-1]} {fault.rstrip().splitlines()[-2][:40]}"
    return re.sub(r"^.*?: (?=more|exit|std|this|a script)", "", fault)[:60]


def _tell(target: Target, data: bytes, fault: str, *, keep: bool) -> None:
    name = f"{target.name}/{hashlib.sha256(data).hexdigest()[:12]}"
    print(f"--- {name} ({len(data)} bytes)\n{fault}", flush=True)
    if keep:
        path = CORPUS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
