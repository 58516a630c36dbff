"""Plans as things to execute. The shell script is executed: on hosts that are folders, with commands that change them."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from msgspec.structs import replace

from fleetplan import workflow
from fleetplan.cli import run
from fleetplan.inventory.plan_text import encode_plan
from fleetplan.output.runbooks.formats import EXPORTS
from fleetplan.rollout.plan import Plan, StepKind
from tests.output.hostile import hostile
from tests.output.test_printable import obeyed

ROOT = Path(__file__).resolve().parents[2]
BASH = shutil.which("bash") or ""

VIRSH = """#!/usr/bin/env bash
# A virsh whose hosts are folders in $FLEET, with a file for each guest: running or off.
printf '%s\\n' "$*" >> "$FLEET/log"
[ "$1" = -q ] && shift
[ "$1" = -c ] && { host=${2#qemu+ssh://}; host=${host%/system}; shift 2; }
for word; do
    case $word in
    --domain=*) guest=${word#--domain=} ;;
    --desturi=*) there=${word#--desturi=qemu+ssh://} there=${there%/system} ;;
    esac
done
case $1 in
list)
    cd "$FLEET/$host/guests" || exit 1
    for each in *; do [ "$(cat "$each" 2>/dev/null)" = running ] && printf '%s\\n' "$each"; done
    exit 0
    ;;
migrate)
    [ "$guest" = "${REFUSED-}" ] && exit 1
    [ "$(cat "$FLEET/$host/guests/$guest")" = running ] || exit 1
    mv "$FLEET/$host/guests/$guest" "$FLEET/$there/guests/$guest" ;;
