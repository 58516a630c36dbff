"""The verbs: from paths to values. Shared by every front end; nothing here prints.

A plan leaves `make_plan` only after the judge has passed it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, assert_never

import msgspec
from msgspec.structs import replace

from fleetplan.findings.finding import Finding, Rule, Severity
from fleetplan.fleet.model import Fleet, GuestName, HostName, Release
from fleetplan.inventory.load import load, with_excerpts
from fleetplan.migration.classes import ClassTable, GuestStates
from fleetplan.rollout.progress import Progress, announce

if TYPE_CHECKING:
    from fleetplan.findings.imports import Imported
    from fleetplan.findings.plans import Standing
    from fleetplan.findings.report import Report, Wanted
    from fleetplan.fleet.filter import Filter
    from fleetplan.follow.chance import Chances
    from fleetplan.follow.diff import Changes
    from fleetplan.follow.next import Outcome
    from fleetplan.follow.rest import RolloutStatus
    from fleetplan.follow.simulate import Simulated
    from fleetplan.importers.source import Source, Unreadable
    from fleetplan.migration.diagnosis import Diagnosis
    from fleetplan.migration.matrix import Matrix
    from fleetplan.migration.mechanisms.shifts import InFleet
    from fleetplan.migration.mechanisms.tables import Comparison
    from fleetplan.migration.reasons import Judgment
    from fleetplan.migration.register_file import RegisterRow
    from fleetplan.output.graphs import Drawing
    from fleetplan.planner.aims import Aims
    from fleetplan.rollout.audit import Audit
    from fleetplan.rollout.guest_report import GuestReport
    from fleetplan.rollout.invariants import Invariant, Violation
    from fleetplan.rollout.move_report import MoveReport
    from fleetplan.rollout.moves import MoveKind
    from fleetplan.rollout.plan import Infeasible, Plan
    from fleetplan.rollout.tally import Course
    from fleetplan.rollout.timeline import Moment
    from fleetplan.rollout.waits import Stretch
    from fleetplan.rollout.why import Story


class InputRefusedError(Exception):
    """The input has errors; `findings` are all of them."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        super().__init__(f"{len(findings)} findings")
        self.findings = findings


