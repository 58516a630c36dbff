"""Where views are saved."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from fleetplan.tui.frame.trail import Place
from fleetplan.tui.save import free_path
from tests.output.hostile import hostile


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hostile)
def test_a_subject_names_a_file_here_whatever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subject: str) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (subject, f"../../{subject}", subject * 300):
        path = free_path(Place("moves", name), "svg")
        path.write_bytes(b"x")
        assert path.resolve().parent == tmp_path.resolve()
        path.unlink()
