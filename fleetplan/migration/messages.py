"""What a VMM prints when a load fails: the lines as they stand in its log, written from the rows of `wordings`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from fleetplan.firmware.errno import Errno
from fleetplan.migration import wordings
from fleetplan.migration.reasons import Stage
from fleetplan.migration.vmm import Text, VmmProfile
from fleetplan.migration.wordings import BY_NAME, Role, Script, Wording

Refused = tuple[int, int | None, int | None, Errno]
"""id, value written, value that is there, errno."""


def length(profile: VmmProfile, brought: int, listed: int) -> tuple[str, ...]:
    """The guest brings more registers than the destination lists (A loads only)."""
    found = wordings.script(profile, Stage.LENGTH)
    return () if found is None else _once(found, found.lines, {"brought": brought, "listed": listed})


def merge(profile: VmmProfile, lacking: Sequence[int], unsent: Sequence[int], *, failed: bool) -> tuple[str, ...]:
    """Registers that the destination lacks, and those that the stream lacks. B loads name each, also when they go on."""
    found = wordings.script(profile, Stage.MERGE)
    if found is None:
        return ()
    named = {Role.LACKING: lacking, Role.UNSENT: unsent}
    lines = [
        line.write({"register": wordings.display(profile.text, register)})
        for line in found.lines
        if line.role in named
        for register in named[line.role]
    ]
    return (*lines, *(_once(found, found.lines, {}) if failed else ()))


def refused(profile: VmmProfile, registers: Sequence[Refused]) -> tuple[str, ...]:
    """Registers whose values the destination's kernel refuses."""
    found = wordings.script(profile, Stage.SET)
    if found is None:
        return ()
    words = {line.name for line in found.lines if line.role is Role.REFUSED}
    lines = [line for register in registers for line in _refusal(profile, *register)] if words else []
    return (*lines, *_once(found, found.lines, {"errno": registers[0][3]} if profile.text is Text.OWN else {}))


def _refusal(profile: VmmProfile, register: int, written: int | None, there: int | None, errno: Errno) -> Iterator[str]:
    facts = {"written": written, "there": there, "errno": errno}
    if profile.text is Text.OWN:
        yield wordings.FIRECRACKER_SET.write({**facts, "register": register, "written": written or 0})
        return
    named = {**facts, "register": wordings.display(profile.text, register)}
    yield _of_errno(errno, written, there).write(named)


def _of_errno(errno: Errno, written: int | None, there: int | None) -> Wording:
    if errno is Errno.ENOENT:
        return wordings.REFUSED_UNKNOWN
    if errno is not Errno.EINVAL or written is None:
        return wordings.REFUSED_ERRNO
    return wordings.REFUSED if there is None else wordings.REFUSED_IS


def _once(found: Script, lines: Sequence[Wording], facts: dict[str, Any]) -> tuple[str, ...]:
    """The lines that are printed once."""
    known = {"errno": found.errno, "instance": 0, **facts}
    return tuple(line.write(known) for line in lines if line.role is Role.ONCE)


def no_pin_property(version: str) -> tuple[str, ...]:
    """The destination's VMM does not know `kvm-psci-version`, which libvirt sends along."""
    return _once(BY_NAME["no-pin-property"], BY_NAME["no-pin-property"].lines, {"version": version})


def pin_refused(version: str) -> tuple[str, ...]:
    """The destination's kernel does not offer the pinned version."""
    lines = (wordings.PSCI_UNSUPPORTED, wordings.PSCI_HINT, wordings.VCPU_FAILED)
    return _once(BY_NAME["pin-refused"], lines, {"version": version, "vcpu": 0})


def no_machine(profile: VmmProfile, machine: str) -> tuple[str, ...]:
    """The destination's VMM does not know the machine type."""
    running = profile.machines[1] if profile.machines is not None else ()
    named = wordings.NO_MACHINE if running >= wordings.NO_MACHINE.since else wordings.NO_MACHINE_UNNAMED
    return _once(BY_NAME["no-machine"], (named, wordings.MACHINE_HINT), {"machine": machine})


def wrapped(profile: VmmProfile, stage: Stage, lines: Sequence[str]) -> tuple[str, ...]:
    """What libvirt says on top of a failure; the VMM's name for the guest is left as `GUEST`. Empty for other VMMs.

    From the version on that starts incoming QEMUs with exit-on-error=false (11.3.0 does, 9.0.0 does not), length and merge come through
    QMP; a QEMU that could not put its registers has exited before it could answer.
    """
    if profile.text is Text.OWN or not lines:
        return ()
    tail = lines[-1]
    closed = f"internal error: {wordings.CLOSED_MONITOR.write({'guest': 'GUEST'})}: {tail}"
    exits = stage is Stage.START or (stage is Stage.SET and profile.text is not Text.S1)
    if exits or wordings.PUT_REGISTERS.pattern.search(tail):
        return (closed,)
    return (f"operation failed: {wordings.JOB_FAILED.write({'direction': 'migration in'})} {tail}", closed)
