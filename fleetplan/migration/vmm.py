"""VMMs by version: how they load a stream, what they tolerate, which properties and machine types they know.

A new version is a row. Only the VMM that the destination would start decides how a stream is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from fleetplan.firmware.candidates import Candidate, Candidates, certain
from fleetplan.firmware.encodings import by_name
from fleetplan.firmware.registers import VENDOR_HYP_BMAP_2
from fleetplan.migration.vmm_packages import PACKAGES
from fleetplan.migration.vmm_profile import Family, Load, Text, VmmProfile, VmmRelease

__all__ = ["Family", "Load", "Text", "VmmNameError", "VmmProfile", "VmmRelease", "parse", "profiles"]


class VmmNameError(ValueError):
    """A text that is no VMM with its version."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A range of versions of one family: from `first` on, up to the next row."""

    family: Family
    first: tuple[int, ...]
    load: Load
    text: Text
    knows_pin: bool
    source: str
    saves_bitmaps: bool = True
    pmu: bool = True


REFERENCE = "target/arm/machine.c and kvm.c of the release"

ROWS: tuple[Row, ...] = (
    Row(family=Family.QEMU, first=(2, 6), load=Load.A, text=Text.S1, knows_pin=False, source=f"{REFERENCE}, 5.2, 6.2, 7.2 read"),
    Row(
        family=Family.QEMU,
        first=(8, 2),
        load=Load.A,
        text=Text.S2,
        knows_pin=False,
        source=f"{REFERENCE}, 8.2.2, 9.2.1, 10.0.13, 10.1.0 read",
    ),
    Row(family=Family.QEMU, first=(10, 2), load=Load.A, text=Text.S3, knows_pin=False, source=f"{REFERENCE}, 10.2.1 and 10.2.2 read"),
    Row(family=Family.QEMU, first=(11, 0), load=Load.B0, text=Text.S4, knows_pin=True, source=f"{REFERENCE}, 11.0.3 read"),
    Row(family=Family.QEMU, first=(11, 1), load=Load.B1, text=Text.S4, knows_pin=True, source="11.1.2 and 11.1.3 binaries read; observed"),
    Row(
        family=Family.CLOUD_HYPERVISOR,
        first=(0,),
        load=Load.STRICT,
        text=Text.OWN,
        knows_pin=False,
        pmu=False,
        source="cloud-hypervisor ae44c2971 hypervisor/src/kvm/mod.rs",
    ),
    Row(
        family=Family.FIRECRACKER,
        first=(0,),
        load=Load.STRICT,
        text=Text.OWN,
        knows_pin=False,
        pmu=False,
        source="firecracker 81b38b9da src/vmm/src/arch/aarch64/vcpu.rs",
    ),
    Row(
        family=Family.CROSVM,
        first=(0,),
        load=Load.STRICT,
        text=Text.OWN,
        knows_pin=False,
        saves_bitmaps=False,
        pmu=False,
        source="crosvm f1e797a68 hypervisor/src/kvm/aarch64.rs",
    ),
)


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """A register that B1 loads may lack on the destination. `only` is the saved value for which that holds; None: any."""

    register: int
    only: int | None
    source: str


TOLERATED = "aarch64_host_initfn of 11.1; same ids in the 11.1.3 binary"
TOLERANCES: tuple[Tolerance, ...] = (
    Tolerance(register=by_name("TCR2_EL1"), only=None, source=TOLERATED),
    Tolerance(register=by_name("PIRE0_EL1"), only=None, source=TOLERATED),
    Tolerance(register=by_name("PIR_EL1"), only=None, source=TOLERATED),
    Tolerance(register=VENDOR_HYP_BMAP_2.id, only=0, source=TOLERATED),
)

ALIASES: Mapping[str, Family] = {
    **{family.value: family for family in Family},
    "qemu-kvm": Family.QEMU,
    "qemu-kvm-core": Family.QEMU,
    "qemu-system-arm": Family.QEMU,
    "qemu-system-aarch64": Family.QEMU,
}
"""Names of the VMM, and of packages that have it."""

NAME = re.compile(
    r"(?P<family>[a-z][-a-z0-9]*?)[- ](?:\d+:)?v?(?P<numbers>\d{1,5}(?:\.\d{1,5}){0,3})(?P<package>[-+~:.][-+~.:_A-Za-z0-9]*)?",
    re.ASCII | re.IGNORECASE,
)
"""`qemu-10.0.13`, `qemu-kvm-17:10.1.0-16.el10`, `qemu-system-arm 1:8.2.2+ds-0ubuntu1.18`: a name, maybe an epoch, a version, a package."""


@lru_cache(maxsize=4096)
def parse(text: str) -> VmmRelease:
    """Parse a name such as `qemu-10.0.13` or `qemu-kvm-10.1.0-16.el10`. Raises VmmNameError."""
    match = NAME.fullmatch(text)
    family = ALIASES.get(match["family"].lower()) if match else None
    if match is None or family is None:
        message = f"a VMM is one of {', '.join(family.value for family in Family)} and its version, such as qemu-10.0.13"
        raise VmmNameError(message)
    numbers = tuple(int(number) for number in match["numbers"].split("."))
    return VmmRelease(text=text, family=family, numbers=numbers, package=match["package"] or "")


def on_kernel(release: VmmRelease, kernel: str) -> VmmRelease:
    """A QEMU 10.1 of which no package is given, on a kernel of RHEL 9 or 10, may be RHEL's, which is two things."""
    plain = release.family is Family.QEMU and release.numbers[:2] == TWO_THINGS and not release.package
    built = re.search(r"\.el(?:9|10)(?!\d)", kernel) if plain else None
    return release if built is None else replace(release, package=built[0])


