"""The rules of `check` as Markdown: the page in `docs/` that lists them all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fleetplan.findings.examples import SOUND
from fleetplan.findings.finding import Rule

FAMILIES: Mapping[str, str] = {
    "FP1": "The inventory",
    "FP2": "Migration",
    "FP3": "Exposure",
    "FP4": "Capacity and rollout",
    "FP5": "Policy and waivers",
}

HEAD = """\
# Rules of check

Made by `fleetplan explain --all --format markdown`; a test keeps it in step, and another runs `check` on every example.

A *firm* rule is one that no waiver and no baseline takes off. `--select`, `--ignore` and waivers name rules by id. An example is part of an
inventory; sections that it does not give are those of this one, `sound.yaml`, in which nothing is found:

"""


def rules_page(rules: tuple[Rule, ...]) -> str:
    """All rules: a list of them, then each by itself, family by family."""
    sound = _fenced("".join(SOUND.values()))
    parts = [HEAD, sound, "\n\n| rule | severity | says |\n|---|---|---|\n", *map(_row, rules)]
    for family, title in FAMILIES.items():
        own = [rule for rule in rules if rule.id.startswith(family)]
        parts += [f"\n## {family}xx: {title}\n", *map(rule_section, own)] if own else []
    return "".join(parts)


def _row(rule: Rule) -> str:
    return f"| [{rule.id}](#{rule.id.lower()}) | {rule.severity} | {rule.title} |\n"


def rule_section(rule: Rule) -> str:
    """One rule."""
    return f"\n### {rule.id}\n\n" + "\n\n".join(_paragraphs(rule)) + "\n"


def _paragraphs(rule: Rule) -> Iterator[str]:
    yield f"**{rule.title}** ({rule.severity}{', firm' if rule.firm else ''})"
    yield f"> {rule.message}"
    yield rule.help
    if rule.fact:
        yield f"The fact behind it: {rule.fact}"
    yield f"What to do: {rule.fix}"
    if rule.example:
        yield f"It is found in\n\n{_fenced(rule.example)}\n\nand not in\n\n{_fenced(rule.mended)}"
    if rule.source:
        yield f"Source: {rule.source}"


def _fenced(text: str) -> str:
    kind = {"$": "console", "{": "json"}.get(text[0], "yaml")
    return f"```{kind}\n{text}```"