shutdown) printf off > "$FLEET/$host/guests/$guest" ;;
start) printf running > "$FLEET/$host/guests/$guest" ;;
dumpxml) cat "$FLEET/$host/xml-$guest" 2>/dev/null || true ;;
version) printf 'Running hypervisor: QEMU %s\\n' "$(cat "$FLEET/$host/vmm")" ;;
esac
"""

SITE = """
on() { cat "$FLEET/$1/kernel"; }
uri() { printf 'qemu+ssh://%s/system' "$1"; }
site_upgrade() {
    grep -q running "$FLEET/$1"/guests/* 2>/dev/null && exit 9
    printf '%s' "$2" > "$FLEET/$1/kernel"
    printf '%s' "${3#qemu-}" > "$FLEET/$1/vmm"
}
site_cordon() { : > "$FLEET/$1/cordoned"; }
site_uncordon() { rm "$FLEET/$1/cordoned"; }
sleep() { :; }
"""


@pytest.fixture(scope="module")
def made() -> Plan:
    subject = workflow.study(ROOT / "inventories" / "half-upgraded.yaml", date(2026, 11, 24))
    plan = workflow.make_plan(subject).outcome
    assert isinstance(plan, Plan)
    return plan


def exported(plan: Plan, form: str) -> str:
    return b"".join(EXPORTS[form](plan)).decode()


class Fleet:
    """Hosts and guests as files, as they are before the plan; and the script, to run on them."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder / "fleet", plan
        for host, site in plan.sites.items():
            (self.folder / host / "guests").mkdir(parents=True)
            (self.folder / host / "kernel").write_text(site.kernel)
            (self.folder / host / "vmm").write_text(site.vmm.removeprefix("qemu-"))
        for guest, host in plan.placement.items():
            (self.folder / host / "guests" / guest).write_text("running")
        commands = folder / "bin"
        commands.mkdir()
        for name, text in (("virsh", VIRSH), ("virt-xml", "#!/bin/sh\nexit 0\n")):
            (commands / name).write_text(text)
            (commands / name).chmod(stat.S_IRWXU)
        (folder / "site").write_text(SITE)
        (folder / "rollout.sh").write_text(exported(plan, "shell"))
        self._environment = {
            **os.environ,
            "PATH": f"{commands}:{os.environ['PATH']}",
            "FLEET": str(self.folder),
            "FLEETPLAN_SITE": str(folder / "site"),
            "FLEETPLAN_STATE": str(folder / "state"),
        }
        self._script = folder / "rollout.sh"

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [BASH, str(self._script), *arguments]
        return subprocess.run(command, env=self._environment | environment, capture_output=True, text=True, timeout=120, check=False)

    def placement(self) -> dict[str, str]:
        return {path.name: path.parent.parent.name for path in self.folder.glob("*/guests/*") if path.read_text() == "running"}

    def kernels(self) -> dict[str, str]:
        return {path.parent.name: path.read_text() for path in self.folder.glob("*/kernel")}


def landed(plan: Plan) -> dict[str, str]:
    """Where the plan has its guests when it has ended."""
    moves = sorted((step for wave in plan.waves for step in wave.steps if step.kind is StepKind.MIGRATE), key=lambda step: step.start_s)
    return {**plan.placement, **{step.guest: step.destination for step in moves}}  # type: ignore[dict-item]


@pytest.fixture
def fleet(tmp_path: Path, made: Plan) -> Fleet:
    if not BASH:
        pytest.skip("needs bash")
    return Fleet(tmp_path, made)


def test_the_script_does_what_the_plan_says(fleet: Fleet) -> None:
    told = fleet.run()
    assert told.returncode == 0, told.stderr
    assert fleet.placement() == landed(fleet.plan)
    upgraded = {host for wave in fleet.plan.waves for host in wave.hosts}
    assert all(kernel == fleet.plan.target.kernel for host, kernel in fleet.kernels().items() if host in upgraded)
    assert not list(fleet.folder.glob("*/cordoned"))


def test_a_second_run_does_nothing(fleet: Fleet) -> None:
    assert fleet.run().returncode == 0
    log = fleet.folder / "log"
    log.unlink()
    assert fleet.run().returncode == 0
    assert not re.search("migrate|shutdown|start ", log.read_text())


def test_a_failed_migration_holds_its_host_and_the_next_run_ends_the_job(fleet: Fleet) -> None:
    first = next(step for wave in fleet.plan.waves for step in wave.steps if step.kind is StepKind.MIGRATE)
    told = fleet.run(REFUSED=str(first.guest))
    assert told.returncode == 1
    assert first.id in told.stderr
    assert fleet.kernels()[str(first.source)] != fleet.plan.target.kernel
    assert fleet.run().returncode == 0
    assert fleet.placement() == landed(fleet.plan)


def test_a_fleet_that_is_not_on_the_way_is_refused(fleet: Fleet) -> None:
    touched = {step.guest for wave in fleet.plan.waves for step in wave.steps}
    guest = next(name for name in fleet.plan.placement if name in touched)
    host = fleet.plan.placement[guest]
    away = next(name for name in sorted(fleet.plan.sites, reverse=True) if name not in {host, landed(fleet.plan)[guest]})
    (fleet.folder / host / "guests" / guest).rename(fleet.folder / away / "guests" / guest)
    told = fleet.run()
    assert told.returncode == 4
    assert guest in told.stderr
    assert not (fleet.folder / "state" / "done" / "1").exists()


def test_check_and_dry_run_change_nothing(fleet: Fleet) -> None:
    before = fleet.placement(), fleet.kernels()
    assert fleet.run("--check").returncode == 0
    told = fleet.run("--dry-run")
    assert told.returncode == 0
    assert told.stdout.count(" migrate ") == sum(step.kind is StepKind.MIGRATE for wave in fleet.plan.waves for step in wave.steps)
    assert (fleet.placement(), fleet.kernels()) == before


def renamed(plan: Plan, name: str) -> Plan:
    """The plan with one guest called something else."""
    old = next(step.guest for wave in plan.waves for step in wave.steps if step.kind is StepKind.MIGRATE)
    waves = tuple(
        replace(wave, steps=tuple(replace(step, guest=name) if step.guest == old else step for step in wave.steps)) for wave in plan.waves
    )
    return replace(plan, waves=waves, placement={(name if guest == old else guest): host for guest, host in plan.placement.items()})  # type: ignore[arg-type]


SANE = hostile.filter(lambda text: text.strip() and "\0" not in text and not re.search("[\ud800-\udfff]", text))


class Playbook(yaml.SafeLoader):
    """Reads Ansible's `!unsafe` too: text that is no template."""


class Unsafe(str):
    __slots__ = ()


Playbook.add_constructor("!unsafe", lambda _, node: Unsafe(node.value))


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from texts(part)


EVIL = "{{ lookup('pipe', 'id') }}{% x %}"


def test_ansible_takes_no_template_from_a_plan(made: Plan) -> None:
    plan = json.loads(encode_plan(renamed(made, EVIL)))
    text = json.dumps(plan).replace("n1-03", "{{ x }}").replace("kvm-psci-version", "{{ y }}").replace("6.12.117", "{{ z }}")
    plays = yaml.load(exported(msgspec.json.decode(text, type=Plan), "ansible"), Loader=Playbook)  # noqa: S506 - a safe loader, see above
    data = [text for play in plays for text in texts([play.get("vars"), play["hosts"], play["tasks"][1].get("vars")])]
    odd = {text for text in data if "{" in text and "hostvars" not in text}
    assert {EVIL, "{{ x }}", "{{ z }}"} < odd
    assert all(isinstance(text, Unsafe) for text in odd)


def test_an_address_is_no_piece_of_a_uri(made: Plan, tmp_path: Path) -> None:
    sites = {name: replace(site, address="x/system?command=id") for name, site in made.sites.items()}
    script = exported(replace(made, sites=sites), "shell")
    done = subprocess.run([BASH, "-c", script, "x", "--dry-run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, "is none: x/system?command=id" in done.stderr) == (2, True)
    assert "regex_replace('[^A-Za-z0-9.:_@%-]', '_') | quote }}/system" in " ".join(texts(yaml.safe_load(exported(made, "ansible"))))


def test_no_name_stands_in_arithmetic() -> None:
    scripts = "".join(path.read_text() for path in (ROOT / "fleetplan" / "output" / "runbooks").glob("*.sh"))
    assert "((${seen[$name]" in scripts
    assert re.findall(r"\(\(.*(?<!\{)\b\w+\[\$\{?(?:name|what|from|to)\b", scripts) == []


@given(name=SANE)
def test_scripts_show_no_more_than_text(made: Plan, name: str) -> None:
    assert not obeyed(exported(renamed(made, name), "shell").replace("\n", ""))


@settings(max_examples=15)
@given(name=SANE)
def test_names_are_quoted_in_scripts(made: Plan, name: str) -> None:
    for form in ("shell", "openstack"):
        script = exported(renamed(made, name), form)
        head, _, data = script.partition("# --- the plan ")
        probe = f"{data.partition(chr(10))[2].replace('main ', ': ')}"
        shown = 'step() { [ "$3" = migrate ] && printf "%s\\0" "$6"; }; host() { :; }; guest() { :; }\n' + probe
        told = subprocess.run([BASH, "-c", shown], capture_output=True, check=True, timeout=20)
        assert name in told.stdout.decode().split("\0")
        assert subprocess.run([BASH, "-n"], input=head, text=True, check=False).returncode == 0


@settings(max_examples=15)
@given(name=SANE)
def test_other_forms_stay_well_formed(made: Plan, name: str) -> None:
    plan = renamed(made, name)
    plays = yaml.load(exported(plan, "ansible"), Loader=Playbook)  # noqa: S506 - a safe loader, see there
    guests = [step.get("guest") for play in plays for steps in play.get("vars", {}).get("fleetplan_steps", {}).values() for step in steps]
    assert name in guests
    manifests = [each for each in yaml.safe_load_all(exported(plan, "kubevirt")) if each]
    moves = [each for each in manifests if each["kind"] == "VirtualMachineInstanceMigration"]
    assert name in [each["metadata"].get("namespace", "") + ("/" if "/" in name else "") + each["spec"]["vmiName"] for each in moves]
    rows = list(csv.reader(exported(plan, "csv").splitlines()))
    assert {len(row) for row in rows} == {len(rows[0])}
    ET.fromstring(f"<x xmlns:qemu='q'>{exported(plan, 'libvirt')}</x>")  # noqa: S314 - made here
    assert len(exported(plan, "mermaid").splitlines()) == len(exported(made, "mermaid").splitlines())


def test_ansible_has_every_step_once_after_those_that_it_waits_for(made: Plan) -> None:
    plays = yaml.safe_load(exported(made, "ansible"))[1:]
    seen: set[str] = set()
    for play in plays:
        steps = [step for steps in play["vars"]["fleetplan_steps"].values() for step in steps]
        assert all(set(step["after"]) <= seen for step in steps)
        seen |= {step["id"] for step in steps}
    assert seen == {step.id for wave in made.waves for step in wave.steps}


def test_a_wave_of_next_is_exported_like_a_plan(tmp_path: Path) -> None:
    inventory, plan, wave = ROOT / "inventories" / "half-upgraded.yaml", tmp_path / "plan.json", tmp_path / "wave.json"
    assert run(["plan", str(inventory), "-o", str(plan)]) == 0
    assert run(["next", str(inventory), str(plan), "-o", str(wave)]) == 0
    for form in EXPORTS:
        assert run(["export", str(wave), "--to", form, "-o", str(tmp_path / form)]) == 0
        assert (tmp_path / form).stat().st_size
    assert json.loads(wave.read_text())["part_of"]
