"""What README and the documents show is what the program prints."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from fleetplan.cli import run

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"^```console\n(?P<lines>.*?)^```", re.MULTILINE | re.DOTALL)


def _shown() -> list[tuple[str, str]]:
    """Command lines of console blocks with the output shown below each, up to a line that is only `...`."""
    text = "\n".join(path.read_text() for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))))
    shown = []
    for block in BLOCK.finditer(text):
        for command in re.split(r"^\$ ", block["lines"], flags=re.MULTILINE)[1:]:
            line, _, output = command.partition("\n")
            if output.strip():
                shown.append((line, output))
    return shown


@pytest.mark.parametrize(("line", "output"), _shown(), ids=[line for line, _ in _shown()])
def test_the_output_shown_is_the_output(line: str, output: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    words = shlex.split(line)
    assert words[0] in {"fleetplan", "scripts/fleetplan"}
    run(words[1:])
    printed = capfd.readouterr().out
    for piece in re.split(r"^\s*\.\.\.\n", output, flags=re.MULTILINE):
        assert piece in printed


def test_readme_shows_the_main_job() -> None:
    assert any("plan inventories/half-upgraded.yaml" in line for line, _ in _shown())
