"""Kernels of distributions: what their builds have that the upstream release of the same number has not, or lacks.

A row is *proven* where the code of that very build, or of every build of its range, was read, or the vendor's changelog names it. What
other rows say is one candidate beside the upstream release. Sources: `almalinux-kernel` (a commit per package), distribution changelogs
and vendor trees.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from fleetplan.firmware.errno import Errno
from fleetplan.firmware.profile import BhbRule, IdRule, Listed, Workaround2Era

LISTS: Mapping[int, tuple[str, ...]] = {
    1: ("PSCI_VERSION",),
    3: ("PSCI_VERSION", "SMCCC_ARCH_WORKAROUND_1", "SMCCC_ARCH_WORKAROUND_2"),
    4: ("PSCI_VERSION", "SMCCC_ARCH_WORKAROUND_1", "SMCCC_ARCH_WORKAROUND_2", "SMCCC_ARCH_WORKAROUND_3"),
}
LISTS_WITH_BITMAPS: Mapping[int, tuple[str, ...]] = {
    7: (*LISTS[4], "STD_BMAP", "STD_HYP_BMAP", "VENDOR_HYP_BMAP"),
    8: (*LISTS[4], "STD_BMAP", "STD_HYP_BMAP", "VENDOR_HYP_BMAP", "VENDOR_HYP_BMAP_2"),
}
PSCI: Mapping[str, tuple[int, ...]] = {
    "1.0": (0x2, 0x10000),
    "1.1": (0x2, 0x10000, 0x10001),
    "1.3": (0x2, 0x10000, 0x10001, 0x10002, 0x10003),
}
AMPERE1 = frozenset({(0xC0, 0xAC3)})


class Build(msgspec.Struct, frozen=True, kw_only=True):
    """A row: release strings, the builds among them (from `first` to `last`, both included), and what they do.

    `pattern` may have a group `build`, a number. `firmware` is the number of firmware registers listed (1, 3, 4, 7 or 8).
    """

    product: str
    pattern: str
    firmware: int
    psci: str
    workaround_2: Workaround2Era
    proven: bool
    source: str
    first: int = 0
    last: int = 10**9
    fields: Mapping[str, Any] = {}
    loops: frozenset[tuple[int, int]] = frozenset()

    def matches(self, text: str) -> bool:
        """Whether a release string is one of this row's builds."""
        match = re.search(self.pattern, text)
        if match is None:
            return False
        build = match.groupdict().get("build")
        return build is None or self.first <= int(build) <= self.last

    def changes(self) -> dict[str, Any]:
        """The fields of the profile that the row decides."""
        accepted = PSCI[self.psci]
        bitmaps = self.firmware >= 7
        return {
            "registers": LISTS.get(self.firmware) or LISTS_WITH_BITMAPS[self.firmware],
            "psci_default": accepted[-1],
            "psci_accepted": accepted,
            "workaround_2": self.workaround_2,
            "unknown_id": Errno.EINVAL if self.firmware == 1 else Errno.ENOENT,
            "answers_workaround_3": self.firmware >= 4,
            "smccc": True,
            "psci_system_suspend": bitmaps,
            **self.fields,
        }


FLAG, CAP, VM = Workaround2Era.FLAG, Workaround2Era.HOST, Workaround2Era.VM

EL8 = {"id_rule": IdRule.EQUAL, "pmu_always_listed": True, "bhb": BhbRule.OLD, "bhb_obeys_mitigations_off": True}
EL8_BEFORE_BHB = {"id_rule": IdRule.EQUAL, "pmu_always_listed": True, "bhb": BhbRule.NONE}
EL9 = {
    "id_rule": IdRule.CSV,
    "pmu_always_listed": False,
    "bhb": BhbRule.OLD,
    "bhb_obeys_mitigations_off": True,
    "pv_time": True,
    "trng": True,
    "vendor_hyp": True,
}
EL9_1 = {**EL9, "oslsr_listed": True}
EL9_3 = {
    **EL9_1,
    "set_checks_size": True,
    "timers_listed": 6,
    "smccc_filter": True,
    "bhb_obeys_nospectre_bhb": True,
    "pmu_version_writable": True,
    # Inferred: the size check of 6.3 and the filter and timers of 6.4 came in one build, and so did what lies between them.
    "ccsidr_normalised": True,
    "ccidx_hidden": True,
    "aa32_ids_ignored": True,
}
EL9_4 = {**EL9_3, "vm_wide_features": True, "tcr2_pir": Listed.ALWAYS}
EL9_5 = {**EL9_4, "id_rule": IdRule.FIELDS}
EL9_6 = {**EL9_5, "pfr1_writable": True, "ctr_writable": True, "asid_bits_fixed": True}
UBUNTU_6 = {"set_checks_size": True, "timers_listed": 6, "tcr2_pir": Listed.ALWAYS, "bhb": BhbRule.OLD}

