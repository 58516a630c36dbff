"""What docs/automation.md gives to paste, put before the programs that read it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.test_automation import FILES, ROOT, SOUND

pytestmark = pytest.mark.system
VERIFY = shutil.which("systemd-analyze")
GIT = shutil.which("git")


@pytest.mark.skipif(VERIFY is None, reason="needs systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for name, text in FILES.items():
        if name.startswith("/etc/systemd/"):
            here = text.replace("/usr/local/bin/fleetplan", str(Path(sys.executable).parent / "fleetplan"))
            (tmp_path / Path(name).name).write_text(here)
    units = sorted(map(str, tmp_path.iterdir()))
    assert len(units) == 2
    assert VERIFY is not None
    done = subprocess.run([VERIFY, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if "fleetplan" in line]
    assert (done.returncode, told) == (0, [])


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """pre-commit and the published schemas of GitHub's and GitLab's files, in an environment of their own."""
    folder = tmp_path_factory.mktemp("tools")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    install = [str(folder / "bin" / "pip"), "install", "-q", "--disable-pip-version-check", "pre-commit", "check-jsonschema"]
    if subprocess.run(install, capture_output=True, check=False).returncode:
        pytest.skip("needs a package index within reach")
    return folder / "bin"


def called(*arguments: str | Path, folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    identity = {f"GIT_{who}_{what}": "x@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    surroundings = {**os.environ, **identity, "PRE_COMMIT_HOME": str(home), "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(list(map(str, arguments)), cwd=folder, env=surroundings, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "schema"), [(".github/workflows/fleet.yml", "vendor.github-workflows"), (".gitlab-ci.yml", "vendor.gitlab-ci")]
)
def test_the_files_are_what_their_schema_says(tools: Path, tmp_path: Path, name: str, schema: str) -> None:
    path = tmp_path / "file.yml"
    path.write_text(FILES[name])
    done = called(tools / "check-jsonschema", "--builtin-schema", schema, path, folder=tmp_path, home=tmp_path)
    assert done.returncode == 0, done.stdout


@pytest.mark.skipif(GIT is None, reason="needs git")
def test_pre_commit_installs_and_runs_the_hook(tools: Path, tmp_path: Path) -> None:
    home, ours, theirs = tmp_path / "cache", tmp_path / "fleetplan", tmp_path / "fleet"
    for folder in (ours, theirs):
        folder.mkdir()
        called("git", "init", "-q", folder=folder, home=home)
    for name in ("fleetplan", "pyproject.toml", "README.md", "LICENSE", ".pre-commit-hooks.yaml"):
        source = ROOT / name
        shutil.copytree(source, ours / name) if source.is_dir() else shutil.copy(source, ours)
    called("git", "add", "-A", folder=ours, home=home)
    assert called("git", "commit", "-qm", "x", folder=ours, home=home).returncode == 0
    revision = called("git", "rev-parse", "HEAD", folder=ours, home=home).stdout.strip()
    config = yaml.safe_load(FILES[".pre-commit-config.yaml"])
    config["repos"][0].update(repo=str(ours), rev=revision)
    (theirs / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    for fleet, code in ((SOUND, 0), ("exposure", 1)):
        shutil.copy(ROOT / "inventories" / f"{fleet}.yaml", theirs / "fleet.yaml")
        called("git", "add", "-A", folder=theirs, home=home)
        done = called(tools / "pre-commit", "run", "--verbose", folder=theirs, home=home)
        assert done.returncode == code, done.stdout + done.stderr
        assert "fleetplan check" in done.stdout
        assert "no files to check" not in done.stdout
