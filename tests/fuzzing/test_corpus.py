"""What once did harm, and some fresh damage: nothing of it is our bug, takes long, or gets through to a terminal."""

# ruff: noqa: S311 - examples, not secrets

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest

from tests.fuzzing import cases
from tests.fuzzing.cases import CORPUS, TARGETS, examined, faults, fresh
from tests.fuzzing.mutations import TOKENS, changed, damaged, mutated, tree_of, written

KEPT = sorted(str(path.relative_to(CORPUS)) for path in CORPUS.glob("*/*"))
FRESH = 4
"""Inputs for each target in each run of the tests; `scripts/fuzz.py` makes more."""


@pytest.mark.parametrize("name", KEPT)
def test_what_once_did_harm_does_none(tmp_path: Path, name: str) -> None:
    target = TARGETS[name.partition("/")[0]]
    assert examined(target, tmp_path, (CORPUS / name).read_bytes()) == []


@pytest.mark.parametrize("name", TARGETS)
def test_fresh_damage_does_no_harm(tmp_path: Path, name: str) -> None:
    random = Random(f"fleetplan {name}")
    for number in range(FRESH):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert examined(TARGETS[name], folder, fresh(TARGETS[name], random), 2, random) == []


@pytest.mark.parametrize("name", TARGETS)
def test_seeds_are_sound(tmp_path: Path, name: str) -> None:
    seed = TARGETS[name].seeds()[0]
    for arguments, stdin in TARGETS[name].commands(tmp_path, seed)[:2]:
        if name != "path":
            assert cases.ran(arguments, stdin).code in {0, 1}


# --- the fuzzer itself ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TARGETS)
def test_the_same_seed_makes_the_same_damage(name: str) -> None:
    seed = TARGETS[name].seeds()[0]
    assert [mutated(seed, Random(number)) for number in range(5)] == [mutated(seed, Random(number)) for number in range(5)]
    assert len({mutated(seed, Random(number)) for number in range(5)}) > 3


def test_a_tree_says_what_the_text_says() -> None:
    for seed in TARGETS["plan"].seeds():
        assert json.loads(written(tree_of(seed.decode()))) == json.loads(seed)


def test_every_token_can_come_up() -> None:
    made = b"".join(changed("{a: [b, c]}", Random(number)) for number in range(4_000)).decode(errors="replace")
    assert [token for token in TOKENS if token not in made] == []


def test_damage_bears_the_empty_file() -> None:
    assert all(isinstance(damaged(b"", Random(number)), bytes) for number in range(50))


@pytest.mark.parametrize(
    ("code", "out", "told"),
    [
        (70, "", "exit code 70"),
        (99, "", "exit code 99"),
        (0, "{\x9b}", "obeyed on stdout: \\x9b"),
        (0, "NaN", "no json"),
        (0, "{", "no json"),
    ],
)
def test_faults_are_found(monkeypatch: pytest.MonkeyPatch, code: int, out: str, told: str) -> None:
    monkeypatch.setattr(cases, "ran", lambda *_: cases.Ran(code, out.encode(), ""))
    assert told in " ".join(faults(("check", "x", "--format", "json")))


def test_what_takes_too_long_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def forever(_: object) -> int:
        while True:
            pass

    monkeypatch.setattr(cases, "MOST_SECONDS", 0.05)
    monkeypatch.setattr(cases, "run", forever)
    assert "processor time" in faults(("check", "x"))[0]