ALMA = "almalinux-kernel, all public builds of the range, arch/arm64/kvm and proton-pack"
EL = "linux-el centos-8, virt/kvm/arm/psci.c"


def _el8(minor: int, kernel: str, count: int, fields: Mapping[str, Any], source: str = ALMA, *, ampere: bool = False) -> Build:
    return Build(
        product=f"RHEL 8.{minor}",
        pattern=rf"^4\.18\.0-{kernel}(\.[\d.]+)?\.el8",
        firmware=count,
        psci="1.0",
        workaround_2=FLAG,
        proven=True,
        source=source,
        fields=fields,
        loops=AMPERE1 if ampere else frozenset(),
    )


def _el9(minor: int, kernel: str, count: int, psci: str, era: Workaround2Era, fields: Mapping[str, Any], *, ampere: bool = True) -> Build:
    return Build(
        product=f"RHEL 9.{minor}",
        pattern=rf"^5\.14\.0-{kernel}(\.[\d.]+)?\.el9_{minor}",
        firmware=count,
        psci=psci,
        workaround_2=era,
        proven=True,
        source=ALMA,
        fields=fields,
        loops=AMPERE1 if ampere else frozenset(),
    )


BUILDS: tuple[Build, ...] = (
    _el8(0, "80", 1, EL8_BEFORE_BHB, EL),
    _el8(1, "147", 1, EL8_BEFORE_BHB, EL),
    _el8(2, "193", 3, EL8_BEFORE_BHB, EL),
    _el8(3, "240", 3, EL8_BEFORE_BHB),
    _el8(4, "305", 3, EL8_BEFORE_BHB),
    _el8(5, "348", 3, EL8_BEFORE_BHB),
    _el8(6, "372", 3, EL8_BEFORE_BHB),
    _el8(7, "425", 4, {**EL8, "oslsr_listed": True}),
    _el8(8, "477", 4, {**EL8, "oslsr_listed": True}, ampere=True),
    _el8(9, "513", 4, {**EL8, "oslsr_listed": True, "set_checks_size": True}, ampere=True),
    _el8(10, "553", 4, {**EL8, "oslsr_listed": True, "set_checks_size": True}, ampere=True),
    _el9(0, "70", 4, "1.0", CAP, EL9, ampere=False),
    _el9(1, "162", 4, "1.1", CAP, EL9_1, ampere=False),
    _el9(2, "284", 7, "1.1", CAP, EL9_1),
    _el9(3, "362", 7, "1.1", CAP, EL9_3),
    _el9(4, "427", 7, "1.1", CAP, EL9_4),
    _el9(5, "503", 7, "1.1", CAP, EL9_5),
    _el9(6, "570", 7, "1.1", VM, EL9_6),
    # `5.14.0-503.el9`, without a minor release, is CentOS Stream 9, or the first build of a RHEL minor release: same contents.
    Build(
        product="CentOS Stream 9 from 5.14.0-565",
        pattern=r"^5\.14\.0-(?P<build>\d+)\.el9\.",
        first=565,
        last=570,
        firmware=7,
        psci="1.1",
        workaround_2=VM,
        proven=True,
        source="redhat/kernel.changelog of 9.3 to 9.6",
        fields=EL9_6,
        loops=AMPERE1,
    ),
    *(
        Build(
            product=f"CentOS Stream 9 from 5.14.0-{first}",
            pattern=r"^5\.14\.0-(?P<build>\d+)\.el9\.",
            first=first,
            last=last,
            firmware=count,
            psci=psci,
            workaround_2=CAP,
            proven=True,
            source="redhat/kernel.changelog of 9.3 to 9.6, almalinux/kernel.spec",
            fields=fields,
            loops=AMPERE1 if first >= 254 else frozenset(),
        )
        for first, last, count, psci, fields in (
            (525, 564, 7, "1.1", {**EL9_5, "ctr_writable": True}),
            (459, 524, 7, "1.1", EL9_5),
            (406, 458, 7, "1.1", EL9_4),
            (376, 405, 7, "1.1", {**EL9_3, "vm_wide_features": True}),
            (338, 375, 7, "1.1", EL9_3),
            (254, 337, 7, "1.1", EL9_1),
            (182, 253, 7, "1.1", EL9_1),
            (126, 181, 4, "1.1", EL9_1),
            (78, 125, 4, "1.0", EL9),
        )
    ),
    Build(
        product="RHEL 10.0",
        pattern=r"^6\.12\.0-55(\.[\d.]+)?\.el10_0",
        firmware=7,
        psci="1.1",
        workaround_2=VM,
        proven=True,
        source=ALMA,
        fields={"bhb": BhbRule.OLD, "asid_bits_fixed": True},
    ),
    Build(
        product="later RHEL 9 or 10",
        pattern=r"\.el(9_[7-9]|10(_[1-9])?)\b",
        firmware=7,
        psci="1.1",
        workaround_2=VM,
        proven=False,
        source="ctrliq/kernel-src-tree hypercalls.c @333b1e3877b3; the release is not identified",
        fields={**EL9_6, "bhb": BhbRule.NEW},
        loops=AMPERE1,
    ),
    Build(
        product="Ubuntu 20.04",
        pattern=r"^5\.4\.0-(?P<build>\d+)-generic",
        first=103,
        last=216,
        firmware=4,
        psci="1.0",
        workaround_2=FLAG,
        proven=True,
        source="Ubuntu 5.4.0-216.236 tree, changelog 103.117",
        fields={"set_checks_size": False, "bhb": BhbRule.OLD, "bhb_obeys_mitigations_off": True, "pmu_always_listed": True},
    ),
    Build(
        product="Ubuntu 20.04 before 5.4.0-103",
        pattern=r"^5\.4\.0-(?P<build>\d+)-generic",
        last=102,
        firmware=3,
        psci="1.0",
        workaround_2=FLAG,
        proven=False,
        source="Ubuntu changelog for the boundary; the list is inferred",
    ),
    Build(
        product="Ubuntu 22.04",
        pattern=r"^5\.15\.0-(?P<build>\d+)-generic",
        first=23,
        firmware=4,
        psci="1.0",
        workaround_2=CAP,
        proven=False,
        source="Ubuntu changelog 5.15.0-23.23 for WORKAROUND_3; the rest from 5.15.y",
        fields={"bhb": BhbRule.OLD, "bhb_obeys_mitigations_off": True},
    ),
    Build(
        product="Ubuntu 22.04 HWE 6.5",
        pattern=r"^6\.5\.0-\d+-generic",
        firmware=7,
        psci="1.1",
        workaround_2=CAP,
        proven=True,
        source="Ubuntu 6.5.0-14 and 6.5.0-27.28~22.04.1 trees",
        fields=UBUNTU_6,
    ),
    Build(
        product="Ubuntu 24.04 to 6.8.0-59",
        pattern=r"^6\.8\.0-(?P<build>\d+)-generic",
        last=59,
        firmware=7,
        psci="1.1",
        workaround_2=CAP,
        proven=True,
        source="Ubuntu 6.8.0-59.61~22.04.1 tree",
        fields={**UBUNTU_6, "id_rule": IdRule.FIELDS},
    ),
    Build(
        product="Ubuntu 24.04 from 6.8.0-60",
        pattern=r"^6\.8\.0-(?P<build>\d+)-generic",
        first=60,
        last=90,
        firmware=7,
        psci="1.1",
        workaround_2=CAP,
        proven=True,
        source="Ubuntu 6.8.0-90.91~22.04.1 tree, changelog 6.8.0-60.63",
        fields={**UBUNTU_6, "id_rule": IdRule.FIELDS, "mpam_hidden": True, "asid_bits_fixed": True},
    ),
    Build(
        product="Ubuntu 6.14",
        pattern=r"^6\.14\.0-(?P<build>\d+)-generic",
        firmware=7,
        psci="1.3",
        workaround_2=VM,
        proven=False,
        source="linux 6.14.0 read; Ubuntu changelog for 6.14.3 in 6.14.0-17",
    ),
    Build(
        product="Ubuntu 6.17 and later",
        pattern=r"^(6\.17|7\.\d+)\.0-\d+-generic",
        firmware=8,
        psci="1.3",
        workaround_2=VM,
        proven=False,
        source="inferred from the upstream release",
    ),
    Build(
        product="openEuler 20.03",
        pattern=r"^4\.19\.90-.*oe2003",
        firmware=1,
        psci="1.0",
        workaround_2=FLAG,
        proven=False,
        source="openeuler-mirror/kernel virt/kvm/arm/psci.c @807b22e74c17",
    ),
    Build(
        product="openEuler 22.03",
        pattern=r"^5\.10\.0-.*oe2203",
        firmware=4,
        psci="1.0",
        workaround_2=CAP,
        proven=False,
        source="openeuler-mirror/kernel arch/arm64/kvm/psci.c @ae80c7e2f5cd",
        fields={"set_checks_size": True, "bhb": BhbRule.OLD, "bhb_obeys_mitigations_off": True},
    ),
    Build(
        product="openEuler 24.03",
        pattern=r"^6\.6\.0-.*oe2403",
        firmware=7,
        psci="1.1",
        workaround_2=CAP,
        proven=False,
        source="openeuler-mirror/kernel hypercalls.c @12698b5baea7, guest.c @06f89a27d0b1",
    ),
    Build(
        product="Amazon Linux 2, 5.10",
        pattern=r"^5\.10\..*amzn2\.aarch64",
        firmware=4,
        psci="1.0",
        workaround_2=CAP,
        proven=False,
        source="amazonlinux/linux hypercalls.c @491a0ec4e4c6, guest.c @ced03ec64071",
        fields={"timers_listed": 6},
    ),
    Build(
        product="Amazon Linux 2023, 6.1",
        pattern=r"^6\.1\..*amzn2023",
        firmware=7,
        psci="1.1",
        workaround_2=CAP,
        proven=False,
        source="an Amazon tree of 6.1, hypercalls.c @2ec7bdff4dbb, guest.c @6d5e21c52329; CCIDX: Firecracker's fingerprint of Neoverse V1",
        fields={"timers_listed": 6, "ccidx_hidden": True},
    ),
    Build(
        product="SLES 15 SP4 or SP5",
        pattern=r"^5\.14\.21-150[45]00",
        firmware=4,
        psci="1.0",
        workaround_2=CAP,
        proven=False,
        source="openSUSE/kernel arch/arm64/kvm/psci.c @0e382c290d40",
        fields={"set_checks_size": True},
    ),
    Build(
        product="SLES 15 SP6 or SP7",
        pattern=r"^6\.4\.0-150[67]00",
        firmware=7,
        psci="1.1",
        workaround_2=CAP,
        proven=False,
        source="inferred from the upstream release",
    ),
    Build(
        product="SLE 16",
        pattern=r"^6\.12\.\d+-160000",
        firmware=7,
        psci="1.1",
        workaround_2=VM,
        proven=False,
        source="inferred from the upstream release",
    ),
    Build(
        product="Oracle UEK6",
        pattern=r"^5\.4\.17-.*uek",
        firmware=4,
        psci="1.0",
        workaround_2=FLAG,
        proven=False,
        source="oracle/linux-uek virt/kvm/arm/psci.c @5fb80813d3bc",
    ),
    Build(
        product="Oracle UEK7",
        pattern=r"^5\.15\.0-.*uek",
        firmware=4,
        psci="1.0",
        workaround_2=CAP,
        proven=False,
        source="inferred from 5.15.y",
    ),
    Build(
        product="Oracle UEK8",
        pattern=r"^6\.12\.0-.*uek",
        firmware=7,
        psci="1.1",
        workaround_2=VM,
        proven=False,
        source="inferred from the upstream release",
    ),
    Build(
        product="CBL-Mariner 2",
        pattern=r"^5\.15\.\d+\.\d+-\d+\.cm2",
        firmware=4,
        psci="1.0",
        workaround_2=CAP,
        proven=False,
        source="inferred from 5.15.y; the form of the version is read",
    ),
    Build(
        product="Azure Linux 3",
        pattern=r"^6\.6\.\d+\.\d+-\d+\.azl3",
        firmware=7,
        psci="1.1",
        workaround_2=CAP,
        proven=False,
        source="microsoft/azurelinux SPECS/kernel/kernel.spec @0097e27c7636",
    ),
)

