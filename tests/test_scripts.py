"""The scripts: what they promise on a fresh machine, and what the generator promises of its fleets."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


# --- environment ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fleetplan", "test", "check", "bless", "generate_fleet.py", "bench.py"])
def test_scripts_can_be_run(name: str) -> None:
    assert (ROOT / "scripts" / name).stat().st_mode & stat.S_IXUSR


def clone(tmp_path: Path) -> Path:
    """A checkout without an environment."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def fake(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)


def run_with(folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    script = folder / "scripts" / "fleetplan"
    return subprocess.run(["/bin/bash", str(script), "--version"], capture_output=True, text=True, check=False, env={"PATH": path})


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A PATH with what the scripts use of a system, and no Python."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cat", "cksum", "dirname", "readlink", "rm", "flock", "bash"):
        found = shutil.which(name)
        if found is not None:
            (folder / name).symlink_to(found)
    return folder


def test_a_python_that_is_too_old_is_told(tmp_path: Path, tools: Path) -> None:
    fake(tools, "python3", '#!/bin/bash\n[ "$1" = --version ] && echo "Python 3.9.2"\nexit 1\n')
    done = run_with(clone(tmp_path / "checkout"), str(tools))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "needs Python 3.11 or later; found Python 3.9.2" in done.stderr


def test_a_python_without_venv_is_told(tmp_path: Path, tools: Path) -> None:
    fake(tools, "python3", f'#!/bin/bash\n[ "$2" = venv ] && exit 1\nexec {sys.executable} "$@"\n')
    done = run_with(clone(tmp_path / "checkout"), str(tools))
    assert done.returncode == 2
    assert done.stdout == ""
    assert "has no venv module" in done.stderr


def test_an_environment_that_is_ready_is_used_as_it_is(tmp_path: Path, tools: Path) -> None:
    """Nothing is said, nothing is installed: the stamp is compared, and the program is run; also through a link, from elsewhere."""
    checkout = clone(tmp_path / "checkout")
    commands = checkout / ".venv" / "bin"
    commands.mkdir(parents=True)
    fake(commands, "python", "#!/bin/bash\nexit 1\n")
    fake(commands, "fleetplan", '#!/bin/bash\necho "ran $*"\n')
    with (checkout / "pyproject.toml").open() as project:
        size = subprocess.run([str(tools / "cksum")], stdin=project, capture_output=True, text=True, check=True).stdout.strip()
    (checkout / ".venv" / ".made-for-runtime").write_text(f"runtime {checkout} {commands / 'python'} {size}")
    link = tmp_path / "link"
    link.symlink_to(checkout / "scripts" / "fleetplan")
    done = subprocess.run(
        ["/bin/bash", str(link), "plan", "a b"], capture_output=True, text=True, check=True, cwd="/", env={"PATH": str(tools)}
    )
    assert (done.stdout, done.stderr) == ("ran plan a b\n", "")


def test_continuous_integration_runs_the_tests() -> None:
    text = (ROOT / ".ci" / "run").read_text()
    assert "scripts/test" in text
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


# --- generator -----------------------------------------------------------------------------------------------------------------------


def generate(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "generate_fleet.py"), "--seed", "7", "-o", str(folder), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def lines(folder: Path, name: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "facts" / name).read_text().splitlines()]


def test_a_generated_fleet_is_as_promised(tmp_path: Path) -> None:
    folder = tmp_path / "fleet"
    assert generate(folder, "--hosts", "600").returncode == 0
    hosts, guests = lines(folder, "hosts.jsonl"), lines(folder, "guests.jsonl")
    capacity = {host["host"]: (host["vcpus"], int(str(host["memory"])[:-3])) for host in hosts}
    vcpus: Counter[object] = Counter()
    memory: Counter[object] = Counter()
    for guest in guests:
        vcpus[guest["on"]] += int(str(guest["vcpus"]))
        memory[guest["on"]] += int(str(guest["memory"])[:-3])
    fills = [max(vcpus[name] / int(str(capacity[name][0])), memory[name] / capacity[name][1]) for name in vcpus]
    assert len(hosts) == 600
    assert min(fills) >= 0.7
    assert max(fills) <= 0.9
    assert 0.75 < sum(fills) / len(fills) < 0.85
    assert 0 < len(hosts) - len(vcpus) < 30
    assert 11 < len(guests) / len(vcpus) < 14
    assert 0.35 < sum("group" in guest for guest in guests) / len(guests) < 0.45
    assert 0.01 < sum("restart" in guest for guest in guests) / len(guests) < 0.03
    assert len({host["zone"] for host in hosts}) == 3
    assert len({host["pool"] for host in hosts}) == 6
    together = Counter((guest["group"], guest["on"]) for guest in guests if "group" in guest)
    assert max(together.values()) == 1
    sizes = Counter(Counter(guest["group"] for guest in guests if "group" in guest).values())
    assert max(sizes) <= 9
    # Only groups that were still open at the end have fewer than three members.
    assert sizes[1] + sizes[2] < 0.05 * sizes.total()


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder in (one, other):
        assert generate(folder, "--hosts", "50").returncode == 0
    for name in ("policy.yaml", "facts/hosts.jsonl", "facts/guests.jsonl"):
        assert (one / name).read_bytes() == (other / name).read_bytes()


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    assert generate(tmp_path, "--hosts", "5").returncode == 2
    assert (tmp_path / "mine.txt").read_text() == "mine"


# --- examples ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted((ROOT / "inventories").iterdir()), ids=lambda path: path.stem)
def test_every_example_says_what_it_shows(path: Path) -> None:
    file = path / "policy.yaml" if path.is_dir() else path
    head = [line for line in file.read_text().splitlines()[:6] if line.startswith("#")]
    assert len(head) >= 2
