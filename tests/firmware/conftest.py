"""Kernels and hosts that the tests of this room share."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fleetplan.firmware.errno import Errno
from fleetplan.firmware.kernels import BhbRule, IdRule, KernelProfile, Listed, Workaround2Era

DATA = Path(__file__).resolve().parent.parent / "data"
ARM = 0x41
LOOPS = frozenset(
    {(0xC0, 0xAC3)}
    | {(ARM, part) for part in (0xD07, 0xD08, 0xD0B, 0xD0D, 0xD0C, 0xD41, 0xD42, 0xD4B, 0xD44, 0xD47, 0xD48, 0xD49, 0xD40)}
)

OLDEST = KernelProfile(
    registers=("PSCI_VERSION", "SMCCC_ARCH_WORKAROUND_1", "SMCCC_ARCH_WORKAROUND_2", "SMCCC_ARCH_WORKAROUND_3"),
    psci_default=0x10000,
    psci_accepted=(0x2, 0x10000),
    workaround_2=Workaround2Era.HOST,
    unknown_id=Errno.ENOENT,
    set_checks_size=True,
    vm_wide_features=False,
    bhb=BhbRule.OLD,
    bhb_obeys_nospectre_bhb=False,
    bhb_obeys_mitigations_off=True,
    loop_cpus=LOOPS,
    answers_workaround_3=True,
    smccc=True,
    trng=False,
    pv_time=True,
    vendor_hyp=False,
    psci_system_suspend=False,
    smccc_filter=False,
    id_rule=IdRule.CSV,
    pfr1_writable=False,
    ctr_writable=False,
    imp_id_writable=False,
    pmu_always_listed=True,
    oslsr_listed=False,
    timers_listed=3,
    tcr2_pir=Listed.NEVER,
    ccsidr_normalised=False,
)


@pytest.fixture(scope="session")
def observed_kernels() -> dict[str, KernelProfile]:
    """The kernels of `tests/data/hosts.json`, written by hand as far as levels and other registers depend on them."""
    newer = replace(OLDEST, bhb=BhbRule.NEW, bhb_obeys_nospectre_bhb=True, pmu_always_listed=False, oslsr_listed=True)
    k6_12 = replace(
        newer,
        workaround_2=Workaround2Era.VM,
        id_rule=IdRule.FIELDS,
        pfr1_writable=True,
        ctr_writable=True,
        timers_listed=6,
        tcr2_pir=Listed.ALWAYS,
        ccsidr_normalised=True,
        aa32_ids_writable=True,
        mpam_hidden=True,
    )
    k6_16 = replace(k6_12, tcr2_pir=Listed.BY_FEATURE, imp_id_writable=True, aa32_ids_writable=False, nv_hidden=True)
    k6_18 = replace(
        k6_16,
        bhb_obeys_nospectre_bhb=False,
        bhb_obeys_mitigations_off=False,
        timers_in_table=True,
        aa32_ids_writable=True,
        hcx_writable=True,
    )
    return {
        "5.10.223": replace(OLDEST, pmu_always_listed=True),
        "6.1.192": newer,
        "6.12.117": k6_12,
        "6.16.3": k6_16,
        "6.18.15": k6_18,
        "7.3.4": replace(k6_18, bhb_obeys_nospectre_bhb=True, bhb_obeys_mitigations_off=True, pmmir_listed=True),
    }


@pytest.fixture(scope="session")
def observed() -> dict[str, Any]:
    """Hosts that were asked: facts, levels and other registers (`scripts/compact_hosts.py`)."""
    content: dict[str, Any] = json.loads((DATA / "hosts.json").read_text())
    return content


@pytest.fixture(scope="session")
def restores() -> dict[str, Any]:
    """Which other registers of one observed host another refused (`scripts/compact_hosts.py`)."""
    content: dict[str, Any] = json.loads((DATA / "restores.json").read_text())
    return content


@pytest.fixture(scope="session")
def metal() -> list[dict[str, Any]]:
    """ID and cache registers of real Neoverse N1 and V1 hosts (`scripts/compact_hosts.py`)."""
    content: list[dict[str, Any]] = json.loads((DATA / "metal.json").read_text())
    return content
