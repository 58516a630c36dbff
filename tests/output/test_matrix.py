"""The matrix in text, JSON, DOT and Mermaid, and the names of classes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleetplan.cli import run
from fleetplan.fleet.model import HostFacts
from fleetplan.migration.reasons import Stage, Verdict
from fleetplan.output.class_names import _letters, cpu_words
from fleetplan.output.risk import VERDICTS
from fleetplan.output.state_sentences import first
from fleetplan.output.views import matrix as view
from fleetplan.output.views.matrix import ruling_words

ROOT = Path(__file__).resolve().parent.parent.parent
HALF = str(ROOT / "inventories" / "half-upgraded.yaml")


def printed(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capfd.readouterr()
    code = run(list(arguments))
    told = capfd.readouterr()
    return code, told.out, told.err


def test_letters_go_on_after_z() -> None:
    assert [_letters(number) for number in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (HostFacts(midr=0x413FD0C1), "neoverse-n1 r3p1"),
        (HostFacts(midr=0x7A0F1230), "MIDR 0x7a0f1230"),
        (HostFacts(cpu="graviton2"), "neoverse-n1"),
        (HostFacts(midr=0x410FD083, other_midrs=(0x410FD034,)), "cortex-a72 r0p3 and others"),
        (HostFacts(), "CPU not known"),
    ],
)
def test_cpus_are_named_in_short(facts: HostFacts, words: str) -> None:
    assert cpu_words(facts) == words


def test_a_cell_says_verdict_and_stage_without_colour() -> None:
    assert ruling_words((Verdict.SAFE, Stage.AFTER)) == "✓ SAFE"
    assert ruling_words((Verdict.FAILS, Stage.LENGTH)) == "✗ FAILS length"
    assert ruling_words((Verdict.UNKNOWN, Stage.START)) == "? UNKNOWN start"
    assert set(Verdict) == set(VERDICTS)


def test_many_columns_go_on_below(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "ACROSS", 30)
    _, out, _ = printed(capfd, "verdict", HALF, "--matrix")
    assert "Now, continued" in out
    assert out.count("g1 on A") >= 2


def test_a_matrix_that_is_too_large_is_summed_up(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "MOST_ROWS", 3)
    _, out, _ = printed(capfd, "verdict", HALF, "--matrix")
    assert "`--format json` has all of it" in out
    assert "Moves to upgraded hosts of the same CPU" in out
    _, out, _ = printed(capfd, "verdict", HALF, "--matrix", "--format", "json")
    rows = json.loads(out)["rows"]
    assert len(rows) > 3
    assert all(len(row["verdicts"]) == len(row["stages"]) == 2 for row in rows)


def test_what_is_not_told_is_counted() -> None:
    assert list(first(["a", "b"], 2, "traps")) == ["a", "b"]
    assert list(first(["a", "b"], 1_002, "traps")) == ["a", "b", "more traps than are told: 1,000"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "name one move by GUEST and DESTINATION, or ask for all moves with --matrix"),
        (("new-21",), "name one move by GUEST and DESTINATION"),
        (("new-21", "n1-01", "--matrix"), "goes with no GUEST"),
        (("--matrix", "--upgraded"), "goes with no GUEST, DESTINATION or --upgraded"),
        (("new-21", "n1-01", "--format", "dot"), "go with --matrix"),
    ],
)
def test_a_move_and_the_matrix_are_not_mixed_up(capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str) -> None:
    code, out, err = printed(capfd, "verdict", HALF, *arguments)
    assert code == 2
    assert out == ""
    assert told in err


def test_the_matrix_can_be_drawn(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, _ = printed(capfd, "verdict", HALF, "--matrix", "--format", "dot")
    assert code == 0
    assert '"A" -> "B" [label="SAFE: g1' in out
    _, out, _ = printed(capfd, "verdict", HALF, "--matrix", "--format", "mermaid")
    assert out.startswith("flowchart LR")
    assert "FAILS: g6" in out
