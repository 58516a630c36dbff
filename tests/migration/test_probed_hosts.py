"""Hosts that the probe itself looked at, on kernels from 6.1 to 7.2, and every register that one refused of another's.

`scripts/observe_hosts.py` made the raw material, `scripts/compact_probes.py` the file.
"""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fleetplan.firmware import registers as fw
from fleetplan.firmware.families import name
from fleetplan.firmware.vcpu import Kvm
from fleetplan.fleet.model import HostFacts, Platform, Release
from fleetplan.migration.carry import Carried
from fleetplan.migration.offers import offer, suited
from fleetplan.migration.restore import Others

DATA: dict[str, Any] = json.loads((Path(__file__).resolve().parent.parent / "data" / "probed.json").read_text())
REGISTERS = [(int(register, 16), int(value, 16)) for register, value in DATA["registers"]]
WHICH = ("plain", "whole")
OURS = {"pmu": "pmu_v3"}


def registers(host: str, which: str) -> tuple[tuple[int, int], ...]:
    return tuple(REGISTERS[number] for number in DATA["hosts"][host]["lists"][WHICH.index(which)])


def features(host: str, which: str) -> frozenset[Any]:
    return frozenset(OURS.get(word, word) for word in DATA["hosts"][host]["vcpu"][WHICH.index(which)])


def facts(host: str, level: str) -> HostFacts:
    """`probe`: all that the probe says. `facts`: what can be read without KVM."""
    seen = DATA["hosts"][host]
    masks = {int(register, 16): int(mask, 16) for register, mask in seen["masks"].items()} if "masks" in seen else None
    return HostFacts(
        midr=int(seen["midr"][0], 16),
        revidr=int(seen["revidr"], 16),
        cmdline=seen["cmdline"],
        vulnerabilities=seen["vulnerabilities"],
        registers=registers(host, "whole") if level == "probe" else None,
        masks=masks if level == "probe" else None,
        platform=Platform(sve=tuple(seen["sve"]), features=tuple(seen["features"])),
    )


@cache
def kvms(host: str, level: str, which: str, source: str) -> tuple[Kvm, ...]:
    """What a host may be for a guest with the features of the source."""
    whole = offer(Release(DATA["hosts"][host]["kernel"], "qemu-11.1.3"), facts(host, level))
    return suited(whole, features(source, which), None).kvms


OTHERS = Others()


def told(source: str, destination: str, which: str, level: str) -> list[tuple[set[int], set[int]]]:
    """For every way in which the hosts may be: the registers that are refused, and those that could not be decided."""
    ways = []
    for here in kvms(source, level, which, source):
        for there in kvms(destination, level, which, source):
            stream = OTHERS.of_stream(Carried(here.others), here)
            written = OTHERS.write(stream, OTHERS.of_host(there))
            lacking = stream.registers.keys() - {register.id for register in there.others}
            ways.append(({place for place, *_ in written.refused} | lacking, set(written.undecided)))
    return ways


def word(ways: list[tuple[set[int], set[int]]]) -> str:
    words = {"refused" if refused else "undecided" if undecided else "taken" for refused, undecided in ways}
    return words.pop() if len(words) == 1 else "undecided"


RESTORES = [(*source.split("/"), destination, frozenset(int(register, 16) for register, _ in DATA["refusals"][number]))
            for source, destination, number in DATA["restores"]]  # fmt: skip


def test_with_probes_every_refused_register_is_foretold() -> None:
    """A host is probed with what `-cpu host` turns on there; of a guest with other features some values are not known."""
    undecided = 0
    for source, which, destination, refused in RESTORES:
        real = {register for register in refused if not fw.is_firmware(register)}
        ways = told(source, destination, which, "probe")
        for foretold, open_ones in ways:
            assert foretold <= real, (source, destination, which, [name(register) for register in foretold - real])
            assert real - foretold <= open_ones, (source, destination, which, [name(register) for register in real - foretold])
        undecided += word(ways) == "undecided"
    assert undecided < len(RESTORES) // 15


@pytest.mark.parametrize("which", WHICH)
def test_without_probes_nothing_that_was_refused_is_called_taken(which: str) -> None:
    outcomes: Counter[str] = Counter()
    for source, this, destination, refused in RESTORES:
        if this == which:
            said = word(told(source, destination, which, "facts"))
            real = "refused" if any(not fw.is_firmware(register) for register in refused) else "taken"
            assert said in {real, "undecided"}, (source, destination)
            outcomes[said] += 1
    assert outcomes["undecided"] < sum(outcomes.values()) // 6


@pytest.mark.parametrize("host", DATA["hosts"])
def test_lists_and_values_are_foretold_from_facts(host: str) -> None:
    seen = registers(host, "whole")
    values = dict(seen)
    whole = offer(Release(DATA["hosts"][host]["kernel"], "qemu-11.1.3"), facts(host, "facts"))
    agree = [kvm for kvm in whole.kvms if agrees(kvm, values)]
    assert agree, host
    for kvm in agree:
        ids = [*(fw.BY_NAME[row].id for row in kvm.profile.registers), *(register.id for register in kvm.others)]
        assert ids == [register for register, _ in seen], host


def agrees(kvm: Kvm, values: dict[int, int]) -> bool:
    """Whether a candidate's PSCI versions, levels and known values are those that the probe read."""
    ids = {fw.BY_NAME[row].id for row in kvm.profile.registers} | {register.id for register in kvm.others}
    known = {register.id: register.value for register in kvm.others if register.value is not None}
    return (
        ids == values.keys()
        and all(values[place] == value for place, value in known.items())
        and kvm.profile.psci_default == values[fw.PSCI_VERSION.id]
    )
