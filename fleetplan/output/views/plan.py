"""A plan, or why there is none, as a document."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from fleetplan.fleet.model import HostName
from fleetplan.migration.reasons import Judgment, Verdict
from fleetplan.output.document import Align, Bullets, Column, Document, Paragraph, Section, Table, Tone
from fleetplan.output.reasons import reason_sentence
from fleetplan.output.sentences import clock, counted, listed, week_time
from fleetplan.output.views.next import part_sections
from fleetplan.output.waits import chain_section
from fleetplan.output.ways_back import hop_words, no_way_sentence
from fleetplan.rollout.invariant_rows import INVARIANTS
from fleetplan.rollout.moves import MoveKind
from fleetplan.rollout.plan import Among, Bound, ClosedBirth, ExtraMoves, Pin, Plan, PointOfNoReturn, Step, StepKind, Wave, WhyTwice
from fleetplan.rollout.summary import WaveSummary, summary
from fleetplan.rollout.waits import Stretch

MOST_WAVES_IN_FULL = 12
MOST_LANDINGS = 400
"""Plans with more waves or landings than these are shown as a summary; JSON always has everything."""


def kept_document(kept: int, both: int) -> Document:
    """How far a plan follows the previous one."""
    share = f" ({100 * kept / both:.0f} %)" if both else ""
    return Document((Section("", (Paragraph(f"Guests that land in both plans: {both:,}; on the same host: {kept:,}{share}."),)),))


def plan_document(plan: Plan, kinds: tuple[tuple[MoveKind, Judgment], ...], path: tuple[Stretch, ...]) -> Document:
    """The plan: what, when, what changes for guests, pins, ways back, bounds, and its critical path."""
    waves = [summary(wave) for wave in plan.waves]
    sections = [
        _summary(plan, waves),
        *(part_sections(plan.part_of) if plan.part_of is not None else ()),
        *_waves(plan, waves),
        *_landings(plan),
        *_changes(kinds),
        *_pins(plan),
        *_ways_back(plan),
        *_births(plan),
        *_skipped(plan),
        _bounds(plan),
        *chain_section("Critical path", path),
    ]
    return Document(tuple(sections))


def _summary(plan: Plan, waves: list[WaveSummary]) -> Section:
    kinds = sum((Counter(wave.kinds) for wave in waves), Counter[StepKind]())
    if not plan.waves:
        return Section("", (Paragraph(f"Nothing to do: every host that can be upgraded runs {plan.target}.", Tone.GOOD),))
    what = (
        f"{counted(kinds[StepKind.UPGRADE], 'host')} to {plan.target}: {counted(len(plan.waves), 'wave')}, "
        f"{counted(kinds[StepKind.MIGRATE], 'migration')}, {counted(kinds[StepKind.STOP], 'restart')} in place, "
        f"{clock(plan.bounds.makespan_s.plan)} in all."
    )
    if plan.begins_min is not None:
        what += f" Times count from {week_time(plan.begins_min)}."
    judged = f"Judged: all {len(INVARIANTS)} invariants hold at every step."
    return Section("", (Paragraph(what), Paragraph(judged, Tone.GOOD)))


def _waves(plan: Plan, waves: list[WaveSummary]) -> Iterator[Section]:
    if plan.waves:
        columns = (
            Column(title="wave", align=Align.RIGHT),
            Column(title="hosts", grows=True),
            Column(title="moves", align=Align.RIGHT),
            Column(title="restarts", align=Align.RIGHT),
            Column(title="starts", align=Align.RIGHT),
            Column(title="ends", align=Align.RIGHT),
            Column(title="then"),
        )
        yield Section("Waves", (Table(columns, tuple(map(_wave_row, plan.waves, waves))),))


def _wave_row(wave: Wave, short: WaveSummary) -> tuple[str, ...]:
    return (
        str(wave.number),
        listed(wave.hosts),
        str(short.kinds.get(StepKind.MIGRATE, 0)),
        str(short.kinds.get(StepKind.STOP, 0)),
        clock(short.start_s),
        clock(short.end_s),
        "; ".join(gate.note or "gate" for gate in short.gates),
    )


def _landings(plan: Plan) -> Iterator[Section]:
    moves = plan.bounds.moves.plan
    if len(plan.waves) > MOST_WAVES_IN_FULL or moves > MOST_LANDINGS:
        yield Section("Landings", (Paragraph(f"{moves:,} landings are not shown here; `--format json` and `-o FILE` have each."),))
        return
    columns = (
        Column(title="at", align=Align.RIGHT),
        Column(title="from"),
        Column(title="guest", grows=True),
        Column(title="to"),
        Column(title="takes", align=Align.RIGHT),
        Column(title="verdict"),
    )
    for wave in plan.waves:
        rows = tuple(_landing_row(step) for step in wave.steps if step.kind in {StepKind.MIGRATE, StepKind.STOP})
        if rows:
            yield Section(f"Landings of wave {wave.number}", (Table(columns, rows),))


def _landing_row(step: Step) -> tuple[str, ...]:
    if step.kind is StepKind.STOP:
        return clock(step.start_s), step.host or "", step.guest or "", "(restarts in place)", "", ""
    return (
        clock(step.start_s),
        step.source or "",
        step.guest or "",
        step.destination or "",
        clock(step.duration_s),
        step.verdict or "",
    )


def _changes(kinds: tuple[tuple[MoveKind, Judgment], ...]) -> Iterator[Section]:
    points: list[tuple[int, str]] = []
    for kind, judgment in kinds:
        if judgment.verdict is Verdict.SAFE:
            continue
        example = f"{kind.guest} from {kind.source} to {kind.destination}"
        points.append((0, f"{judgment.verdict}: {counted(kind.count, 'migration')}, such as {example}"))
        points.extend((1, reason_sentence(reason)) for reason in judgment.reasons)
    if points:
        yield Section("What changes for guests", (Bullets(tuple(points)),))


def _pins(plan: Plan) -> Iterator[Section]:
    points = tuple(point for pin in plan.pins for point in pin_points(pin))
    if points:
        yield Section("PSCI pins", (Bullets(points),))


def pin_points(pin: Pin) -> Iterator[tuple[int, str]]:
    """A PSCI pin: from when it counts, why it is there, and what it costs."""
    yield 0, f"{pin.guest}: PSCI {pin.psci}, counts from {pin.effective}"
    yield 1, f"{pin.reason}. Cost: {pin.cost}"
    if pin.breaks:
        yield 1, f"conflict: it takes the mitigation of {', '.join(pin.breaks)}, which the guest was promised"


def _ways_back(plan: Plan) -> Iterator[Section]:
    if not plan.waves:
        return
    points = tuple((0, no_return_sentence(point)) for point in plan.points_of_no_return)
    open_ = Paragraph(f"None: after every wave every guest could go back to {plan.back_to}.", Tone.GOOD)
    yield Section("Points of no return", (Bullets(points),) if points else (open_,))


def ways_back_document(plan: Plan) -> Document:
    """From when on there is no way back, for guests that are and for those that are born meanwhile."""
    return Document((*_ways_back(plan), *_births(plan)))


def no_return_sentence(point: PointOfNoReturn) -> str:
    """From when on which guests cannot go back, until when, and why."""
    since = "before the plan begins" if point.wave == 0 else f"after wave {point.wave}"
    until = "" if point.until is None else f" until wave {point.until} has ended"
    guests = f"{counted(len(point.guests), 'guest')} ({listed(point.guests)})"
    return f"{since}{until}: {guests} cannot go back. {no_way_sentence(point.why)}"


def _births(plan: Plan) -> Iterator[Section]:
    """Where guests should not be born as they usually are; pools of which the same is to be said together."""
    alike: dict[tuple[int, str | None, str], list[ClosedBirth]] = defaultdict(list)
    for birth in plan.closed_births:
        alike[birth.wave, birth.pin, hop_words(birth.why)].append(birth)
    points = tuple(point for (wave, pin, why), births in alike.items() for point in _birth_points(wave, pin, why, births))
    if points:
        yield Section("Births", (Bullets(points),))


def _birth_points(wave: int, pin: str | None, why: str, births: list[ClosedBirth]) -> Iterator[tuple[int, str]]:
    since = "before the plan begins" if wave == 0 else f"after wave {wave}"
    hosts, pools = sum(birth.hosts for birth in births), list(dict.fromkeys(birth.pool for birth in births))
    where = f"{'an' if hosts == 1 else f'any of {hosts:,}'} upgraded host{'s' if hosts > 1 else ''}"
    named = f"pool{'s' if len(pools) > 1 else ''} {listed(pools)}, such as {births[0].like}"
    yield 0, f"{since}: a guest that is born on {where} ({named}) cannot move back. {why}"
    with_pin = "; no PSCI pin helps" if pin is None else f", or pin PSCI {pin} when guests are born there"
    yield 1, f"close hosts to births once they are upgraded{with_pin}"


def _skipped(plan: Plan) -> Iterator[Section]:
    by_reason: dict[str, list[HostName]] = defaultdict(list)
    for host, reason in plan.skipped.items():
        by_reason[reason].append(host)
    if by_reason:
        points = tuple((0, f"{listed(hosts)}: {reason}") for reason, hosts in by_reason.items())
        yield Section("Hosts left as they are", (Bullets(points),))


def _bounds(plan: Plan) -> Section:
    columns = (
        Column(title="aim"),
        Column(title="plan", align=Align.RIGHT),
        Column(title="bound", align=Align.RIGHT),
        Column(title="proved"),
    )
    rows = (
        ("migrations", f"{plan.bounds.moves.plan:,}", f"{plan.bounds.moves.bound:,}", _proved(plan.bounds.moves)),
        ("waves", str(plan.bounds.waves.plan), str(plan.bounds.waves.bound), _proved(plan.bounds.waves)),
        ("time", clock(plan.bounds.makespan_s.plan), clock(plan.bounds.makespan_s.bound), _proved(plan.bounds.makespan_s)),
    )
    twice = Bullets(tuple((0, _twice(extra)) for extra in plan.extra_moves))
    return Section(f"Proof: {plan.status}", (Table(columns, rows), twice) if plan.extra_moves else (Table(columns, rows),))


def _proved(bound: Bound) -> str:
    """Bounds that hold only for plans with as few moves are said to."""
    if bound.met:
        return "no plan does better" if bound.among is Among.ALL_PLANS else "no plan with as few migrations does better"
    gap = 100 * (bound.plan - bound.bound) / bound.bound if bound.bound else float("inf")
    best = "the best" if bound.among is Among.ALL_PLANS else "the best with as few migrations"
    return f"at most {gap:.1f} % above {best}" if bound.bound else "no bound known"


def _twice(extra: ExtraMoves) -> str:
    """Where and why guests move more than once."""
    why = {
        WhyTwice.NO_UPGRADED_HOST: "no host was upgraded or empty, so the first one is emptied onto old ones",
        WhyTwice.NO_ROOM: "no host could be emptied onto the upgraded ones alone",
        WhyTwice.ASKED: "moves are spent for fewer waves or less time",
    }[extra.why]
    return f"pool {extra.pool}: {counted(extra.moves, 'guest')} {'moves' if extra.moves == 1 else 'move'} twice: {why}"
