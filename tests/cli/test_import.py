"""fleetplan import: facts into a folder, which then loads."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetplan.cli.exits import Exit

PEOPLES = """\
fleetplan: 1
target: {kernel: 6.18.15, vmm: qemu-11.1.3}
hosts: {}
"""
DOMAIN = """<domain id='1'><name>web</name><memory unit='GiB'>8</memory><vcpu>4</vcpu>
<os><type arch='aarch64' machine='virt-10.0'>hvm</type></os></domain>"""
PROBE = {
    "host": "arm-01", "kernel": "6.12.117", "vmm": "qemu-11.1.3", "midr": ["0x413fd0c1"], "vcpus": 80, "memory": "256GiB", "probe": {},
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inventory = tmp_path / "inventory"
    (inventory / "facts").mkdir(parents=True)
    (inventory / "fleet.yaml").write_text(PEOPLES)
    (tmp_path / "probes").mkdir()
    for host in ("arm-01", "arm-02"):
        (tmp_path / "probes" / f"{host}.json").write_text(json.dumps({**PROBE, "host": host}))
    (tmp_path / "web.xml").write_text(DOMAIN)
    return tmp_path


def test_what_was_imported_loads_and_what_people_wrote_is_as_it_was(fleetplan: Callable[..., Any], folder: Path) -> None:
    inventory = folder / "inventory"
    told = fleetplan("import", folder / "probes", f"arm-02={folder / 'web.xml'}", "-o", inventory)
    assert told.code == Exit.CLEAN, told
    assert "imported.jsonl: 2 hosts and 1 guest from 3 sources." in told.out
    assert "cat /proc/cmdline" in told.out
    assert fleetplan("check", inventory).code == Exit.CLEAN
    assert fleetplan("verdict", inventory, "web", "arm-01").code == Exit.CLEAN
    assert (inventory / "fleet.yaml").read_text() == PEOPLES
    assert sorted(path.name for path in inventory.rglob("*")) == ["facts", "fleet.yaml", "imported.jsonl"]


def test_an_import_is_in_place_of_all_facts(fleetplan: Callable[..., Any], folder: Path) -> None:
    facts = folder / "inventory" / "facts"
    (facts / "old.jsonl").write_text('{"host": "gone"}\n')
    told = fleetplan("import", folder / "probes", "-o", folder / "inventory", "--format", "json").json
    assert told["written"] == str(facts / "imported.jsonl")
    assert told["replaced"] == [str(facts / "old.jsonl")]
    assert (told["hosts"], told["guests"], told["findings"]) == (2, 0, [])
    assert [path.name for path in facts.iterdir()] == ["imported.jsonl"]
    assert {row["key"] for row in told["missing"]} == {"revidr", "cmdline", "vulnerabilities", "registers"}
    assert all(row["how"] and row["names"] == ["arm-01", "arm-02"] for row in told["missing"])


def test_a_source_that_cannot_be_used_keeps_all_from_being_written(fleetplan: Callable[..., Any], folder: Path) -> None:
    (folder / "bad.json").write_text("{")
    old = folder / "inventory" / "facts" / "old.jsonl"
    old.write_text("")
    told = fleetplan("import", folder / "bad.json", folder / "none.json", folder / "probes", "-o", folder / "inventory")
    assert told.code == Exit.USAGE
    assert "no JSON" in told.out
    assert "No such file" in told.out
    assert "Nothing was written." in told.out
    assert [path.name for path in old.parent.iterdir()] == ["old.jsonl"]


def test_sources_that_disagree_are_findings_and_the_rest_is_written(fleetplan: Callable[..., Any], folder: Path) -> None:
    other = folder / "other.json"
    other.write_text(json.dumps({**PROBE, "kernel": "6.18.15"}))
    told = fleetplan("import", folder / "probes", other, "-o", folder / "inventory")
    assert told.code == Exit.FINDINGS
    assert "`kernel` of host `arm-01` is 6.18.15 in" in told.out
    assert "kernel" not in json.loads((folder / "inventory" / "facts" / "imported.jsonl").read_text().splitlines()[0])


def test_stdin_is_a_source(fleetplan: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(DOMAIN.encode())))
    told = fleetplan("import", "-", "--host", "arm-01", "--as", "virsh-dumpxml", "-o", folder / "new")
    assert told.code == Exit.CLEAN
    assert json.loads((folder / "new" / "facts" / "imported.jsonl").read_text())["on"] == "arm-01"


def test_a_folder_that_cannot_be_written_is_told(fleetplan: Callable[..., Any], folder: Path) -> None:
    (folder / "taken").mkdir()
    (folder / "taken" / "facts").write_text("a file")
    told = fleetplan("import", folder / "probes", "-o", folder / "taken")
    assert told.code == Exit.USAGE
    assert "cannot import" in told.out
