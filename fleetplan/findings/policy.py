"""FP5xx: policy and waivers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from fleetplan.findings.finding import Finding, Rule, Severity
from fleetplan.findings.registry import Evidence, rule


@rule(
    Rule(
        id="FP501",
        severity=Severity.WARNING,
        title="Windows are not planned",
        message="`policy.windows` is given, but plans do not keep to windows: the plan's times count from whenever it is started",
        help="A plan states seconds from its start and its order of steps. It does not place steps in calendar time.",
        fix="Start and pause the rollout by the windows yourself, for example with a gate that needs an approval after every wave.",
    )
)
def windows_not_planned(evidence: Evidence) -> Iterator[Finding]:
    """Any window at all."""
    if evidence.fleet.policy.windows:
        yield Finding(rule="FP501", subject="policy", at=evidence.fleet.policy.at)


@rule(
    Rule(
        id="FP502",
        severity=Severity.ERROR,
        title="Waiver has expired",
        message="the waiver of `{what}` for {scope} by {owner} expired on {expires}",
        help="An expired waiver no longer allows what it waived.",
        fix="Mend what was waived, or have the waiver renewed by its owner.",
    )
)
def waiver_expired(evidence: Evidence) -> Iterator[Finding]:
    """Waivers whose last day has passed."""
    for waiver in evidence.fleet.waivers:
        if date.fromisoformat(waiver.expires) <= evidence.today:
            what = waiver.rule or waiver.register or ""
            facts = {"what": what, "scope": ", ".join(waiver.scope), "owner": waiver.owner, "expires": waiver.expires}
            yield Finding(rule="FP502", subject=what, at=waiver.at, facts=facts)
