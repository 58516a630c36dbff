"""FP3xx: what exposure rules say of several guests."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from fleetplan import workflow
from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import Finding

TODAY = date(2026, 11, 24)
HEAD = "fleetplan: 1\ntarget: {kernel: 6.18.15, vmm: qemu-11.1.3}\n"
SOUND = RULES["FP301"].mended


def found(tmp_path: Path, part: str) -> tuple[Finding, ...]:
    """What check finds in an inventory with this part; what it does not have is that of a sound one."""
    whole = part if "hosts:" in part else part + SOUND
    path = tmp_path / "fleet.yaml"
    path.write_text(HEAD + whole)
    return workflow.check(workflow.study(path, TODAY)).findings


def test_a_sound_fleet_is_quiet(tmp_path: Path) -> None:
    assert [finding.rule for finding in found(tmp_path, SOUND)] == []


def test_flaws_that_are_alike_are_told_together_with_all_their_guests(tmp_path: Path) -> None:
    more = SOUND + "  h: {like: g, born: {kernel: 4.15.0}, rebooted: never}\n  i: {like: h}\n"
    (finding,) = [finding for finding in found(tmp_path, more) if finding.rule.startswith("FP3")]
    assert finding.rule == "FP302"
    assert finding.facts["flaw"] == "Spectre v2, BHB"
    assert list(finding.guests) == ["h", "i"]
    assert finding.facts["heals"] == "a warm reboot where it is heals it"


def test_nova_switches_by_itself_only_if_told_to(tmp_path: Path) -> None:
    setting = "policy: {{orchestrators: {{nova: {{live_migration_permit_post_copy: true, live_migration_timeout_action: {action}}}}}}}\n"
    told = [
        finding.facts["when"]
        for action in ("abort", "force_complete")
        for finding in found(tmp_path, setting.format(action=action))
        if finding.rule == "FP308"
    ]
    assert ["by itself" in when for when in told] == [False, True]
    done = SOUND.replace("6.12.94", "6.18.15")
    assert "FP308" not in {finding.rule for finding in found(tmp_path, setting.format(action="abort") + done)}
