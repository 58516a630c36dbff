"""Where a rollout stands, as a document."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from fleetplan.follow.position import Position, Stage
from fleetplan.follow.rest import Outlook, RolloutStatus
from fleetplan.output.deviations import difference_sentence
from fleetplan.output.document import Align, Bullets, Column, Document, Paragraph, Section, Table, Tone
from fleetplan.output.sentences import clock, counted, listed
from fleetplan.output.views.refusal import violation_sentence
from fleetplan.rollout.plan import Step, StepKind, Wave

MOST_SHOWN = 50
UNDER_WAY = (Stage.DRAINING, Stage.RETURNING)

RUNS: Mapping[StepKind, str] = {
    StepKind.CORDON: "cordon {host}",
    StepKind.MIGRATE: "migrate {guest} from {source} to {destination}",
    StepKind.STOP: "stop {guest} on {host}",
    StepKind.START: "start {guest} on {host}",
    StepKind.PIN: "pin {guest} ({note})",
    StepKind.UPGRADE: "upgrade {host}",
    StepKind.CHECK: "check {host}",
    StepKind.UNCORDON: "uncordon {host}",
    StepKind.GATE: "gate: {note}",
}


def status_document(standing: RolloutStatus) -> Document:
    """How far the rollout is, what deviates, whether the rest is safe, and what comes now."""
    where = standing.where
    sections = [_head(standing), *_deviations(where), *_rest(standing.rest), *_waves(where), *_now(where)]
    return Document(tuple(sections))


def _head(standing: RolloutStatus) -> Section:
    where, rest = standing.where, standing.rest
    stages = Counter(where.stages.values())
    total, under_way = len(where.stages), sum(stages[stage] for stage in UNDER_WAY)
    hosts = f"{stages[Stage.DONE]:,} of {counted(total, 'host')} done, {under_way:,} under way, {stages[Stage.TO_COME]:,} to come"
    far = Paragraph(f"To {where.plan.target}: {hosts}.")
    left = Paragraph(f"Left by forecast: {clock(where.left_s)}.")
    if where.on_the_way:
        told = Paragraph("The fleet is on the plan's way.", Tone.GOOD)
    else:
        told = Paragraph(f"The fleet deviates from the plan: {counted(len(where.differences), 'difference')}.", Tone.BAD)
    if not rest.safe:
        judged = Paragraph(
            "The rest is not safe as planned: `fleetplan next INVENTORY PLAN` makes a wave from the state that is.", Tone.BAD
        )
    elif where.left:
        judged = Paragraph("The rest is still safe: judged from the state that is.", Tone.GOOD)
    else:
        judged = Paragraph("Nothing of the plan is left to do.", Tone.GOOD)
    return Section("", (far, left, told, judged))


def _deviations(where: Position) -> Iterator[Section]:
    if where.differences:
        points = [(0, difference_sentence(each)) for each in where.differences[:MOST_SHOWN]]
        yield Section("What deviates", (Bullets(tuple(points)), *_more(len(where.differences))))


def _rest(rest: Outlook) -> Iterator[Section]:
    if rest.violations:
        points = [(0, violation_sentence(each)) for each in rest.violations[:MOST_SHOWN]]
        yield Section("Why the rest is not safe", (Bullets(tuple(points)), *_more(len(rest.violations))))
    if rest.left_out:
        told = f"{counted(len(rest.left_out), 'host')} not on the target, and the rest does not upgrade them: {listed(rest.left_out)}."
        yield Section("Left out", (Paragraph(told, Tone.CAUTION),))


def _more(number: int) -> Iterator[Paragraph]:
    if number > MOST_SHOWN:
        yield Paragraph(f"{number - MOST_SHOWN:,} more; `--format json` has each.")


def _waves(where: Position) -> Iterator[Section]:
    if where.plan.waves:
        titles = ("wave", "hosts done", "under way", "to come", "moves done", "moves")
        columns = tuple(Column(title=title, align=Align.RIGHT) for title in titles)
        yield Section("Waves", (Table(columns, tuple(_row(where, wave) for wave in where.plan.waves)),))


def _row(where: Position, wave: Wave) -> tuple[str, ...]:
    stages = Counter(where.stages[host] for host in wave.hosts)
    done, moves = moves_of(where, wave)
    numbers = (stages[Stage.DONE], sum(stages[stage] for stage in UNDER_WAY), stages[Stage.TO_COME], done, moves)
    return (str(wave.number), *(f"{number:,}" for number in numbers))


def moves_of(where: Position, wave: Wave) -> tuple[int, int]:
    """How many migrations of a wave have ended, and how many it has."""
    moves = [step.id for step in wave.steps if step.kind is StepKind.MIGRATE]
    return sum(step in where.done for step in moves), len(moves)


def _now(where: Position) -> Iterator[Section]:
    """Steps that run or may start; people read the first, automation takes all."""
    if where.ready:
        points = tuple((0, step_words(step)) for step in where.ready[:MOST_SHOWN])
        yield Section("Now", (Bullets(points), *_more(len(where.ready))))


def step_words(step: Step) -> str:
    """What a step does, as an order."""
    return RUNS[step.kind].format(
        host=step.host, guest=step.guest, source=step.source, destination=step.destination, note=step.note or "wait"
    )
