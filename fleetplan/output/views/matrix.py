"""The matrix of classes by classes as a document: a key, the table now, the table at the target, and what the state graph says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from fleetplan.fleet.model import Fleet
from fleetplan.migration.classes import ClassTable, HostClassId
from fleetplan.migration.matrix import Mark, Matrix, Row
from fleetplan.migration.reasons import Stage, Verdict
from fleetplan.migration.verdict import Ruling
from fleetplan.output.class_names import ClassNames, cpu_words
from fleetplan.output.document import Align, Bullets, Column, Document, Paragraph, Section, Table
from fleetplan.output.risk import VERDICTS
from fleetplan.output.sentences import counted

MOST_ROWS, MOST_COLUMNS = 40, 20
"""A larger matrix is summed up by CPU."""

ACROSS = 96
"""Characters of a row; columns that do not fit follow in a table below."""

MARKS = {Mark.ONE_WAY_DOOR: "!", Mark.TRAP: "#", Mark.STEPPING_STONE: "~"}
LEGEND = (
    "✓ SAFE: the guest sees what it saw. ≈ CHANGES: nothing promised is lost. ▽ STRIPS: something promised is lost without an error. "
    "? UNKNOWN: facts are missing. ✗ FAILS: at start (nothing is copied), length, merge or set (after the whole copy)."
)
MARKED = (
    "! one-way door: no allowed migration leads back. # trap: the guest never leaves what it then is in. "
    "~ stepping stone: not at once, but by way of other hosts. · here: a host of the guest's own class."
)

THERE_ALREADY = "(What guests become and others are already stands above.)"


def matrix_document(found: Matrix, fleet: Fleet, classes: ClassTable) -> Document:
    """The matrix, or its sum where it is too large to be read."""
    names = ClassNames(fleet, classes)
    now, then = [row for row in found.rows if not row.upgraded], [row for row in found.rows if row.upgraded]
    size = f"{counted(len(now), 'state')} of guests now, {counted(len(then), 'more state')} at the target {fleet.target}; "
    head = Paragraph(f"{size}{len(found.columns):,} host class{'es' if len(found.columns) != 1 else ''}.")
    if len(found.rows) > MOST_ROWS or len(found.columns) > MOST_COLUMNS:
        return Document((Section("", (head,)), *_summary(found, classes)))
    sections = (Section("", (head,)), *_whole(found, now, then, names))
    return Document(tuple(section for section in sections if section.blocks))


def _whole(found: Matrix, now: list[Row], then: list[Row], names: ClassNames) -> Iterator[Section]:
    tables = [*_tables("Now", found, now, names), *_tables("At the target", found, then, names)]
    told = tuple((0, sentence) for sentence in _remarks(found, names))
    yield Section("Host classes", (Bullets(tuple((0, names.host_line(host)) for host in names.hosts)),))
    yield Section("Guest classes", (Bullets(tuple((0, names.guest_line(guest)) for guest in names.guests)),) if names.guests else ())
    yield from tables
    yield Section("Legend", (Paragraph(LEGEND), Paragraph(MARKED)))
    yield Section("Ways", (Bullets(told),) if told else ())


def _remarks(found: Matrix, names: ClassNames) -> Iterator[str]:
    if found.ways is None:
        yield "the matrix is too large for one-way doors, traps, stepping stones and blocked ways"
        return
    from fleetplan.output.state_sentences import way_sentences  # noqa: PLC0415 - networkx, which a large matrix does without

    yield from way_sentences(found.ways, names, frozenset(row.state for row in found.rows))


def _tables(title: str, found: Matrix, rows: Sequence[Row], names: ClassNames) -> Iterator[Section]:
    """One table for each group of columns that fits a line."""
    heads = [Column(title="guests of"), Column(title="number", align=Align.RIGHT)]
    firsts = [(_row_name(row, names), f"{row.guests:,}") for row in rows]
    columns = [(f"to {names.host(host)}", *(_cell(found, row, index, host) for row in rows)) for index, host in enumerate(found.columns)]
    room = ACROSS - sum(max(map(len, texts)) + 2 for texts in zip(*((head.title for head in heads), *firsts), strict=True))
    for number, group in enumerate(_groups(columns, room) if rows else ()):
        cells = tuple((*first, *(column[index + 1] for column in group)) for index, first in enumerate(firsts))
        note = THERE_ALREADY if rows[0].upgraded and not number else ""
        table = Table((*heads, *(Column(title=column[0]) for column in group)), cells, note)
        yield Section(f"{title}, continued" if number else title, (table,))


def _groups(columns: Sequence[tuple[str, ...]], room: int) -> Iterator[list[tuple[str, ...]]]:
    """As many columns as there is room for, at least one."""
    group: list[tuple[str, ...]] = []
    left = room
    for column in columns:
        width = max(map(len, column)) + 2
        if group and width > left:
            yield group
            group, left = [], room
        group.append(column)
        left -= width
    yield group


def _row_name(row: Row, names: ClassNames) -> str:
    return f"{names.state(row.state)}{' (restarted)' if row.restarted else ''}"


def _cell(found: Matrix, row: Row, index: int, host: HostClassId) -> str:
    ruling = row.rulings[index]
    if host == row.state[1] and ruling[0] is Verdict.SAFE:
        return "· here"
    marks = found.ways.marks.get((row.state, host), ()) if found.ways is not None else ()
    return f"{ruling_words(ruling)} {''.join(MARKS[mark] for mark in marks)}".rstrip()


def ruling_words(ruling: Ruling) -> str:
    """`✓ SAFE`, `✗ FAILS set`."""
    verdict, stage = ruling
    return f"{VERDICTS[verdict].text}{f' {stage}' if verdict is Verdict.FAILS or stage is Stage.START else ''}"


# --- too large to be read -------------------------------------------------------------------------------------------------------------


def _summary(found: Matrix, classes: ClassTable) -> Iterator[Section]:
    """Moves by verdict: between the hosts of each CPU, and between CPUs."""
    cpu = {host: cpu_words(classes.host_class(host).stated) for host in (*found.columns, *(row.state[1] for row in found.rows))}
    target = frozenset(classes.hosts_then)
    within: dict[str, Counter[Verdict]] = {name: Counter() for name in sorted(set(cpu.values()))}
    upgrade: dict[str, Counter[Verdict]] = {name: Counter() for name in within}
    across: Counter[Verdict] = Counter()
    for row in found.rows:
        here = cpu[row.state[1]]
        for host, (verdict, _) in zip(found.columns, row.rulings, strict=True):
            if cpu[host] != here:
                across[verdict] += 1
                continue
            within[here][verdict] += 1
            if host in target and not row.upgraded:
                upgrade[here][verdict] += 1
    total = sum(map(Counter.total, within.values())) + across.total()
    yield Section(f"Moves between host classes of one CPU, of {total:,} in all", (_counts(within),))
    yield Section("Moves to upgraded hosts of the same CPU", (_counts(upgrade),))
    if across:
        yield Section("Moves between CPUs", (_counts({"all": across}),))
    note = "The matrix is too large to be read; `--format json` has all of it."
    if found.ways is None:
        note += " It is too large for one-way doors, traps and stepping stones as well."
    yield Section("", (Paragraph(note),))


def _counts(rows: dict[str, Counter[Verdict]]) -> Table:
    columns = (Column(title="CPU"), *(Column(title=VERDICTS[verdict].text, align=Align.RIGHT) for verdict in Verdict))
    return Table(columns, tuple((name, *(f"{counts[verdict]:,}" for verdict in Verdict)) for name, counts in rows.items()))
