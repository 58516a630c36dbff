"""The register file of a host: what a guest that boots there would have, register by register, with where that is known from."""

from __future__ import annotations

import msgspec

from fleetplan.firmware import registers as fw
from fleetplan.firmware.vcpu import Kvm, VirtualMachine
from fleetplan.migration.offers import HostOffer


class RegisterRow(msgspec.Struct, frozen=True, kw_only=True):
    """One firmware register of a host. `values` are all that it may read, ascending; `may_lack`: the kernel may not have it at all."""

    id: int
    name: str
    values: tuple[int, ...]
    may_lack: bool
    words: str
    source: str


def register_file(offered: HostOffer) -> tuple[RegisterRow, ...]:
    """The firmware registers that any candidate of the host has, in list order."""
    files = [_read(kvm, offered) for kvm in offered.kvms]
    names = [row.name for row in fw.REGISTERS if any(row.name in file for file in files)]
    return tuple(_row(fw.BY_NAME[name], files, offered) for name in names)


def _read(kvm: Kvm, offered: HostOffer) -> dict[str, int]:
    # Without its other registers: firmware registers of a fresh VM do not depend on them, and 250 of them take longer than all the rest.
    machine = VirtualMachine(Kvm(profile=kvm.profile, levels=kvm.levels))
    machine.init(0, offered.features)
    rows = (fw.BY_NAME[name] for name in kvm.profile.registers)
    return {row.name: machine.get(0, row.id).value or 0 for row in rows}


def _row(row: fw.FirmwareRegister, files: list[dict[str, int]], offered: HostOffer) -> RegisterRow:
    values = tuple(sorted({file[row.name] for file in files if row.name in file}))
    words = " or ".join(fw.describe(row, value) for value in values)
    return RegisterRow(
        id=row.id,
        name=row.name,
        values=values,
        may_lack=any(row.name not in file for file in files),
        words=words,
        source=_source(row, offered),
    )


LEVEL_FACTS = (("vulnerabilities", "sysfs"), ("midr", "MIDR_EL1"), ("cpu", "CPU name"))
"""What levels follow from where they are not stated, the strongest first."""


def _source(row: fw.FirmwareRegister, offered: HostOffer) -> str:
    """Where a value is known from, in a few words."""
    if offered.stated.registers is not None:
        return "probe"
    kernel = f"kernel {offered.release.kernel}"
    if row.travels:
        return kernel
    if offered.stated.workarounds is not None:
        return "stated"
    facts = [word for name, word in LEVEL_FACTS if getattr(offered.stated, name) is not None]
    return f"{', '.join(facts)}, {kernel}" if facts else f"{kernel} alone"
