#!/usr/bin/env python3
"""Prints how verdicts compare with what real kernels and real QEMUs did, from the project's own test data.

usage: evidence.py

A row per data set and group: right, wrong, undecided. Exit code 1 if anything is wrong. "lists" are the registers of both hosts, as a
probe reads them; "facts" are kernel, VMM, MIDR and sysfs texts alone.
"""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.guest_view import GuestView, Item, view
from fleetplan.firmware.kernels import parse, profiles
from fleetplan.firmware.vcpu import Kvm, VirtualMachine
from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, Release
from fleetplan.migration.carry import certainly, rebooted, resumed
from fleetplan.migration.classes import ClassTable, Judgment
from fleetplan.migration.offers import offer
from fleetplan.migration.reasons import Stage, Verdict
from fleetplan.migration.verdict import judge

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
PASSES = frozenset({Verdict.SAFE, Verdict.CHANGES, Verdict.STRIPS})
QEMU = {"5.2": "qemu-5.2.0", "7.2": "qemu-7.2.18", "10.0": "qemu-10.0.13", "11.1": "qemu-11.1.3"}
STRICT = "firecracker-1.13"

Row = tuple[str, str, str]
"""Data set, group, and right, wrong or undecided."""


def read(name: str) -> Any:
    """A file of test data."""
    return json.loads((DATA / name).read_text())


def registers_of(pairs: Iterator[tuple[str, str]]) -> tuple[tuple[int, int], ...]:
    """(id, value) from hexadecimal text."""
    return tuple((int(register, 16), int(value, 16)) for register, value in pairs)


# --- restores: the whole dump of one host written to a fresh vCPU of another ----------------------------------------------------------


def dump_of(table: Any, place: int) -> tuple[tuple[int, int], ...]:
    """All that a fresh vCPU of an observed host lists, in list order."""
    host = table["hosts"][place]
    (candidate,) = profiles(parse(host["kernel"])).options
    kernel = candidate.value
    fresh = {"PSCI_VERSION": kernel.psci_default, **fw.FRESH_BITMAP}
    fresh |= {f"SMCCC_ARCH_WORKAROUND_{number}": level for number, level in enumerate(host["workarounds"], 1)}
    firmware = tuple((fw.BY_NAME[name].id, fresh[name]) for name in kernel.registers)
    values = (value or "0" for value in table["values"][host["values"]])
    return (*firmware, *registers_of(zip(table["lists"][host["list"]], values, strict=True)))


def restores() -> Iterator[Row]:
    """Every pair: the refused registers and their errno must be the observed ones, no more and no fewer."""
    table, seen = read("hosts.json"), read("restores.json")
    dumps = [dump_of(table, place) for place in range(len(table["hosts"]))]
    kvms = [kvm_of(host, dump) for host, dump in zip(table["hosts"], dumps, strict=True)]
    for source, destination, pin, outcome in seen["pairs"]:
        version = seen["pins"][pin]
        told = restored(dumps[source], kvms[destination], fw.psci_value(version) if version else None)
        wanted = {int(seen["registers"][register], 16): errno for register, errno in seen["refused"][outcome]}
        yield "restore pairs, lists", f"to {table['hosts'][destination]['kernel']}", "right" if told == wanted else "wrong"


def kvm_of(host: Any, dump: tuple[tuple[int, int], ...]) -> Kvm:
    """KVM of an observed host."""
    facts = HostFacts(midr=int(host["midr"], 16), revidr=int(host["revidr"], 16), cmdline=host["cmdline"], registers=dump)
    return offer(Release(host["kernel"], STRICT), facts).kvms[0]


def restored(dump: tuple[tuple[int, int], ...], kvm: Kvm, psci: int | None) -> dict[int, int]:
    """What a fresh vCPU refuses of a dump that is written in its order, without stopping: errno by register."""
    machine = VirtualMachine(kvm)
    machine.init(0)
    written = ((register, psci if psci and register == fw.PSCI_VERSION.id else value) for register, value in dump)
    answers = [(register, machine.set(0, register, value).errno) for register, value in written]
    return {register: int(errno) for register, errno in answers if errno is not None}


# --- migrations of real QEMUs ---------------------------------------------------------------------------------------------------------


