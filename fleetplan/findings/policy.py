"""FP5xx: policy and waivers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import date
from fnmatch import fnmatchcase

from fleetplan.findings.finding import Finding, Rule, Severity
from fleetplan.findings.registry import Evidence, rule
from fleetplan.firmware.registers import BY_NAME
from fleetplan.fleet.guest import Equipment
from fleetplan.fleet.policy import Waiver

LOSABLE = (*BY_NAME, *Equipment.__struct_fields__)
"""What a waiver of a loss may name beside registers of the architecture."""
OTHER_REGISTER = r"[A-Z][A-Z0-9_]*_EL[0-3]|S[0-3]_[0-7]_C\d+_C\d+_[0-7]"

WAIVERS = "docs/inventory.md: an entry of `waivers`"


@rule(
    Rule(
        id="FP501",
        severity=Severity.NOTE,
        title="Windows count in UTC, from their first opening",
        message="`policy.windows` are in UTC, and the times of a plan count from their first opening of the week",
        help="What disturbs somebody (cordon, migrate, stop, pin) waits for a window; what gives back (upgrade, check, uncordon, start) "
        "does not. A plan that is started at another time of the week is as safe; only its times are others.",
        fix="Nothing, if the windows are meant in UTC. While the rollout runs, start none of those steps outside of a window.",
        source="docs/inventory.md: `policy`",
        example="policy:\n  windows: [{start: 22:00, end: 04:00}]\n",
        mended="policy:\n  gates: [{after: every, approval: true}]\n",
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
        source=WAIVERS,
        example="waivers:\n- {rule: FP203, scope: ['*'], reason: births are not recorded, owner: ops, expires: 2026-01-01}\n",
        mended="waivers:\n- {rule: FP203, scope: ['*'], reason: births are not recorded, owner: ops, expires: 2099-01-01}\n",
        same_by=("what", "scope", "owner", "expires"),
        firm=True,
    )
)
def waiver_expired(evidence: Evidence) -> Iterator[Finding]:
    """Waivers whose last day has passed."""
    for waiver in evidence.fleet.waivers:
        if date.fromisoformat(waiver.expires) <= evidence.today:
            yield _about(waiver, "FP502", expires=waiver.expires)


@rule(
    Rule(
        id="FP503",
        severity=Severity.WARNING,
        title="Waiver that matches nothing",
        message="the waiver of `{what}` for {scope} by {owner} matches nothing that is found",
        help="What it waived is mended or gone, or its scope is misspelt. Left behind, it would waive in silence what comes later.",
        fix="Remove the waiver, or correct its scope.",
        source=WAIVERS,
        example="waivers:\n- {rule: FP401, scope: ['*'], reason: it bears it, owner: ops, expires: 2099-01-01}\n",
        mended="""\
waivers:
- {rule: FP203, scope: ['*'], reason: births are not recorded, owner: ops, expires: 2099-01-01}
guests:
  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}
