"""Long work on a terminal: a bar that comes late and leaves no trace, and Ctrl-C that leaves nothing half-written."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from fleetplan.cli.progress import ERASE, Bar
from fleetplan.output.progress import STAGES, progress_line
from fleetplan.rollout.progress import CancelledError, announce

SLOW = textwrap.dedent(
    """
    import sys, time
    import fleetplan.cli.progress as bar
    from fleetplan import workflow
    from fleetplan.cli import run
    bar.PATIENCE_S, bar.TICK_S = 0.02, 0.01
    {patch}
    sys.exit(run(sys.argv[1:]))
    """
)
WAITING = textwrap.dedent(
    """
    really = workflow.make_plan
    def slowly(subject, *rest):
        subject.progress and subject.progress.report("waves", 1, 4)
        time.sleep({seconds})
        return really(subject, *rest)
    workflow.make_plan = slowly
    """
)
WRITING = textwrap.dedent(
    """
    import fleetplan.cli.plan as verb
    def halfway(outcome):
        yield b"{"
        print("writing", file=sys.stderr, flush=True)
        time.sleep(60)
    verb.plan_pieces = halfway
    """
)


class Terminal:
    """A program whose stderr is a terminal, and whose stdout is not."""

    def __init__(self, patch: str, arguments: list[str], **environment: str) -> None:
        self._master, slave = pty.openpty()
        variables = {"PATH": os.environ["PATH"], "TERM": "xterm", **environment}
        script = SLOW.format(patch=patch)
        self.process = subprocess.Popen(
            [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, stderr=slave, stdin=subprocess.DEVNULL, env=variables
        )
        os.close(slave)
        self.seen = ""

    def read_until(self, text: str) -> None:
        while text not in self.seen:
            assert self._read(), self.seen

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], 30)
        try:
            data = os.read(self._master, 65_536) if ready else b""
        except OSError:
            return False
        self.seen += data.decode()
        return bool(data)

    def finish(self) -> tuple[int, str]:
        """The exit code and stdout."""
        assert self.process.stdout is not None
        with self.process.stdout as stdout:
            out = stdout.read().decode()
        while self._read():
            pass
        os.close(self._master)
        return self.process.wait(), out


def test_the_bar_comes_on_a_terminal_and_is_erased_before_anything_is_printed(inventory: Path) -> None:
    run = Terminal(WAITING.format(seconds=0.5), ["plan", str(inventory)])
    run.read_until("planning")
    code, out = run.finish()
    assert code == 0
    assert "[######..................] 1 of 4" in run.seen
    assert run.seen.endswith(ERASE)
    assert "\x1b" not in out
    assert out.startswith("3 hosts to")


def test_no_colour_is_no_reason_against_a_bar_but_a_dumb_terminal_is(inventory: Path) -> None:
    run = Terminal(WAITING.format(seconds=0.3), ["plan", str(inventory)], NO_COLOR="1")
    assert run.finish()[0] == 0
    assert "planning" in run.seen
    assert not re.search(r"\x1b\[[0-9;]*m", run.seen)
    dumb = Terminal(WAITING.format(seconds=0.3), ["plan", str(inventory)], TERM="dumb")
    assert dumb.finish()[0] == 0
    assert dumb.seen == ""


def test_without_a_terminal_stderr_stays_silent(inventory: Path) -> None:
    command = [sys.executable, "-c", SLOW.format(patch=WAITING.format(seconds=0.1)), "plan", str(inventory)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_ctrl_c_ends_the_work_with_its_own_code(inventory: Path) -> None:
    run = Terminal(WAITING.format(seconds=60), ["plan", str(inventory)])
    run.read_until("planning")
    run.process.send_signal(signal.SIGINT)
    code, out = run.finish()
    assert (code, out) == (130, "")
    assert run.seen.rstrip().endswith("fleetplan: interrupted")
    assert "Traceback" not in run.seen


@pytest.mark.parametrize("before", [None, "the old plan"])
def test_ctrl_c_while_a_plan_is_written_leaves_the_file_as_it_was(inventory: Path, tmp_path: Path, before: str | None) -> None:
    target = tmp_path / "out" / "plan.json"
    target.parent.mkdir()
    if before is not None:
        target.write_text(before)
    run = Terminal(WRITING, ["plan", str(inventory), "-o", str(target)])
    run.read_until("writing\r\n")
    run.process.send_signal(signal.SIGINT)
    assert run.finish()[0] == 130
    assert [path.name for path in target.parent.iterdir()] == ([] if before is None else ["plan.json"])
    assert before is None or target.read_text() == before


def test_work_that_ends_soon_shows_nothing() -> None:
    stream = io.StringIO()
    bar = Bar(stream)
    bar.start()
    bar.report("waves", 1, 2)
    bar.stop()
    assert stream.getvalue() == ""


def test_a_line_fits_the_terminal_and_knows_every_stage() -> None:
    for stage in STAGES:
        for width in (1, 20, 80):
            assert len(progress_line(stage, 7, 9, 75, width)) < max(width, 1)
    assert progress_line("waves", 5, 10, 75, 80) == "0:01:15  planning: hosts in waves  [############............] 5 of 10"
    assert progress_line("judge", 0, 0, 1, 80) == "0:00:01  judging every step"


def test_who_cancels_stops_the_work_at_the_next_word() -> None:
    class Stop:
        cancelled = True
        heard: tuple[str, int, int] | None = None

        def report(self, stage: str, done: int, total: int) -> None:
            self.heard = (stage, done, total)

    stop = Stop()
    with pytest.raises(CancelledError):
        announce(stop, "judge")
    assert stop.heard == ("judge", 0, 0)
    announce(None, "judge")
