"""Large plan files into columns, some thousand steps at a time. What columns cannot say makes a plan of records instead."""

from __future__ import annotations

import mmap
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, chain, count, islice

import msgspec
import numpy as np
from msgspec import Raw

from fleetplan.fleet.model import Fleet, GuestName, HostName
from fleetplan.inventory.plan_text import AT_ONCE, placement_pieces
from fleetplan.rollout.columns import (
    KIND_CODE,
    LATEST_S,
    NO_VERDICT,
    NONE,
    VERDICT_CODE,
    Placement,
    StepColumns,
    Steps,
    placement_of,
)
from fleetplan.rollout.plan import Plan, Step, StepId, Wave


class _Wave(msgspec.Struct):
    """A wave whose steps have not been read yet."""

    number: int
    hosts: tuple[HostName, ...]
    steps: Raw


class _Shell(Plan, frozen=True, kw_only=True):
    """A plan whose large parts have not been read yet."""

    waves: tuple[_Wave, ...]  # type: ignore[assignment] # the text of a plan's waves
    placement: Raw = Raw(b"{}")  # type: ignore[assignment] # as above


class _UnsayableError(Exception):
    """The plan says something that columns cannot say."""


def read_columns(data: bytes | mmap.mmap, fleet: Fleet) -> Plan | None:
    """The plan, with its steps as columns that use the fleet's own names; None if these cannot say what stands there.

    Raises msgspec.DecodeError with the place of what is wrong. O(bytes); beside the columns only an index of names and ids is in memory.
    """
    shell = msgspec.json.decode(data, type=_Shell)
    placement = _placement(shell.placement, fleet)
    if placement is None:
        return None
    reader = _Reader(placement)
    try:
        for place, wave in enumerate(shell.waves):
            for steps in _steps(wave.steps, f"$.waves[{place}].steps"):
                reader.add(steps, place + 1)
            _give_back(data)
        columns = reader.columns()
    except _UnsayableError:
        return None
    ends = [0, *np.cumsum(np.bincount(columns.wave, minlength=len(shell.waves) + 1)[1:]).tolist()]
    waves = tuple(
        Wave(number=wave.number, hosts=wave.hosts, steps=Steps(columns, ends[place], ends[place + 1]))
        for place, wave in enumerate(shell.waves)
    )
    small = {name: getattr(shell, name) for name in Plan.__struct_fields__ if name not in {"waves", "placement"}}
    return Plan(**small, waves=waves, placement=placement)


def _placement(text: Raw, fleet: Fleet) -> Placement | None:
    """The fleet's own placement, if the text is what it is written as: then nothing has to be read."""
    own = placement_of(fleet)
    written, at = memoryview(text), 0
    for piece in placement_pieces(own):
        if written[at : at + len(piece)] != piece:
            return None
        at += len(piece)
    return own


def _steps(text: Raw, place: str) -> Iterator[list[Step]]:
    """The steps of a wave, some at a time."""
    decode = msgspec.json.Decoder(Step).decode
    try:
        parts = msgspec.json.decode(text, type=list[Raw])
    except msgspec.ValidationError as problem:
        raise _placed(problem, place) from problem
    for first in range(0, len(parts), AT_ONCE):
        steps: list[Step] = []
        try:
            steps.extend(map(decode, parts[first : first + AT_ONCE]))
        except msgspec.ValidationError as problem:
            raise _placed(problem, f"{place}[{first + len(steps)}]") from problem
        yield steps


def _placed(problem: msgspec.ValidationError, place: str) -> msgspec.ValidationError:
    """A problem of a part, with its place in the whole file."""
    what, _, inside = str(problem).partition(" - at `$")
    return msgspec.ValidationError(f"{what} - at `{place}{inside or '`'}")


