"""The comparison of mechanisms as a document."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.firmware.registers import psci_text
from fleetplan.migration.mechanisms.shifts import Effect, Example, InFleet, Warnings
from fleetplan.migration.mechanisms.tables import FEATURE, FIVE, SYSREG, Case, Comparison, Extension, Foresight
from fleetplan.migration.vmm import Load
from fleetplan.output.document import Align, Block, Bullets, Column, Document, Paragraph, Section, Table, Tone
from fleetplan.output.mechanisms import mechanism_words, needed_words, remark_sentence, sees, stage_words, userspace_change, why, works
from fleetplan.output.sentences import counted

MAIN = (
    Column(title="move"),
    Column(title="works"),
    Column(title="userspace change"),
    Column(title="guest sees"),
    Column(title="why", grows=True),
)
FORESEEN = (
    Column(title="mechanism"),
    Column(title="move"),
    Column(title="works"),
    Column(title="capability"),
    Column(title="restore check"),
)
SECOND = (
    Column(title="brings"),
    Column(title="mechanism"),
    Column(title="needs"),
    Column(title="taught"),
    Column(title="ends better", grows=True),
)
SHIFTS = (
    Column(title="mechanism"),
    Column(title="today"),
    Column(title="then"),
    Column(title="moves", align=Align.RIGHT),
    Column(title="for example", grows=True),
)
KEY = (
    "yes: the guest sees what it saw. *: with a remark. UNSAFE: it runs, and has lost something without an error. "
    "no: it stays where it is. -: there is no compat."
)

LOADS = {
    Load.A: "as QEMU up to 10.2 does",
    Load.B0: "as QEMU 11.0 does",
    Load.B1: "as QEMU 11.1 does",
    Load.B1_FIXED: "as QEMU 11.1 means to",
    Load.STRICT: "register by register",
}


def mechanisms_document(compared: Comparison, fleet: InFleet | None) -> Document:
    """The two tables first, then the other ways, foresight, the second revision, and the fleet."""
    sections = [
        Section("", (Paragraph(_premise(compared)), Paragraph(KEY))),
        *(_main(compared, name) for name in (SYSREG.name, FEATURE.name)),
        _others(compared),
        _foresight(compared.foresights),
        _second(compared.extensions),
    ]
    if fleet is not None:
        sections.append(_fleet(fleet))
    return Document(tuple(sections))


def _premise(compared: Comparison) -> str:
    old, new = psci_text(compared.old), psci_text(compared.new)
    brings = f", and answers {compared.brings}" if compared.brings else ""
    carries = "carries" if compared.carries else "does not carry"
    return (
        f"old gives a guest PSCI {old}. new gives it PSCI {new}{brings}. compat is new, asked to be as old. Userspace is the same at both "
        f"ends; it loads {LOADS[compared.load]}, and {carries} feature bits in the stream."
    )


def _of(compared: Comparison, name: str) -> list[Case]:
    return [case for case in compared.cases if case.mechanism.name == name]


def _main(compared: Comparison, name: str) -> Section:
    cases = [case for case in _of(compared, name) if case.move in FIVE]
    rows = tuple((str(case.move), works(case), userspace_change(case), sees(case), why(case)) for case in cases)
    remarks = tuple((0, f"{case.move}: {remark_sentence(remark, case)}") for case in cases for remark in case.remarks)
    return Section(f"{name}: {mechanism_words(cases[0].mechanism)}", (Table(MAIN, rows), Bullets(remarks)))


def _others(compared: Comparison) -> Section:
    names = list(dict.fromkeys(case.mechanism.name for case in compared.cases))
    moves = dict.fromkeys(case.move for case in compared.cases)
    marks = {(case.mechanism.name, case.move): works(case) for case in compared.cases}
    rows = tuple((str(move), *(marks[name, move] for name in names)) for move in moves)
    return Section("All ways, and moves that follow", (Table((Column(title="move"), *map(_short, names)), rows),))


def _short(name: str) -> Column:
    return Column(title=name.replace(", hidden at compat", " hidden").replace("machine type, ", "type+"))


def _foresight(found: tuple[Foresight, ...]) -> Section:
    rows = tuple(
        (
            seen.case.mechanism.name,
            str(seen.case.move),
            works(seen.case),
            "keeps it" if seen.capability else "lets it go",
            "keeps it" if seen.restore_check else "lets it go",
        )
        for seen in found
    )
    head = Paragraph(
        "The capability: management asks both kernels for their versions. The restore check: every register is set in a new guest there.",
        Tone.FAINT,
    )
    return Section("What could be known before the move", (head, Table(FORESEEN, rows)))


def _second(extensions: tuple[Extension, ...]) -> Section:
    head = Paragraph(
        "new is then the old one. taught: whether userspace has to learn it. ends better: what it helps, be it from UNSAFE to no.",
        Tone.FAINT,
    )
    rows = tuple(_extended(row) for row in extensions)
    return Section("A second revision: does the mechanism need anything new?", (head, Table(SECOND, rows)))


def _extended(row: Extension) -> tuple[str, ...]:
    changes = "" if not row.needed else "yes" if row.taught else "no"
    return row.novelty.name, row.mechanism.name, needed_words(row), changes, ", ".join(map(str, row.helped))


# --- the fleet -----------------------------------------------------------------------------------------------------------------------


def _fleet(fleet: InFleet) -> Section:
    rows = tuple(row for effect in fleet.effects for row in _shifted(effect))
    still = [effect.mechanism.name for effect in fleet.effects if not effect.shifts]
    moves = fleet.effects[0].moves if fleet.effects else 0
    head = Paragraph(
        f"{counted(moves, 'move')}: every guest that may migrate, to a host of every kind that is there now or once upgraded. "
        "Today's verdicts are those of sysreg, which Linux has. A guest's configuration goes along, so both ends are asked for the same."
    )
    points = Bullets(tuple((0, point) for point in _points(still, fleet.warnings)))
    blocks: tuple[Block, ...] = (head, Table(SHIFTS, rows), points) if rows else (head, points)
    return Section("What it would change for this fleet", blocks)


def _shifted(effect: Effect) -> Iterator[tuple[str, ...]]:
    for shift in effect.shifts:
        today, then = stage_words(*shift.today), stage_words(*shift.then)
        yield effect.mechanism.name, today, then, f"{shift.moves:,}", _example(shift.kinds[0].example)


def _example(example: Example) -> str:
    return f"{example.guest}: {example.source} to {example.destination}{' upgraded' if example.upgraded else ''}"


def _points(still: list[str], warned: Warnings) -> Iterator[str]:
    if still:
        yield f"Nothing would change under: {'; '.join(still)}."
    if warned.bad:
        yield (
            f"{counted(warned.bad, 'move')} would end badly today, after the copy. A capability would have kept "
            f"{warned.capability:,} of them, a restore check {warned.restore_check:,}, both together {warned.either:,}."
        )
