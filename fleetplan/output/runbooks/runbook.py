"""A plan as a runbook to read and to tick off: what happens in which wave, what must be there, and where it cannot be undone."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.output.document import Align, Bar, Bars, Block, Bullets, Column, Document, Kind, Paragraph, Section, Table, Tone
from fleetplan.output.runbooks.orders import Order, orders
from fleetplan.output.sentences import clock, counted, listed
from fleetplan.rollout.plan import Plan, StepKind, Wave

STEPS = (
    Column(title="#", align=Align.RIGHT),
    Column(title="starts", align=Align.RIGHT),
    Column(title="takes", align=Align.RIGHT),
    Column(title="do"),
    Column(title="when these have ended"),
)

MOST_NAMED = 12
"""Steps that are named as waited for; of more, the number."""


def title(plan: Plan) -> str:
    """What the rollout is about."""
    part = f", wave {plan.part_of.wave}" if plan.part_of is not None else ""
    return f"Rollout to {plan.target}{part}"


def runbook_document(plan: Plan) -> Document:
    """The overview, what to look at before, the waves with their steps, pins, and points of no return."""
    by_wave: dict[int, list[Order]] = {}
    for order in orders(plan):
        by_wave.setdefault(order.wave, []).append(order)
    waves = (_wave(wave, by_wave.get(wave.number, [])) for wave in plan.waves)
    return Document((_overview(plan), _before(plan), *waves, *_pins(plan), *_no_return(plan)))


def _overview(plan: Plan) -> Section:
    kinds = [order.step.kind for order in orders(plan)]
    moves, stops = kinds.count(StepKind.MIGRATE), kinds.count(StepKind.STOP)
    hosts = sum(len(wave.hosts) for wave in plan.waves)
    said = f"{counted(hosts, 'host')} in {counted(len(plan.waves), 'wave')}: {counted(moves, 'migration')}, {counted(stops, 'restart')}"
    bars = tuple(Bar(f"wave {wave.number}", (max((step.end_s for step in wave.steps), default=0),)) for wave in plan.waves)
    chart = Bars("Seconds from the start to the end of each wave", (Kind("seconds"),), bars)
    blocks: list[Block] = [Paragraph(f"{said}; {clock(plan.bounds.makespan_s.plan)} in all, if steps take what is forecast.")]
    if bars:
        blocks.append(chart)
    if plan.skipped:
        blocks.append(Paragraph(f"Hosts that stay as they are: {listed(sorted(plan.skipped), 20)}.", Tone.CAUTION))
    return Section("Overview", tuple(blocks))


def _before(plan: Plan) -> Section:
    policy = plan.on_failure
    again, most = counted(policy.retries, "more time"), counted(policy.wave_stops_after, "failure")
    points = (
        "The fleet must be in the state that the plan was made for, or on its way: `fleetplan status INVENTORY PLAN` says whether it is.",
        "A step may begin when all steps that it waits for have ended, and not before; the times are a forecast.",
        f"If a step fails, try it {again}; then {policy.host.value} its host: what waits for it waits on.",
        f"After {most} in a wave, begin nothing more.",
        "`check` looks whether the host runs the target kernel and VMM, and offers guests what the plan took it to (`fleetplan probe`).",
    )
    return Section("Before you begin", (Bullets(tuple((0, point) for point in points)),))


def _wave(wave: Wave, steps: list[Order]) -> Section:
    rows = tuple(_row(order) for order in steps)
    names = Paragraph(f"Hosts: {listed(wave.hosts, 40)}.")
    return Section(f"Wave {wave.number}", (names, Table(STEPS, rows)))


def _row(order: Order) -> tuple[str, ...]:
    step = order.step
    after = [str(number) for number in order.after]
    waits = ", ".join(after) if len(after) <= MOST_NAMED else f"{', '.join(after[:MOST_NAMED])} and {len(after) - MOST_NAMED} more"
    return str(order.number), clock(step.start_s), clock(step.duration_s), _order(order), waits


def _order(order: Order) -> str:
    """What is to be done."""
    step = order.step
    match step.kind:
        case StepKind.MIGRATE:
            return f"migrate {step.guest}: {step.source} to {step.destination} ({step.verdict})"
        case StepKind.STOP | StepKind.START:
            return f"{step.kind.value} {step.guest} on {step.host}"
        case StepKind.PIN:
            return f"pin {step.guest} on {step.host}: {step.note}"
        case StepKind.GATE:
            return f"gate: {step.note or 'wait'}"
        case _:
            return f"{step.kind.value} {step.host}"


def _pins(plan: Plan) -> Iterator[Section]:
    if plan.pins:
        columns = (Column(title="guest"), Column(title="PSCI"), Column(title="counts from"), Column(title="why"), Column(title="cost"))
        yield Section(
            "PSCI pins", (Table(columns, tuple((pin.guest, pin.psci, pin.effective, pin.reason, pin.cost) for pin in plan.pins)),)
        )


def _no_return(plan: Plan) -> Iterator[Section]:
    if plan.points_of_no_return:
        points = tuple(
            (0, f"{f'after wave {point.wave}' if point.wave else 'before it begins'}: {listed(point.guests, 20)} cannot go back")
            for point in plan.points_of_no_return
        )
        yield Section("Points of no return", (Bullets(points),))