UPSTREAM: tuple[tuple[str, str], ...] = (
    (
        r"^\+deb\d+(u\d+)?(-\w+)*-arm64(-\w+)*$",
        "Debian's kernels from 13 on carry their point release and change nothing of KVM's registers",
    ),
    (r"^\+deb\d+(u\d+)?(-cloud)?-arm64(-16k)?$", "as above"),
    (r"^-arm64$", "a plain arm64 build"),
    (r"^-\d+\.fc\d+(\.aarch64)?$|^-\d+\.[\d.]*fc\d+", "Fedora follows upstream (inferred)"),
)
"""Suffixes of kernels that are the upstream release of their number, and why."""

DEBIAN_ABI = r"^-(?P<abi>\d+)(?:-cloud|-rt)?-arm64(?:-16k)?$|^-0\.(?:deb\d+\.)?(?P<backport>\d+).*-arm64$"
"""Debian up to 12: `5.10.0-30-arm64`. The third number is always 0; the point release stands in `uname -v` only."""

DEBIAN_POINTS: Mapping[tuple[int, int], Mapping[int, int]] = {
    (5, 10): {30: 218, 32: 223, 39: 251, 40: 251, 41: 251, 42: 251, 43: 251, 44: 257, 45: 259, 46: 262},
    (6, 1): {44: 164, 45: 170, 46: 170, 47: 170, 48: 172, 49: 174, 50: 176, 51: 177, 52: 180, 53: 187, 54: 190, 55: 192, 56: 192},
}
"""ABI number -> point release. Source: versions of Debian's packages `linux-image-X.Y.0-ABI-cloud-arm64` (bullseye, bookworm, and their
security updates). Both only grow, so a number in between lies between its neighbours."""
