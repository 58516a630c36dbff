#!/usr/bin/env python3
"""Writes a synthetic fleet as an inventory folder: `policy.yaml`, `facts/hosts.jsonl` and `facts/guests.jsonl`.

usage: generate_fleet.py --hosts N --seed S -o DIR [options]

The same options give the same bytes. Only the standard library is used. Guests are written as they are made, so memory does not grow with
their number beyond the groups that are still open.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHAPES = ((64, 256), (64, 512), (80, 256), (80, 512), (128, 512), (128, 1024))
"""vCPUs and GiB of hosts: Ampere Altra (80), Altra Max (128) and 64-core machines, all Neoverse N1."""

SIZES = ((1, 4, 10), (2, 8, 24), (4, 16, 26), (8, 32, 20), (4, 32, 8), (8, 64, 6), (16, 64, 6))
"""vCPUs, GiB and weight of guests: cloud-like sizes, 4 or 8 GiB a vCPU."""

MIDR = "0x413fd0c1"
"""Neoverse N1 r3p1."""


@dataclass(frozen=True, slots=True)
class Group:
    """A group that still takes members: its name, how many, and the hosts that it is on."""

    name: str
    size: int
    hosts: set[int]


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options, with the defaults of the planner's benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--force", action="store_true", help="replace what is in DIR")
    parser.add_argument("--guests-per-host", type=float, default=12.0, help="mean number of guests of a host that has any (default 12)")
    parser.add_argument("--fill", type=fill_range, default="70-90", help="how full hosts are, in percent (default 70-90)")
    parser.add_argument("--empty", type=float, default=2.0, help="percent of hosts without guests (default 2)")
    parser.add_argument("--immovable", type=float, default=2.0, help="percent of guests that cannot move but may restart (default 2)")
    parser.add_argument("--grouped", type=float, default=40.0, help="percent of guests in groups kept apart, of 3 to 9 (default 40)")
    parser.add_argument("--zones", type=int, default=3)
    parser.add_argument("--pools", type=int, default=6)
    parser.add_argument("--rack-size", type=int, default=20, help="hosts of a rack (default 20)")
    parser.add_argument("--bandwidth", default="25Gbit")
    parser.add_argument("--reboot", default="300s")
    parser.add_argument("--max-unavailable", default="5%", help="of each zone (default 5%%)")
    parser.add_argument("--upgraded", type=float, default=0.0, help="percent of hosts that are on the target already (default 0)")
    parser.add_argument("--old", type=release, default="6.12.117,qemu-11.1.3", metavar="KERNEL,VMM")
    parser.add_argument("--target", type=release, default="6.18.15,qemu-11.1.3", metavar="KERNEL,VMM")
    parser.add_argument("--gate-every", metavar="DURATION", help="a gate with this soak after every wave")
    options = parser.parse_args(arguments)
    if options.hosts < 1 or options.pools < options.zones or options.zones < 1:
        parser.error("needs a host, and as many pools as zones")
    return options


def fill_range(text: str) -> tuple[float, float]:
    """`70-90` as shares. Raises ValueError, which argparse tells."""
    low, _, high = text.partition("-")
    least, most = float(low) / 100, float(high or low) / 100
    if not 0 < least <= most <= 1:
        raise ValueError
    return least, most


def release(text: str) -> tuple[str, str]:
    """`KERNEL,VMM`. Raises ValueError, which argparse tells."""
    kernel, vmm = text.split(",")
    return kernel, vmm


class Fleet:
    """Makes hosts and guests, one after the other."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._random = random.Random(options.seed)  # noqa: S311 - a generator of examples, not of secrets
        self._width = len(str(options.hosts - 1))
        self.groups: list[str] = []
        self._open: dict[str, list[Group]] = {}
        self._guests = 0

    def _host_name(self, number: int) -> str:
        return f"arm-{number:0{self._width}}"

    def hosts(self) -> Iterator[tuple[dict[str, Any], int, tuple[int, int]]]:
        """Every host, with its number and its shape."""
        options = self._options
        for number in range(options.hosts):
            pool = number % options.pools
            zone = pool % options.zones
            shape = self._random.choice(SHAPES)
            kernel, vmm = options.target if self._random.random() * 100 < options.upgraded else options.old
            fact = {
                "host": self._host_name(number),
                "kernel": kernel,
                "vmm": vmm,
                "cpu": "neoverse-n1",
                "midr": MIDR,
                "revidr": "0x0",
                "vcpus": shape[0],
                "memory": f"{shape[1]}GiB",
                "zone": f"zone-{chr(ord('a') + zone)}",
                "rack": f"{chr(ord('a') + zone)}{number // (options.rack_size * options.zones):03}",
                "pool": f"pool-{pool}",
                "bandwidth": options.bandwidth,
                "reboot": options.reboot,
            }
            yield fact, number, shape

    def guests(self, number: int, shape: tuple[int, int]) -> Iterator[dict[str, Any]]:
        """The guests of a host, until it is as full as it should be."""
        options = self._options
        if self._random.random() * 100 < options.empty:
            return
        fill = self._random.uniform(*options.fill)
        # Whole numbers round down, but not below the range that was asked for.
        most = tuple(max(int(size * fill), math.ceil(size * options.fill[0])) for size in shape)
        scale = most[0] / options.guests_per_host / MEAN_VCPUS
        used = [0, 0]
        for _ in range(4 * int(options.guests_per_host) + 8):
            vcpus, memory = self._size(scale)
            if used[0] + vcpus > most[0] or used[1] + memory > most[1]:
                vcpus, memory = min(vcpus, most[0] - used[0]), min(memory, most[1] - used[1])
                if vcpus < 1 or memory < 1:
                    return
                vcpus, memory = min(vcpus, 2), min(memory, 8)
            used[0] += vcpus
            used[1] += memory
            yield self._guest(number, vcpus, memory)

    def _size(self, scale: float) -> tuple[int, int]:
        vcpus, memory, _ = self._random.choices(SIZES, WEIGHTS)[0]
        factor = 2 if self._random.random() < scale - 1 else 1
        return vcpus * factor, memory * factor

    def _guest(self, host: int, vcpus: int, memory: int) -> dict[str, Any]:
        options = self._options
        name = f"vm-{self._guests:07}"
        self._guests += 1
        fact: dict[str, Any] = {"guest": name, "on": self._host_name(host), "vcpus": vcpus, "memory": f"{memory}GiB"}
        if self._random.random() * 100 < options.grouped:
            fact["group"] = self._group(host)
        if self._random.random() * 100 < options.immovable:
            fact |= {"migrate": "never", "restart": "ok"}
        return fact

    def _group(self, host: int) -> str:
        """A group of the host's pool that is not on the host yet, else a new one."""
        pool = f"pool-{host % self._options.pools}"
        waiting = self._open.setdefault(pool, [])
        for index, group in enumerate(waiting):
            if host not in group.hosts:
                group.hosts.add(host)
                if len(group.hosts) == group.size:
                    del waiting[index]
                return group.name
        group = Group(f"app-{len(self.groups):06}", self._random.randint(3, 9), {host})
        self.groups.append(group.name)
        waiting.append(group)
        return group.name


