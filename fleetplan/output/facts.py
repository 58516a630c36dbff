"""How a fact that decides is found out: the command to run on the host, and the key of the inventory that takes the answer."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

PROBE = "list and read all registers of a fresh vCPU in a scratch VM (KVM_GET_REG_LIST, KVM_GET_ONE_REG; features PSCI_0_2 and PMU_V3)"
IDENTIFICATION = "/sys/devices/system/cpu/cpu*/regs/identification"
VULNERABILITIES = "/sys/devices/system/cpu/vulnerabilities"


class HowTo(msgspec.Struct, frozen=True):
    """`fact` is a piece of the words that name the fact; `command` is run on the host, and `key` written."""

    fact: str
    command: str
    key: str


HOW: tuple[HowTo, ...] = (
    HowTo(
        "born.registers", "save the guest to a file, and read it with QEMU's scripts/analyze-migration.py", "born.registers of the guest"
    ),
    HowTo("born.kernel", "ask who started the guest: its VMM's log says when, the host's journal on which kernel", "born of the guest"),
    HowTo("`rebooted`", "uptime, in the guest: since before or after it moved here", "rebooted of the guest"),
    HowTo("MIDR_EL1", f"cat {IDENTIFICATION}/midr_el1 {IDENTIFICATION}/revidr_el1", "midr, revidr"),
    HowTo("spectre_v2 text", f"cat {VULNERABILITIES}/spectre_v2", "vulnerabilities.spectre_v2"),
    HowTo("spec_store_bypass text", f"cat {VULNERABILITIES}/spec_store_bypass", "vulnerabilities.spec_store_bypass"),
    HowTo("command line", "cat /proc/cmdline", "cmdline"),
    HowTo("build of the distribution's kernel", PROBE, "registers"),
    HowTo("point release of the kernel", "uname -r; cat /proc/version", "kernel"),
    HowTo("code of this kernel", PROBE, "registers"),
    HowTo(
        "changelog of the VMM's package",
        "rpm -q --changelog qemu-kvm-core | grep -e RHEL-174858 -e RHEL-119368 (the first: B1-S4, only the second: A-S3)",
        "vmm_profile",
    ),
    HowTo("vCPUs are bound to", "virsh vcpupin GUEST", "bound_to of the guest"),
    HowTo("-machine help", "qemu-system-aarch64 -machine help", "machine of the guest"),
    HowTo("ipa_bits", "dmesg | grep 'kvm.*IPA Size Limit'", "ipa_bits"),
    HowTo("`sve`", "grep -wo -m1 sve /proc/cpuinfo; cat /proc/sys/abi/sve_default_vector_length", "sve"),
    HowTo("`features`", "qemu-system-aarch64 -accel kvm -cpu host,help", "features"),
    HowTo("`gic`", "dmesg | grep -i 'kvm.*vgic'", "gic"),
    HowTo("`hugepages`", "ls /sys/kernel/mm/hugepages", "hugepages"),
    HowTo("trial", "migrate a guest of that kind once", ""),
    HowTo("probe", PROBE, "registers"),
)
"""By pieces of their words, the telling ones first."""


def how_to(fact: str) -> HowTo | None:
    """How a fact is found out, None where no way is known."""
    return next((row for row in HOW if row.fact in fact), None)


GUEST_XML = "virsh dumpxml GUEST, given to `import` with HOST=FILE"

BY_KEY: Mapping[tuple[str, str], str] = {
    ("host", "kernel"): "uname -r, or `fleetplan probe`",
    ("host", "vmm"): "virsh version, given to `import` with HOST=FILE, or `fleetplan probe`",
    ("host", "vcpus"): "nproc, or `fleetplan probe`",
    ("host", "memory"): "grep MemTotal /proc/meminfo, or `fleetplan probe`",
    ("host", "midr"): f"cat {IDENTIFICATION}/midr_el1, or `fleetplan probe`",
    ("host", "revidr"): f"cat {IDENTIFICATION}/revidr_el1, or `fleetplan probe`",
    ("host", "cmdline"): "cat /proc/cmdline, or `fleetplan probe`",
    ("host", "vulnerabilities"): f"grep -r . {VULNERABILITIES}, or `fleetplan probe`",
    ("host", "registers"): "`fleetplan probe`",
    ("guest", "on"): GUEST_XML,
    ("guest", "vcpus"): GUEST_XML,
    ("guest", "memory"): GUEST_XML,
    ("guest", "machine"): GUEST_XML,
    ("guest", "born"): "ask who started the guest: its VMM's log says when, the host's journal on which kernel",
    ("guest", "disks"): "virsh domblklist GUEST: whether all hosts of the pool reach its disks (shared, copied or local)",
}
"""How a key that no source of an import says is found out."""
