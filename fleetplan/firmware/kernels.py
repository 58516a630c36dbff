"""Kernel releases: what `uname -r` says, and what a kernel of that name does with firmware registers.

A release is mainline, stable or long-term (`timeline`), or a distribution's (`distributions`). What is not proven is a set of
candidates with the reason, never a guess from a number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import replace

from fleetplan.firmware.candidates import MOST_CANDIDATES, Candidate, Candidates
from fleetplan.firmware.distributions import BUILDS, DEBIAN_ABI, DEBIAN_POINTS, UPSTREAM, Build
from fleetplan.firmware.profile import BhbRule, IdRule, KernelProfile, Listed, Workaround2Era
from fleetplan.firmware.timeline import NEVER, NEWEST_KNOWN, OLDEST, OLDEST_MODELLED, ROWS, Branch, Row, apply

__all__ = ["BhbRule", "IdRule", "KernelNameError", "KernelProfile", "KernelRelease", "Listed", "Workaround2Era", "parse", "profiles"]

RELEASE = re.compile(
    r"(?P<major>\d{1,3})\.(?P<minor>\d{1,3})(?:\.(?P<patch>\d{1,5}))?(?:-rc(?P<rc>\d{1,2}))?(?P<suffix>[-+.~_A-Za-z0-9]*)", re.ASCII
)

BY_BUILD = "the build of the distribution's kernel"
BY_POINT = "the point release of the kernel"
BY_CODE = "the code of this kernel"


class KernelNameError(ValueError):
    """A text that is no kernel release."""


class KernelRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed `uname -r`. `numbers` are (major, minor, patch); `rc` is 0 for a release; `suffix` is all after the numbers."""

    text: str
    numbers: tuple[int, int, int]
    rc: int = 0
    suffix: str = ""

    @property
    def branch(self) -> Branch:
        """The series: (major, minor)."""
        return self.numbers[:2]

    @property
    def order(self) -> tuple[int, int, int, int]:
        """Sorts releases: candidates before the release they lead to."""
        return (*self.numbers, self.rc or 1_000)


@lru_cache(maxsize=4096)
def parse(text: str) -> KernelRelease:
    """Parse a release as `uname -r` prints it. Raises KernelNameError."""
    match = RELEASE.fullmatch(text)
    if match is None or match["suffix"].endswith("."):
        message = "a kernel release begins with its numbers, such as 6.12.48"
        raise KernelNameError(message)
    numbers = (int(match["major"]), int(match["minor"]), int(match["patch"] or 0))
    return KernelRelease(text=text, numbers=numbers, rc=int(match["rc"] or 0), suffix=match["suffix"])


@lru_cache(maxsize=4096)
def profiles(release: KernelRelease) -> Candidates[KernelProfile]:
    """What a kernel of this name does: one profile where it is proven, else all that it may do.

    Complexity: at most 64 candidates; remembered, so that a second call costs a dictionary look-up.
    """
    if release.suffix == "" or any(re.search(pattern, release.suffix) for pattern, _ in UPSTREAM):
        return _upstream(release)
    build = next((build for build in BUILDS if build.matches(release.text)), None)
    if build is not None:
        return _distribution(release, build)
    debian = re.search(DEBIAN_ABI, release.suffix)
    if debian is not None:
        return _some_point_release(release, int(debian["abi"] or debian["backport"]))
    return _unknown_vendor(release)


def _upstream(release: KernelRelease) -> Candidates[KernelProfile]:
    """A release candidate has what the release before it in mainline has, or already what it leads to."""
    branch, patch = release.branch, release.numbers[2]
    options = [*_points(branch, patch)]
    decided_by = BY_CODE
    if release.rc:
        options = [*_points(_before(branch), 0), *options]
    if branch > NEWEST_KNOWN:
        options = [Candidate(value=option.value, assuming=f"nothing has changed since {_dotted(NEWEST_KNOWN)}") for option in options]
    return _distinct(options, decided_by)


def _points(branch: Branch, patch: int) -> Iterator[Candidate[KernelProfile]]:
    """All profiles that a point release may have."""
    if branch < OLDEST_MODELLED:
        branch, patch = OLDEST_MODELLED, 0
    yield from islice(
        (Candidate(value=KernelProfile(**found)) for found in _folded(dict(_fields(OLDEST)), 0, branch, patch)), MOST_CANDIDATES
    )


