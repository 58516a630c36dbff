"""The formats of `check`, by name. A new one is a file and a row here; none is loaded before it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import msgspec

from fleetplan.findings.finding import Finding, Severity

if TYPE_CHECKING:
    from fleetplan.findings.report import Report


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of `check` has to tell: what it reports, the limit from which on that fails, the inventory's name, and the day."""

    report: Report
    fail_on: Severity
    inventory: str
    as_of: str

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is left of the findings."""
        return self.report.findings


Format = Callable[[Checked], bytes]


def _json(checked: Checked) -> bytes:
    from fleetplan.output.json import findings_json  # noqa: PLC0415 - one of the formats is needed

    return findings_json(checked.report)


def _sarif(checked: Checked) -> bytes:
    from fleetplan.output.sarif import findings_sarif  # noqa: PLC0415 - as above

    return findings_sarif(checked.findings, checked.report.waived)


def _junit(checked: Checked) -> bytes:
    from fleetplan.output.junit import findings_junit  # noqa: PLC0415 - as above

    return findings_junit(checked.findings, checked.fail_on).encode()


def _github(checked: Checked) -> bytes:
    from fleetplan.output.github import findings_github  # noqa: PLC0415 - as above

    return findings_github(checked.findings).encode()


def _markdown(checked: Checked) -> bytes:
    from fleetplan.output.markdown import escaped, render  # noqa: PLC0415 - as above
    from fleetplan.output.views.findings import taken_off  # noqa: PLC0415 - as above
    from fleetplan.output.views.findings_report import report_document  # noqa: PLC0415 - as above

    title = f"## fleetplan check {escaped(checked.inventory)}\n\n"
    return (title + render(report_document(checked.findings, taken_off(checked.report)), level=3)).encode()


def _html(checked: Checked) -> bytes:
    from fleetplan.output.html import render  # noqa: PLC0415 - as above
    from fleetplan.output.views.findings import taken_off  # noqa: PLC0415 - as above
    from fleetplan.output.views.findings_report import report_document  # noqa: PLC0415 - as above

    title = f"fleetplan check {checked.inventory}"
    return render(report_document(checked.findings, taken_off(checked.report)), title=title, about=f"As of {checked.as_of}.").encode()


def _prometheus(checked: Checked) -> bytes:
    from fleetplan.output.prometheus import findings_metrics  # noqa: PLC0415 - as above

    return findings_metrics(checked.findings, checked.fail_on).encode()


FORMATS: Mapping[str, Format] = {
    "json": _json,
    "sarif": _sarif,
    "junit": _junit,
    "github": _github,
    "markdown": _markdown,
    "html": _html,
    "prometheus": _prometheus,
}
"""Beside `text`, which is fitted to the terminal."""
