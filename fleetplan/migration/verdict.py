"""The judgment of one move.

DOOR (types agreed; `judge` is to be filled in).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fleetplan.firmware.errno import Errno


class Verdict(StrEnum):
    """What happens to a guest in a move, least harmful first."""

    SAFE = "SAFE"
    CHANGES = "CHANGES"
    STRIPS = "STRIPS"
    UNKNOWN = "UNKNOWN"
    FAILS = "FAILS"


class Stage(StrEnum):
    """Where a move is decided: before any copy (start), after it (length, merge, set), or by what the guest then sees."""

    START = "start"
    LENGTH = "length"
    MERGE = "merge"
    SET = "set"
    AFTER = "after"


class ReasonKind(StrEnum):
    """Typed reasons. The sentence for each is made in `output`."""

    REFUSED_VALUE = "refused-value"
    UNKNOWN_REGISTER = "unknown-register"
    LONGER_LIST = "longer-list"
    DROPPED_TAIL = "dropped-tail"
    TOLERATED_BY_QUIRK = "tolerated-by-quirk"
    NO_PIN_PROPERTY = "no-pin-property"
    PIN_REFUSED = "pin-refused"
    MACHINE_TYPE = "machine-type"
    DIFFERENT_CPU = "different-cpu"
    PSCI_CHANGES = "psci-changes"
    MITIGATION_LOST = "mitigation-lost"
    SERVICE_LOST = "service-lost"
    SERVICE_GAINED = "service-gained"
    NOT_RESTORED = "not-restored"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
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