def _give_back(data: bytes | mmap.mmap) -> None:
    """Let the system have the memory of what has been read; where it cannot, it takes it when it needs it."""
    if isinstance(data, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        data.madvise(mmap.MADV_DONTNEED)


class _Reader:
    """Steps in the making."""

    def __init__(self, placement: Placement) -> None:
        self._placement = placement
        self._hosts: dict[HostName | None, int] = dict(zip(placement.host_names, count()))
        self._guests: dict[GuestName | None, int] = dict(zip(placement.guest_names, count()))
        self._hosts[None] = self._guests[None] = NONE
        self._verdicts: dict[str | None, int] = {None: NO_VERDICT}
        self._verdicts.update(VERDICT_CODE)
        self._number: dict[StepId, int] = {}
        self._kind, self._verdict = bytearray(), bytearray()
        self._wave, self._host, self._guest, self._source, self._destination, self._after = (array("i") for _ in range(6))
        self._start_s, self._duration_s = array("q"), array("q")
        self._after_at = array("q", [0])
        self._ahead: list[tuple[int, StepId]] = []
        self._notes: dict[int, str] = {}

    def add(self, steps: Sequence[Step], wave: int) -> None:
        """Add steps of a wave, in order. Raises _UnsayableError."""
        first = len(self._kind)
        self._number.update(zip([step.id for step in steps], range(first, first + len(steps)), strict=True))
        starts, durations = [step.start_s for step in steps], [step.duration_s for step in steps]
        if not all(0 <= min(times, default=0) <= max(times, default=0) < LATEST_S for times in (starts, durations)):
            raise _UnsayableError
        try:
            self._host += array("i", [self._hosts[step.host] for step in steps])
            self._guest += array("i", [self._guests[step.guest] for step in steps])
            self._source += array("i", [self._hosts[step.source] for step in steps])
            self._destination += array("i", [self._hosts[step.destination] for step in steps])
            self._verdict += bytes([self._verdicts[step.verdict] for step in steps])
        except KeyError as problem:
            raise _UnsayableError from problem
        self._kind += bytes([KIND_CODE[step.kind] for step in steps])
        self._wave += array("i", [wave]) * len(steps)
        self._start_s += array("q", starts)
        self._duration_s += array("q", durations)
        self._notes.update((place, step.note) for place, step in enumerate(steps, first) if step.note is not None)
        self._wait(steps)

    def _wait(self, steps: Sequence[Step]) -> None:
        """What steps wait for: mostly what came before; the rest is found in the end."""
        waits = [step.after for step in steps]
        ids = list(chain.from_iterable(waits))
        numbers = list(map(self._number.get, ids))
        if None in numbers:
            self._ahead += [(len(self._after) + place, ids[place]) for place, number in enumerate(numbers) if number is None]
        self._after += array("i", [NONE if number is None else number for number in numbers])
        self._after_at.extend(islice(accumulate(map(len, waits), initial=self._after_at[-1]), 1, None))

    def columns(self) -> StepColumns:
        """All steps. Raises _UnsayableError where ids are not all different, or wait for what is not there."""
        if len(self._number) < len(self._kind):
            raise _UnsayableError
        for place, earlier in self._ahead:
            if earlier not in self._number:
                raise _UnsayableError
            self._after[place] = self._number[earlier]
        columns = StepColumns(
            kind=np.frombuffer(self._kind, np.uint8),
            wave=np.asarray(self._wave, np.int32),
            host=np.asarray(self._host, np.int32),
            guest=np.asarray(self._guest, np.int32),
            source=np.asarray(self._source, np.int32),
            destination=np.asarray(self._destination, np.int32),
            start_s=np.asarray(self._start_s, np.int64),
            duration_s=np.asarray(self._duration_s, np.int64),
            verdict=np.frombuffer(self._verdict, np.uint8),
            after_at=np.asarray(self._after_at, np.int64),
            after=np.asarray(self._after, np.int32),
            notes=self._notes,
            host_names=self._placement.host_names,
            guest_names=self._placement.guest_names,
        )
        return columns if self._usual(columns) else replace(columns, given_ids=tuple(self._number))

    def _usual(self, columns: StepColumns) -> bool:
        """Whether all ids are those that the columns give anyhow."""
        given = iter(self._number)
        chunks = (range(first, min(first + AT_ONCE, len(columns))) for first in range(0, len(columns), AT_ONCE))
        return all(columns.ids(np.array(chunk)) == list(islice(given, len(chunk))) for chunk in chunks)
