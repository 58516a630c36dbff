"""The scripts: what they promise on a fresh machine, and what the generator promises of its fleets."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections import Counter
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from fleetplan import workflow
from fleetplan.migration.reasons import Verdict

ROOT = Path(__file__).resolve().parent.parent


# --- environment ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["fleetplan", "test", "check", "bless", "generate_fleet.py", "bench.py", "bench_chart.py", "evidence.py", "observed_to_inventory.py"],
)
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
    for name in ("cat", "cksum", "dirname", "env", "flock", "mkdir", "bash", "readlink", "rm", "rmdir", "sleep"):
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


PYTHON = """#!/bin/bash
log() { echo "$*" >>"FOLDER/log"; }
case "$*" in
"-m venv "*)
    log venv
    mkdir -p "$3/bin"
    cp "$0" "$3/bin/python"
    ;;
*"import pip"*) [ ! -e "${0%/bin/python}/.without-pip" ] ;;
"-m pip install "*)
    log "pip $*"
    echo noise of pip
    sleep "${PIP_TAKES:-0}"
    [ -z "${PIP_KILLED:-}" ] || kill -9 $$
    [ -z "${PIP_FAILS:-}" ] || exit 1
    printf '#!/bin/bash\necho "ran $*"\n' >"${0%/python}/fleetplan"
    chmod +x "${0%/python}/fleetplan"
    ;;