class UnknownNameError(Exception):
    """A host or guest named on the command line is not in the inventory. `known` are the names that are."""

    def __init__(self, kind: str, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no {kind} `{name}`")
        self.kind = kind
        self.name = name
        self.known = known


class PlanRefusedError(Exception):
    """A plan that something was to begin from does not hold for the inventory."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__(f"{len(violations)} violations")
        self.violations = violations


class NoSuchWaveError(Exception):
    """A plan has no wave of this number."""

    def __init__(self, wave: int, last: int) -> None:
        super().__init__(f"no wave {wave}")
        self.wave = wave
        self.last = last


class UnlikeError(Exception):
    """A plan was to be compared with something that is none."""

    def __init__(self, plan: Path, other: Path) -> None:
        super().__init__(f"{plan} and {other}")
        self.plan = plan
        self.other = other


class Study(msgspec.Struct, frozen=True, dict=True):
    """A sound inventory and what follows from it, computed when first asked for.

    `fleet` is without the waivers that have expired on `today`; `whole` is the fleet as written. `states` say what guests are, where that
    does not follow from the fleet: after some waves of a plan. `progress` hears of whatever takes long, and may cancel it (CancelledError).
    """

    whole: Fleet
    fleet: Fleet
    remarks: tuple[Finding, ...]
    today: date
    states: GuestStates | None = None
    progress: Progress | None = None

    @cached_property
    def classes(self) -> ClassTable:
        """Classes and verdicts of the fleet."""
        announce(self.progress, "classes")
        return ClassTable(self.fleet, self.states)

    @cached_property
    def digest(self) -> str:
        """The digest of the canonical facts."""
        from fleetplan.inventory.digest import inventory_digest  # noqa: PLC0415 - only who plans, or reads plans

        return inventory_digest(self.whole)

    def has_guest(self, name: str) -> bool:
        """Whether the inventory has a guest of this name."""
        return name in self.fleet.guests.names

    def host_index(self, name: str) -> int:
        """The place of a host in `fleet.hosts`. Raises UnknownNameError."""
        return _index(name, [host.name for host in self.fleet.hosts], "host")

    def guest_index(self, name: str) -> int:
        """The place of a guest in `fleet.guests`. Raises UnknownNameError."""
        return _index(name, self.fleet.guests.names, "guest")


def _index(name: str, names: Sequence[HostName] | Sequence[GuestName], kind: str) -> int:
    try:
        return names.index(name)
    except ValueError:
        raise UnknownNameError(kind, name, tuple(names)) from None


def study(inventory: Path, today: date, progress: Progress | None = None) -> Study:
    """Read an inventory. Raises InputRefusedError if it has errors."""
    announce(progress, "load")
    loaded = load(inventory)
    if loaded.fleet is None:
        raise InputRefusedError(loaded.findings)
    whole = loaded.fleet
    valid = tuple(waiver for waiver in whole.waivers if date.fromisoformat(waiver.expires) > today)
    fleet = whole if valid == whole.waivers else replace(whole, waivers=valid)
    return Study(whole, fleet, loaded.findings, today, progress=progress)


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """What of a check is asked for beside the rules over the fleet itself. None: not asked for.

    `reach`: whether the target can be reached, by planning. `plan`: a plan file that is to hold still. `waivers`: False counts none.
    `rules` are ids of rules that are reported, `limit` a filter over hosts and guests, `baseline` a file of known findings.
    """

    reach: bool = False
    plan: Path | None = None
    waivers: bool = True
    rules: Collection[str] | None = None
    limit: Filter | None = None
    baseline: Path | None = None


class NothingPickedError(Exception):
    """A limit picks no host and no guest."""


def check(subject: Study, asked: Examined = Examined()) -> Report:  # noqa: B008 - frozen
    """Everything that the rules find, the worst first, and what was taken off. Raises InputRefusedError, NothingPickedError."""
    from fleetplan.findings.registry import Evidence  # noqa: PLC0415 - only `check` needs the rules
    from fleetplan.findings.report import report  # noqa: PLC0415 - as above

    wanted = _wanted(subject, asked)
    if not asked.waivers:
        subject = _without_waivers(subject)
    evidence = Evidence(
        fleet=subject.whole,
        classes=subject.classes,
        today=subject.today,
        outcome=_reached(subject) if asked.reach else None,
        standing=_standing(subject, asked.plan) if asked.plan is not None else None,
        unused=() if asked.waivers else None,
    )
    found = report(evidence, subject.remarks, subject.fleet.waivers, wanted)
    return replace(found, findings=with_excerpts(found.findings))


def refused(findings: tuple[Finding, ...]) -> Report:
    """A report on input that has errors: all of them, whatever was asked for."""
    from fleetplan.findings.report import Report  # noqa: PLC0415 - as above

    return Report(findings=findings)


def _wanted(subject: Study, asked: Examined) -> Wanted:
    from fleetplan.findings.catalogue import RULES  # noqa: PLC0415 - as above
    from fleetplan.findings.report import Wanted  # noqa: PLC0415 - as above

    baseline = limit = None
    if asked.baseline is not None:
        from fleetplan.inventory.baseline import read_baseline  # noqa: PLC0415 - only who has one

        baseline, refused = read_baseline(asked.baseline)
        if refused:
            raise InputRefusedError(refused)
    if asked.limit is not None:
        from fleetplan.fleet.selection import FleetColumns  # noqa: PLC0415 - only who limits

        limit = FleetColumns(subject.whole).select(asked.limit)
        if not limit:
            raise NothingPickedError
    return Wanted(rules=frozenset(RULES) if asked.rules is None else asked.rules, limit=limit, baseline=baseline)


def _without_waivers(subject: Study) -> Study:
    """The same fleet, nothing of which is waived; what is wrong with the waivers themselves can still be said."""
    fleet = replace(subject.fleet, waivers=())
    return Study(subject.whole, fleet, subject.remarks, subject.today, subject.states, subject.progress)


def _reached(subject: Study) -> Plan | Infeasible:
    planned = make_plan(subject)
    if planned.violations:
        raise PlanRefusedError(planned.violations)
    return planned.outcome


def _standing(subject: Study, path: Path) -> Standing:
    """How a plan file stands to the fleet: judged where the plan has not begun, else continued. Raises InputRefusedError."""
    from fleetplan.findings.plans import Standing  # noqa: PLC0415 - only who has a plan
    from fleetplan.follow.next import Finished, NextWave, NoWave, Refuted  # noqa: PLC0415 - as above

    plan = plan_file(subject, path)
    if plan.target != subject.fleet.target:
        return Standing(target=plan.target, begun=False)
    if plan.inventory_digest == subject.digest:
        return Standing(target=plan.target, begun=False, violations=_judged(subject, plan))
    outcome = next_wave(subject, plan)
    match outcome:
        case NextWave():
            part = outcome.plan.part_of
            return Standing(target=plan.target, begun=True, waiting=part.waiting if part is not None else ())
        case Finished():
            return Standing(target=plan.target, begun=True, waiting=outcome.waiting)
        case NoWave():
            return Standing(target=plan.target, begun=True, goes_on=False, waiting=outcome.waiting)
        case Refuted():
            raise PlanRefusedError(outcome.violations)
        case _:
            assert_never(outcome)


def with_waivers(subject: Study, path: Path) -> Study:
    """The same fleet with the waivers of a file beside its own. Raises InputRefusedError."""
    from fleetplan.inventory.load import load_waivers  # noqa: PLC0415 - only who has such a file

    more, refused = load_waivers(path)
    if refused:
        raise InputRefusedError(refused)
    valid = tuple(waiver for waiver in more if date.fromisoformat(waiver.expires) > subject.today)
    whole = replace(subject.whole, waivers=(*subject.whole.waivers, *more))
    fleet = replace(subject.fleet, waivers=(*subject.fleet.waivers, *valid))
    return Study(whole, fleet, subject.remarks, subject.today, subject.states, subject.progress)


def import_facts(
    sources: Iterable[Source | Unreadable], inventory: Path, kind: str | None = None, *, short_names: bool = False
) -> Imported:
    """Make facts of sources, and write them in place of all facts of an inventory; nothing is written where a source has errors of its own.

    Where sources contradict each other the key stays unknown, and all else is written.
    """
    from fleetplan.findings.import_rules import DISAGREE  # noqa: PLC0415 - no other verb needs these
    from fleetplan.findings.report import Report  # noqa: PLC0415 - as above
    from fleetplan.importers.run import run, unusable  # noqa: PLC0415 - as above
    from fleetplan.inventory.facts_file import replace_facts  # noqa: PLC0415 - as above

    outcome = run(sources, kind, short_names=short_names)
    imported = outcome.imported
    if Report(findings=tuple(finding for finding in imported.findings if finding.rule != DISAGREE.id)).reaches(Severity.ERROR):
        return imported
    try:
        written, replaced = replace_facts(inventory, outcome.lines)
    except OSError as problem:
        refused = unusable(str(inventory), problem.strerror or str(problem))
        return replace(imported, findings=(refused, *imported.findings))
    return replace(imported, written=str(written), replaced=tuple(str(path) for path in replaced))


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """What planning came to. With violations, the judge has refuted the plan, and nobody may use it."""

    outcome: Plan | Infeasible
    violations: tuple[Violation, ...] = ()


class NotExactError(Exception):
    """Exact models were asked for, and cannot be had: the solver is missing, or the fleet is too large."""

    def __init__(self, why: Literal["missing", "large"]) -> None:
        super().__init__(why)
        self.why = why


def make_plan(
    subject: Study,
    optimal_s: float | None = None,
    previous: Plan | None = None,
    aims: Aims | None = None,
    begins_min: int | None = None,
) -> Planned:
    """Plan, and have the judge look at it.

    `optimal_s`: for so many deterministic seconds exact models look for a better plan. Raises NotExactError. A `previous` plan is followed
    as far as it holds. `begins_min`: when in the week it is started, in minutes after Monday 00:00 UTC.
    """
    from fleetplan.planner.aims import FEWEST_MOVES  # noqa: PLC0415 - only who plans
    from fleetplan.planner.exact.improve import TooLargeError  # noqa: PLC0415 - numpy is loaded only by who plans
    from fleetplan.planner.exact.solver import Allowance, SolverMissingError  # noqa: PLC0415 - as above
    from fleetplan.planner.search import plan  # noqa: PLC0415 - as above
    from fleetplan.rollout.plan import Infeasible  # noqa: PLC0415 - as above

    exactly = Allowance(optimal_s) if optimal_s is not None else None
    try:
        outcome = plan(
            subject.fleet,
            subject.classes,
            digest=subject.digest,
            aims=aims or FEWEST_MOVES,
            progress=subject.progress,
            exactly=exactly,
            previous=previous,
            begins_min=begins_min,
        )
    except SolverMissingError as missing:
        raise NotExactError("missing") from missing
    except TooLargeError as large:
        raise NotExactError("large") from large
    if isinstance(outcome, Infeasible):
        return Planned(outcome=outcome)
    return Planned(outcome=outcome, violations=_judged(subject, outcome))


def _judged(subject: Study, plan: Plan) -> tuple[Violation, ...]:
    """What the judge holds against a plan."""
    from fleetplan.judge.verify import verify  # noqa: PLC0415 - numpy is loaded only by who judges

    announce(subject.progress, "judge")
    return tuple(verify(subject.fleet, subject.classes, plan, digest=subject.digest))


def kept(subject: Study, previous: Plan, plan: Plan) -> tuple[int, int]:
    """How many landings are those of the previous plan, of those that both have."""
    from fleetplan.rollout import tally  # noqa: PLC0415 - numpy is loaded only by who plans

    return tally.kept(subject.fleet, previous, plan)


def retargeted(subject: Study, target: Release) -> Study:
    """The same fleet with another target."""
    return _changed(subject, replace(subject.whole, target=target), subject.states)


def after_wave(subject: Study, plan: Plan, wave: int) -> Study:
    """The fleet once the first waves of a plan have ended. Raises PlanRefusedError, NoSuchWaveError."""
    from fleetplan.rollout import state  # noqa: PLC0415 - as above

    violations = _judged(subject, plan)
    if violations:
        raise PlanRefusedError(violations)
    if not 0 <= wave <= len(plan.waves):
        raise NoSuchWaveError(wave, len(plan.waves))
    found = state.after_wave(subject.fleet, subject.classes, plan, wave)
    return _changed(subject, replace(subject.whole, hosts=found.fleet.hosts, guests=found.fleet.guests), found.states)


def continued(subject: Study, waves: int) -> Study:
    """The same fleet for who goes on with a rollout after so many waves: the gates that come next."""
    from fleetplan.rollout.state import gates_left  # noqa: PLC0415 - numpy is loaded only by who plans

    return _changed(subject, replace(subject.whole, policy=gates_left(subject.whole.policy, waves)), subject.states)


def _changed(subject: Study, whole: Fleet, states: GuestStates | None) -> Study:
    return Study(whole, replace(whole, waivers=subject.fleet.waivers), subject.remarks, subject.today, states, subject.progress)


class Audited(msgspec.Struct, frozen=True, kw_only=True):
    """What a fleet is exposed to at a moment, and over a rollout (empty: there is no plan). `subject` is the fleet at that moment."""

    subject: Study
    audit: Audit
    moments: tuple[Moment, ...] = ()


def audit(subject: Study, plan: Plan | None = None, wave: int = 0) -> Audited:
    """Audit a fleet now, or once the first waves of a plan have ended. Raises PlanRefusedError, NoSuchWaveError."""
    from fleetplan.rollout.audit import audit as audited  # noqa: PLC0415 - only who audits

    if plan is None:
        return Audited(subject=subject, audit=audited(subject.fleet, subject.classes))
    from fleetplan.rollout.timeline import timeline  # noqa: PLC0415 - numpy is loaded only by who has a plan

    then = after_wave(subject, plan, wave)
    moments = timeline(subject.fleet, subject.classes, plan)
    return Audited(subject=then, audit=audited(then.fleet, then.classes), moments=moments)


def compare_courses(subject: Study, newer: Release) -> tuple[Course, Course]:
    """A newer release has arrived: finish the rollout and begin again, or take the newer release from here on.

    Raises PlanRefusedError (a bug: the judge refutes one of our plans).
    """
    return _course("finish, then again", subject, (subject.fleet.target, newer)), _course("retarget now", subject, (newer,))


def _course(name: str, subject: Study, targets: tuple[Release, ...]) -> Course:
    from fleetplan.rollout.plan import Infeasible  # noqa: PLC0415 - only who plans
    from fleetplan.rollout.tally import Course, tally, total  # noqa: PLC0415 - numpy is loaded only by who plans

    counted = []
    for target in targets:
        subject = retargeted(subject, target)
        planned = make_plan(subject)
        if isinstance(planned.outcome, Infeasible):
            return Course(name=name, added=None, refusal=planned.outcome)
        if planned.violations:
            raise PlanRefusedError(planned.violations)
        counted.append(tally(subject.fleet, planned.outcome))
        subject = after_wave(subject, planned.outcome, len(planned.outcome.waves))
    return Course(name=name, added=total(counted, len(subject.fleet.guests)))


def plan_alone(path: Path) -> Plan:
    """The plan in a file, for whom the inventory is not needed. Raises InputRefusedError if it is none."""
    from fleetplan.inventory.planfile import read_whole  # noqa: PLC0415 - only who reads plans needs it

    plan = read_whole(path)
    if isinstance(plan, tuple):
        raise InputRefusedError(plan)
    return plan


def plan_file(subject: Study, path: Path) -> Plan:
    """The plan in a file. Raises InputRefusedError if it is none."""
    from fleetplan.inventory.planfile import read_plan  # noqa: PLC0415 - only who reads plans needs it

    announce(subject.progress, "plan file")
    plan = read_plan(path, subject.fleet)
    if isinstance(plan, tuple):
        raise InputRefusedError(plan)
    return plan


def move_reasons(subject: Study, plan: Plan) -> tuple[tuple[MoveKind, Judgment], ...]:
    """Each kind of migration in the plan with its judgment, in the order of their first migration."""
    from fleetplan.rollout.moves import move_kinds  # noqa: PLC0415 - only who shows plans to people

    classes = subject.classes
    kinds = move_kinds(subject.fleet, classes, plan)
    return tuple((kind, classes.judgment(kind.guest_class, kind.source_class, kind.destination_class)) for kind in kinds)


def critical_path(subject: Study, plan: Plan) -> tuple[Stretch, ...]:
    """The chain of waits with which a plan ends."""
    from fleetplan.rollout.waits import Waits  # noqa: PLC0415 - numpy is loaded only by who has a plan

    waits = Waits(subject.fleet, plan)
    last = waits.last()
    return waits.stretches(last) if last is not None else ()


def explain_plan(subject: Study, path: Path, name: str) -> Story:
    """Why the plan in a file does with a host or a guest what it does. Raises InputRefusedError, PlanRefusedError, UnknownNameError."""
    from fleetplan.rollout.why import Why  # noqa: PLC0415 - as above

    plan = plan_file(subject, path)
    violations = _judged(subject, plan)
    if violations:
        raise PlanRefusedError(violations)
    hosts = [host.name for host in subject.fleet.hosts]
    if subject.has_guest(name):
        return Why(subject.fleet, subject.classes, plan).guest(subject.guest_index(name))
    if name not in hosts:
        raise UnknownNameError("guest or host", name, (*subject.fleet.guests.names, *hosts))
    return Why(subject.fleet, subject.classes, plan).host(subject.host_index(name))


def drawing(subject: Study, kind: Literal["states", "hosts", "steps"]) -> Drawing | None:
    """One of the three graphs, ready to be drawn; None where it needs a plan and there is none."""
    from fleetplan.output.drawings import host_drawing, state_drawing, step_drawing  # noqa: PLC0415 - networkx only for graphs
    from fleetplan.rollout.plan import Infeasible  # noqa: PLC0415 - as above

    if kind == "states":
        return state_drawing(subject.fleet, subject.classes)
    planned = make_plan(subject)
    if isinstance(planned.outcome, Infeasible) or planned.violations:
        return None
    return host_drawing(planned.outcome) if kind == "hosts" else step_drawing(subject.fleet, planned.outcome)


def verify_plan(subject: Study, plan: Plan) -> tuple[Violation, ...]:
    """Judge a plan that stands in a file."""
    return _judged(subject, plan)


def next_wave(subject: Study, approved: Plan) -> Outcome:
    """The next wave of an approved plan, from the state that is."""
    from fleetplan.follow import next as following  # noqa: PLC0415 - numpy is loaded only by who plans
    from fleetplan.follow.turns import Script  # noqa: PLC0415 - as above

    return following.next_wave(subject.fleet, subject.classes, Script.of(approved), digest=subject.digest, progress=subject.progress)


def simulate(subject: Study, chances: Chances, approved: Plan | None = None) -> Simulated | Planned:
    """Roll a plan forward with failures; without one, the plan that is made first, or why there is none."""
    from fleetplan.follow import simulate as rolling  # noqa: PLC0415 - numpy is loaded only by who plans
    from fleetplan.rollout.plan import Infeasible  # noqa: PLC0415 - as above

    if approved is None:
        planned = make_plan(subject)
        if isinstance(planned.outcome, Infeasible) or planned.violations:
            return planned
        approved = planned.outcome
    return rolling.simulate(subject.fleet, subject.classes, approved, chances, progress=subject.progress)


def status(subject: Study, plan: Plan) -> RolloutStatus:
    """Where the rollout of a plan stands, in the state that is."""
    from fleetplan.follow.position import position  # noqa: PLC0415 - only who follows a rollout
    from fleetplan.follow.rest import RolloutStatus, outlook  # noqa: PLC0415 - numpy is loaded only by who judges

    announce(subject.progress, "steps")
    where = position(subject.fleet, plan)
    announce(subject.progress, "judge")
    return RolloutStatus(where=where, rest=outlook(subject.fleet, subject.classes, where, subject.states))


def diff(before: Path, after: Path, today: date, progress: Progress | None = None) -> Changes:
    """How two plans, or two inventories, differ. Raises InputRefusedError, UnlikeError."""
    from fleetplan.follow.diff import diff_inventories, diff_plans  # noqa: PLC0415 - only who compares
    from fleetplan.inventory.planfile import is_plan  # noqa: PLC0415 - as above

    plans = [path for path in (before, after) if is_plan(path)]
    if len(plans) == 1:
        raise UnlikeError(plans[0], before if plans[0] == after else after)
    if plans:
        return diff_plans(plan_alone(before), plan_alone(after))
    one, other = study(before, today, progress), study(after, today, progress)
    return diff_inventories(one.whole, other.whole, (one.digest, other.digest))


def verdict(subject: Study, guest: str, destination: str, *, upgraded: bool = False) -> MoveReport:
    """Judge one move of a guest from where it is. `upgraded`: as if the destination already ran the target release."""
    from fleetplan.migration.ways import Move  # noqa: PLC0415 - only who asks about one move
    from fleetplan.rollout.move_report import report  # noqa: PLC0415 - as above

    guest_index, classes = subject.guest_index(guest), subject.classes
    record = subject.fleet.guests[guest_index]
    source, goal = subject.host_index(record.on), subject.host_index(destination)
    there = classes.hosts_then[goal] if upgraded else classes.hosts_now[goal]
    move = Move(subject.fleet, record, subject.fleet.hosts[goal], upgraded)
    return report(move, classes, classes.guests[guest_index], classes.hosts_now[source], there)


def explain_guest(subject: Study, guest: str, destination: str | None = None) -> GuestReport:
    """All about a guest; with a destination, about its moves there now and after the upgrade."""
    from fleetplan.rollout.guest_report import guest_report  # noqa: PLC0415 - only who explains

    goal = subject.host_index(destination) if destination is not None else None
    return guest_report(subject.fleet, subject.classes, subject.guest_index(guest), goal)


def explain_message(text: str, subject: Study | None = None) -> Diagnosis:
    """What a pasted message means; with a fleet, which of its moves would print it."""
    from fleetplan.migration.diagnosis import diagnose  # noqa: PLC0415 - only who explains

    return diagnose(text) if subject is None else diagnose(text, subject.fleet, subject.classes)


def is_message(text: str) -> bool:
    """Whether a text is, or might be, a message: a line that is known, or more than a name."""
    from fleetplan.migration.diagnosis import diagnose  # noqa: PLC0415 - only who explains

    return len(text.split()) > 1 or diagnose(text).known


def explain_rule(name: str) -> tuple[Rule, ...]:
    """A rule by its id, or all of a family (`FP3xx`). Raises UnknownNameError."""
    from fleetplan.findings.catalogue import RULES  # noqa: PLC0415 - only who asks for a rule
    from fleetplan.findings.report import by_id  # noqa: PLC0415 - as above

    found = by_id((name,))[name]
    if not found:
        raise UnknownNameError("rule", name, tuple(RULES))
    return tuple(RULES[rule] for rule in found)


def all_rules() -> tuple[Rule, ...]:
    """Every rule of `check`, in the order of ids."""
    from fleetplan.findings.catalogue import RULES  # noqa: PLC0415 - only who asks for rules

    return tuple(RULES.values())


def explain_invariant(name: str) -> Invariant | None:
    """An invariant of plans by its id; None if there is none of this name."""
    from fleetplan.rollout.invariant_rows import INVARIANTS  # noqa: PLC0415 - only who asks for an invariant

    return next((row for row in INVARIANTS if row.id == name), None)


WAIVER_DAYS = 30
"""How long a waiver lasts that is made out for pasting."""


def waiver_expires(subject: Study) -> str:
    """The date that a waiver is made out to."""
    return (subject.today + timedelta(days=WAIVER_DAYS)).isoformat()


def verdict_matrix(subject: Study) -> Matrix:
    """Judge every class of guests against every class of hosts, now and at the target."""
    from fleetplan.migration.matrix import matrix  # noqa: PLC0415 - only who shows the matrix

    return matrix(subject.fleet, subject.classes)


def register_files(subject: Study, hosts: tuple[str, ...]) -> dict[HostName, tuple[RegisterRow, ...]]:
    """What the named hosts (all, if none is named) give a guest that boots there."""
    from fleetplan.migration.register_file import register_file  # noqa: PLC0415 - only who shows registers

    indices = [subject.host_index(name) for name in hosts] or range(len(subject.fleet.hosts))
    classes = subject.classes
    files = {number: register_file(classes.host_class(number)) for number in {classes.hosts_now[index] for index in indices}}
    return {subject.fleet.hosts[index].name: files[classes.hosts_now[index]] for index in indices}


def compare_mechanisms(subject: Study | None, *, revision: int, carries: bool, load: str) -> tuple[Comparison, InFleet | None]:
    """Compare the ways to keep a guest on old firmware; with an inventory, also what each would change for that fleet."""
    from fleetplan.migration.mechanisms.shifts import in_fleet  # noqa: PLC0415 - only who compares mechanisms
    from fleetplan.migration.mechanisms.tables import compare, mechanisms  # noqa: PLC0415 - as above
    from fleetplan.migration.vmm import Load  # noqa: PLC0415 - as above

    compared = compare(revision=revision, carries=carries, load=Load(load))
    if subject is None:
        return compared, None
    return compared, in_fleet(subject.fleet, subject.classes, mechanisms(carries=carries))


def replay_operations(subject: Study, host: str, path: Path) -> list[dict[str, Any]]:
    """Replay a file of register operations on the model of a host. Raises InputRefusedError before any is carried out."""
    from fleetplan.inventory.operations import read_operations  # noqa: PLC0415 - only who replays
    from fleetplan.migration.session import Operation, replay  # noqa: PLC0415 - as above

    found = read_operations(path)
    operations = tuple(entry for entry in found if isinstance(entry, Operation))
    if len(operations) < len(found):
        raise InputRefusedError(tuple(entry for entry in found if isinstance(entry, Finding)))
    classes = subject.classes
    return replay(classes.host_class(classes.hosts_now[subject.host_index(host)]), operations)
