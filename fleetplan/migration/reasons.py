"""What a judgment says: the verdict, the stage at which it fell, typed reasons. The sentences are made in `output`."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from fleetplan.firmware import registers as fw
from fleetplan.firmware.candidates import Fact
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.families import name
from fleetplan.migration.carry import Guests, GuestState


class Verdict(StrEnum):
    """What happens to a guest in a move, least harmful first."""

    SAFE = "SAFE"
    CHANGES = "CHANGES"
    STRIPS = "STRIPS"
    UNKNOWN = "UNKNOWN"
    FAILS = "FAILS"


RANK = {verdict: rank for rank, verdict in enumerate(Verdict)}
"""How verdicts take precedence: the higher one is said."""


class Stage(StrEnum):
    """Where a move is decided: before any copy (start), after it (length, merge, set), or by what the guest then sees."""

    START = "start"
    LENGTH = "length"
    MERGE = "merge"
    SET = "set"
    AFTER = "after"


class ReasonKind(StrEnum):
    """Typed reasons."""

    REFUSED_VALUE = "refused-value"
    UNKNOWN_REGISTER = "unknown-register"
    LONGER_LIST = "longer-list"
    DROPPED_TAIL = "dropped-tail"
    TOLERATED_BY_QUIRK = "tolerated-by-quirk"
    NO_PIN_PROPERTY = "no-pin-property"
    PIN_REFUSED = "pin-refused"
    MACHINE_TYPE = "machine-type"
    EQUIPMENT = "equipment"
    DIFFERENT_CPU = "different-cpu"
    PSCI_CHANGES = "psci-changes"
    MITIGATION_LOST = "mitigation-lost"
    SERVICE_LOST = "service-lost"
    SERVICE_GAINED = "service-gained"
    DIFFERENT_VMM = "different-vmm"
    UNDECIDED = "undecided"


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why a verdict is what it is.

    `register` is a name (`PSCI_VERSION`, `CCSIDR_EL1`, `S3_0_C0_C5_0`); `id` its id; `source` the saved value and `destination` what
    the destination has or accepts at most. `detail` holds further facts ready for a sentence.
    """

    kind: ReasonKind
    stage: Stage
    register: str | None = None
    id: int | None = None
    source: int | None = None
    destination: int | None = None
    errno: Errno | None = None
    detail: tuple[tuple[str, str], ...] = ()


class Judgment(msgspec.Struct, frozen=True, kw_only=True):
    """What one move comes to.

    `stage` says where it was decided. `after` is the guest at the destination, None if it stays; of an UNKNOWN, what it is if the move
    goes well. `arrivals` are all that it may be there, `after` is the first of them. `lost` are names of registers (and of equipment)
    whose loss a waiver would have to accept (of a STRIPS). `deciding` are the smallest sets of facts that would decide (of an UNKNOWN);
    the first one is named in the reasons.
    """

    verdict: Verdict
    stage: Stage
    reasons: tuple[Reason, ...] = ()
    messages: tuple[str, ...] = ()
    after: GuestState | None = None
    arrivals: Guests = ()
    lost: frozenset[str] = frozenset()
    deciding: tuple[tuple[Fact, ...], ...] = ()


def register_name(register: int) -> str:
    """A register's name: of firmware registers the table's, of others the architecture's."""
    row = fw.BY_ID.get(register)
    return row.name if row is not None else name(register)