"-m compileall "* | "-m pytest "*) log "$*" ;;
*) exec REAL "$@" ;;
esac
"""
"""A Python whose `venv` and `pip` only write down what they were asked for."""


class Machine:
    """A fresh clone, and a PATH with a Python that installs nothing."""

    def __init__(self, folder: Path, tools: Path) -> None:
        self.folder, self.tools = folder, tools
        self.checkout = clone(folder / "checkout")
        self.venv = self.checkout / ".venv"
        for name in ("cp", "chmod"):
            (tools / name).symlink_to(str(shutil.which(name)))
        fake(tools, "python3", PYTHON.replace("FOLDER", str(folder)).replace("REAL", sys.executable))

    def start(self, script: str = "scripts/fleetplan", **environment: str) -> subprocess.Popen[str]:
        command = ["/bin/bash", str(self.checkout / script), "a b"]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True, cwd="/", env={"PATH": str(self.tools), **environment}
        )

    def run(self, script: str = "scripts/fleetplan", **environment: str) -> tuple[int, str, str]:
        process = self.start(script, **environment)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def log(self) -> list[str]:
        """What Python was asked for since the last look."""
        path = self.folder / "log"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith("-m compileall")]


@pytest.fixture
def machine(tmp_path: Path, tools: Path) -> Machine:
    return Machine(tmp_path, tools)


def test_the_first_run_sets_up_and_prints_only_what_the_command_prints(machine: Machine) -> None:
    code, out, err = machine.run()
    assert (code, out) == (0, "ran a b\n")
    assert "making an environment" in err
    assert "noise of pip" in err
    assert machine.run() == (0, "ran a b\n", "")


def test_two_first_runs_at_once_set_up_one_environment(machine: Machine) -> None:
    runs = [machine.start(PIP_TAKES="0.5") for _ in range(3)]
    assert [(run.communicate(timeout=60)[0], run.returncode) for run in runs] == [("ran a b\n", 0)] * 3
    assert len(machine.log()) == 2


def test_two_first_runs_at_once_need_no_flock(machine: Machine) -> None:
    (machine.tools / "flock").unlink()
    runs = [machine.start(PIP_TAKES="0.5") for _ in range(2)]
    assert [(run.communicate(timeout=60)[0], run.returncode) for run in runs] == [("ran a b\n", 0)] * 2
    assert len(machine.log()) == 2
    assert not (machine.checkout / ".venv.lock.d").exists()


def test_tests_get_what_the_development_group_names(machine: Machine) -> None:
    machine.run()
    machine.log()
    code, out, _ = machine.run("scripts/test")
    installed, tests = machine.log()
    assert (code, out) == (0, "")
    assert "pytest-xdist>=" in installed
    assert tests == "-m pytest -n 2 -m not system a b"
    assert machine.run()[2] == ""


def test_changed_requirements_are_installed_into_the_same_environment(machine: Machine) -> None:
    machine.run()
    machine.log()
    with (machine.checkout / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    assert machine.run()[:2] == (0, "ran a b\n")
    assert [line.split()[0] for line in machine.log()] == ["pip"]


@pytest.mark.parametrize("half", ["venv", "pip", "moved", "killed"])
def test_an_environment_that_is_half_made_is_made_anew(machine: Machine, half: str) -> None:
    """`venv` died before it was done, or before pip was there; the checkout has moved; pip was killed while it installed."""
    if half == "killed":
        assert machine.run(PIP_KILLED="yes")[0] == 2
    else:
        machine.run()
    if half == "moved":
        machine.checkout = machine.checkout.rename(machine.folder / "elsewhere")
    else:
        (machine.checkout / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text() + "# changed\n")
    if half == "venv":
        (machine.venv / ".made-in").unlink()
    if half == "pip":
        (machine.venv / ".without-pip").touch()
    machine.log()
    code, out, err = machine.run()
    assert (code, out) == (0, "ran a b\n")
    assert "making an environment" in err
    assert [line.split()[0] for line in machine.log()] == ["venv", "pip"]


def test_a_failed_install_spoils_nothing(machine: Machine) -> None:
    """Tests cannot be set up without a package index; the command that was set up before still runs."""
    machine.run()
    code, out, err = machine.run("scripts/test", PIP_FAILS="yes")
    assert (code, out) == (2, "")
    assert "a package index must be within reach" in err
    assert machine.run() == (0, "ran a b\n", "")


def test_a_later_python_is_found_beside_an_old_one(machine: Machine) -> None:
    (machine.tools / "python3").rename(machine.tools / "python3.12")
    fake(machine.tools, "python3", "#!/bin/bash\nexit 1\n")
    assert machine.run()[:2] == (0, "ran a b\n")


def test_the_environment_is_not_made_by_a_python_of_its_own(machine: Machine) -> None:
    """Somebody has activated it, and then it has to be made anew."""
    machine.run()
    (machine.venv / "bin" / "python").rename(machine.venv / "bin" / "python3")
    (machine.venv / ".unfinished").touch()
    assert machine.run(PATH=f"{machine.venv / 'bin'}:{machine.tools}")[:2] == (0, "ran a b\n")


def test_continuous_integration_runs_the_tests(machine: Machine) -> None:
    shutil.copytree(ROOT / ".ci", machine.checkout / ".ci")
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert machine.run(".ci/run", CI="true")[0] == 0
    assert machine.log()[-1] == "-m pytest -n 2 -m not system a b"


# --- observations ---------------------------------------------------------------------------------------------------------------------


def test_observed_hosts_become_an_inventory(tmp_path: Path) -> None:
    """A guest goes from each host to the other: with registers of both, and with facts alone."""
    seen = {
        "uname": {"release": "6.12.74+deb13-cloud-arm64"},
        "midr_el1": "0x00000000413fd0c1",
        "revidr_el1": "0x0000000000000000",
        "vulnerabilities": {"spectre_v2": "Mitigation: CSV2, BHB"},
        "cmdline": "quiet",
        "regs_psci02": "6030000000140000=10003 6030000000140001=2",
    }
    (tmp_path / "new_default.json").write_text(json.dumps(seen))
    seen |= {"uname": {"release": "5.10.0-33-cloud-arm64"}, "regs_psci02": "6030000000140000=10001 6030000000140001=1"}
    (tmp_path / "old_default.json").write_text(json.dumps(seen))
    script = [sys.executable, str(ROOT / "scripts" / "observed_to_inventory.py")]
    for options in ([], ["--facts"]):
        command = [*script, *options, *map(str, sorted(tmp_path.glob("*_default.json")))]
        made = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        (tmp_path / "inventory.json").write_text(made)
        found = workflow.study(tmp_path / "inventory.json", date(2026, 1, 1))
        assert {host.name for host in found.fleet.hosts} == {"new-default", "old-default"}
        told = workflow.verdict(found, "from-new-default", "old-default").judgment
        assert (told.verdict, told.messages[0].partition(" ")[0]) == (Verdict.FAILS, "Failed"), told


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


# --- the chart -----------------------------------------------------------------------------------------------------------------------


def drawn(measured: Path, target: Path) -> str:
    subprocess.run([sys.executable, str(ROOT / "scripts" / "bench_chart.py"), str(measured), "-o", str(target)], check=True)
    return target.read_text()


def test_the_chart_is_drawn_from_the_figures_beside_it(tmp_path: Path) -> None:
    assert drawn(ROOT / "docs" / "bench.json", tmp_path / "bench.svg") == (ROOT / "docs" / "bench.svg").read_text()


def test_every_line_of_the_chart_names_its_source_and_lies_within_the_frame(tmp_path: Path) -> None:
    svg = ET.fromstring(drawn(ROOT / "docs" / "bench.json", tmp_path / "bench.svg"))  # noqa: S314 - our own file
    space = {"s": "http://www.w3.org/2000/svg"}
    lines = [group for group in svg.iterfind(".//s:g", space) if group.find("s:polyline", space) is not None]
    assert len(lines) == 6
    for line in lines:
        assert (line.findtext("s:desc", "", space)).strip()
        points = line.find("s:polyline", space)
        assert points is not None
        for point in points.attrib["points"].split():
            x, y = map(float, point.split(","))
            assert 70 <= x <= 650
            assert 74 <= y <= 442
