"""The two lines on top: where one is and how risky the plan is, and the views to go to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fleetplan.output.ink import Ink, Line, Span, length
from fleetplan.output.sentences import clock, counted
from fleetplan.tui.frame.trail import Trail
from fleetplan.tui.moves.landings import RISKS, counts
from fleetplan.tui.situation import Situation


class Tab(msgspec.Struct, frozen=True):
    """A view that has a key."""

    key: str
    name: str
    title: str


def heading_line(situation: Situation | None, trail: Trail, tabs: Sequence[Tab], width: int) -> Line:
    """`fleetplan ▸ half-upgraded.yaml ▸ Moves ▸ new-24`, and on the right what the plan comes to."""
    titles = {tab.name: tab.title for tab in tabs}
    crumbs = [situation.name if situation is not None else "…"]
    crumbs += [place.subject or titles.get(place.view, place.view) for place in trail.places]
    line: Line = (Span(" fleetplan", Ink.HEAD),)
    for number, crumb in enumerate(crumbs):
        line = (*line, Span(" ▸ ", Ink.FAINT), Span(crumb, Ink.STRONG if number == len(crumbs) - 1 else Ink.PLAIN))
    risks = risk_line(situation) if situation is not None else ()
    gap = width - length(line) - length(risks) - 1
    return (*line, Span(" " * gap), *risks) if gap > 0 else line


def risk_line(situation: Situation) -> Line:
    """`✗ 2  ≈ 12  ✓ 30`: how many landings come to what, the worst first."""
    spans: list[Span] = []
    for sign, count in reversed(list(zip(RISKS, counts(situation.landings.risk), strict=True))):
        if count:
            spans += [Span(f"{sign.glyph} {count:,} {sign.word.lower()}", sign.ink), Span("  ")]
    return tuple(spans[:-1])


def tab_line(tabs: Sequence[Tab], here: str) -> Line:
    """`1 Moves  2 Fleet`, the one that is shown lit."""
    spans = [Span(" ")]
    for tab in tabs:
        spans += [Span(f" {tab.key} ", Ink.HEAD), Span(tab.title, Ink.LIT if tab.name == here else Ink.PLAIN), Span("  ")]
    return tuple(spans)


def plan_words(situation: Situation) -> Line:
    """What is planned, in one line."""
    plan = situation.plan
    if situation.violations:
        return (Span("✗ the judge refutes this plan", Ink.FAILS), Span(": 3 Waves says where"))
    if plan is None:
        return (Span("✗ no safe plan", Ink.FAILS), Span(": 3 Waves says why and what would help; these moves would be needed"))
    what = f"{counted(len(plan.waves), 'wave')}, {counted(plan.bounds.moves.plan, 'migration')}, {clock(plan.bounds.makespan_s.plan)}"
    origin = f" ({situation.plan_name})" if situation.plan_name else ""
    return (Span("✓ judged", Ink.SAFE), Span(f"  {what}{origin}, to {plan.target}"))
