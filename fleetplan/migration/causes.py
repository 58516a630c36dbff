"""What usually stands behind a VMM's words: the changes of the kernel from which they follow. Derived from the timeline, row by row."""

from __future__ import annotations

from enum import Enum
from functools import cache
from typing import Any

import msgspec

from fleetplan.firmware import registers as fw
from fleetplan.firmware.families import listed, others
from fleetplan.firmware.kernels import parse, profiles
from fleetplan.firmware.profile import KernelProfile
from fleetplan.firmware.timeline import NEWEST_KNOWN, OLDEST, OLDEST_MODELLED, ROWS, Branch, Row, apply
from fleetplan.migration.offers import WITH_PMU

LEVEL_FIELDS = {
    fw.WORKAROUND_2.name: ("workaround_2", "pfr1_writable"),
    fw.WORKAROUND_3.name: ("bhb", "bhb_obeys_nospectre_bhb", "bhb_obeys_mitigations_off", "loop_cpus", "answers_workaround_3"),
}
"""What of a kernel decides a level, beside the host's CPU, platform firmware and command line."""


class Trouble(Enum):
    """What the message says of a register."""

    LACKING = "lacking"
    """The destination does not have it."""
    UNSENT = "unsent"
    """The source did not have it."""
    REFUSED = "refused"
    """The destination refuses its value."""


class Leaving(Enum):
    """Which way the guest went over a change of the kernel."""

    NEWER = "newer"
    """From a kernel with the change to one without."""
    OLDER = "older"
    """From a kernel without the change to one with it."""
    EITHER = "either"


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the kernel that would explain a message. `since` is the first mainline series that has it."""

    what: str
    since: Branch
    leaving: Leaving
    source: str


@cache
def steps() -> tuple[tuple[Row, KernelProfile, KernelProfile], ...]:
    """Every change, with mainline as it was before it and after it."""
    fields: dict[str, Any] = {name: getattr(OLDEST, name) for name in OLDEST.__struct_fields__}
    found = []
    for row in sorted(ROWS, key=lambda row: row.since):
        before = KernelProfile(**fields)
        apply(fields, row)
        found.append((row, before, KernelProfile(**fields)))
    return tuple(found)


def causes(register: int, trouble: Trouble, written: int | None = None) -> tuple[Cause, ...]:
    """The changes that would make a message of this kind name this register, oldest first. `written` is the value that was refused."""
    found = ((row, _leaving(register, trouble, written, before, after)) for row, before, after in steps())
    return tuple(Cause(what=row.what, since=row.since, leaving=way, source=row.source) for row, way in found if way is not None)


def _leaving(register: int, trouble: Trouble, written: int | None, before: KernelProfile, after: KernelProfile) -> Leaving | None:
    if trouble is Trouble.REFUSED:
        return _refused(register, written, before, after)
    had, has = _lists(before, register), _lists(after, register)
    if had == has:
        return None
    return Leaving.NEWER if has == (trouble is Trouble.LACKING) else Leaving.OLDER


def _lists(kernel: KernelProfile, register: int) -> bool:
    row = fw.BY_ID.get(register)
    return row.name in kernel.registers if row is not None else register in _listed(kernel)


@cache
def _listed(kernel: KernelProfile) -> frozenset[int]:
    return frozenset(listed(kernel, WITH_PMU))


def _refused(register: int, written: int | None, before: KernelProfile, after: KernelProfile) -> Leaving | None:
    row = fw.BY_ID.get(register)
    if row is None:
        return _other_refused(register, before, after)
    match row.kind:
        case fw.Kind.VERSION:
            took, takes = (written in kernel.psci_accepted for kernel in (before, after))
            return Leaving.NEWER if takes and not took else None
        case fw.Kind.LEVEL:
            differs = any(getattr(before, name) != getattr(after, name) for name in LEVEL_FIELDS.get(row.name, ()))
            return Leaving.EITHER if differs else None
        case fw.Kind.BITMAP:
            return None


def _other_refused(register: int, before: KernelProfile, after: KernelProfile) -> Leaving | None:
    """A kernel that makes up another value, or takes fewer values, than the one before."""
    had, has = (next((one for one in _others(kernel) if one.id == register), None) for kernel in (before, after))
    if had is None or has is None or had == has:
        return None
    if has.writable is None or (had.era, had.partial) == (has.era, has.partial):
        # Only what may be written has changed: the kernel that takes less is the one that refuses.
        return Leaving.NEWER
    return Leaving.EITHER


@cache
def _others(kernel: KernelProfile) -> tuple[Any, ...]:
    return others(kernel, midr=None, revidr=None, features=WITH_PMU)


def series_listing(count: int) -> tuple[tuple[Branch, Branch], ...]:
    """Ranges of series, both ends included, whose vCPU under QEMU (with the PMU, without SVE) lists so many registers.

    A series counts where its first or its latest point release does.
    """
    found: list[tuple[Branch, Branch]] = []
    for branch, counts in _counts():
        if count not in counts:
            continue
        if found and _after(found[-1][1]) == branch:
            found[-1] = (found[-1][0], branch)
        else:
            found.append((branch, branch))
    return tuple(found)


LATE = 999
"""A point release after all that are known."""


@cache
def _counts() -> tuple[tuple[Branch, frozenset[int]], ...]:
    """Every series that is modelled, with the lengths of its lists."""
    found, branch = [], OLDEST_MODELLED
    while branch <= NEWEST_KNOWN:
        kernels = (kernel for point in (0, LATE) for kernel in profiles(parse(f"{branch[0]}.{branch[1]}.{point}")))
        found.append((branch, frozenset(len(_listed(kernel)) + len(kernel.registers) for kernel in kernels)))
        branch = _after(branch)
    return tuple(found)


LAST_OF_MAJOR = {4: 20, 5: 19, 6: 19}
"""The last series of each major version of Linux."""


def _after(branch: Branch) -> Branch:
    major, minor = branch
    return (major + 1, 0) if minor == LAST_OF_MAJOR.get(major) else (major, minor + 1)
