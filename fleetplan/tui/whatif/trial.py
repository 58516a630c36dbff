"""A situation with a change in it, and how it differs from another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec.structs import replace

from fleetplan import workflow
from fleetplan.output.document import Align, Block, Bullets, Column, Document, Paragraph, Section, Table, Tone
from fleetplan.output.sentences import clock, counted
from fleetplan.output.views.refusal import infeasible_document, refuted_document
from fleetplan.rollout.columns import NONE
from fleetplan.rollout.plan import Infeasible, Plan
from fleetplan.rollout.tally import Tally, tally
from fleetplan.tui.situation import Situation
from fleetplan.tui.whatif.change import Change, made
from fleetplan.tui.work import Watch

MOST_NAMED = 200
"""Differences that are named one by one."""


def tried(situation: Situation, change: Change, watch: Watch) -> Situation:
    """Plan with a change. Raises WishError, CancelledError."""
    study = situation.study
    whole = made(change, study.whole)
    changed = workflow.Study(whole, replace(whole, waivers=study.fleet.waivers), study.remarks, study.today, study.states, watch)
    planned = workflow.make_plan(changed)
    return Situation(
        name=situation.name,
        study=changed,
        outcome=planned.outcome,
        violations=planned.violations,
        changes=(*situation.changes, change),
        before=situation,
    ).prepare()


def difference(before: Situation, now: Situation) -> Document:
    """How a situation differs from one of the same fleet. O(guests + steps)."""
    if now.plan is None:
        refusal = infeasible_document(now.outcome) if isinstance(now.outcome, Infeasible) else refuted_document(now.violations)
        return Document((Section("", (Paragraph("With this there is no safe plan.", Tone.BAD),)), *refusal.sections))
    if before.plan is None:
        told = Paragraph("With this there is a plan; before there was none.", Tone.GOOD)
        return Document((Section("", (told, _figures(None, tally(now.study.fleet, now.plan)))),))
    figures = _figures(tally(before.study.fleet, before.plan), tally(now.study.fleet, now.plan))
    return Document((Section("", (figures,)), *_lists(before, now, before.plan, now.plan)))


def _figures(before: Tally | None, now: Tally) -> Table:
    columns = (Column(title=""), Column(title="before", align=Align.RIGHT), Column(title="now", align=Align.RIGHT), Column(title=""))
    rows = (
        _row("waves", before.waves if before else None, now.waves),
        _row("migrations", before.moves if before else None, now.moves),
        _row("restarts", before.restarts if before else None, now.restarts),
        _row("hosts upgraded", before.upgrades if before else None, now.upgrades),
        ("time", clock(before.makespan_s) if before else "-", clock(now.makespan_s), _longer(before, now)),
        _row("guests without a way back", before.no_return if before else None, now.no_return),
    )
    return Table(columns, rows)


def _row(name: str, before: int | None, now: int) -> tuple[str, ...]:
    if before is None:
        return (name, "-", f"{now:,}", "")
    return (name, f"{before:,}", f"{now:,}", f"{now - before:+,}" if now != before else "")


def _longer(before: Tally | None, now: Tally) -> str:
    if before is None or before.makespan_s == now.makespan_s:
        return ""
    more = now.makespan_s - before.makespan_s
    return f"{'+' if more > 0 else '-'}{clock(abs(more))}"


def _lists(before: Situation, now: Situation, was: Plan, plan: Plan) -> Iterator[Section]:
    """Hosts whose turn is another, guests that land elsewhere, and pins."""
    for title, found in (
        ("Hosts", _turns(before, now)),
        ("Guests", _landings(before, now)),
        ("PSCI pins", _pins(was, plan)),
    ):
        lines = list(islice(found, MOST_NAMED + 1))
        if lines:
            blocks: list[Block] = [Bullets(tuple((0, text) for text in lines[:MOST_NAMED]))]
            blocks += [Paragraph("and more")] if len(lines) > MOST_NAMED else []
            count = f"{counted(len(lines), 'difference')}" if len(lines) <= MOST_NAMED else f"more than {MOST_NAMED} differences"
            yield Section(f"{title}: {count}", tuple(blocks))


def _turns(before: Situation, now: Situation) -> Iterator[str]:
    waves = (before.journey.times[3].tolist(), now.journey.times[3].tolist())
    for name, old, new in zip(now.columns.hosts.names, *waves, strict=True):
        if old != new:
            yield f"{name}: {_wave(old)} → {_wave(new)}"


def _wave(number: int) -> str:
    return f"wave {number}" if number else "not upgraded"


def _landings(before: Situation, now: Situation) -> Iterator[str]:
    old, new = _ends(before), _ends(now)
    for guest in sorted(old.keys() | new.keys()):
        if old.get(guest) != new.get(guest):
            name = now.columns.guests.names[guest]
            yield f"{name}: {old.get(guest, 'stays')} → {new.get(guest, 'stays')}"


def _ends(situation: Situation) -> dict[int, str]:
    """Where the last landing of each guest that lands is, and whether it is a restart there."""
    found, names = situation.landings, situation.columns.hosts.names
    order = found.start_s.argsort(kind="stable")
    rows = zip(found.guest[order].tolist(), found.destination[order].tolist(), found.back[order].tolist(), strict=True)
    return {guest: f"restarts on {names[host]}" if back == NONE else names[host] for guest, host, back in rows}


def _pins(before: Plan, now: Plan) -> Iterator[str]:
    old, new = ({pin.guest: pin.psci for pin in plan.pins} for plan in (before, now))
    for guest in sorted(old.keys() | new.keys()):
        if old.get(guest) != new.get(guest):
            yield f"{guest}: {old.get(guest, 'none')} → {new.get(guest, 'none')}"
