"""What is read, and every way in which it can be wrong."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetplan.findings.finding import Severity
from fleetplan.findings.inventory_rules import INVENTORY_RULES
from fleetplan.fleet.model import HostState, Scope
from fleetplan.fleet.policy import Immovable, Share
from fleetplan.fleet.table import GuestTable
from fleetplan.inventory.digest import inventory_digest
from fleetplan.inventory.load import Loaded, load

Read = Callable[..., Loaded]
HEAD = "fleetplan: 1\ntarget: {kernel: 6.18.15, vmm: qemu-11.1.3}\n"
HOST = "kernel: 6.12.48, vmm: qemu-10.0.13, vcpus: 8, memory: 32GiB"
HOSTS = f"hosts:\n  a: {{{HOST}}}\n"


def rules_of(loaded: Loaded) -> list[str]:
    return [finding.rule for finding in loaded.findings]


def places_of(loaded: Loaded) -> list[tuple[int, int]]:
    return [(finding.at.line, finding.at.column) for finding in loaded.findings]


# --- what is right -------------------------------------------------------------------------------------------------------------------


def test_a_sound_inventory_is_read_whole(read: Read) -> None:
    text = HEAD + (
        "defaults: {host: {zone: z, reboot: 5m}, guest: {restart: ok}}\n"
        "policy:\n  max_unavailable: {fleet: 3, zone: 12.5%}\n  reserve: 5%\n  overcommit: {vcpus: 1.5}\n  immovable: skip\n"
        "  gates: [{after: every, soak: 1h, approval: true}]\n  windows: [{start: '22:00', end: '06:00', days: [sat, sun]}]\n"
        "  reversible: true\n  streams: 2\n"
        f"hosts:\n  b: {{like: a, state: cordoned, rack: r2, bandwidth: 10Gbit}}\n  a: {{{HOST}, registers: [[0x6030000000140000, 2]]}}\n"
        "groups: {web: {apart: rack}}\n"
        "guests:\n  g: {on: a, vcpus: 2, memory: 0.5GiB, group: web, born: {kernel: 6.10, psci: 1.0}, deny: b, dirty_rate: 100MiB}\n"
        "waivers: [{register: STD_BMAP, scope: 'g*', reason: r, owner: o, expires: 2027-01-01}]\n"
    )
    fleet = read(text).fleet
    assert fleet is not None
    a, b = fleet.hosts
    assert (a.name, a.zone, a.reboot_s, a.facts.registers) == ("a", "z", 300, ((0x6030000000140000, 2),))
    assert (b.state, b.rack, b.vcpus, b.facts, b.bandwidth_mib_s) == (HostState.CORDONED, "r2", 8, a.facts, 1192)
    (guest,) = fleet.guests
    assert guest.born is not None
    assert (guest.born.kernel, guest.born.psci, guest.memory_mib, guest.restartable, guest.deny) == ("6.10", "1.0", 512, True, ("b",))
    policy = fleet.policy
    assert (policy.max_unavailable.fleet, policy.max_unavailable.zone) == (Share(count=3), Share(per_mille=125))
    assert (policy.reserve_per_mille, policy.overcommit_vcpus_per_mille, policy.immovable) == (50, 1500, Immovable.SKIP)
    assert (policy.gates[0].after, policy.gates[0].soak_s, policy.windows[0].days) == (None, 3600, (6, 7))
    assert fleet.groups["web"].apart is Scope.RACK  # type: ignore[index] # a name is a text
    assert fleet.waivers[0].register == "STD_BMAP"


def test_versions_stay_the_text_that_was_written(read: Read) -> None:
    fleet = read(HEAD + "hosts: {a: {kernel: 6.10, vmm: qemu-10.0, vcpus: 1, memory: 1GiB, zone: no, rack: 017}}").fleet
    assert fleet is not None
    host = fleet.hosts[0]
    assert (host.release.kernel, host.zone, host.rack) == ("6.10", "no", "017")


def test_no_guests_and_no_policy_are_fine(read: Read) -> None:
    fleet = read(HEAD + HOSTS + "guests: {}\n").fleet
    assert fleet is not None
    assert str(fleet.policy.max_unavailable.zone) == "5%"


def test_json_of_the_same_shape_is_the_same(read: Read, sound: str) -> None:
    yaml_fleet = read(sound).fleet
    host = {"kernel": "6.12.48", "vmm": "qemu-10.0.13", "vcpus": 8, "memory": "32GiB"}
    document = {
        "fleetplan": 1,
        "target": {"kernel": "6.18.15", "vmm": "qemu-11.1.3"},
        "hosts": {"a": host, "b": {"like": "a", "cpu": None}},
        "guests": {"g": {"on": "a", "vcpus": 2, "memory": "4GiB"}},
    }
    for indent in (None, 2, "\t"):
        json_fleet = read(json.dumps(document, indent=indent), "fleet.json").fleet
        assert yaml_fleet is not None
        assert json_fleet is not None
        assert inventory_digest(json_fleet) == inventory_digest(yaml_fleet)


def test_the_digest_is_of_facts_not_of_bytes(read: Read, sound: str) -> None:
    def digest(text: str) -> str:
        fleet = read(text).fleet
        assert fleet is not None
        return inventory_digest(fleet)

    spelled = HEAD + f"guests:\n  g:\n    memory: 4096MiB\n    vcpus: 2\n    on: a\n# a remark\nhosts:\n  b: {{{HOST}}}\n  a: {{{HOST}}}\n"
    assert digest(spelled) == digest(sound)
    assert digest(sound.replace("vcpus: 2", "vcpus: 3")) != digest(sound)


def test_a_folder_is_one_inventory_and_people_override_facts(tmp_path: Path) -> None:
    (tmp_path / "facts").mkdir()
    (tmp_path / "policy.yaml").write_text(HEAD + "hosts: {a: {zone: mine}}\n")
    (tmp_path / "guests.yaml").write_text("guests: {g: {on: a, vcpus: 1, memory: 1GiB}}\n")
    fact = {"host": "a", "kernel": "6.12.48", "vmm": "qemu-10.0.13", "vcpus": 8, "memory": "32GiB", "zone": "theirs"}
    (tmp_path / "facts" / "hosts.jsonl").write_text(json.dumps(fact) + "\n")
    loaded = load(tmp_path)
    assert loaded.fleet is not None
    assert loaded.fleet.hosts[0].zone == "mine"
    assert rules_of(loaded) == ["FP130"]
    assert loaded.fleet.overrides[0].key == "zone"


# --- what is wrong -------------------------------------------------------------------------------------------------------------------

WRONG: dict[str, str | bytes] = {
    "FP102": "# nothing\n",
    "FP103": HEAD.encode() + b"hosts: {a: {zone: \x00}}\n",
    "FP104": HEAD + "hosts: {a: [}\n",
    "FP105": HEAD + "hosts:\n  a: {kernel: 6.12.48, vmm: qemu-10.0.13, vcpus: '8', memory: 32GiB}\n",
    "FP106": HEAD + f"hosts:\n  a: {{{HOST}, zne: b}}\n",
    "FP107": HEAD + f"hosts:\n  a: {{{HOST}}}\n  a: {{{HOST}}}\n",
    "FP108": HEAD + "hosts:\n  a: {kernel: 6.12.48, vmm: qemu-10.0.13, vcpus: 8}\n",
    "FP109": HEAD + f"hosts:\n  a:\n    zone:\n    {HOST.replace(', ', chr(10) + '    ')}\n",
    "FP110": HEAD + "hosts:\n  a: {kernel: 6.12.48, vmm: qemu-10.0.13, vcpus: 0, memory: 32GiB}\n",
    "FP111": HEAD + "hosts:\n  a: {kernel: 6.12.48, vmm: qemu-10.0.13, vcpus: 8, memory: 32}\n",
    "FP112": HEAD + f"hosts:\n  a: {{{HOST}, state: upp}}\n",
    "FP113": HEAD + HOSTS + "guests:\n  g: {on: aa, vcpus: 1, memory: 1GiB}\n",
    "FP114": HEAD + f"hosts:\n  a: {{{HOST}, like: b}}\n  b: {{like: a}}\n",
    "FP115": HEAD + f"hosts:\n  a: &x {{{HOST}}}\n  b: *x\n",
    "FP116": HEAD + f"hosts:\n  a: !python/object:os.system {{{HOST}}}\n",
    "FP117": HEAD + HOSTS + "---\nmore: 1\n",
    "FP118": HEAD + HOSTS + "policy: " + "[" * 40 + "]" * 40 + "\n",
    "FP119": HEAD + f"hosts:\n  a: {{{HOST}, cmdline: '{'x' * 70_000}'}}\n",
    "FP120": HEAD + f"hosts:\n  'a ': {{{HOST}}}\n",
    "FP121": HEAD + HOSTS.replace("6.12.48", "linux-6.12"),
    "FP122": HEAD + HOSTS.replace("qemu-10.0.13", "quemu-10.0.13"),
    "FP124": HEAD.replace("fleetplan: 1", "fleetplan: 2") + HOSTS,
    "FP127": HEAD + HOSTS + "guests:\n  g: {on: a, vcpus: 1, memory: 1GiB, psci_max: 2.0}\n",
}
ELSEWHERE = {
    "FP101": "test_what_cannot_be_read_is_told",
    "FP123": "test_what_cannot_be_read_is_told",
    "FP125": "test_facts_are_read_line_by_line",
    "FP126": "tests/inventory/test_planfile.py",
    "FP128": "tests/cli/test_vcpu.py",
    "FP129": "tests/findings/test_rules.py",
    "FP130": "test_a_folder_is_one_inventory_and_people_override_facts",
}


@pytest.mark.parametrize("rule", WRONG)
def test_what_is_wrong_is_told_by_its_rule(read: Read, rule: str) -> None:
    loaded = read(WRONG[rule])
    assert rule in rules_of(loaded)
    assert loaded.fleet is None


def test_every_rule_is_fired_by_some_test() -> None:
    assert {row.id for row in INVENTORY_RULES} == {*WRONG, *ELSEWHERE}
    assert all(row.severity is Severity.ERROR for row in INVENTORY_RULES if row.id != "FP130")


def test_places_are_exact_and_lines_are_quoted(read: Read) -> None:
    loaded = read(HEAD + f"hosts:\n  a: {{{HOST}, zne: b}}\nguests:\n  g: {{on: aa, vcpus: 1, memory: 1GiB}}\n")
    assert places_of(loaded) == [(4, 68), (6, 11)]
    assert [finding.facts["suggestion"] for finding in loaded.findings] == ["zone", "a"]
    assert loaded.findings[1].excerpt == "  g: {on: aa, vcpus: 1, memory: 1GiB}"


def test_all_problems_are_told_at_once(read: Read) -> None:
    broken = "".join(f"  h{number}: {{kernel: 6.12.48, vmm: qemu-10.0.13, vcpus: -1, memory: 1GiB, x: 1}}\n" for number in range(500))
    loaded = read(HEAD + "hosts:\n" + broken)
    assert len(loaded.findings) == 1000
    assert sum(bool(finding.excerpt) for finding in loaded.findings) == 50
    assert list(loaded.findings) == sorted(loaded.findings, key=lambda finding: finding.sort_key())


def test_one_mistake_is_told_once(read: Read) -> None:
    """A broken host still is a host: its guests are not dangling, and what is like it misses nothing."""
    loaded = read(HEAD + f"hosts:\n  a: {{{HOST}, zne: b}}\n  b: {{like: a}}\nguests:\n  g: {{on: a, vcpus: 1, memory: 1GiB}}\n")
    assert rules_of(loaded) == ["FP106"]


@pytest.mark.parametrize(
    ("text", "rule"),
    [("", "FP102"), ("- a\n- b\n", "FP105"), ("just text", "FP105"), ("{", "FP104"), ("\ttabs: 1", "FP104"), (b"\xff\xfe", "FP103")],
)
def test_what_is_no_inventory_at_all(read: Read, text: str | bytes, rule: str) -> None:
    assert rules_of(read(text))[0] == rule


def test_a_mapping_without_what_it_must_have(read: Read) -> None:
    assert [finding.facts["key"] for finding in read("groups: {}\n").findings] == ["fleetplan", "hosts", "target"]


def test_merge_keys_are_refused(read: Read) -> None:
    assert "FP115" in rules_of(read(HEAD + f"hosts:\n  a: {{{HOST}, <<: {{zone: a}}}}\n"))


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    assert rules_of(load(tmp_path / "nothing.yaml")) == ["FP101"]
    assert rules_of(load(tmp_path)) == ["FP123"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text(HEAD)
    path.chmod(0)
    assert rules_of(load(path)) == ["FP101"]


def test_a_file_whose_reading_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "fleet.yaml"
    path.write_text(HEAD)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    loaded = load(path)
    assert rules_of(loaded) == ["FP101"]
    assert loaded.findings[0].facts["problem"] == "Permission denied"


def test_facts_are_read_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "facts").mkdir()
    (tmp_path / "policy.yaml").write_text(HEAD)
    lines = ['{"host": "a", "vcpus": "8"}', "{broken", '{"neither": 1}', '{"host": "b", "guest": "b"}', '["list"]']
    (tmp_path / "facts" / "hosts.jsonl").write_text("\n".join(lines) + "\n")
    loaded = load(tmp_path)
    assert [(finding.rule, finding.at.line) for finding in loaded.findings] == [
        ("FP105", 1),
        ("FP104", 2),
        ("FP125", 3),
        ("FP125", 4),
        ("FP125", 5),
    ]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(20)
)

PEAK = """
import resource, sys
from pathlib import Path
from fleetplan.inventory.load import load
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
loaded = load(Path(sys.argv[1]))
print(loaded.fleet, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("text", [BOMB, "[" * 200_000, "{a: " * 100_000, "x" * 5_000_000], ids=["aliases", "lists", "mappings", "scalar"])
def test_hostile_input_is_refused_in_bounded_memory(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(text)
    done = subprocess.run([sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True, timeout=60)
    fleet, grown_kib = done.stdout.split()
    assert fleet == "None"
    assert int(grown_kib) < 100 * 1024
    assert resource.RLIM_INFINITY


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(st.text(), st.binary(), st.text(alphabet="{}[]:,-&*!'\"# \nabgh01")))
def test_no_text_raises(read: Read, text: str | bytes) -> None:
    loaded = read(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text)
    assert (loaded.fleet is None) == bool(loaded.findings)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_damage_to_a_sound_inventory_raises(read: Read, sound: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(sound) - 1))
    damaged = sound[:at] + data.draw(st.text(max_size=3)) + sound[at + data.draw(st.integers(0, 5)) :]
    loaded = read(damaged.encode("utf-8", "surrogatepass"))
    assert loaded.fleet is not None or loaded.findings


def test_the_digest_does_not_depend_on_how_guests_came_into_the_table(read: Read) -> None:
    groups = "groups: {v: {}, w: {}}\n"
    hosts = f"hosts:\n  a: {{{HOST}}}\n  b: {{{HOST}}}\n"
    guests = [f"  g{number}: {{on: {'ab'[number % 2]}, vcpus: 1, memory: 1GiB, group: {'wv'[number // 3]}}}\n" for number in range(6)]
    first, second = (read(HEAD + hosts + groups + "guests:\n" + "".join(order)).fleet for order in (guests, guests[::-1]))
    assert first is not None
    assert second is not None
    again = GuestTable.of(reversed(list(reversed(first.guests))))
    digests = {inventory_digest(fleet) for fleet in (first, second, msgspec.structs.replace(first, guests=again))}
    assert len(digests) == 1
    changes = [{"on": "b"}, {"vcpus": 2}, {"memory_mib": 1}, {"group": None}, {"dirty_rate_mib_s": 1}, {"restartable": True}, {"name": "h"}]
    for change in changes:
        changed = [msgspec.structs.replace(first.guests[0], **change), *first.guests[1:]]
        digests.add(inventory_digest(msgspec.structs.replace(first, guests=changed)))
    assert len(digests) == 1 + len(changes)
