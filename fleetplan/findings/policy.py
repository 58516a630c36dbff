"""FP5xx: policy and waivers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from fleetplan.findings.finding import Finding, Rule, Severity
from fleetplan.findings.registry import Evidence, rule


@rule(
    Rule(
        id="FP501",
        severity=Severity.NOTE,
        title="Windows count in UTC, from their first opening",
        message="`policy.windows` are in UTC, and the times of a plan count from their first opening of the week",
        help="What disturbs somebody (cordon, migrate, stop, pin) waits for a window; what gives back (upgrade, check, uncordon, start) "
        "does not. A plan that is started at another time of the week is as safe; only its times are others.",
        fix="Nothing, if the windows are meant in UTC. While the rollout runs, start none of those steps outside of a window.",
    )
)
def windows_in_utc(evidence: Evidence) -> Iterator[Finding]:
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
