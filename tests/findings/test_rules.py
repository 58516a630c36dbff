"""Every rule has an example that it fires on, and the same mended, on which it does not: the examples that people read are run here."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import pytest

from fleetplan import workflow
from fleetplan.cli import run
from fleetplan.findings.catalogue import FORM, RULES
from fleetplan.findings.examples import whole
from fleetplan.findings.finding import Finding, Rule
from fleetplan.importers.run import run as run_import
from fleetplan.importers.source import Source
from fleetplan.inventory.baseline import read_baseline
from fleetplan.inventory.events import LONGEST
from fleetplan.inventory.operations import read_operations
from fleetplan.inventory.planfile import read_plan
from fleetplan.migration import crossings
from fleetplan.output.views.findings import fix, message

ROOT = Path(__file__).resolve().parent.parent.parent

TODAY = date(2026, 11, 24)
ASKED = workflow.Examined(reach=True)

Found = list[Finding]


def checked(path: Path, asked: workflow.Examined = ASKED) -> Found:
    try:
        return list(workflow.check(workflow.study(path, TODAY), asked).findings)
    except workflow.InputRefusedError as refused:
        return list(refused.findings)


def as_inventory(part: str, folder: Path) -> Found:
    path = folder / "fleet.yaml"
    path.write_text(whole(part.replace("…", "v" * LONGEST)))
    return checked(path)


def as_whole_file(text: str, folder: Path) -> Found:
    path = folder / "fleet.yaml"
    path.write_text(text)
    return checked(path)


def as_facts(lines: str, folder: Path) -> Found:
    (folder / "facts").mkdir()
    people, facts = lines.split("# facts/hosts.jsonl\n")
    (folder / "fleet.yaml").write_text(whole(people))
    (folder / "facts" / "all.jsonl").write_text(facts)
    return checked(folder)


def as_plan(text: str, folder: Path) -> Found:
    path = folder / "plan.json"
    if text.startswith("$ fleetplan plan sound.yaml"):
        (folder / "sound.yaml").write_text(whole(""))
        assert run(["plan", str(folder / "sound.yaml"), "-o", str(path)]) == 0
    else:
        path.write_text(text)
    found = read_plan(path)
    return list(found) if isinstance(found, tuple) else []


def as_operations(text: str, folder: Path) -> Found:
    path = folder / "ops.jsonl"
    path.write_text(text)
    return [entry for entry in read_operations(path) if isinstance(entry, Finding)]


def as_baseline(text: str, folder: Path) -> Found:
    path = folder / "baseline.json"
    path.write_text(text)
    return list(read_baseline(path)[1])


def as_commands(lines: str, folder: Path) -> Found:
    """A session in a shell; `sound.yaml` is a sound inventory."""
    found: Found = []
    for line in lines.splitlines():
        _, verb, *arguments = line.split()
        path = folder / arguments[-1]
        match verb:
            case "mkdir":
                path.mkdir()
            case "cp":
                path.write_text(whole(""))
            case "printf":
                path.write_bytes(path.read_bytes() + b"\xff")
            case "fleetplan":
                found += checked(path)
    return found


def as_under_way(text: str, folder: Path) -> Found:
    """The plan of the sound fleet, and then that fleet as the text says."""
    path, plan = folder / "fleet.yaml", folder / "plan.json"
    path.write_text(whole(""))
    assert run(["plan", str(path), "-o", str(plan)]) == 0
    if "taken out" in text:
        plan.write_text(json.dumps({**json.loads(plan.read_text()), "waves": []}))
    path.write_text(whole(text))
    return checked(path, workflow.Examined(plan=plan))


def as_sources(lines: str, folder: Path) -> Found:
    """A source of an import in each line, after HOST= where it is that host's."""
    sources = []
    for number, line in enumerate(lines.splitlines(), 1):
        host, _, data = line.partition("=") if line[0] not in "<{" else ("", "", line)
        sources.append(Source(name=f"source-{number}", data=data.encode(), host=host or None))
    return list(run_import(sources).imported.findings)


READ_AS: Mapping[str, Callable[[str, Path], Found]] = {
    "FP101": as_commands,
    "FP102": as_whole_file,
    "FP103": as_commands,
    "FP123": as_commands,
    "FP125": as_facts,
    "FP126": as_plan,
    "FP128": as_operations,
    "FP129": as_baseline,
    "FP130": as_facts,
    **dict.fromkeys(("FP140", "FP141", "FP142", "FP143", "FP144"), as_sources),
    **dict.fromkeys(("FP420", "FP421", "FP422", "FP423"), as_under_way),
}
"""How an example is read that is no part of an inventory."""


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_fires_on_its_example_and_not_once_that_is_mended(rule: Rule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if rule.id == "FP214":
        # A fleet of so many kinds is too long for an example: here one of two kinds is too many.
        monkeypatch.setattr(crossings, "MOST_CROSSINGS", 1)
    read = READ_AS.get(rule.id, as_inventory)
    for folder in ("example", "mended"):
        (tmp_path / folder).mkdir()
    fired = [finding for finding in read(rule.example, tmp_path / "example") if finding.rule == rule.id]
    assert fired
    assert rule.id not in [finding.rule for finding in read(rule.mended, tmp_path / "mended")]
    for finding in fired:
        assert not re.search(r"[{}]", re.sub(r"`[^`]*`", "", fix(finding))), "a fact of `fix` is missing"
        assert message(finding)
        assert not rule.same_by or set(rule.same_by) & set(finding.facts) or rule.id in FORM


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_a_rule_says_all_that_it_has_to(rule: Rule) -> None:
    assert re.fullmatch(r"FP[1-5]\d\d", rule.id)
    assert all((rule.title, rule.message, rule.help, rule.fix, rule.source, rule.example, rule.mended))
    assert rule.fact or rule.id[2] in "145"
    assert not rule.title.endswith(".")


def test_nothing_is_found_in_the_inventory_that_examples_are_part_of(tmp_path: Path) -> None:
    assert as_inventory("", tmp_path) == []


def test_the_page_of_rules_is_in_step(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "--all", "--format", "markdown"]) == 0
    page = ROOT / "docs" / "rules.md"
    printed = capfd.readouterr().out
    if os.environ.get("FLEETPLAN_BLESS"):
        page.write_text(printed)
    assert page.read_text() == printed
