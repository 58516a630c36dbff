"""fleetplan explain: a guest, a pasted message, a rule, an invariant, or what a plan does with a guest or a host."""

from __future__ import annotations

import re
import sys
from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, emit, format_option, refusals, show
from fleetplan.cli.exits import Exit
from fleetplan.cli.progress import watched
from fleetplan.findings.finding import Rule
from fleetplan.rollout.invariants import Invariant

RULE = re.compile(r"FP\d(\d\d|xx)?", re.IGNORECASE)
STDIN = "-"


@click.command("explain")
@click.argument("what", nargs=-1)
@click.option("--inventory", type=click.Path(path_type=Path), help="With a message: which moves of this fleet would print it?")
@click.option("--message", help="The message, where it could be taken for something else.")
@click.option("--plan", type=click.Path(path_type=Path), help="A plan file: why does it move this guest, or upgrade this host, as it does?")
@click.option("--all", "every", is_flag=True, help="All rules of `check`.")
@format_option("text", "json", "markdown")
@AS_OF
@refusals
def command(
    what: tuple[str, ...], inventory: Path | None, message: str | None, plan: Path | None, every: bool, form: str, today: date
) -> Exit:
    """Explain a guest, a message, a rule of `check`, an invariant of plans, or what a plan does with a guest or a host.

    \b
    fleetplan explain INVENTORY GUEST [HOST]
    fleetplan explain "Could not set register fw reg 0 to 10003 (is 10001)"
    fleetplan explain [INVENTORY] -        (the message on stdin)
    fleetplan explain FP203                (or FP2xx; --all: every rule)
    fleetplan explain capacity
    fleetplan explain INVENTORY --plan PLAN NAME    (of a guest or a host)
    """  # noqa: D301 - the mark that keeps the lines below it apart is a backspace
    if every:
        if what or inventory is not None or message is not None or plan is not None:
            raise click.UsageError("--all is about all rules: it goes with nothing but --format")
        return _rules(workflow.all_rules(), form)
    if form == "markdown" and not (len(what) == 1 and RULE.fullmatch(what[0])):
        raise click.UsageError("--format markdown is for rules: fleetplan explain FP203, or --all")
    if plan is not None:
        return _in_plan(what if inventory is None else (str(inventory), *what), plan, form, today)
    if message is not None:
        place = inventory or (Path(what[0]) if what else None)
        return _message(message, place, form, today)
    if not what:
        click.echo("fleetplan explain: say what: an inventory and a guest, a message, a rule, or an invariant", err=True)
        return Exit.USAGE
    if len(what) == 1 and inventory is None:
        return _one(what[0], form, today)
    place, words = (inventory, what) if inventory is not None else (Path(what[0]), what[1:])
    if inventory is None and not _is_path(what[0]):
        # A message whose quotes were forgotten.
        return _message(" ".join(what), None, form, today)
    return _in_fleet(place, words, form, today)


def _in_plan(what: tuple[str, ...], plan: Path, form: str, today: date) -> Exit:
    """What the plan does with a guest or a host, and why."""
    if len(what) != 2:
        click.echo("fleetplan explain: name one guest or host: fleetplan explain INVENTORY --plan PLAN NAME", err=True)
        return Exit.USAGE
    with watched() as progress:
        told = workflow.explain_plan(workflow.study(Path(what[0]), today, progress), plan, what[1])
    if form == "json":
        from fleetplan.output.json_why import story_json  # noqa: PLC0415 - one of the two is needed

        emit(story_json(told))
    else:
        from fleetplan.output.views.why import story_document  # noqa: PLC0415 - as above

        show(story_document(told))
    return Exit.CLEAN


LONGEST_PATH = 1_000


def _is_path(word: str) -> bool:
    """Whether a word is meant as the path of an inventory: there is such a file, or it has the looks of one."""
    if len(word) > LONGEST_PATH or "\n" in word:
        return False
    return _exists(Path(word)) or (" " not in word and (word.endswith((".yaml", ".yml", ".json")) or "/" in word))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # the system has names of files that are shorter still
        return False


def _one(word: str, form: str, today: date) -> Exit:
    """A rule, an invariant, or a message."""
    if RULE.fullmatch(word):
        return _rules(workflow.explain_rule(word.upper()), form)
    invariant = workflow.explain_invariant(word)
    if invariant is not None:
        return _invariant(invariant, form)
    if word != STDIN and _is_path(word):
        click.echo("fleetplan explain: an inventory alone says nothing; name a guest: fleetplan explain INVENTORY GUEST [HOST]", err=True)
        return Exit.USAGE
    return _message(word, None, form, today)


def _in_fleet(inventory: Path, words: tuple[str, ...], form: str, today: date) -> Exit:
    """A guest of the fleet with perhaps a host; else a message, as seen from this fleet."""
    subject = workflow.study(inventory, today)
    if not subject.has_guest(words[0]) and (words[0] == STDIN or len(words) > 2 or workflow.is_message(words[0])):
        return _message(" ".join(words), inventory, form, today)
    if len(words) > 2:
        click.echo("fleetplan explain: one guest and at most one host: fleetplan explain INVENTORY GUEST [HOST]", err=True)
        return Exit.USAGE
    told = workflow.explain_guest(subject, words[0], words[1] if len(words) > 1 else None)
    if form == "json":
        from fleetplan.output.json_explain import guest_json  # noqa: PLC0415 - one of the two is needed

        emit(guest_json(told))
    else:
        from fleetplan.output.views.explain import guest_document  # noqa: PLC0415 - as above

        show(guest_document(told, workflow.waiver_expires(subject), asked=len(words) > 1))
    return Exit.CLEAN


def _message(text: str, inventory: Path | None, form: str, today: date) -> Exit:
    """A message; unknown text is a finding."""
    pasted = sys.stdin.buffer.read().decode(errors="replace") if text == STDIN else text
    if not pasted.strip():
        click.echo("fleetplan explain: the message is empty", err=True)
        return Exit.USAGE
    told = workflow.explain_message(pasted, workflow.study(inventory, today) if inventory is not None else None)
    if form == "json":
        from fleetplan.output.json_explain import diagnosis_json  # noqa: PLC0415 - one of the two is needed

        emit(diagnosis_json(told))
    else:
        from fleetplan.output.views.explain import diagnosis_document  # noqa: PLC0415 - as above

        show(diagnosis_document(told))
    return Exit.CLEAN if told.known else Exit.FINDINGS


def _invariant(invariant: Invariant, form: str) -> Exit:
    if form == "json":
        from fleetplan.output.json_explain import invariant_json  # noqa: PLC0415 - one of the two is needed

        emit(invariant_json(invariant))
    else:
        from fleetplan.output.views.explain import invariant_document  # noqa: PLC0415 - as above

        show(invariant_document(invariant))
    return Exit.CLEAN


def _rules(rules: tuple[Rule, ...], form: str) -> Exit:
    """One rule, or several."""
    if form == "json":
        from fleetplan.output.json_explain import rule_json, rules_json  # noqa: PLC0415 - one of the three is needed

        emit(rule_json(rules[0]) if len(rules) == 1 else rules_json(rules))
    elif form == "markdown":
        from fleetplan.output.rules_page import rule_section, rules_page  # noqa: PLC0415 - as above

        emit((rule_section(rules[0]).lstrip() if len(rules) == 1 else rules_page(rules)).encode())
    else:
        from fleetplan.output.views.explain import rules_document  # noqa: PLC0415 - as above

        show(rules_document(rules))
    return Exit.CLEAN
