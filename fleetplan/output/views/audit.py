"""Who is exposed to what, as a document: figures, who, restarts in order, pins, and the course of a rollout."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fleetplan.fleet.guest import GuestName
from fleetplan.fleet.model import Fleet
from fleetplan.fleet.table import Among
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.exposure import SAFE, Exposure
from fleetplan.migration.standing import Standings, Tally
from fleetplan.output.class_names import cpu_words
from fleetplan.output.document import Align, Block, Bullets, Column, Document, Paragraph, Section, Table, Tone
from fleetplan.output.exposure import FLAWS, WIDEST, boot_words, exposed, exposed_guests, flaws, limit_sentence, sparkline, standing_lines
from fleetplan.output.sentences import clock, counted, listed
from fleetplan.rollout.audit import Audit, Band, RestartStep
from fleetplan.rollout.timeline import Moment

MOST_NAMED = 4
MOST_ROWS = 20
"""Rows of a list that text shows; JSON has all."""


def audit_document(found: Audit, fleet: Fleet, classes: ClassTable, when: str, moments: Sequence[Moment]) -> Document:
    """Everything about one moment, which is called `when`; with the moments of a plan, if there is one, their course."""
    sections = (
        _figures(found, when),
        _who(found, fleet, classes),
        _restarts(found),
        _limits(found),
        course_section(moments),
    )
    return Document(tuple(section for section in sections if section.blocks))


def _figures(found: Audit, when: str) -> Section:
    tally = found.tally
    sentence = exposed_guests(tally.at_least, tally.at_most, tally.guests)
    tone = Tone.BAD if tally.at_least else Tone.CAUTION if tally.at_most else Tone.GOOD
    blocks: list[Block] = [Paragraph(f"{when[:1].upper()}{when[1:]}: {sentence}.", tone), _table(tally)]
    if found.away:
        blocks.append(Paragraph(f"Not counted: {counted(found.away, 'guest')} on hosts that are down or lost.", Tone.CAUTION))
    return Section("", tuple(blocks))


def _table(tally: Tally) -> Table:
    columns = (Column(title=""), *(Column(title=FLAWS[count.item], align=Align.RIGHT) for count in tally.items))
    kinds = [kind for kind in Exposure if any(count.guests[kind] for count in tally.items)]
    rows = [(str(kind), *(f"{count.guests[kind]:,}" for count in tally.items)) for kind in kinds]
    rows.append(("exposed, in all", *(_range(count.at_least, count.at_most) for count in tally.items)))
    return Table(columns, tuple(rows))


def _range(at_least: int, at_most: int) -> str:
    return f"{at_most:,}" if at_least == at_most else f"{at_least:,} to {at_most:,}"


def _who(found: Audit, fleet: Fleet, classes: ClassTable) -> Section:
    told = [band for band in found.bands if _remarkable(band.standings)]
    points = [point for band in told[:MOST_ROWS] for point in _points(band, fleet, classes)]
    blocks: list[Block] = [Bullets(tuple(points))] if points else []
    if len(told) > MOST_ROWS:
        rest = sum(len(band.numbers) for band in told[MOST_ROWS:])
        blocks.append(Paragraph(f"And {counted(rest, 'guest')} of {counted(len(told) - MOST_ROWS, 'other kind')}; JSON and CSV name all."))
    return Section("Who", tuple(blocks))


def _remarkable(standings: Standings) -> bool:
    return bool(standings.hidden_services) or any(each.exposure not in SAFE for each in standings.items)


def _points(band: Band, fleet: Fleet, classes: ClassTable) -> Iterator[tuple[int, str]]:
    members: Sequence[GuestName] = Among(fleet.guests.names, band.numbers)
    hosts = sorted({fleet.guests.host_names[fleet.guests.on[number]] for number in band.numbers})
    offered = classes.host_class(band.host_class)
    what = f"{offered.release.kernel} {offered.release.vmm} {cpu_words(offered.stated)}"
    who = f"{counted(len(members), 'guest')} ({listed(members, MOST_NAMED)})"
    yield 0, f"{who} on {counted(len(hosts), 'host')} ({listed(hosts, MOST_NAMED)}) with {what}"
    for line in standing_lines(band.standings, classes.guest_class(band.guest_class)):
        yield 1, line


def _restarts(found: Audit) -> Section:
    steps = found.restarts
    if not steps:
        return Section("", ())
    columns = (
        Column(title="round", align=Align.RIGHT),
        Column(title="restart"),
        Column(title="number", align=Align.RIGHT),
        Column(title="guests", grows=True),
        Column(title="heals or settles"),
        Column(title="remarks", grows=True),
    )
    rows = tuple(_row(step) for step in steps[:MOST_ROWS])
    left = f"{counted(len(steps) - MOST_ROWS, 'more row')}; JSON has all." if len(steps) > MOST_ROWS else ""
    after = found.after
    sentence = f"After those that policy permits: {exposed_guests(after.at_least, after.at_most, after.guests)}."
    why = "Most exposed first, warm before cold; of a group that is kept apart, no two guests are in one round."
    return Section("Restarts that heal, in this order", (Table(columns, rows, left), Paragraph(sentence), Paragraph(why, Tone.FAINT)))


def _row(step: RestartStep) -> tuple[str, ...]:
    remarks = [] if step.permitted else ["`restart: never`"]
    remarks += [boot_words(step.boot).strip()] if step.boot is not None and step.boot.changed else []
    remarks += ["more is left"] if step.lasting else []
    names = listed(step.guests, MOST_NAMED)
    return (str(step.round), str(step.restart), f"{len(step.guests):,}", names, flaws(step.heals), "; ".join(remarks))


def _limits(found: Audit) -> Section:
    points = []
    for limit in found.limits:
        points += [(0, limit_sentence(limit)), (1, listed(limit.guests, MOST_NAMED))]
    return Section("Guests that bear no newer PSCI version", (Bullets(tuple(points)),) if points else ())


def course_section(moments: Sequence[Moment]) -> Section:
    """Exposure over the rollout: a line for each flaw, and one for any."""
    if not moments:
        return Section("", ())
    if not any(moment.tally.at_most for moment in moments):
        return Section("Over the rollout", (Paragraph("No guest is exposed after any wave.", Tone.GOOD),))
    columns = (
        Column(title="exposed, at most"),
        Column(title="now", align=Align.RIGHT),
        Column(title="by wave"),
        Column(title="end", align=Align.RIGHT),
        Column(title="at least, at the end", align=Align.RIGHT),
    )
    first, last = moments[0].tally, moments[-1].tally
    most = max(moment.tally.at_most for moment in moments)
    rows = [
        (
            FLAWS[count.item],
            f"{first.items[place].at_most:,}",
            sparkline([moment.tally.items[place].at_most for moment in moments], most),
            f"{count.at_most:,}",
            f"{count.at_least:,}",
        )
        for place, count in enumerate(last.items)
    ]
    any_flaw = sparkline([moment.tally.at_most for moment in moments], most)
    rows.append(("any of them", f"{first.at_most:,}", any_flaw, f"{last.at_most:,}", f"{last.at_least:,}"))
    return Section("Over the rollout", (Table(columns, tuple(rows), _scale(moments, most)), Paragraph(_worst(moments))))


def _scale(moments: Sequence[Moment], most: int) -> str:
    few = -(-len(moments) // WIDEST)
    each = "a bar for now and for each wave" if few == 1 else f"a bar for each {few} moments (the worst of them), now being the first"
    return f"{each}; the highest is {counted(most, 'guest')}, · is none."


def _worst(moments: Sequence[Moment]) -> str:
    worst = max(moments, key=lambda moment: (moment.tally.at_most, -moment.wave))
    tally = worst.tally
    when = "now" if not worst.wave else f"after wave {worst.wave} ({clock(worst.ends_s)} from the start)"
    return f"The most at once: {exposed(tally.at_least, tally.at_most, tally.guests)}, {when}."
