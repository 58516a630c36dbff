"""How two plans or inventories differ, as a document."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping

from fleetplan.follow.diff import Change, ChangeKind, Changes
from fleetplan.output.document import Bullets, Document, Paragraph, Section, Tone
from fleetplan.output.sentences import counted

MOST_SHOWN = 20
"""Changes of one kind that people are shown."""
LONGEST = 160

WORDS: Mapping[ChangeKind, str] = {
    ChangeKind.TARGET: "target",
    ChangeKind.ORDER: "order of hosts",
    ChangeKind.SKIPPED: "hosts that stay as they are",
    ChangeKind.PIN: "PSCI pins",
    ChangeKind.RESTART: "restarts",
    ChangeKind.ANSWER: "moves that somebody answers for",
    ChangeKind.GATE: "gates",
    ChangeKind.WAIVER: "waivers",
    ChangeKind.POLICY: "policy",
    ChangeKind.GROUP: "groups",
    ChangeKind.RELEASE_FACTS: "facts of releases",
    ChangeKind.HOST_TO_UPGRADE: "hosts to upgrade",
    ChangeKind.PERMISSION: "what may be done to guests",
    ChangeKind.LANDING: "landings",
    ChangeKind.TIME: "time",
    ChangeKind.ON_FAILURE: "what failures do",
    ChangeKind.INVENTORY: "inventory",
    ChangeKind.HOST: "hosts",
    ChangeKind.GUEST: "guests",
}


def diff_document(found: Changes) -> Document:
    """What needs a new approval first, then what does not."""
    number = len(found.to_approve)
    if number:
        told = Paragraph(f"A new approval is needed: {counted(number, 'change')}.", Tone.CAUTION)
    elif found.others:
        told = Paragraph("Nothing to approve.", Tone.GOOD)
    else:
        told = Paragraph("Nothing differs.", Tone.GOOD)
    words = "What was approved" if found.of == "plans" else "Inventory"
    before, after = (
        Paragraph(f"{words}, {when}: {digest}", whole=True) for when, digest in zip(("before", "after"), found.digests, strict=True)
    )
    sections = (*_sections("Needs a new approval", found.to_approve), *_sections("Needs none", found.others))
    return Document((Section("", (told, before, after)), *sections))


def _sections(title: str, changes: tuple[Change, ...]) -> Iterator[Section]:
    if changes:
        yield Section(title, (Bullets(tuple(_points(changes))),))


def _points(changes: tuple[Change, ...]) -> Iterator[tuple[int, str]]:
    number = Counter(change.kind for change in changes)
    kinds: defaultdict[ChangeKind, list[Change]] = defaultdict(list)
    for change in changes:
        kinds[change.kind].append(change)
    for kind, those in kinds.items():
        yield 0, f"{WORDS[kind]}: {counted(number[kind], 'change')}"
        for change in those[:MOST_SHOWN]:
            yield 1, change_sentence(change)
        if number[kind] > MOST_SHOWN:
            yield 1, f"{number[kind] - MOST_SHOWN:,} more; `--format json` has each"


def change_sentence(change: Change) -> str:
    """What it was, and what it is."""
    before, after = _short(change.before), _short(change.after)
    if not before:
        return f"new: {change.subject}" if after == "yes" else f"new: {change.subject} ({after})"
    if not after:
        return f"no more: {change.subject}" if before == "yes" else f"no more: {change.subject} ({before})"
    return f"{change.subject}: {before}, now {after}"


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