def host_of(end: Any, place: str, *, lists: bool) -> Host:
    """One end of a migration."""
    facts = HostFacts(
        cpu=end["cpu"],
        midr=int(end["midr"], 16),
        revidr=int(end["revidr"], 16),
        vulnerabilities=end["vulnerabilities"],
        registers=registers_of(end["registers"]) if lists else None,
    )
    return Host(name=HostName(place), release=Release(end["kernel"], QEMU[end["qemu"]]), vcpus=8, memory_mib=1, facts=facts)


def birth_of(row: Any) -> Birth | None:
    """How the guest was born. Its QEMU was started by hand on both ends: a pin went along only where the row says so."""
    pin = row["pin"]
    if pin is None:
        return None
    dump = ((fw.PSCI_VERSION.id, fw.psci_value(pin)),)
    return Birth(registers=dump, psci=pin if row["destination_pinned"] else None)


def judged(data: Any, row: Any, *, lists: bool) -> Judgment:
    """The verdict on one migration."""
    source, destination = (host_of(data["hosts"][row[end]], place, lists=lists) for end, place in (("source", "a"), ("destination", "b")))
    machine = row["what"].partition("+")[0] if row["what"].startswith("virt") else None
    guest = Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=1, born=birth_of(row), machine=machine)
    table = ClassTable(Fleet(target=destination.release, hosts=(source, destination), guests=(guest,)))
    return table.judgment(table.guests[0], table.hosts_now[0], table.hosts_now[1])


def migrations() -> Iterator[Row]:
    """With both lists everything that is told must be what happened, to the last line; with facts alone, nothing that failed may pass."""
    data = read("migrations.json")
    for row in data["migrations"]:
        told = judged(data, row, lists=True)
        right = (told.verdict in PASSES) == row["ok"] and told.verdict is not Verdict.UNKNOWN and printed(told.messages) == seen_by(row)
        where = f"QEMU {data['hosts'][row['destination']]['qemu']}, {'passes' if row['ok'] else stage_of(told)}"
        yield "migrations, lists", where, "right" if right else "wrong"
        facts = judged(data, row, lists=False).verdict
        answer = "undecided" if facts is Verdict.UNKNOWN else "right" if (facts in PASSES) == row["ok"] else "wrong"
        yield "migrations, facts", f"QEMU {data['hosts'][row['destination']]['qemu']}", answer


def stage_of(told: Judgment) -> str:
    """Where a move that failed ended."""
    return f"fails at {told.stage.value}" if told.stage is not Stage.AFTER else "fails"


LACKING = re.compile(r"handle_cpreg_only_in_incoming_stream: (?:system register )?(.*) in the incoming stream but unknown on .*")
UNSENT = re.compile(r"warning: handle_cpreg_missing_in_incoming_stream: .*")
REFUSED = re.compile(r"Could not set register (?:system register )?(.*?) to (\w+) \(is (\w+)\)")

Printed = tuple[tuple[str, ...], tuple[str, ...], tuple[tuple[str, ...], ...]]
"""Plain lines, registers that the destination lacks, registers that it refused with both values."""


def printed(lines: tuple[str, ...]) -> Printed:
    """What is told, in the form of the observations, which keep lines that name registers apart."""
    plain, lacking, refused = [], [], []
    for line in lines:
        if found := LACKING.fullmatch(line):
            lacking.append(found[1])
        elif found := REFUSED.fullmatch(line):
            refused.append(found.groups())
        elif not UNSENT.fullmatch(line):
            plain.append(line)
    return tuple(plain), tuple(lacking), tuple(refused)


def seen_by(row: Any) -> Printed:
    """What QEMU printed; of a guest that went on, the end of the experiment is no message."""
    plain = tuple(line for line in row.get("messages", ()) if "terminating on signal" not in line)
    return plain, tuple(row.get("fail_only_in_stream", ())), tuple(map(tuple, row.get("could_not_set", ())))


# --- chains: what a guest sees after every hop ----------------------------------------------------------------------------------------


def chains() -> Iterator[Row]:
    """Every step of every chain."""
    data = read("migrations.json")
    for chain in data["chains"]:
        hosts = [host_of(data["hosts"][step["host"]], f"h{number}", lists=True) for number, step in enumerate(chain)]
        yield from ((f"chains, hop {number}", "", "right" if right else "wrong") for number, right in enumerate(walked(chain, hosts)))


