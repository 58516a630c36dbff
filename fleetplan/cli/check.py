"""fleetplan check: what is wrong, missing or assumed."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, format_option, plain, refusals, show, write
from fleetplan.cli.exits import Exit
from fleetplan.findings.finding import Severity
from fleetplan.output.findings_formats import FORMATS, Checked

if TYPE_CHECKING:
    from fleetplan.findings.report import Report
    from fleetplan.fleet.filter import Filter

RULES_HELP = "rules, by id or by the beginning of one: FP203, FP2xx. Several with commas."


@click.command("check")
@INVENTORY
@format_option("text", *FORMATS)
@click.option(
    "--fail-on",
    type=click.Choice([severity.value for severity in Severity]),
    default=Severity.ERROR.value,
    show_default=True,
    help="Exit with 1 on findings as bad as this, or worse.",
)
@click.option("--reach", is_flag=True, help="Also say whether the target can be reached, by planning.")
@click.option("--plan", type=click.Path(path_type=Path), metavar="PLAN", help="Also judge this plan file against the inventory as it is.")
@click.option("--limit", metavar="FILTER", help="Only findings about hosts and guests that this picks, such as 'zone:a !web-*'.")
@click.option("--select", metavar="RULES", help=f"Only these {RULES_HELP}")
@click.option("--ignore", metavar="RULES", help=f"All but these {RULES_HELP}")
@click.option("--baseline", type=click.Path(path_type=Path), metavar="FILE", help="Only findings that this file does not know.")
@click.option("--write-baseline", type=click.Path(path_type=Path), metavar="FILE", help="Write a baseline that knows all that is found.")
@click.option("--waivers", type=click.Path(path_type=Path), metavar="FILE", help="Waivers of this file count beside those of INVENTORY.")
@click.option("--no-waivers", is_flag=True, help="No waiver counts.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Write to this file, as a whole, and print nothing.")
@AS_OF
@refusals
def command(
    inventory: Path,
    form: str,
    output: Path | None,
    fail_on: str,
    reach: bool,
    plan: Path | None,
    limit: str | None,
    select: str | None,
    ignore: str | None,
    baseline: Path | None,
    write_baseline: Path | None,
    waivers: Path | None,
    no_waivers: bool,
    today: date,
) -> Exit:
    """Say what is wrong, missing or assumed in INVENTORY (a file, or a folder)."""
    if waivers is not None and no_waivers:
        raise click.UsageError("--waivers and --no-waivers: take one of them")
    asked = workflow.Examined(
        reach=reach,
        plan=plan,
        waivers=not no_waivers,
        rules=_rules(select, ignore),
        limit=_filter(limit) if limit is not None else None,
        baseline=baseline,
    )
    try:
        subject = workflow.study(inventory, today)
        report = workflow.check(subject if waivers is None else workflow.with_waivers(subject, waivers), asked)
        code = _code(report, Severity(fail_on))
    except workflow.InputRefusedError as refused:
        report, code = workflow.refused(refused.findings), Exit.USAGE
    except workflow.NothingPickedError as nothing:
        told = f"--limit '{limit}' picks no host and no guest of the inventory"
        raise click.UsageError(told) from nothing
    if write_baseline is not None and code is not Exit.USAGE:
        _write(write_baseline, report)
    _deliver(Checked(report=report, fail_on=Severity(fail_on), inventory=str(inventory), as_of=today.isoformat()), form, output)
    return code


REFUTED = frozenset({"FP420", "FP421"})
"""Rules that say of a plan what `fleetplan verify` says with an exit code of its own."""


def _code(report: Report, limit: Severity) -> Exit:
    if any(finding.rule in REFUTED for finding in report.findings):
        return Exit.REFUTED
    return Exit.FINDINGS if report.reaches(limit) else Exit.CLEAN


def _rules(select: str | None, ignore: str | None) -> frozenset[str] | None:
    """The rules that are left by `--select` and `--ignore`; None: all."""
    if select is None and ignore is None:
        return None
    chosen = _ids(select, "--select") if select is not None else frozenset(rule.id for rule in workflow.all_rules())
    return chosen - (_ids(ignore, "--ignore") if ignore is not None else frozenset())


def _ids(text: str, option: str) -> frozenset[str]:
    found: set[str] = set()
    for word in (word.strip() for word in text.split(",")):
        try:
            found.update(rule.id for rule in workflow.explain_rule(word))
        except workflow.UnknownNameError as unknown:
            from difflib import get_close_matches  # noqa: PLC0415 - seldom needed

            close = get_close_matches(word.upper(), unknown.known, n=1)
            told = f"{option}: there is no rule '{word}'" + (f"; did you mean {close[0]}?" if close else "")
            raise click.UsageError(told) from unknown
    return frozenset(found)


def _filter(text: str) -> Filter:
    from fleetplan.fleet.filter import FilterError, parse  # noqa: PLC0415 - only who limits
    from fleetplan.fleet.selection import KEYS  # noqa: PLC0415 - as above

    if not text.strip():
        raise click.UsageError("--limit is empty; leave it out to check all hosts and guests")
    try:
        return parse(text, KEYS)
    except FilterError as problem:
        from fleetplan.output.filters import filter_lines, filter_sentence  # noqa: PLC0415 - seldom needed

        raise click.UsageError("\n  ".join((f"--limit: {filter_sentence(problem)}", *filter_lines(problem)))) from problem


def _write(path: Path, report: Report) -> None:
    from fleetplan.findings.report import known_of  # noqa: PLC0415 - only who writes a baseline
    from fleetplan.inventory.baseline import baseline_pieces  # noqa: PLC0415 - as above

    write(path, baseline_pieces(known_of((*report.findings, *report.known))))


def _deliver(checked: Checked, form: str, output: Path | None) -> None:
    """The report on stdout, or in a file."""
    if form in FORMATS:
        text = FORMATS[form](checked)
        emit(text) if output is None else write(output, [text])
        return
    from fleetplan.output.views.findings import checked_document  # noqa: PLC0415 - not needed for the others

    document = checked_document(checked.report)
    show(document) if output is None else write(output, [plain(document)])
