"""Fingerprints that Firecracker's `cpu-template-helper fingerprint dump` prints of a host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fleetplan.firmware.registers import BY_NAME
from fleetplan.importers.source import Said, Source, SourceKind, Told, at, named_host, rows_of, text

MIDR = 0x603000000013C000


def read(document: Any, source: Source) -> Iterator[Told]:
    """Kernel, Firecracker, MIDR and workaround levels. Its registers are not all of a vCPU, so they are not taken for a list."""
    rows = rows_of(at(document, "guest_cpu_config", "reg_modifiers"))
    values = {_number(row.get("addr"), 0): _number(row.get("bitmap"), 2) for row in rows}
    version = re.match(r"\d+\.\d+\.\d+", text(document.get("firecracker_version")) or "")
    levels = {f"arch_workaround_{number}": values.get(BY_NAME[f"SMCCC_ARCH_WORKAROUND_{number}"].id) for number in (1, 2, 3)}
    midr = values.get(MIDR)
    keys = {
        "kernel": document.get("kernel_version"),
        "vmm": f"firecracker-{version[0]}" if version else None,
        "midr": f"{midr:#x}" if midr is not None else None,
        "workarounds": {name: level for name, level in levels.items() if level is not None} or None,
    }
    yield Said(noun="host", name=named_host(source), keys=keys)


def _number(written: Any, base: int) -> int | None:
    """A number in text; a bit that is left open (`x`) makes it none."""
    try:
        return int(written[:140], base) if isinstance(written, str) else None
    except ValueError:
        return None


KIND = SourceKind(
    id="firecracker",
    made_by="cpu-template-helper fingerprint dump (HOST=FILE)",
    recognises=lambda document: isinstance(document, dict) and document.keys() >= {"firecracker_version", "guest_cpu_config"},
    read=read,
)
