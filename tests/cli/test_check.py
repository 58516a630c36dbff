"""`fleetplan check`: what is reported, what is taken off and counted, and nothing that fools it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fleetplan.cli import run
from fleetplan.cli.exits import Exit
from fleetplan.findings.examples import whole
from fleetplan.output.findings_formats import FORMATS
from fleetplan.output.prometheus import Metric, exposition

INVENTORIES = Path(__file__).resolve().parents[2] / "inventories"
Fleetplan = Callable[..., Any]
DAY = ("--as-of", "2026-11-24")

GUESTS = """\
guests:
  web-1: {on: arm-01, vcpus: 81, memory: 32GiB, born: {kernel: 6.12.117}}
  web-2: {on: arm-02, vcpus: 82, memory: 32GiB, born: {kernel: 6.1.176}, rebooted: never}
"""
"""Both hosts are over-committed, and a birth is not known."""

SOON, PAST = "2099-01-01", "2026-11-24"


def waiver(rule: str, scope: str, expires: str = SOON, kind: str = "rule") -> str:
    return f"- {{{kind}: {rule}, scope: ['{scope}'], reason: known, owner: ops, expires: {expires}}}\n"


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(whole(GUESTS))
    return path


def found(told: Any) -> list[tuple[str, str]]:
    """Rule and subject of each finding that is reported."""
    return [(finding["rule"], finding["subject"]) for finding in told.json["findings"]]


ALL = [("FP401", "arm-01"), ("FP401", "arm-02"), ("FP203", "web-2")]


def test_all_is_reported_the_worst_first(fleetplan: Fleetplan, fleet: Path) -> None:
    told = fleetplan("check", fleet, "--format", "json", *DAY)
    assert found(told) == ALL
    first = told.json["findings"][0]
    assert (first["hosts"], first["host_count"], first["line"], first["help"] != "") == (["arm-01"], 1, 6, True)


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (("--select", "FP401"), ALL[:2]),
        (("--select", "fp2xx,FP501"), ALL[2:]),
        (("--ignore", "FP4"), ALL[2:]),
        (("--select", "FP4,FP2", "--ignore", "FP401"), ALL[2:]),
        (("--limit", "host:arm-01"), ALL[:1]),
        (("--limit", "web-2"), ALL[2:]),
        (("--limit", "host:arm-02"), ALL[1:]),
    ],
)
def test_what_is_asked_for_is_reported(fleetplan: Fleetplan, fleet: Path, options: tuple[str, ...], left: list[tuple[str, str]]) -> None:
    assert found(fleetplan("check", fleet, "--format", "json", *options, *DAY)) == left


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--select", "FP999"), "there is no rule 'FP999'"),
        (("--select", "FP401,"), "there is no rule ''"),
        (("--ignore", "FPP401"), "did you mean FP401?"),
        (("--limit", "host:arm-99"), "picks no host and no guest"),
        (("--limit", " "), "--limit is empty"),
        (("--limit", "zoen:a"), "column 1: there is no key `zoen`; quote a word that has a colon in it; did you mean `zone`?"),
        (("--waivers", "x.yaml", "--no-waivers"), "take one of them"),
    ],
)
def test_what_means_nothing_is_refused(fleetplan: Fleetplan, fleet: Path, options: tuple[str, ...], said: str) -> None:
    told = fleetplan("check", fleet, *options, *DAY)
    assert told.code == Exit.USAGE
    assert said in told.err
    assert told.out == ""


def test_a_waiver_takes_off_what_is_in_its_scope_and_is_counted(fleetplan: Fleetplan, fleet: Path) -> None:
    fleet.write_text(fleet.read_text() + "waivers:\n" + waiver("FP401", "arm-01"))
    told = fleetplan("check", fleet, "--fail-on", "warning", "--format", "json", *DAY)
    assert found(told) == ALL[1:]
    assert [(waived["subject"], waived["waivers"][0]["owner"]) for waived in told.json["waived"]] == [("arm-01", "ops")]
    assert "Not shown: 1 waived." in fleetplan("check", fleet, *DAY).out
    assert found(fleetplan("check", fleet, "--no-waivers", "--format", "json", *DAY)) == ALL


def test_every_format_says_what_was_waived(fleetplan: Fleetplan, fleet: Path) -> None:
    fleet.write_text(fleet.read_text() + "waivers:\n" + waiver("FP401", "arm-01"))
    for form in ("markdown", "html"):
        assert "Not shown: 1 waived." in fleetplan("check", fleet, "--format", form, *DAY).out
    results = fleetplan("check", fleet, "--format", "sarif", *DAY).json["runs"][0]["results"]
    suppressed = [result for result in results if "suppressions" in result]
    assert len(results) == 3
    assert [result["suppressions"][0]["justification"] for result in suppressed] == ["known (ops, until 2099-01-01)"]


def test_a_finding_about_several_is_waived_only_for_all_of_them(fleetplan: Fleetplan, fleet: Path) -> None:
    several = whole(GUESTS.replace("born: {kernel: 6.12.117}", "born: {kernel: 6.1.176}, rebooted: never"))
    fleet.write_text(several + "waivers:\n" + waiver("FP203", "web-1"))
    assert ("FP203", "web-1") in found(fleetplan("check", fleet, "--format", "json", *DAY))
    fleet.write_text(several + "waivers:\n" + waiver("FP203", "web-1") + waiver("FP203", "web-2"))
    assert found(fleetplan("check", fleet, "--format", "json", *DAY)) == ALL[:2]


def test_waivers_may_stand_in_a_file_of_their_own(fleetplan: Fleetplan, fleet: Path, tmp_path: Path) -> None:
    own = tmp_path / "waivers.yaml"
    own.write_text("fleetplan: 1\nwaivers:\n" + waiver("FP401", "arm-*"))
    assert found(fleetplan("check", fleet, "--waivers", own, "--format", "json", *DAY)) == ALL[2:]
    own.write_text("waivers:\n" + waiver("FP401", "arm-*", expires=PAST))
    told = fleetplan("check", fleet, "--waivers", own, "--format", "json", *DAY)
    assert (told.code, found(told)[0]) == (Exit.FINDINGS, ("FP502", "FP401"))


@pytest.mark.parametrize("text", ["waivers: {}\n", "guests: {}\n", "waivers:\n- {rule: FP401, scope: ['*']}\n", ""])
def test_a_file_of_waivers_that_is_none_is_refused(fleetplan: Fleetplan, fleet: Path, tmp_path: Path, text: str) -> None:
    own = tmp_path / "waivers.yaml"
    own.write_text(text)
    told = fleetplan("check", fleet, "--waivers", own, "--format", "json", *DAY)
    assert told.code == Exit.USAGE
    assert all(finding["file"].endswith("waivers.yaml") for finding in told.json["findings"])


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (waiver("FP401", "arm-01", expires=PAST), "FP502"),
        (waiver("FP401", "arm-99"), "FP503"),
        (waiver("STD_BMAP", "*", kind="register"), "FP503"),
        (waiver("FP4O1", "*"), "FP504"),
        (waiver("STD_BMPA", "*", kind="register"), "FP504"),
        (waiver("FP105", "*"), "FP505"),
        (waiver("FP502", "*"), "FP505"),
    ],
)
def test_a_waiver_that_does_nothing_is_a_finding_that_nothing_takes_off(
    fleetplan: Fleetplan, fleet: Path, tmp_path: Path, line: str, rule: str
) -> None:
    fleet.write_text(fleet.read_text() + "waivers:\n" + line + waiver(rule, "*"))
    baseline = tmp_path / "baseline.json"
    fleetplan("check", fleet, "--write-baseline", baseline, *DAY)
    told = fleetplan("check", fleet, "--baseline", baseline, "--fail-on", "warning", "--format", "json", *DAY)
    assert told.code == Exit.FINDINGS
    assert {found_rule for found_rule, _ in found(told)} == {rule, "FP505"}


def test_a_limit_does_not_make_waivers_seem_unused(fleetplan: Fleetplan, fleet: Path) -> None:
    fleet.write_text(fleet.read_text() + "waivers:\n" + waiver("FP401", "arm-01"))
    assert found(fleetplan("check", fleet, "--limit", "host:arm-02", "--format", "json", *DAY)) == ALL[1:]


def test_no_waiver_and_no_option_hides_wrong_input(fleetplan: Fleetplan, fleet: Path, tmp_path: Path) -> None:
    fleet.write_text(fleet.read_text().replace("on: arm-02", "on: arm-99") + "waivers:\n" + waiver("FP113", "*"))
    for options in ((), ("--ignore", "FP113"), ("--select", "FP5"), ("--limit", "web-1"), ("--no-waivers",)):
        told = fleetplan("check", fleet, *options, "--format", "json", *DAY)
        assert (told.code, found(told)) == (Exit.USAGE, [("FP113", "fleet.yaml")]) or found(told)[0][0] == "FP113"
        assert told.code == Exit.USAGE
    told = fleetplan("check", fleet, "--write-baseline", tmp_path / "b.json", *DAY)
    assert told.code == Exit.USAGE
    assert not (tmp_path / "b.json").exists()


def test_a_baseline_knows_what_was_there_though_lines_move_and_counts_change(fleetplan: Fleetplan, fleet: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    assert fleetplan("check", fleet, "--write-baseline", baseline, *DAY).code == Exit.CLEAN
    fleet.write_text("# a new line\n" + fleet.read_text().replace("vcpus: 81", "vcpus: 90"))
    told = fleetplan("check", fleet, "--baseline", baseline, "--fail-on", "note", "--format", "json", *DAY)
    assert (told.code, found(told), len(told.json["known"]), told.json["gone"]) == (Exit.CLEAN, [], 3, 0)
    assert "Not shown: 3 known from the baseline." in fleetplan("check", fleet, "--baseline", baseline, *DAY).out


def test_a_baseline_does_not_hide_what_is_new(fleetplan: Fleetplan, fleet: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    fleetplan("check", fleet, "--write-baseline", baseline, *DAY)
    fleet.write_text(
        whole(
            GUESTS.replace("vcpus: 81", "vcpus: 8")
            + "  web-3: {on: arm-01, vcpus: 90, memory: 300GiB, born: {kernel: 6.1.176}, rebooted: never}\n"
        )
    )
    told = fleetplan("check", fleet, "--baseline", baseline, "--format", "json", *DAY)
    assert [(finding["rule"], finding["facts"].get("resource")) for finding in told.json["findings"]] == [
        ("FP401", "MiB of memory"),
        ("FP203", None),
    ], "the same rule on the same host for another resource, and a birth of one more guest, are new"
    assert told.json["gone"] == 1


@pytest.mark.parametrize("text", ["", "{}", '{"version": 2, "findings": []}', '{"version": 1, "findings": [1]}', "[" * 100_000])
def test_a_baseline_that_is_none_is_refused(fleetplan: Fleetplan, fleet: Path, tmp_path: Path, text: str) -> None:
    baseline = tmp_path / "baseline.json"
    baseline.write_text(text)
    told = fleetplan("check", fleet, "--baseline", baseline, "--format", "json", *DAY)
    assert told.code == Exit.USAGE
    assert [rule for rule, _ in found(told)] == ["FP129"]


def test_a_baseline_is_the_same_however_often_it_is_written(fleetplan: Fleetplan, fleet: Path, tmp_path: Path) -> None:
    baseline = tmp_path / "baseline.json"
    fleetplan("check", fleet, "--write-baseline", baseline, *DAY)
    before = baseline.read_bytes()
    fleetplan("check", fleet, "--baseline", baseline, "--write-baseline", baseline, *DAY)
    assert baseline.read_bytes() == before
    assert len(json.loads(before)["findings"]) == 3


def test_a_target_that_cannot_be_reached_is_a_finding(fleetplan: Fleetplan, fleet: Path) -> None:
    stuck = "guests:\n  db-1: {on: arm-01, vcpus: 8, memory: 32GiB, migrate: never, born: {kernel: 6.12.117}}\n"
    fleet.write_text(whole(stuck))
    assert fleetplan("check", fleet, *DAY).code == Exit.CLEAN
    told = fleetplan("check", fleet, "--reach", "--format", "json", *DAY)
    assert (told.code, found(told)) == (Exit.FINDINGS, [("FP410", "db-1")])
    fleet.write_text(whole(stuck) + "waivers:\n" + waiver("FP410", "db-1"))
    assert fleetplan("check", fleet, "--reach", *DAY).code == Exit.CLEAN
    assert found(fleetplan("check", fleet, "--format", "json", *DAY)) == [], "a waiver of a rule that did not run is not unused"


def test_a_plan_stays_good_while_it_is_carried_out_and_not_when_the_target_moves(fleetplan: Fleetplan, fleet: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    fleet.write_text(whole(""))
    assert fleetplan("plan", fleet, "-o", plan, *DAY).code == Exit.CLEAN
    half = "hosts:\n  arm-01: {}\n  arm-02: {kernel: 6.18.15}\n"
    for part in ("", half, half.replace("arm-01: {}", "arm-01: {state: cordoned}")):
        fleet.write_text(whole(part))
        assert fleetplan("check", fleet, "--plan", plan, "--fail-on", "warning", *DAY).code == Exit.CLEAN
    fleet.write_text(whole("target: {kernel: 7.1.2, vmm: qemu-11.1.3}\n"))
    assert fleetplan("check", fleet, "--plan", plan, *DAY).code == Exit.REFUTED
    plan.write_text("{}")
    assert fleetplan("check", fleet, "--plan", plan, *DAY).code == Exit.USAGE


@pytest.mark.parametrize("form", ["text", *FORMATS])
@pytest.mark.parametrize("inventory", ["exposure.yaml", "none.yaml"])
def test_a_file_gets_what_stdout_would(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], form: str, inventory: str) -> None:
    asked = ["check", str(INVENTORIES / inventory), "--format", form, "--as-of", "2026-11-24"]
    code = run(asked)
    printed = capfdbinary.readouterr().out
    assert run([*asked, "-o", str(tmp_path / "report")]) == code == (2 if inventory == "none.yaml" else 1)
    assert capfdbinary.readouterr() == (b"", b"")
    assert (tmp_path / "report").read_bytes() == printed != b""


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check", str(INVENTORIES / "small.yaml"), "-o", str(tmp_path)]) == 2
    assert "Is a directory" in capsys.readouterr().err


def test_numbers_are_written_in_full() -> None:
    assert exposition((Metric("x", "y", [({}, 1234567.0), ({}, 0.5)]),)).splitlines()[2:] == ["x 1234567", "x 0.5"]
