"""What stands behind a message is derived from the timeline; what was seen must come out of it."""

from __future__ import annotations

import pytest

from fleetplan.firmware.encodings import CCSIDR_IDS, by_name
from fleetplan.firmware.registers import PSCI_VERSION, REGISTERS, VENDOR_HYP_BMAP_2, WORKAROUND_3
from fleetplan.migration.causes import Leaving, Trouble, causes, series_listing
from fleetplan.migration.diagnosis import diagnose

LACKING, UNSENT, REFUSED = Trouble.LACKING, Trouble.UNSENT, Trouble.REFUSED


@pytest.mark.parametrize(
    ("register", "trouble", "written", "expected"),
    [
        # Observed: 6.12 brings these to 6.18, which lists them by feature only; 6.18 finds them missing from 6.1 not at all.
        (by_name("TCR2_EL1"), LACKING, None, [((6, 5), Leaving.NEWER), ((6, 13), Leaving.OLDER)]),
        (CCSIDR_IDS[3], LACKING, None, [((6, 3), Leaving.NEWER)]),
        (by_name("PMMIR_EL1"), LACKING, None, [((7, 3), Leaving.NEWER)]),
        (by_name("OSLSR_EL1"), LACKING, None, [((5, 18), Leaving.NEWER)]),
        (VENDOR_HYP_BMAP_2.id, UNSENT, None, [((6, 15), Leaving.OLDER)]),
        (WORKAROUND_3.id, LACKING, None, [((5, 17), Leaving.NEWER)]),
        (PSCI_VERSION.id, REFUSED, 0x10003, [((6, 13), Leaving.NEWER)]),
        (PSCI_VERSION.id, REFUSED, 0x20000, []),
        (by_name("MIDR_EL1"), REFUSED, 0x413FD0C1, []),
    ],
)
def test_changes_of_the_kernel_behind_a_message(
    register: int, trouble: Trouble, written: int | None, expected: list[tuple[tuple[int, int], Leaving]]
) -> None:
    assert [(cause.since, cause.leaving) for cause in causes(register, trouble, written)] == expected


def test_every_firmware_register_has_a_cause_for_being_lacked_and_unsent() -> None:
    for row in REGISTERS:
        lacked, unsent = causes(row.id, LACKING), causes(row.id, UNSENT)
        assert [cause.since for cause in lacked] == [cause.since for cause in unsent]
        assert {cause.leaving for cause in lacked} == {Leaving.NEWER}
        assert {cause.leaving for cause in unsent} == {Leaving.OLDER}
        assert all(cause.source for cause in lacked)


@pytest.mark.parametrize(("count", "branch"), [(237, (5, 10)), (241, (6, 1)), (258, (6, 12)), (256, (6, 18)), (257, (7, 3))])
def test_the_lengths_that_real_qemus_printed_are_those_of_their_kernels(count: int, branch: tuple[int, int]) -> None:
    assert any(first <= branch <= last for first, last in series_listing(count))


def test_no_kernel_lists_so_few() -> None:
    assert series_listing(3) == ()


def test_neighbours_with_one_cause_are_one_group() -> None:
    text = "handle_cpreg_only_in_incoming_stream: {} in the incoming stream but unknown on the destination: fail migration\n"
    names = ["demuxed reg 6020000000110003", "demuxed reg 6020000000110004", "system register op0:3 op1:0 crn:9 crm:14 op2:6"]
    groups = diagnose("".join(text.format(name) for name in names)).groups
    assert [len(group.registers) for group in groups] == [2, 1]