def _folded(profile: dict[str, Any], index: int, branch: Branch, patch: int) -> Iterator[dict[str, Any]]:
    """Fold the rows from `index` on into a profile, once for every combination of what is not proven."""
    while index < len(ROWS):
        answers = ROWS[index].holds(branch, patch)
        index += 1
        if len(answers) > 1:
            yield from _folded(dict(profile), index, branch, patch)
        if answers[-1]:
            apply(profile, ROWS[index - 1])
    yield profile


def _fields(profile: KernelProfile) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(profile, name)) for name in profile.__struct_fields__)


def _distinct(options: list[Candidate[KernelProfile]], decided_by: str) -> Candidates[KernelProfile]:
    unique = {option.value: option for option in reversed(options)}
    kept = tuple(option for option in options if unique.pop(option.value, None) is not None)
    return Candidates(options=kept, decided_by=decided_by if len(kept) > 1 else "")


def _distribution(release: KernelRelease, build: Build) -> Candidates[KernelProfile]:
    base = next(_points(release.branch, release.numbers[2])).value
    changes = build.changes()
    loops = (changes.get("bhb", base.bhb) is not BhbRule.NONE and not base.loop_cpus and _old_loops()) or base.loop_cpus
    own = replace(base, **changes, loop_cpus=loops | build.loops)
    if build.proven:
        return Candidates(options=(Candidate(value=own, assuming=""),))
    likely = Candidate(value=own, assuming=f"it is as {build.product} is thought to be ({build.source})")
    plain = [Candidate(value=option.value, assuming="it is as upstream") for option in _points(release.branch, release.numbers[2])]
    return _distinct([likely, *plain], BY_BUILD)


def _old_loops() -> frozenset[tuple[int, int]]:
    """The loop lists that came with the first BHB code."""
    return next(row.loops for row in ROWS if (row.sets or {}).get("bhb") is BhbRule.OLD)


def _turning_points(branch: Branch) -> list[int]:
    """The point releases of a series at which anything changes."""
    found = {0}
    for row in ROWS:
        first = (row.stable or {}).get(branch)
        if isinstance(first, int):
            found.add(first)
        elif first is not None:
            found.update(first)
    return sorted(patch for patch in found if patch < 1_000_000)


def _some_point_release(release: KernelRelease, abi: int) -> Candidates[KernelProfile]:
    """The point releases that a build with this ABI number of Debian's may be."""
    known = DEBIAN_POINTS.get(release.branch, {})
    first = max((point for number, point in known.items() if number <= abi), default=0)
    last = min((point for number, point in known.items() if number >= abi), default=NEVER)
    options = [
        Candidate(value=option.value, assuming=f"it is {_dotted(release.branch)}.{patch} or a later point release")
        for patch in sorted({first, *(patch for patch in _turning_points(release.branch) if first < patch <= last)})
        for option in _points(release.branch, patch)
    ]
    return _distinct(options[:MOST_CANDIDATES], BY_POINT)


def _unknown_vendor(release: KernelRelease) -> Candidates[KernelProfile]:
    """A vendor may have taken any later change: the release as upstream, then every later state of mainline."""
    own = [Candidate(value=option.value, assuming="it is as upstream") for option in _points(release.branch, release.numbers[2])]
    later = sorted({row.since for row in ROWS if row.since > release.branch})
    options = own + [
        Candidate(value=option.value, assuming=f"its KVM was taken from {_dotted(branch)}")
        for branch in later
        for option in _points(branch, 0)
    ]
    return _distinct(options[:MOST_CANDIDATES], BY_BUILD)


def _before(branch: Branch) -> Branch:
    """The mainline series before this one, as far as any row can tell them apart."""
    known = sorted({row.since for row in ROWS if row.since < branch} | {OLDEST_MODELLED})
    return known[-1] if branch not in {row.since for row in ROWS} else (branch[0], branch[1] - 1) if branch[1] else known[-1]


def _dotted(branch: Branch) -> str:
    return f"{branch[0]}.{branch[1]}"


def rows_of(branch: Branch, patch: int) -> tuple[Row, ...]:
    """The rows that a release has for certain, with their sources: for explanations."""
    return tuple(row for row in ROWS if row.holds(branch, patch) == (True,))
