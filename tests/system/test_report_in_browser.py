"""The HTML report in a real browser: nothing sticks out on a phone, and the checks for accessibility find nothing."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
from datetime import date
from html import escape, unescape
from pathlib import Path

import pytest

from fleetplan import workflow
from fleetplan.findings.finding import Finding, Severity
from fleetplan.output.findings_formats import FORMATS, Checked

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
NPM = shutil.which("npm")
WIDTHS = {"phone": 390, "desktop": 1280}

QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-component-update"),
    *("--disable-background-networking", "--disable-quic", "--virtual-time-budget=20000"),
)

MEASURE = """
<script>
  const frame = document.querySelector("iframe"), answer = document.querySelector("#answer");
  frame.onload = async () => {
    const page = frame.contentDocument;
    const script = page.createElement("script");
    script.textContent = document.querySelector("#axe").textContent;
    page.head.append(script);
    const found = await frame.contentWindow.axe.run(page, {runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]});
    answer.textContent = JSON.stringify({
      sticksOut: page.documentElement.scrollWidth - frame.clientWidth,
      violations: found.violations.map((each) => [each.id, each.nodes.map((node) => node.html)]),
      passes: found.passes.length,
    });
  };
</script>
"""


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The checks of axe-core, from the package registry."""
    if BROWSER is None or NPM is None:
        pytest.skip("needs chromium and npm")
    folder = tmp_path_factory.mktemp("axe")
    subprocess.run([NPM, "pack", "axe-core@4", "--silent"], cwd=folder, check=True, capture_output=True, timeout=120)
    with tarfile.open(next(folder.glob("axe-core-*.tgz"))) as package:
        member = package.extractfile("package/axe.min.js")
        assert member is not None
        return member.read().decode()


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A report with findings of every severity, and a name as long as names may be."""
    found: tuple[Finding, ...] = workflow.check(workflow.study(ROOT / "inventories" / "unknown-facts.yaml", date(2026, 11, 24)))
    broken = tmp_path_factory.mktemp("broken") / "fleet.yaml"
    broken.write_text(f"fleetplan: 1\ntarget: {{kernel: 6.18.15}}\nhosts: {{{'h' * 250}: {{colour: red}}}}\nguests: {{}}\n")
    try:
        workflow.study(broken, date(2026, 11, 24))
    except workflow.InputRefusedError as refused:
        found = (*refused.findings, *found)
    checked = Checked(findings=found, fail_on=Severity.ERROR, inventory="unknown-facts.yaml", as_of="2026-11-24")
    return FORMATS["html"](checked).decode()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", list(WIDTHS.values()), ids=list(WIDTHS))
def test_report_fits_and_is_accessible(report: str, axe: str, width: int, scheme: str, tmp_path: Path) -> None:
    policy = re.search(r'<meta http-equiv="Content-Security-Policy"[^>]*>\n', report)
    assert policy is not None
    page = report.replace(policy[0], "")
    if scheme == "dark":
        page = page.replace("@media (prefers-color-scheme:dark)", "@media all")
    holder = tmp_path / "holder.html"
    holder.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><script type="text/plain" id="axe">{axe}</script>'
        f'<iframe width="{width}" height="900" srcdoc="{escape(page)}"></iframe><pre id="answer"></pre>{MEASURE}'
    )
    assert BROWSER is not None
    command = [BROWSER, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", holder.as_uri()]
    dumped = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    answer = re.search(r'<pre id="answer">(.*?)</pre>', dumped, re.DOTALL)
    assert answer is not None
    told = json.loads(unescape(answer[1]))
    assert told["violations"] == []
    assert told["sticksOut"] <= 0
    assert told["passes"] > 10
