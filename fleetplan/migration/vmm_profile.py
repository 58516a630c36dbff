"""What one VMM does with registers, and how a VMM release is named."""

from __future__ import annotations

from enum import Enum

import msgspec


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
    B1_FIXED = "B1-fixed"
    """As B1, but every register that the destination lacks must be tolerated. No release that is known loads like this."""
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

    `own_machines` is the package of a distribution that replaced the upstream types by `virt-rhel` ones: which, no row says.

    `saves_bitmaps` False: the service bitmaps are left out of what is saved. `knows_pin`: it has `kvm-psci-version`.
    """

    family: Family
    load: Load
    text: Text
    knows_pin: bool
    machines: tuple[tuple[int, int], tuple[int, int]] | None = None
    own_machines: str = ""
    saves_bitmaps: bool = True
    pmu: bool = True
