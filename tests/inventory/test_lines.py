"""Lines of facts read fast say what they say read exactly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetplan.inventory import lines, schema
from fleetplan.inventory.digest import inventory_digest
from fleetplan.inventory.load import Loaded, load
from fleetplan.inventory.plain import PlainGuests, PlainHosts, UnplainError

HEAD = "fleetplan: 1\ntarget: {kernel: 6.18.15, vmm: qemu-11.1.3}\n"
HOST = {"kernel": "6.12.48", "vmm": "qemu-10.0.13", "vcpus": 8, "memory": "32GiB"}
GUEST = {"on": "a", "vcpus": 2, "memory": "4GiB"}


class Reader:
    """Loads a folder both ways."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "facts").mkdir()

    def write(self, people: str, *facts: bytes) -> None:
        (self.folder / "policy.yaml").write_text(people)
        for old in (self.folder / "facts").iterdir():
            old.unlink()
        for number, data in enumerate(facts):
            (self.folder / "facts" / f"{number}.jsonl").write_bytes(data)

    def fast(self) -> Loaded:
        return load(self.folder)

    def exact(self) -> Loaded:
        with patch.object(PlainHosts, "take", side_effect=UnplainError), patch.object(PlainGuests, "take", side_effect=UnplainError):
            return load(self.folder)

    def same(self) -> Loaded:
        fast, exact = self.fast(), self.exact()
        assert fast.findings == exact.findings
        assert fast.fleet == exact.fleet
        if fast.fleet is not None and exact.fleet is not None:
            assert inventory_digest(fast.fleet) == inventory_digest(exact.fleet)
        return fast


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path)


def lines_of(*facts: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(fact).encode() + b"\n" for fact in facts)


# --- what is taken fast --------------------------------------------------------------------------------------------------------------


def test_sound_lines_are_taken_fast(reader: Reader) -> None:
    hosts = [{"host": f"h{number}", **HOST, "zone": "z", "address": "[fe80::1]:22"} for number in range(50)]
    guests = [
        {"guest": f"g{number:03}", **GUEST, "on": f"h{number % 50}", "born": {"kernel": "6.1"}, "group": None} for number in range(500)
    ]
    reader.write(HEAD, lines_of(*guests, *hosts))
    with patch.object(lines, "read_fact", side_effect=AssertionError):
        fleet = reader.fast().fleet
    assert fleet is not None
    assert (len(fleet.hosts), len(fleet.guests)) == (50, 500)
    reader.same()


def test_one_bad_line_leaves_the_others_fast(reader: Reader) -> None:
    guests = [{"guest": f"g{number:03}", **GUEST, "vcpus": 2 if number != 77 else "2"} for number in range(500)]
    reader.write(HEAD, lines_of({"host": "a", **HOST}), lines_of(*guests))
    with patch.object(lines, "read_fact", wraps=lines.read_fact) as exact:
        loaded = reader.fast()
    assert exact.call_count == 1
    assert [(finding.rule, finding.at.line, finding.at.column) for finding in loaded.findings] == [("FP105", 78, 39)]
    reader.same()


def test_of_two_plain_lines_with_one_name_the_second_is_told(reader: Reader) -> None:
    guests = [{"guest": name, **GUEST} for name in ("b", "a", "c", "a", "a")]
    reader.write(HEAD, lines_of({"host": "a", **HOST}, {"host": "b", **HOST}, *guests), lines_of({"host": "b", **HOST}))
    loaded = reader.same()
    assert [(finding.rule, Path(finding.at.file).name, finding.at.line) for finding in loaded.findings] == [
        ("FP107", "0.jsonl", 6),
        ("FP107", "0.jsonl", 7),
        ("FP107", "1.jsonl", 1),
    ]


def test_what_a_line_is_like_is_found_though_its_name_is_given_twice(reader: Reader) -> None:
    reader.write(HEAD, lines_of({"host": "a", **HOST}, {"host": "b", "like": "a"}, {"host": "b", "zne": 1}))
    assert [finding.rule for finding in reader.same().findings] == ["FP107"]


