"""Files are whole at every moment, whatever happens to who writes them, and one run at a time writes one."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from fleetplan.inventory.output_file import BusyError, claimed, write_atomically


@pytest.mark.parametrize("broken", ["replace", "fsync"])
def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b"old")

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path if broken == "replace" else os, broken, fails)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, [b"n", b"ew"])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path, [b"x"])


def test_permissions_and_links_are_kept(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "link.json"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_atomically(link, [b"new"])
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640


MOMENTS = ("claimed", "begun", "half", "written", "replaced")

WRITER = """
import os, sys
from pathlib import Path
from fleetplan.inventory import output_file

path, stop = Path(sys.argv[1]), sys.argv[2]

def moment(name):
    if name == stop:
        print(name, flush=True)
        sys.stdin.read()

def pieces():
    moment("begun")
    yield b"n" * 3_000_000
    moment("half")
    yield b"n" * 3_000_000

sync = output_file._sync_folder
output_file._sync_folder = lambda folder: (moment("replaced"), sync(folder))
fsync = os.fsync
os.fsync = lambda descriptor: (fsync(descriptor), moment("written"))

with output_file.claimed(path) as draft:
    moment("claimed")
    draft.write(pieces())
print("end", flush=True)
"""


def writer(path: Path, stop: str) -> subprocess.Popen[str]:
    """A process that has got to a moment of writing, and stays there."""
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(path), stop], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == (stop or "end")
    return process


def ended(process: subprocess.Popen[str]) -> None:
    process.communicate("")


@pytest.mark.parametrize("stop", MOMENTS)
def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path, stop: str) -> None:
    """SIGKILL leaves the old file or the new one; the next run takes over what lies about."""
    path = tmp_path / "plan.json"
    path.write_bytes(b"old")
    process = writer(path, stop)
    process.send_signal(signal.SIGKILL)
    ended(process)
    assert path.read_bytes() == (b"n" * 6_000_000 if stop == "replaced" else b"old")
    write_atomically(path, [b"next"])
    assert path.read_bytes() == b"next"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stop", ["claimed", "half", "written"])
def test_a_second_run_is_refused_and_the_first_goes_on(tmp_path: Path, stop: str) -> None:
    path = tmp_path / "plan.json"
    process = writer(path, stop)
    with pytest.raises(BusyError):
        write_atomically(path, [b"second"])
    ended(process)
    assert path.read_bytes() == b"n" * 6_000_000
    assert list(tmp_path.iterdir()) == [path]


def test_runs_on_other_files_of_a_folder_do_not_meet(tmp_path: Path) -> None:
    with claimed(tmp_path / "a") as one, claimed(tmp_path / "b") as other:
        one.write([b"a"])
        other.write([b"b"])
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"a", b"b"]


def test_who_locks_a_draft_that_has_become_the_file_leaves_that_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening and locking, the other run ends: what was opened is the file itself by then."""
    import fcntl

    path, lock = tmp_path / "plan.json", fcntl.flock
    other = claimed(path)
    draft = other.__enter__()

    def late(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        draft.write([b"theirs"])
        other.__exit__(None, None, None)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with claimed(path):
        assert path.read_bytes() == b"theirs"


FULL = """
import resource, sys
from pathlib import Path
from fleetplan.inventory.output_file import write_atomically
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomically(Path(sys.argv[1]), [b"x" * 3_000] * 5)
except OSError:
    print("refused")
"""


def test_a_file_that_the_system_does_not_let_grow_is_left_as_it_was(tmp_path: Path) -> None:
    """As on a full disk: the write fails in the middle."""
    path = tmp_path / "plan.json"
    path.write_bytes(b"old")
    assert subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True).stdout == "refused\n"
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_plain_file_is_written_as_it_is() -> None:
    """A device stays a device."""
    write_atomically(Path(os.devnull), [b"x"])
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)


def test_long_names_have_drafts(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 127)
    write_atomically(path, [b"x"])
    assert list(tmp_path.iterdir()) == [path]
