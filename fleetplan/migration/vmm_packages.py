"""QEMU packages of distributions: what their builds do that the upstream release of the same number does, or does not.

A package is told by what follows the version in its name. `--version` prints the upstream number alone.
"""

from __future__ import annotations

import re

import msgspec

from fleetplan.migration.vmm_profile import Load, Text, VmmRelease


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """A distribution's packages of some version: from release `first` to `last` of the pattern's group `release`, where it has one.

    `sure` False: they may load like this, or as the row before them does.
    """

    product: str
    numbers: tuple[int, ...]
    pattern: str
    load: Load
    text: Text
    source: str
    knows_pin: bool = False
    sure: bool = True
    first: int = 0
    last: int = 10**6

    def matches(self, release: VmmRelease) -> bool:
        """Whether a package is one of these."""
        match = re.search(self.pattern, release.package) if release.numbers[: len(self.numbers)] == self.numbers else None
        number = match.groupdict().get("release") if match else None
        return match is not None and (number is None or self.first <= int(number) <= self.last)


EL = r"-(?P<release>\d+)[-.\w]*[.+]el(9|10)"
DEBIAN, UBUNTU, OPENEULER, SUSE = r"deb\d|\+dfsg-|\+ds-\d", r"ubuntu", r"\.oe\d", r"-150[0-9]00\.|\.suse|-lp\d"
SOURCE_READ = "source package and its patches read"
INFERRED = "inferred from the version; the package's patches were not read"

PACKAGES: tuple[Package, ...] = (
    Package(
        product="Ubuntu 22.04", numbers=(6, 2), pattern=UBUNTU, load=Load.A, text=Text.S1, source=f"6.2+dfsg-2ubuntu6.31: {SOURCE_READ}"
    ),
    Package(
        product="Ubuntu 24.04", numbers=(8, 2), pattern=UBUNTU, load=Load.A, text=Text.S2, source=f"8.2.2+ds-0ubuntu1.18: {SOURCE_READ}"
    ),
    Package(product="Ubuntu 25.04", numbers=(9, 2), pattern=UBUNTU, load=Load.A, text=Text.S2, source=f"9.2.1+ds-1ubuntu5: {SOURCE_READ}"),
    Package(
        product="Ubuntu 25.10", numbers=(10, 1), pattern=UBUNTU, load=Load.A, text=Text.S2, source=f"10.1.0+ds-5ubuntu2: {SOURCE_READ}"
    ),
    Package(
        product="Ubuntu 26.04", numbers=(10, 2), pattern=UBUNTU, load=Load.A, text=Text.S3, source=f"10.2.1+ds-1ubuntu3: {SOURCE_READ}"
    ),
    Package(
        product="Ubuntu 26.10",
        numbers=(11, 0),
        pattern=UBUNTU,
        load=Load.B0,
        text=Text.S4,
        knows_pin=True,
        source="11.0.3+ds-2ubuntu2: upstream source read; Ubuntu's own patches not",
    ),
    Package(product="Debian 11", numbers=(5, 2), pattern=DEBIAN, load=Load.A, text=Text.S1, source=f"5.2: {SOURCE_READ}"),
    Package(product="Debian 12", numbers=(7, 2), pattern=DEBIAN, load=Load.A, text=Text.S1, source=f"7.2+dfsg-7+deb12u18: {SOURCE_READ}"),
    Package(product="Debian 13", numbers=(10, 0), pattern=DEBIAN, load=Load.A, text=Text.S2, source=f"10.0.13: {SOURCE_READ}"),
    Package(
        product="Debian 13 backports, testing, unstable",
        numbers=(11, 1),
        pattern=DEBIAN,
        load=Load.B1,
        text=Text.S4,
        knows_pin=True,
        source="11.1.2+ds-3 and 11.1.3+ds-1: binaries read",
    ),
    Package(product="RHEL 8", numbers=(6, 2), pattern=r"[.+]el8", load=Load.A, text=Text.S1, source=INFERRED),
    Package(product="RHEL 10.0, late 9.x before 9.8", numbers=(9, 1), pattern=EL, load=Load.A, text=Text.S2, source=INFERRED),
    Package(
        product="RHEL 10.1",
        numbers=(10, 0),
        pattern=EL,
        load=Load.A,
        text=Text.S2,
        source="changelog of 10.0.0-5 to -12 shows nothing here; the rest inferred from the version",
    ),
    Package(
        product="RHEL 10.2, early", numbers=(10, 1), pattern=EL, load=Load.A, text=Text.S2, last=2, source="RHEL-119368 came in 10.1.0-3"
    ),
    Package(
        product="RHEL 10.2 and 9.8",
        numbers=(10, 1),
        pattern=EL,
        load=Load.A,
        text=Text.S3,
        first=3,
        last=16,
        source="RHEL-119368 in 10.1.0-3, no RHEL-174858 up to 10.1.0-16.el10",
    ),
    Package(
        product="RHEL 9.8",
        numbers=(10, 1),
        pattern=r"-17\.el9_8",
        load=Load.A,
        text=Text.S3,
        source="RHEL-119369 among the 97 patches of 10.1.0-17.el9_8, no tolerance among them",
    ),
    Package(
        product="RHEL 10.3, in preparation",
        numbers=(10, 1),
        pattern=EL,
        load=Load.B1,
        text=Text.S4,
        first=17,
        sure=False,
        source="RHEL-174858 (patches 146 to 161) in builds above 10.1.0-16.el10",
    ),
    Package(
        product="RHEL 9 or 10, release not given",
        numbers=(10, 1),
        pattern=r"[.+]el(9|10)",
        load=Load.B1,
        text=Text.S4,
        sure=False,
        source="10.1.0 is two things: its package release, or the changelog, says which",
    ),
    Package(
        product="openEuler", numbers=(4, 1), pattern=OPENEULER, load=Load.A, text=Text.S1, source="openEuler qemu branch of 4.1.0 read"
    ),
    Package(
        product="openEuler", numbers=(6, 2), pattern=OPENEULER, load=Load.A, text=Text.S1, source="openEuler qemu branch of 6.2.0 read"
    ),
    Package(
        product="openEuler", numbers=(8, 2), pattern=OPENEULER, load=Load.A, text=Text.S2, source="openEuler qemu branch of 8.2.0 read"
    ),
    Package(product="SUSE", numbers=(10, 1), pattern=SUSE, load=Load.A, text=Text.S2, source="Factory's changelog names nothing; inferred"),
)
"""Packages of which something is known. Those of any other distribution are taken to be what their upstream number says."""