WEIGHTS = [weight for _, _, weight in SIZES]
MEAN_VCPUS = sum(vcpus * weight for vcpus, _, weight in SIZES) / sum(WEIGHTS)


def policy_text(options: argparse.Namespace, groups: list[str]) -> Iterator[str]:
    """The file that people would write."""
    kernel, vmm = options.target
    yield f"# A synthetic fleet: {options.hosts} hosts, seed {options.seed} (scripts/generate_fleet.py).\n"
    yield "fleetplan: 1\n"
    yield f"target: {{kernel: {kernel}, vmm: {vmm}}}\n"
    yield f"policy:\n  max_unavailable: {{zone: {options.max_unavailable}}}\n"
    if options.gate_every:
        yield f"  gates: [{{after: every, soak: {options.gate_every}}}]\n"
    if groups:
        yield "groups:\n"
        yield from (f"  {name}: {{apart: host}}\n" for name in groups)


def write(options: argparse.Namespace, folder: Path) -> int:
    """Write all files into a folder; returns the number of guests."""
    fleet, guests = Fleet(options), 0
    (folder / "facts").mkdir()
    with (folder / "facts" / "hosts.jsonl").open("w") as hosts, (folder / "facts" / "guests.jsonl").open("w") as lines:
        for fact, number, shape in fleet.hosts():
            hosts.write(json.dumps(fact) + "\n")
            for guest in fleet.guests(number, shape):
                lines.write(json.dumps(guest) + "\n")
                guests += 1
    with (folder / "policy.yaml").open("w") as policy:
        policy.writelines(policy_text(options, fleet.groups))
    return guests


def main() -> int:
    """Write into a temporary folder beside the wanted one, then rename."""
    options = parse(sys.argv[1:])
    target: Path = options.output
    problem = refusal(target, force=options.force)
    if problem:
        print(f"generate_fleet.py: {target} {problem}", file=sys.stderr)
        return 2
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        guests = write(options, scratch)
        scratch.chmod(0o777 & ~_umask())
        if target.exists():
            target.rename(scratch.with_suffix(".old"))
        scratch.rename(target)
        shutil.rmtree(scratch.with_suffix(".old"), ignore_errors=True)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    print(f"{target}: {options.hosts} hosts, {guests} guests", file=sys.stderr)
    return 0


OWN = {"policy.yaml", "facts"}
"""What this script writes into a folder, and so may replace."""


def refusal(target: Path, *, force: bool) -> str:
    """Why nothing may be written there; empty if it may."""
    if not target.exists():
        return ""
    if not target.is_dir():
        return "is not a folder"
    there = {path.name for path in target.iterdir()}
    if there and not force:
        return "is not empty; --force replaces a fleet that was generated before"
    return f"has {min(there - OWN)}, which this script did not write" if there - OWN else ""


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


if __name__ == "__main__":
    sys.exit(main())
