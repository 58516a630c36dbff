"""Real migrations of real QEMUs (`scripts/compact_migrations.py`) against the verdict."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, Release
from fleetplan.migration.classes import ClassTable, Judgment
from fleetplan.migration.reasons import ReasonKind, Stage, Verdict
from fleetplan.migration.recognise import printers, read
from fleetplan.migration.verdict import judge
from fleetplan.migration.vmm import Text
from fleetplan.migration.wordings import Role, display

DATA = json.loads((Path(__file__).resolve().parent.parent / "data" / "migrations.json").read_text())
PASSES = {Verdict.SAFE, Verdict.CHANGES, Verdict.STRIPS}
VERSIONS = {"5.2": "qemu-5.2.0", "7.2": "qemu-7.2.18", "10.0": "qemu-10.0.13", "11.1": "qemu-11.1.3"}


def host_of(name: str, place: str, *, probed: bool) -> Host:
    end = DATA["hosts"][name]
    registers = tuple((int(register, 16), int(value, 16)) for register, value in end["registers"]) if probed else None
    facts = HostFacts(
        cpu=end["cpu"],
        midr=int(end["midr"], 16),
        revidr=int(end["revidr"], 16),
        vulnerabilities=end["vulnerabilities"],
        registers=registers,
    )
    return Host(name=HostName(place), release=Release(end["kernel"], VERSIONS[end["qemu"]]), vcpus=8, memory_mib=1, facts=facts)


def judged(migration: dict[str, Any], *, probed: bool) -> Judgment:
    """The verdict on one migration. QEMU was started by hand on both ends: the source's pin was sent along only where it says so."""
    source = host_of(migration["source"], "a", probed=probed)
    destination = host_of(migration["destination"], "b", probed=probed)
    guest = Guest(name=GuestName("g"), on=HostName("a"), vcpus=1, memory_mib=1, born=Birth(psci=migration["pin"]))
    table = ClassTable(Fleet(target=destination.release, hosts=(source, destination), guests=(guest,)))
    state = table.guest_class(table.guests[0])
    if not migration["destination_pinned"]:
        state = replace(state, pin=None)
    return judge(state, table.host_class(table.hosts_now[0]), table.host_class(table.hosts_now[1]))


@pytest.mark.parametrize("migration", DATA["migrations"], ids=lambda row: f"{row['source']}>{row['destination']} {row['what']}")
def test_with_both_lists_every_migration_is_judged_right(migration: dict[str, Any]) -> None:
    judgment = judged(migration, probed=True)
    assert (judgment.verdict in PASSES) == migration["ok"], judgment.reasons
    assert judgment.verdict is not Verdict.UNKNOWN
    if not migration["ok"]:
        assert judgment.stage in stages_of(migration), judgment.reasons
        assert refused_of(judgment) == {register for register, *_ in migration.get("could_not_set", [])}


def stages_of(migration: dict[str, Any]) -> set[Stage]:
    """The stages that may have failed first, as far as the messages tell.

    5.2 to 10.0 print the same for merge and set; 11.1 names lacking registers also where its quirk lets the merge pass.
    """
    lines = migration["messages"]
    if lines[0].startswith("Invalid value"):
        return {Stage.LENGTH}
    if any("load of migration failed: Invalid argument" in line for line in lines):
        return {Stage.MERGE}
    if migration.get("fail_only_in_stream") or not migration.get("could_not_set"):
        return {Stage.MERGE, Stage.SET}
    return {Stage.SET}


def refused_of(judgment: Judgment) -> set[str]:
    """Registers that the predicted messages name as not set, without the prefix of 11.x."""
    lines = [line.removeprefix("Could not set register ") for line in judgment.messages if line.startswith("Could not set")]
    return {line.partition(" to ")[0].removeprefix("system register ") for line in lines}


def test_without_lists_nothing_that_failed_is_called_safe() -> None:
    table: Counter[tuple[bool, str]] = Counter()
    for migration in DATA["migrations"]:
        judgment = judged(migration, probed=False)
        table[migration["ok"], judgment.verdict.value] += 1
        assert migration["ok"] or judgment.verdict not in {Verdict.SAFE, Verdict.CHANGES}, migration
    assert table[True, Verdict.UNKNOWN.value] <= 7, "more migrations that went well are undecided than before"


# --- what was printed, read back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "migration", [row for row in DATA["migrations"] if not row["ok"]], ids=lambda row: f"{row['source']}>{row['destination']}"
)
def test_every_line_of_an_observed_failure_is_known(migration: dict[str, Any]) -> None:
    for text in migration["messages"]:
        reading = read(f"qemu-system-aarch64: {text}")
        assert [line.text for line in reading.lines] == [text]
        assert not reading.unread
    reading = read("\n".join(migration["messages"]))
    version = DATA["hosts"][migration["destination"]]["qemu"]
    numbers = tuple(int(number) for number in version.split("."))
    assert any(one.first <= numbers and (not one.before or numbers < one.before) for one in printers(reading) if not one.package)


@pytest.mark.parametrize("migration", DATA["migrations"], ids=lambda row: f"{row['source']}>{row['destination']} {row['what']}")
def test_every_message_that_a_judgment_makes_is_read_back(migration: dict[str, Any]) -> None:
    judgment = judged(migration, probed=True)
    reading = read("\n".join(judgment.messages))
    assert len(reading.lines) == len(judgment.messages)
    assert not reading.unread
    assert {line.facts for line in reading.lines} == {line.facts for text in judgment.messages for line in read(text).lines}
    if judgment.messages:
        assert judgment.stage in reading.stages
    if judgment.verdict is Verdict.FAILS and judgment.stage is Stage.SET:
        kinds = {ReasonKind.REFUSED_VALUE, ReasonKind.DIFFERENT_CPU}
        refused = {(one.id, one.source, one.destination) for one in judgment.reasons if one.kind in kinds}
        named = {(line.register, line.written, line.there) for line in reading.about(Role.REFUSED)}
        assert named <= refused
        assert named == refused or not named


@pytest.mark.parametrize("migration", [row for row in DATA["migrations"] if row.get("could_not_set")], ids=lambda row: row["what"])
def test_registers_that_real_qemus_named_are_read(migration: dict[str, Any]) -> None:
    for name, *values in migration["could_not_set"]:
        spelled = f"system register {name}" if name.startswith("op0") else name
        line = read(f"Could not set register {spelled} to {values[0]} (is {values[1]})").lines[0]
        assert display(Text.S3, line.register or 0) == name
        assert (line.written, line.there) == (int(values[0], 16), int(values[1], 16))