@pytest.mark.parametrize(
    "line",
    [
        b'{"guest": "g", "on": "a", "vcpus": 1, "vcpus": 2, "memory": "1GiB"}',
        b'{"guest": "g", "on": "a", "vcpus": 1, "vcpus" : 2, "memory": "1GiB"}',
        b'{"guest": "g", "on": "a", "vcpus": 1, "memory": "1GiB", "born": {"psci": "1.0", "psci": "1.1"}}',
        b'{"guest": "g", "on": "a", "vcpus": 1, "memory": "1GiB", "machine": "a", "machine": "a"}',
        b'{"guest": "g", "on": "a", "vcpus": 1.0, "memory": "1GiB"}',
        b'{"guest": "g", "on": "a", "vcpus": 1, "memory": "1GiB"} {"guest": "h"}',
        b'{"guest": "g", "on": "a", "vcpus": 1, "memory":\n"1GiB"}',
        b'{"guest": "g", "on": "a", "vcpus": 1, "memory": "1GiB", "machine": "\\ud83d\\ude00"}',
        b'{"guest": "\\ud83d\\ude00", "on": "a", "vcpus": 1, "memory": "1GiB"}',
        b'\t{"guest": "g", "on": "a", "vcpus": 1, "memory": "1GiB"}',
        b'{"guest": "g", "on": "a", "vcpus": 1, "memory":\n"1GiB"}\n' + 2 * b'{"guest": "j", "on": "a", "vcpus": 1, "memory": "1GiB"}',
        b'{"guest": "g\xc2\xad", "on": "a", "vcpus": 1, "memory": "1GiB"}',
        b'{"guest": "g ", "on": "a", "vcpus": 1, "memory": "1GiB"}',
        b'{"guest": "", "on": "a", "vcpus": 1, "memory": "1GiB"}',
        b'{"guest": 7, "on": "a", "vcpus": 1, "memory": "1GiB"}',
        b'{"guest": "g", "on": "a\xe2\x80\xa8", "vcpus": 1, "memory": "1GiB"}',
        b'{"guest": "g", "on": "b", "vcpus": 1, "memory": "1GiB"}',
        b'{"guest": "g", "on": "a", "vcpus": 1, "memory": "1GiB", "group": "w"}',
        b'{"guest": "g", "on": "a", "vcpus": 1, "memory": "1GiB", "deny": ["b", "b*"]}',
        b'{"guest": "g", "on": "a", "vcpus": 65537, "memory": "1GiB"}',
        b'{"guest": "g", "on": "a", "vcpus": 1, "memory": "0MiB"}',
        b'{"guest": "g", "on": "a", "vcpus": 1, "memory": "1GiB", "dirty_rate": "1"}',
        b'{"guest": "' + b"g" * 254 + b'", "on": "a", "vcpus": 1, "memory": "1GiB"}',
        b'{"guest": "g", "on": "' + b"a" * 70_000 + b'", "vcpus": 1, "memory": "1GiB"}',
        b'{"guest": "g", "like": "h"}',
        b"# no fact",
        b"[" * 5_000,
        b"\x7f",
        b"\xff",
    ],
)
def test_a_line_that_is_not_plain_is_told_as_the_exact_reader_tells_it(reader: Reader, line: bytes) -> None:
    plain = lines_of({"host": "a", **HOST}, {"guest": "h", **GUEST})
    reader.write(HEAD, plain + line + b"\n" + lines_of({"guest": "i", **GUEST}))
    assert reader.same().findings or b"like" in line or b"7," in line


# --- anything at all -----------------------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["a", "b", "c", "é", "x:y", "", " a", "5", "t\t", "n" * 254])
SOUND: dict[str, st.SearchStrategy[Any]] = {
    "kernel": st.sampled_from(["6.12.48", "6.1.140"]),
    "vmm": st.sampled_from(["qemu-10.0.13", "qemu-11.1.3"]),
    "vcpus": st.integers(1, 65_536),
    "memory": st.sampled_from(["1GiB", "2.5GiB", "7MiB"]),
    "on": st.sampled_from(["a", "b"]),
    "group": st.none() | st.just("w"),
    "migrate": st.sampled_from(["always", "never"]),
    "dirty_rate": st.none() | st.just("100MiB"),
    "born": st.just({"kernel": "6.1"}),
    "deny": st.just(["b*"]),
    "zone": st.none() | st.sampled_from(["", "z"]),
    "address": st.none() | st.just("fe80::1"),
    "vulnerabilities": st.just({"spectre_v2": "Mitigation: CSV2, BHB"}),
    "midr": st.sampled_from(["0x413fd0c1", ["0x413fd0c1", "0x410fd490"]]),
}
ODD = st.sampled_from([None, 0, -1, 1.5, True, "", "é", "x:y", "b\\c", "\u2028", "6.1", "1GiB", [], ["a"], {}, {"kernel": "6.1"}, "never"])
KEYS = {"host": [key for key in SOUND if key in schema.HOST], "guest": [key for key in SOUND if key in schema.GUEST]}
NEEDED = {"host": {"kernel", "vmm", "vcpus", "memory"}, "guest": {"on", "vcpus", "memory"}}


