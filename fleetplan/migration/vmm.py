"""VMMs by version: how they load a stream, what they tolerate, which properties and machine types they know.

A new version is a row. Only the VMM that the destination would start decides how a stream is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache

import msgspec
from msgspec.structs import replace

from fleetplan.firmware.candidates import Candidate, Candidates
from fleetplan.firmware.encodings import by_name
from fleetplan.firmware.registers import VENDOR_HYP_BMAP_2


class VmmNameError(ValueError):
    """A text that is no VMM with its version."""


class Family(Enum):
    """Who made it."""

    QEMU = "qemu"
    CLOUD_HYPERVISOR = "cloud-hypervisor"
    FIRECRACKER = "firecracker"
    CROSVM = "crosvm"


class Load(Enum):
    """How a stream's registers are loaded."""

    A = "A"
    """Length checked; merge stops at the first register that the destination lacks; what sorts after its last is dropped in silence."""
    B0 = "B0"
    """No length check; every register that the destination lacks is fatal."""
    B1 = "B1"
    """As B0, but some registers are tolerated, and the last register that the destination lacks decides alone."""
    STRICT = "strict"
    """Each register is set in list order; the first refusal ends it."""


class Text(Enum):
    """Which words a refused register leaves in the log."""

    S1 = "S1"
    """Nothing is named, and the failed post-load hook is all that is seen (to 8.1)."""
    S2 = "S2"
    """Nothing is named; `Failed to put registers after init` (8.2 to 10.1)."""
    S3 = "S3"
    """Each refused register is named (10.2)."""
    S4 = "S4"
    """As S3, with `system register` before the encoding (from 11.0)."""
    OWN = "own"
    """The words of a VMM that is not QEMU."""


class VmmRelease(msgspec.Struct, frozen=True, kw_only=True):
    """A parsed VMM name. `package` is what follows the version, such as `-16.el10`."""

    text: str
    family: Family
    numbers: tuple[int, ...]
    package: str = ""


class VmmProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What one VMM does with registers. `machines` are the oldest and the newest versioned `virt` type that it knows, None: no types.

    `own_machines`: its distribution replaced the upstream types by `virt-rhel` ones.

    `saves_bitmaps` False: the service bitmaps are left out of what is saved. `knows_pin`: it has `kvm-psci-version`.
    """

    family: Family
    load: Load
    text: Text
    knows_pin: bool
    machines: tuple[tuple[int, int], tuple[int, int]] | None = None
    own_machines: bool = False
    saves_bitmaps: bool = True
    pmu: bool = True


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


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution's package that is not what its upstream number says. `first` is the package release from which the row holds."""

    numbers: tuple[int, ...]
    pattern: str
    load: Load
    text: Text
    proven: bool
    source: str
    first: int = 0
    last: int = 10**6


BY_PACKAGE = "the changelog of the VMM's package"

