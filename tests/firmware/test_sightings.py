"""A probe against what a kernel's name leaves open, or says wrongly."""

from __future__ import annotations

from typing import Any

import pytest

from fleetplan.firmware import registers as fw
from fleetplan.firmware.kernels import KernelProfile, parse, profiles
from fleetplan.firmware.profile import Listed
from fleetplan.firmware.sightings import Probe, agreeing, without_levels


def probe_of(observed: dict[str, Any], host: dict[str, Any], kernel: KernelProfile) -> Probe:
    """The whole list of an observed host; its firmware registers are those of its kernel (tested apart)."""
    ids, values = observed["lists"][host["list"]], observed["values"][host["values"]]
    others = tuple((int(register, 16), int(value or "0", 16)) for register, value in zip(ids, values, strict=True))
    named = (fw.BY_NAME[name] for name in kernel.registers)
    return (*((row.id, kernel.psci_default if row is fw.PSCI_VERSION else 0) for row in named), *others)


def test_a_probe_of_an_observed_host_agrees_with_its_kernel(observed: dict[str, Any], observed_kernels: dict[str, KernelProfile]) -> None:
    for host in observed["hosts"]:
        kernel = observed_kernels[host["kernel"]]
        assert agreeing([kernel], probe_of(observed, host, kernel)) == [(0, without_levels(kernel))]


@pytest.mark.parametrize(("name", "kernel"), [("5.10.0-custom", "5.10.223"), ("6.1.0-custom", "6.1.192")])
def test_a_probe_leaves_what_it_may_be_of_all_that_a_name_leaves(
    observed: dict[str, Any], observed_kernels: dict[str, KernelProfile], name: str, kernel: str
) -> None:
    named, true = list(profiles(parse(name))), observed_kernels[kernel]
    host = next(host for host in observed["hosts"] if host["kernel"] == kernel)
    found = agreeing(named, probe_of(observed, host, true))
    assert 0 < len(found) < len(named)
    for number, profile in found:
        assert profile == without_levels(named[number])
        assert (profile.registers, profile.psci_accepted) == (true.registers, true.psci_accepted)


def test_a_probe_that_no_candidate_agrees_with_corrects_them(observed: dict[str, Any], observed_kernels: dict[str, KernelProfile]) -> None:
    """As on a kernel whose vendor took later changes than anybody knows of."""
    new = observed_kernels["7.3.4"]
    host = next(host for host in observed["hosts"] if host["kernel"] == "7.3.4")
    ((_, found),) = agreeing([observed_kernels["6.1.192"]], probe_of(observed, host, new))
    assert (found.registers, found.psci_default, found.psci_accepted) == (new.registers, new.psci_default, new.psci_accepted)
    assert (found.timers_listed, found.ccsidr_normalised) == (6, True)
    assert found.id_rule is observed_kernels["6.1.192"].id_rule


def test_a_list_says_whether_registers_are_listed_and_not_by_which_rule(observed_kernels: dict[str, KernelProfile]) -> None:
    always, feature = observed_kernels["6.12.117"], observed_kernels["6.18.15"]
    probe = ((fw.PSCI_VERSION.id, always.psci_default), (0x603000000013C103, 0))
    ((_, found),) = agreeing([feature], probe)
    assert found.tcr2_pir is Listed.BY_FEATURE
    ((_, found),) = agreeing([always], (*probe[:1], (0x603000000013C000, 0)))
    assert found.tcr2_pir is Listed.BY_FEATURE


def test_firmware_registers_alone_say_nothing_of_the_others(observed_kernels: dict[str, KernelProfile]) -> None:
    new = observed_kernels["7.3.4"]
    probe = tuple((fw.BY_NAME[name].id, new.psci_default if name == "PSCI_VERSION" else 0) for name in new.registers)
    ((_, found),) = agreeing([observed_kernels["6.1.192"]], probe)
    assert found.timers_listed == 3
    assert found.registers == new.registers
