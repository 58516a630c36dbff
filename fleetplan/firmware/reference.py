"""The page that says what is modelled of each register family, made from the tables."""

from __future__ import annotations

from collections.abc import Sequence

from fleetplan.firmware import registers as fw
from fleetplan.firmware.families import FAMILIES, name

KINDS = {
    fw.Kind.VERSION: "the VM's own: values that each kernel takes, with and without PSCI 0.2, before and after the first run; travels",
    fw.Kind.LEVEL: "a check against the host that stores nothing: what each kernel makes of what the host offers",
    fw.Kind.BITMAP: "the VM's own: a subset of what the kernel has, frozen (EBUSY) by the first run; travels",
}
HEAD = """\
# What is modelled of each register

Made from `fleetplan/firmware/registers.py` and `families.py`; a test keeps it in step. `scripts/evidence.py` prints how verdicts compare
with what real kernels and real QEMUs did.

"Takes any value" and "equal" are about a restore on another host. A host's own list (`registers`) decides what is listed and read there,
its own `masks` what may differ; without them the list is worked out by kernel and MIDR_EL1, and what differs by kernel without a known
value is UNKNOWN.

| registers | modelled | source |
|---|---|---|
"""
TAIL = """\

Left out: core registers (general, floating point) and the SVE state, which VMMs carry by other means; MTE, permission overlays (S1POE),
SCTLR2_EL1 and nested virtualisation, which only a VM that asks for them has. A list that has registers of theirs is taken as it is.
"""


def reference() -> str:
    """The page as Markdown."""
    firmware = [(f"`{register.name}`", KINDS[register.kind], register.source) for register in fw.REGISTERS]
    families = [(f"{family.name}: {_named(family.ids)}", family.modelled, family.source) for family in FAMILIES]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in (*firmware, *families)) + TAIL


def _named(ids: Sequence[int]) -> str:
    """Names of registers, of many the first and the last."""
    named = [f"`{name(register)}`" for register in ids]
    return ", ".join(named) if len(named) <= 4 else f"{named[0]} to {named[-1]} ({len(named)})"