TWO_THINGS = (10, 1)
TOLERANT = frozenset({Load.B1, Load.B1_FIXED})
"""Loads that pass over some registers of one side alone (`TOLERANCES`)."""
BY_PACKAGE = "the changelog of the VMM's package"
BY_CODE = "the code of this VMM"


@lru_cache(maxsize=4096)
def profiles(release: VmmRelease) -> Candidates[VmmProfile]:
    """What a VMM of this name does; candidates where a package may be either of two things, or where nobody has seen it yet."""
    family = [row for row in ROWS if row.family is release.family]
    row = next((row for row in reversed(family) if row.first <= release.numbers), family[0])
    plain = VmmProfile(
        family=row.family,
        load=row.load,
        text=row.text,
        knows_pin=row.knows_pin,
        machines=_machines(release.numbers) if release.family is Family.QEMU else None,
        own_machines=release.package if re.search(RHEL_PACKAGE, release.package) else "",
        saves_bitmaps=row.saves_bitmaps,
        pmu=row.pmu,
    )
    if release.family is not Family.QEMU:
        return certain(plain)
    if re.match(r"[-.~]?rc\d", release.package) and release.numbers in {row.first, (*row.first, 0)}:
        before = family[family.index(row) - 1]
        other = replace(plain, load=before.load, text=before.text, knows_pin=before.knows_pin)
        return _either(plain, f"it has what {row.first[0]}.{row.first[1]} has", other, "it has not got it yet", BY_CODE)
    if release.numbers[:2] > NEWEST_READ:
        fixed = replace(plain, load=Load.B1_FIXED)
        return _either(plain, "nothing has changed since 11.1", fixed, "every lost register counts, not the last alone", BY_CODE)
    return _packaged(release, plain)


NEWEST_READ = (11, 1)
"""The newest QEMU whose code was read. What comes after it may have mended the flag that the last register alone decides."""


def _packaged(release: VmmRelease, plain: VmmProfile) -> Candidates[VmmProfile]:
    """What a package does; where its row is not sure, that or what the packages before it do."""
    package = next((package for package in PACKAGES if package.matches(release)), None)
    if package is None:
        return certain(plain)
    own = replace(plain, load=package.load, text=package.text, knows_pin=package.knows_pin)
    if package.sure:
        return certain(own)
    before = replace(own, load=Load.A, text=Text.S3)
    return _either(own, package.source, before, "it has no backport", BY_PACKAGE)


def _either(one: VmmProfile, if_one: str, other: VmmProfile, if_other: str, decided_by: str) -> Candidates[VmmProfile]:
    options = (Candidate(value=one, assuming=if_one), Candidate(value=other, assuming=if_other))
    return Candidates(options=options, decided_by=decided_by)


class Stated(NamedTuple):
    """How a VMM loads and saves, by itself."""

    load: Load
    text: Text
    saves_bitmaps: bool = True


PROFILES: Mapping[str, Stated] = {
    "A-S1": Stated(Load.A, Text.S1),
    "A-S2": Stated(Load.A, Text.S2),
    "A-S3": Stated(Load.A, Text.S3),
    "B0-S4": Stated(Load.B0, Text.S4),
    "B1-S4": Stated(Load.B1, Text.S4),
    "B1-fixed-S4": Stated(Load.B1_FIXED, Text.S4),
    "strict": Stated(Load.STRICT, Text.OWN),
    "crosvm": Stated(Load.STRICT, Text.OWN, saves_bitmaps=False),
}
"""How a VMM loads, by the name that a host may state: for a package that is not what its number says."""


def stated(release: VmmRelease, profile: str) -> VmmProfile:
    """What a VMM does whose way to load is stated (`PROFILES`); what else its version says still holds."""
    own = PROFILES[profile]
    return replace(next(iter(profiles(release))), load=own.load, text=own.text, saves_bitmaps=own.saves_bitmaps)


def _machines(numbers: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    """From 10.1 on a versioned type is removed six majors later: when its minor is not above the running one (boards.h)."""
    major, minor = numbers[0], numbers[1] if len(numbers) > 1 else 0
    if (major, minor) < (10, 1):
        return (2, 6), (major, minor)
    oldest = (major - 6, minor + 1)
    return (oldest if oldest[1] <= LAST_MINOR else (major - 5, 0)), (major, minor)


LAST_MINOR = 2
"""QEMU has had x.0, x.1 and x.2 releases of every major version since 4."""


RHEL_PACKAGE = r"[.+]el\d"
"""Upstream `virt-X.Y` types are removed from these packages, and `virt-rhelX.Y.0` ones added (package patches of 9.x and 10.x)."""


def knows_machine(profile: VmmProfile, machine: str) -> bool | None:
    """Whether a machine type can be started; None where that is not known. `virt` is the newest type of whatever VMM starts it."""
    if machine == "virt":
        return True
    if machine.startswith("virt-rhel"):
        return None if profile.own_machines else False
    match = re.fullmatch(r"virt-(\d+)\.(\d+)", machine)
    if profile.machines is None or match is None:
        return None
    version = (int(match[1]), int(match[2]))
    return not profile.own_machines and profile.machines[0] <= version <= profile.machines[1]


def qemus(beside: VmmRelease | None = None) -> list[str]:
    """The names of the first QEMU of each row, the newest first; without the row of a release."""
    rows = [row for row in ROWS if row.family is Family.QEMU]
    if beside is not None:
        own = [row for row in rows if row.first <= beside.numbers][-1:]
        rows = [row for row in rows if row not in own]
    return [f"{row.family.value}-{'.'.join(map(str, row.first))}" for row in reversed(rows)]


def newest_qemu() -> str:
    """The name of the newest QEMU that has a row."""
    return qemus()[0]