def walked(chain: Any, hosts: list[Host]) -> Iterator[bool]:
    """Whether each step went as told, and the guest then saw what is told."""
    guest = Guest(name=GuestName("g"), on=HostName("h0"), vcpus=1, memory_mib=1, born=Birth(psci=chain[0]["pin"]))
    table = ClassTable(Fleet(target=hosts[-1].release, hosts=tuple(hosts), guests=(guest,)))
    offers = [table.host_class(number) for number in table.hosts_now]
    state: Any = table.guest_class(table.guests[0])
    for number, step in enumerate(chain):
        if number:
            state = judge(certainly(replace(state, pin=None)), offers[number - 1], offers[number]).after
        if (state is None) == step["ok"]:
            yield False
            return
        if state is None:
            yield True
            return
        (kvm,) = offers[number].kvms
        right = told_of(view(resumed(state, kvm), kvm)) == step["seen"]
        if "seen_after_reset" in step:
            state = rebooted(state, kvm)
            right = right and told_of(state.promise) == step["seen_after_reset"]
        yield right


def told_of(seen: GuestView) -> dict[str, str]:
    """A view as the observations write it."""
    vendor = 1 * (Item.VENDOR_FEATURES in seen.services) + 2 * (Item.PTP in seen.services)
    return {
        "psci": f"{seen.psci:x}",
        "wa1": str(seen.workaround_1),
        "wa2": str(seen.workaround_2),
        "wa3": str(seen.workaround_3),
        "trng": "10000" if Item.TRNG in seen.services else "-1",
        "vendor": str(vendor or -1),
    }


# --- hosts without emulation ----------------------------------------------------------------------------------------------------------

HOPS = {
    # source, destination: what loads A, B0, B1 come to (the stage at which they end)
    ("6.1", "6.18"): ("after", "after", "after"),
    ("6.18", "6.1"): ("length", "merge", "set"),
    ("6.18", "5.10"): ("merge", "merge", "set"),
    ("6.1", "5.10"): ("merge", "merge", "merge"),
    ("5.10", "6.1"): ("length", "merge", "merge"),
    ("5.10", "6.18"): ("length", "merge", "merge"),
}
LOADERS = {"A": "qemu-10.0.13", "B0": "qemu-11.0.3", "B1": "qemu-11.1.3"}


@cache
def metal() -> dict[tuple[str, str], tuple[str, tuple[tuple[int, int], ...]]]:
    """Kernel and registers of each real host, by CPU and series."""
    found = {}
    for host in read("metal.json"):
        _, _, _, cpu, series = host["file"].removesuffix("host.json").split("_")
        found[cpu, series] = host["kernel"], registers_of(iter((host["values"] | host["rest"]).items()))
    return found


def hops() -> Iterator[Row]:
    """The six hops between real hosts of one CPU, under each of QEMU's loads."""
    for cpu in ("N1", "V1"):
        for (source, destination), stages in HOPS.items():
            for (load, vmm), stage in zip(LOADERS.items(), stages, strict=True):
                told = hop(metal()[cpu, source], metal()[cpu, destination], vmm)
                right = told.stage.value == stage and (told.verdict in PASSES) == (stage == "after")
                yield "hosts without emulation", f"{cpu}, load {load}", "right" if right else "wrong"


def hop(source: tuple[str, tuple[tuple[int, int], ...]], destination: tuple[str, tuple[tuple[int, int], ...]], vmm: str) -> Judgment:
    """A guest that was born on one real host, on its way to another."""
    hosts = tuple(
        Host(name=HostName(name), release=Release(kernel, vmm), vcpus=8, memory_mib=1, facts=HostFacts(registers=registers))
        for name, (kernel, registers) in (("a", source), ("b", destination))
    )
    guest = Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=1)
    table = ClassTable(Fleet(target=hosts[1].release, hosts=hosts, guests=(guest,)))
    return table.judgment(table.guests[0], table.hosts_now[0], table.hosts_now[1])


def main() -> int:
    """Print the table."""
    counts = Counter(row for rows in (restores, migrations, chains, hops) for row in rows())
    places = list(dict.fromkeys((data, group) for data, group, _ in counts))
    print(f"{'data':28}{'group':32}{'right':>7}{'wrong':>7}{'undecided':>11}")
    for data, group in sorted(places):
        right, wrong, undecided = (counts[data, group, answer] for answer in ("right", "wrong", "undecided"))
        print(f"{data:28}{group:32}{right:>7}{wrong:>7}{undecided:>11}")
    return int(any(answer == "wrong" for _, _, answer in counts))


if __name__ == "__main__":
    sys.exit(main())
