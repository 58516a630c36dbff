"""Numbers for Prometheus, in the text format that the node exporter's textfile collector reads.

Source: Prometheus' documentation of the text-based exposition format, version 0.0.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import RANK, Finding, Severity


class Metric(msgspec.Struct, frozen=True):
    """A gauge: its name, what it tells, and a value for each set of labels."""

    name: str
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]


def exposition(metrics: Sequence[Metric]) -> str:
    """The text, which ends with a newline, as the collector wants it."""
    return "".join(f"{line}\n" for metric in metrics for line in _lines(metric))


def _lines(metric: Metric) -> Iterator[str]:
    yield f"# HELP {metric.name} {_escaped(metric.help)}"
    yield f"# TYPE {metric.name} gauge"
    for labels, value in metric.samples:
        pairs = ",".join(f'{name}="{_label(text)}"' for name, text in labels.items())
        yield f"{metric.name}{{{pairs}}} {value:.16g}" if pairs else f"{metric.name} {value:.16g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _label(text: str) -> str:
    return _escaped(text).replace('"', '\\"')


def findings_metrics(findings: tuple[Finding, ...], fail_on: Severity) -> str:
    """How many findings each rule has, those with none too, so that no series ends; and whether `check` is content."""
    found = Counter(finding.rule for finding in findings)
    by_rule = [({"rule": name, "severity": rule.severity.value}, float(found[name])) for name, rule in RULES.items()]
    content = not any(RANK[RULES[name].severity] <= RANK[fail_on] for name in found)
    return exposition(
        (
            Metric("fleetplan_findings", "Findings of fleetplan check, by rule.", by_rule),
            Metric("fleetplan_check_ok", "1 if no finding is as bad as --fail-on, else 0.", [({}, float(content))]),
        )
    )