""",
        same_by=("what", "scope", "owner"),
        firm=True,
    ),
    needs="unused",
)
def waiver_unused(evidence: Evidence) -> Iterator[Finding]:
    """Waivers of rules that no finding answers to, and of registers that no guest in their scope loses."""
    for waiver in evidence.unused or ():
        yield _about(waiver, "FP503")


@rule(
    Rule(
        id="FP504",
        severity=Severity.ERROR,
        title="Waiver of something that does not exist",
        message="a waiver names the {kind} `{what}`, which does not exist",
        help="A waiver of nothing waives nothing, and what it was meant for goes on being found.",
        fix="Correct the name. `fleetplan explain --all` lists the rules, `fleetplan registers INVENTORY` the registers.",
        source=WAIVERS,
        example="waivers:\n- {rule: FP999, scope: ['*'], reason: it bears it, owner: ops, expires: 2099-01-01}\n",
        mended="waivers:\n- {rule: FP203, scope: ['*'], reason: births are not recorded, owner: ops, expires: 2099-01-01}\n",
        same_by=("what", "scope", "owner"),
        firm=True,
    )
)
def waiver_of_nothing(evidence: Evidence) -> Iterator[Finding]:
    """Waivers of unknown rules and registers, with what may have been meant."""
    from fleetplan.findings.catalogue import RULES  # noqa: PLC0415 - the catalogue imports this file

    for waiver in evidence.fleet.waivers:
        kind, what = ("rule", waiver.rule) if waiver.rule is not None else ("register", waiver.register or "")
        if not (what in RULES if kind == "rule" else can_be_lost(what)):
            from difflib import get_close_matches  # noqa: PLC0415 - seldom needed

            close = get_close_matches(what, list(RULES if kind == "rule" else LOSABLE), n=1)
            meant = {"suggestion": close[0]} if close else {}
            yield _about(waiver, "FP504", kind=kind, **meant)


@rule(
    Rule(
        id="FP505",
        severity=Severity.ERROR,
        title="Waiver of what cannot be waived",
        message="a waiver names `{what}`, which no waiver takes off",
        help="Input that is wrong, a plan that does not hold and a waiver that is itself at fault are mended, and not waived.",
        fix="Remove the waiver, and mend what the rule finds.",
        source="the rules that `fleetplan explain --all` calls firm",
        example="waivers:\n- {rule: FP502, scope: ['*'], reason: later, owner: ops, expires: 2099-01-01}\n",
        mended="waivers:\n- {rule: FP203, scope: ['*'], reason: births are not recorded, owner: ops, expires: 2099-01-01}\n",
        same_by=("what", "scope", "owner"),
        firm=True,
    )
)
def waiver_in_vain(evidence: Evidence) -> Iterator[Finding]:
    """Waivers of firm rules."""
    from fleetplan.findings.catalogue import RULES  # noqa: PLC0415 - as above

    for waiver in evidence.fleet.waivers:
        row = RULES.get(waiver.rule or "")
        if row is not None and row.firm:
            yield _about(waiver, "FP505")


def can_be_lost(name: str) -> bool:
    """Whether a move may take something of this name from a guest: a register, or a piece of equipment."""
    return name in LOSABLE or re.fullmatch(OTHER_REGISTER, name) is not None


def _about(waiver: Waiver, rule_id: str, **more: str) -> Finding:
    what = waiver.rule or waiver.register or ""
    facts = {"what": what, "scope": ", ".join(waiver.scope), "owner": waiver.owner, **more}
    return Finding(rule=rule_id, subject=what, at=waiver.at, facts=facts)


def unused_registers(evidence: Evidence, waivers: Iterable[Waiver]) -> list[Waiver]:
    """Those of these waivers of registers whose loss no guest in their scope suffers, in no move to the target and in none back.

    Where moves were left out, or a move is UNKNOWN, a loss may be among what is not known: then nothing is said.
    """
    wanted = [waiver for waiver in waivers if waiver.register is not None and can_be_lost(waiver.register)]
    if not wanted or evidence.crossings.left_out:
        return []
    lost = dict(_losses(evidence))
    return [waiver for waiver in wanted if not _used(waiver, lost)]


def _used(waiver: Waiver, lost: dict[str, frozenset[str] | None]) -> bool:
    return any(what is None or waiver.register in what for name, what in lost.items() if any(fnmatchcase(name, p) for p in waiver.scope))


def _losses(evidence: Evidence) -> Iterator[tuple[str, frozenset[str] | None]]:
    """For each guest that crosses, the registers that it may lose; None: not known."""
    from fleetplan.migration.reasons import Verdict  # noqa: PLC0415 - only fleets with waivers of registers

    classes, names = evidence.classes, evidence.fleet.guests.names
    for crossing in evidence.crossings.found:
        found: frozenset[str] | None = frozenset()
        for there, (verdict, _) in crossing.rulings.items():
            if verdict is Verdict.UNKNOWN or found is None:
                found = None
            elif verdict is Verdict.STRIPS:
                found |= classes.judgment(crossing.guest, crossing.here, there).lost
        yield from ((names[number], found) for number in crossing.guests)
