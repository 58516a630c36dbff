"""`scripts/evidence.py`: verdicts against what real kernels and real QEMUs did."""

import importlib.util
from collections import Counter
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "scripts" / "evidence.py"


@pytest.fixture(scope="module")
def evidence():
    found = importlib.util.spec_from_file_location("evidence", SCRIPT)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("rows", "right", "undecided"),
    [
        # every register that is refused and its errno
        ("restores", {"restore pairs, lists": 4465}, {}),
        # the stage and every line that is printed; facts leave some fields of the oldest kernel open
        ("migrations", {"migrations, lists": 124, "migrations, facts": 117}, {"migrations, facts": 7}),
        ("chains", {"chains, hop 0": 27, "chains, hop 1": 25, "chains, hop 2": 23}, {}),
        ("hops", {"hosts without emulation": 36}, {}),
    ],
)
def test_verdicts_are_what_was_observed(evidence, rows, right, undecided):
    counts = Counter((data, answer) for data, _, answer in getattr(evidence, rows)())
    assert {data: count for (data, answer), count in counts.items() if answer == "right"} == right
    assert {data: count for (data, answer), count in counts.items() if answer == "undecided"} == undecided
    assert not [place for place in counts if place[1] == "wrong"]


def test_a_wrong_verdict_fails_the_run(evidence, monkeypatch, capsys):
    for rows in ("restores", "migrations", "chains"):
        monkeypatch.setattr(evidence, rows, lambda: iter(()))
    monkeypatch.setattr(evidence, "hops", lambda: iter([("hosts", "N1", "wrong"), ("hosts", "N1", "right")]))
    assert evidence.main() == 1
    assert capsys.readouterr().out.splitlines()[1].split() == ["hosts", "N1", "1", "1", "0"]
    monkeypatch.setattr(evidence, "hops", lambda: iter([("hosts", "N1", "right")]))
    assert evidence.main() == 0