PACKAGES: tuple[Package, ...] = (
    Package(
        numbers=(10, 1),
        pattern=r"-(?P<release>\d+)\.el(9|10)",
        load=Load.A,
        text=Text.S3,
        proven=True,
        last=16,
        source="RHEL-119368 in 10.1.0-3, no RHEL-174858 up to 10.1.0-17.el9_8 and 10.1.0-16.el10",
    ),
    Package(
        numbers=(10, 1),
        pattern=r"-17\.el9_8",
        load=Load.A,
        text=Text.S3,
        proven=True,
        source="RHEL-119369 among the patches of 10.1.0-17.el9_8",
    ),
    Package(
        numbers=(10, 1),
        pattern=r"-(?P<release>\d+)\.el(9|10)",
        load=Load.B1,
        text=Text.S4,
        proven=False,
        first=17,
        source="RHEL-174858 (patches 146 to 161) in builds above 10.1.0-16.el10",
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

NAME = re.compile(r"(?P<family>[a-z][a-z-]*?)[- ]v?(?P<numbers>\d{1,5}(?:\.\d{1,5}){0,3})(?P<package>[-+~:][-+~.:_A-Za-z0-9]*)?", re.ASCII)


@lru_cache(maxsize=4096)
def parse(text: str) -> VmmRelease:
    """Parse a name such as `qemu-10.0.13` or `qemu-10.1.0-16.el10`. Raises VmmNameError."""
    match = NAME.fullmatch(text)
    families = {family.value: family for family in Family}
    if match is None or match["family"] not in families:
        message = f"a VMM is one of {', '.join(families)} and its version, such as qemu-10.0.13"
        raise VmmNameError(message)
    numbers = tuple(int(number) for number in match["numbers"].split("."))
    return VmmRelease(text=text, family=families[match["family"]], numbers=numbers, package=match["package"] or "")


@lru_cache(maxsize=4096)
def profiles(release: VmmRelease) -> Candidates[VmmProfile]:
    """What a VMM of this name does; candidates where a package may be either of two things."""
    rows = [row for row in ROWS if row.family is release.family and row.first <= release.numbers]
    row = rows[-1] if rows else next(row for row in ROWS if row.family is release.family)
    plain = VmmProfile(
        family=row.family,
        load=row.load,
        text=row.text,
        knows_pin=row.knows_pin,
        machines=_machines(release.numbers) if release.family is Family.QEMU else None,
        own_machines=re.search(RHEL_PACKAGE, release.package) is not None,
        saves_bitmaps=row.saves_bitmaps,
        pmu=row.pmu,
    )
    if release.family is not Family.QEMU or release.numbers[:2] != (10, 1):
        return Candidates(options=(Candidate(value=plain),))
    return _packaged(release, plain)


def _packaged(release: VmmRelease, plain: VmmProfile) -> Candidates[VmmProfile]:
    """10.1.0 of RHEL is two things, which only the package release tells apart."""
    for package in PACKAGES:
        match = re.search(package.pattern, release.package)
        number = int(match.groupdict().get("release") or package.first) if match else -1
        if match and package.first <= number <= package.last:
            own = replace(plain, load=package.load, text=package.text, knows_pin=False)
            if package.proven:
                return Candidates(options=(Candidate(value=own),))
            before = replace(plain, load=Load.A, text=Text.S3, knows_pin=False)
            either = (Candidate(value=own, assuming=package.source), Candidate(value=before, assuming="it has no backport"))
            return Candidates(options=either, decided_by=BY_PACKAGE)
    if ".el" in release.package:
        options = tuple(
            Candidate(value=replace(plain, load=load, text=text, knows_pin=False), assuming=f"it loads as {load.value}")
            for load, text in ((Load.A, Text.S3), (Load.B1, Text.S4))
        )
        return Candidates(options=options, decided_by=BY_PACKAGE)
    return Candidates(options=(Candidate(value=plain),))


PROFILES: Mapping[str, tuple[Load, Text]] = {
    "A-S1": (Load.A, Text.S1),
    "A-S2": (Load.A, Text.S2),
    "A-S3": (Load.A, Text.S3),
    "B0-S4": (Load.B0, Text.S4),
    "B1-S4": (Load.B1, Text.S4),
}
"""How a QEMU loads, by the name that a host may state: for a package that is not what its number says."""


def stated(release: VmmRelease, profile: str) -> VmmProfile:
    """What a QEMU does whose way to load is stated (`PROFILES`); what else its version says still holds."""
    load, text = PROFILES[profile]
    return replace(next(iter(profiles(release))), load=load, text=text)


def _machines(numbers: tuple[int, ...]) -> tuple[tuple[int, int], tuple[int, int]]:
    """From 10.1 on a versioned type is removed six majors later: when its minor is not above the running one (boards.h)."""
    major, minor = numbers[0], numbers[1] if len(numbers) > 1 else 0
    if (major, minor) < (10, 1):
        return (2, 6), (major, minor)
    oldest = (major - 6, minor + 1)
    return (oldest if oldest[1] <= LAST_MINOR else (major - 5, 0)), (major, minor)


LAST_MINOR = 2
"""QEMU has had x.0, x.1 and x.2 releases of every major version since 4."""


RHEL_PACKAGE = r"\.el\d"
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


def newest_qemu() -> str:
    """The name of the newest QEMU that has a row."""
    row = [row for row in ROWS if row.family is Family.QEMU][-1]
    return f"{row.family.value}-{'.'.join(map(str, row.first))}"