@st.composite
def facts(draw: st.DrawFn) -> bytes:
    noun = draw(st.sampled_from(["host", "guest"]))
    keys = [key for key in draw(st.permutations(KEYS[noun])) if key in NEEDED[noun] or draw(st.booleans())]
    pairs = [(noun, draw(st.sampled_from(["a", "b", "c"]) | NAMES)), *((key, draw(SOUND[key])) for key in keys)]
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        key = draw(st.sampled_from([*keys, "like", "zne", "host", "guest", "psci_max"]))
        pairs.insert(draw(st.integers(0, len(pairs))), (key, draw(ODD | SOUND["on"])))
    ascii_only, colon, comma = draw(st.booleans()), draw(st.sampled_from([": ", ":", " : ", ":\t"])), draw(st.sampled_from([", ", ","]))
    return ("{" + comma.join(json.dumps(key) + colon + json.dumps(value, ensure_ascii=ascii_only) for key, value in pairs) + "}").encode()


JUNK = st.sampled_from([b"", b"  ", b"{", b"{}", b'"a"', b"# x", b"---", b"{}{}", b"\xff", b"\r"]) | st.binary(max_size=6)
PEOPLE = st.sampled_from(
    [
        "",
        "groups: {w: {apart: host}}\n",
        "hosts: {a: {zone: mine}}\n",
        "guests: {a: {on: b, vcpus: 3}, d: {like: b}}\n",
        "defaults: {guest: {group: w, dirty_rate: 1MiB, machine: virt-9.0}, host: {zone: q, rack: r}}\ngroups: {w: {}}\n",
        "defaults: {guest: {on: a, memory: 1GiB}, host: {kernel: 6.1}}\n",
    ]
)


def joined(parts: list[bytes], end: bytes) -> Iterator[bytes]:
    for part in parts:
        yield part + end


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    people=PEOPLE,
    first=st.lists(facts(), max_size=6),
    second=st.lists(facts() | JUNK, max_size=4),
    end=st.sampled_from([b"\n", b"\n", b"\r\n"]),
)
def test_fast_and_exact_say_the_same(reader: Reader, people: str, first: list[bytes], second: list[bytes], end: bytes) -> None:
    sound = [json.dumps({"host": "a", **HOST}).encode()]
    reader.write(HEAD + people, b"".join(joined(first + sound, b"\n")), b"".join(joined(second, end)).removesuffix(b"\n"))
    reader.same()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 300), data=st.lists(facts() | JUNK, max_size=8))
def test_chunks_do_not_matter(reader: Reader, size: int, data: list[bytes]) -> None:
    reader.write(HEAD, b"\n".join(data))
    with patch.object(lines, "CHUNK", size):
        small = reader.fast()
    assert small == reader.fast()


def test_every_key_is_read_as_the_tables_say(reader: Reader) -> None:
    """Every key of the schema is either a column or learnt from the exact reader: none sends its line to be read slowly."""
    values: dict[str, Any] = {
        "host": {
            "cpu": "neoverse-n1",
            "midr": "0x413fd0c1",
            "revidr": "0x0",
            "cmdline": "quiet: a",
            "vulnerabilities": {"spectre_v2": "a: b"},
            "workarounds": {"arch_workaround_1": 1},
            "registers": [["0x6030000000140000", "0x10001"]],
            "masks": {"0x6030000000140000": "0x1"},
            "vmm_profile": None,
            "firmware": "x",
            "ipa_bits": 48,
            "sve": [128],
            "features": ["pmu"],
            "gic": [3],
            "hugepages": {"2MiB": 512},
            "counter_hz": 1000,
            "zone": "z",
            "rack": "r",
            "pool": "p",
            "address": "h:1",
            "state": "up",
            "bandwidth": "25Gbit",
            "reboot": "5m",
            "last": True,
            "read_on": {"kernel": "6.1", "vmm": "qemu-9.0"},
        },
        "guest": {
            "group": "w",
            "migrate": "never",
            "restart": "ok",
            "born": {"kernel": "6.1", "psci": "1.0"},
            "rebooted": "never",
            "psci_max": "1.0",
            "vmm": "qemu-9.0",
            "machine": "virt-9.0",
            "ipa_bits": 40,
            "sve": [],
            "features": ["pmu"],
            "gic": 3,
            "hugepages": "2MiB",
            "devices": ["0000:01:00.0"],
            "disks": "local",
            "bound_to": "0x413fd0c1",
            "allow": ["a*"],
            "deny": "b*",
            "dirty_rate": "1MiB",
        },
    }
    assert set(values["host"]) == {*schema.HOST} - {*HOST, "like"}
    assert set(values["guest"]) == {*schema.GUEST} - {*GUEST, "like"}
    reader.write(HEAD + "groups: {w: {}}\n", lines_of({"host": "a", **HOST, **values["host"]}, {"guest": "g", **GUEST, **values["guest"]}))
    with patch.object(lines, "read_fact", side_effect=AssertionError):
        assert reader.fast().fleet is not None
    reader.same()
