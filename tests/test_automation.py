"""What docs/automation.md gives to paste: its shell lines run, its YAML and its units are read, and a fleet with findings fails the job."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "automation.md").read_text()
FILES = {found[2]: found[3] for found in re.finditer(r"^```(yaml|ini)\n# (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)}
SHELL = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SOUND, EXPOSED = "small", "exposure"
"""An example fleet that `check` is content with, and one that it is not."""


def parsed(name: str) -> Any:
    return yaml.safe_load(FILES[name])


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = parsed(".github/workflows/fleet.yml")["jobs"]["check"]["steps"]
    return found


def scripts() -> dict[str, str]:
    """The shell lines of the page, as what runs them puts them together."""
    gitlab = parsed(".gitlab-ci.yml")["fleet"]["script"]
    return {"github": "\n".join(step["run"] for step in steps() if "run" in step), "gitlab": "\n".join(gitlab)}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder for a run, with a `pip` on PATH that installs nothing: fleetplan is there."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "pip").write_text('#!/bin/sh\nprintf "%s\\n" "$@" > pip.log\n')
    (programs / "pip").chmod(0o755)
    (programs / "fleetplan").symlink_to(Path(sys.executable).parent / "fleetplan")
    return tmp_path


def ran(script: str, place: Path, fleet: str) -> subprocess.CompletedProcess[str]:
    """Run lines as GitHub and GitLab do: the first that fails ends them."""
    shutil.copy(ROOT / "inventories" / f"{fleet}.yaml", place / "fleet.yaml")
    surroundings = {
        "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "FLEETPLAN": "git+https://git.example.org/fleetplan@v0.1.0",
        "GITHUB_STEP_SUMMARY": str(place / "summary.md"),
    }
    return subprocess.run(
        ["/bin/bash", "-eo", "pipefail", "-c", script], cwd=place, env=surroundings, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(("fleet", "code"), [(SOUND, 0), (EXPOSED, 1)])
@pytest.mark.parametrize("name", ["github", "gitlab"])
def test_jobs_pass_and_fail_as_the_fleet_is(place: Path, name: str, fleet: str, code: int) -> None:
    done = ran(scripts()[name], place, fleet)
    assert (done.returncode, done.stderr) == (code, "")
    assert (place / "pip.log").read_text() == "install\ngit+https://git.example.org/fleetplan@v0.1.0\n"
    if name == "gitlab":
        assert ET.parse(place / parsed(".gitlab-ci.yml")["fleet"]["artifacts"]["reports"]["junit"]).getroot().tag == "testsuites"  # noqa: S314 - ours
    else:
        (upload,) = [step for step in steps() if "upload-sarif" in step.get("uses", "")]
        assert json.loads((place / upload["with"]["sarif_file"]).read_text())["version"] == "2.1.0"
        assert (place / "summary.md").read_text().startswith("## fleetplan check")
        assert ("::error " in done.stdout) is (code == 1)


@pytest.mark.parametrize("script", SHELL, ids=[script.splitlines()[0] for script in SHELL])
@pytest.mark.parametrize("fleet", [SOUND, EXPOSED])
def test_shell_lines_run(place: Path, script: str, fleet: str) -> None:
    done = ran(script, place, fleet)
    assert (done.returncode, done.stderr) == (1 if fleet == EXPOSED and "--plan" in script else 0, "")


def test_every_file_of_the_page_is_tried() -> None:
    assert sorted(FILES) == sorted(
        {
            ".github/workflows/fleet.yml",
            ".gitlab-ci.yml",
            ".pre-commit-config.yaml",
            "/etc/systemd/system/fleetplan-check.service",
            "/etc/systemd/system/fleetplan-check.timer",
            "/etc/prometheus/rules/fleetplan.yml",
        }
    )
    assert PAGE.count("```yaml") + PAGE.count("```ini") == len(FILES)


# --- pre-commit ----------------------------------------------------------------------------------------------------------------------


def test_the_hook_that_is_used_is_the_one_that_is_defined(place: Path) -> None:
    (defined,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (used,) = parsed(".pre-commit-config.yaml")["repos"][0]["hooks"]
    assert used["id"] == defined["id"]
    assert all(re.search(used["files"], name) and re.search(defined["files"], name) for name in used["args"])
    assert defined["pass_filenames"] is False
    for fleet, code in ((SOUND, 0), (EXPOSED, 1)):
        assert ran(" ".join([defined["entry"], *used["args"]]), place, fleet).returncode == code


# --- systemd and Prometheus ----------------------------------------------------------------------------------------------------------


def unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), strict=True)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # as configparser's manual has it
    parser.read_string(FILES[f"/etc/systemd/system/{name}"])
    return parser


@pytest.mark.parametrize(("fleet", "content"), [(SOUND, 1), (EXPOSED, 0), ("none", 0)])
def test_the_service_writes_metrics_whole(place: Path, fleet: str, content: int) -> None:
    service = unit("fleetplan-check.service")["Service"]
    folder = Path(service["ReadWritePaths"])
    program, *words = service["ExecStart"].split()
    assert Path(words[-1]).parent == folder
    (place / "collector").mkdir()
    source = ROOT / "inventories" / f"{fleet}.yaml" if fleet != "none" else place / "none.yaml"
    line = (
        " ".join([Path(program).name, *words])
        .replace(str(folder), str(place / "collector"))
        .replace("/etc/fleetplan/fleet.yaml", str(source))
    )
    done = ran(line, place, SOUND)
    assert (done.stdout, done.stderr) == ("", "")
    assert done.returncode == (2 if fleet == "none" else 1 - content)
    assert {done.returncode} <= {0, int(service["SuccessExitStatus"])} or fleet == "none"
    (written,) = (place / "collector").iterdir()
    assert written.name == Path(words[-1]).name
    assert written.stat().st_mode & 0o444 == 0o444
    assert f"\nfleetplan_check_ok {content}\n" in written.read_text()


def test_the_timer_belongs_to_the_service() -> None:
    timer = unit("fleetplan-check.timer")
    assert timer["Timer"]["OnCalendar"] == "hourly"
    assert timer["Install"]["WantedBy"] == "timers.target"
    assert "Install" not in unit("fleetplan-check.service")


def test_alerts_are_about_what_is_written() -> None:
    rules = [rule for group in parsed("/etc/prometheus/rules/fleetplan.yml")["groups"] for rule in group["rules"]]
    assert {name for rule in rules for name in re.findall(r"\bfleetplan_\w+", rule["expr"])} == {"fleetplan_check_ok"}
    assert all(rule["annotations"]["summary"] for rule in rules)
