"""The executable vCPU against a slow transcript of the kernel's rules, written apart from it."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from fleetplan.firmware.errno import Errno
from fleetplan.firmware.kernels import parse, profiles
from fleetplan.firmware.profile import KernelProfile
from fleetplan.firmware.vcpu import Kvm, Levels, VirtualMachine

KERNELS = ("4.16.3", "4.17", "5.2", "5.3", "5.6.19", "5.10.262", "5.17", "5.18", "5.19", "6.4.16", "6.12.94", "6.16.3", "7.3.4")
FW, BMAP = 0x6030000000140000, 0x6030000000160000
IDS = [FW + index for index in range(6)] + [BMAP + index for index in range(6)] + [0x6020000000140000, 0x4030000000140000]
VALUES = st.sampled_from([0, 1, 2, 3, 4, 0x10, 0x12, 0x13, 0x10000, 0x10001, 0x10002, 0x10003, 0x20000, 1 << 32, (1 << 64) - 1])


def known(text: str) -> KernelProfile:
    profile = profiles(parse(text)).known
    assert profile is not None
    return profile


@dataclass
class Transcript:
    """Kernel rules by hand: kernel-firmware-registers, sections 1 to 3."""

    version: tuple[int, int]
    levels: Levels
    ran: bool = False
    psci: int = 0
    bitmaps: dict[int, int] = field(default_factory=lambda: {BMAP: 1, BMAP + 1: 1, BMAP + 2: 3, BMAP + 3: 0})
    features: dict[int, bool] = field(default_factory=dict)
    flags: dict[int, bool] = field(default_factory=dict)

    def count(self) -> int:
        for least, number in (((6, 15), 8), ((5, 19), 7), ((5, 17), 4), ((5, 3), 3), ((4, 17), 1)):
            if self.version >= least:
                return number
        return 4 if self.version == (5, 10) else 0

    def listed(self) -> list[int]:
        order = [FW, FW + 1, FW + 2, FW + 3, BMAP, BMAP + 1, BMAP + 2, BMAP + 3]
        return order[: 4 if self.version == (5, 10) else self.count()]

    def newest(self) -> int:
        if self.version >= (6, 13):
            return 0x10003
        return 0x10001 if self.version >= (5, 18) else 0x10000

    def accepted(self) -> set[int]:
        return {value for value in (0x2, 0x10000, 0x10001, 0x10002, 0x10003) if value <= self.newest()}

    def host_2(self) -> int:
        if self.levels.ssb == 3:
            return 3
        return 3 if self.levels.ssb == 2 and not self.levels.ssbs else 0

    def refuse_unknown(self, register: int) -> int:
        one_register = (4, 17) <= self.version < (5, 3)
        return 22 if one_register and register >> 16 & 0xFFF == 0x14 else 2

    def get(self, vcpu: int, register: int) -> tuple[int, int | None]:
        if vcpu not in self.features:
            return 8, None
        if register >> 56 != 0x60:
            return 22, None
        if register not in self.listed():
            return self.refuse_unknown(register), None
        if register == FW:
            return 0, 1 if not self.features[vcpu] else self.psci or self.newest()
        if register >= BMAP:
            return 0, self.bitmaps[register]
        if register == FW + 1:
            return 0, self.levels.spectre_v2
        if register == FW + 3:
            return 0, self.levels.bhb
        if self.version >= (5, 10):
            return 0, self.host_2()
        return 0, self.levels.ssb + (16 if self.levels.ssb == 2 and self.flags[vcpu] else 0)

    def set(self, vcpu: int, register: int, value: int) -> int:
        errno, _ = self.get(vcpu, register)
        if errno:
            return errno
        if register == FW:
            fine = value == 1 if not self.features[vcpu] else value in self.accepted()
            self.psci = value if fine else self.psci
            return 0 if fine else 22
        if register >= BMAP:
            return self.set_bitmap(register, value)
        if register != FW + 2:
            host = self.levels.spectre_v2 if register == FW + 1 else self.levels.bhb
            return 0 if value <= host else 22
        return self.set_2(vcpu, value)

    def set_bitmap(self, register: int, value: int) -> int:
        if value > {BMAP: 1, BMAP + 1: 1, BMAP + 2: 3, BMAP + 3: 3}[register]:
            return 22
        if self.ran and value != self.bitmaps[register]:
            return 16
        self.bitmaps[register] = value
        return 0

    def set_2(self, vcpu: int, value: int) -> int:
        if self.version >= (5, 10):
            return 0 if value in ({0, 1, 2, 0x12, 3} if self.host_2() == 3 else {0, 1}) else 22
        if value not in {0: {0}, 1: {0, 1}, 2: {0, 1, 2, 0x12}, 3: {0, 1, 2, 0x12, 3}}[self.levels.ssb]:
            return 22
        if self.levels.ssb == 2 and value in {2, 0x12}:
            self.flags[vcpu] = value == 0x12
        return 0


class Ioctls(RuleBasedStateMachine):
    """Any sequence of ioctls gets the same answers from both."""

    @initialize(
        kernel=st.sampled_from(KERNELS),
        levels=st.builds(Levels, spectre_v2=st.integers(0, 2), ssb=st.integers(0, 3), bhb=st.integers(0, 2), ssbs=st.booleans()),
    )
    def begin(self, kernel: str, levels: Levels) -> None:
        major, minor = kernel.split(".")[:2]
        self.model = VirtualMachine(Kvm(profile=known(kernel), levels=levels))
        self.slow = Transcript((int(major), int(minor)), levels)

    @rule(vcpu=st.integers(0, 2), psci_0_2=st.booleans())
    def init(self, vcpu: int, psci_0_2: bool) -> None:
        answer = self.model.init(vcpu, ("psci_0_2",) if psci_0_2 else ())
        others = {had for other, had in self.slow.features.items() if other != vcpu}
        changes = self.slow.features.get(vcpu, psci_0_2) != psci_0_2
        mixes = self.slow.version >= (6, 5) and bool(others - {psci_0_2})
        assert (answer.errno is Errno.EINVAL) == (changes or mixes)
        if answer.errno is None:
            self.slow.features[vcpu] = psci_0_2
            self.slow.flags[vcpu] = True

    @rule(vcpu=st.integers(0, 2))
    def run(self, vcpu: int) -> None:
        answer = self.model.run(vcpu)
        assert (answer.errno is None) == (vcpu in self.slow.features)
        self.slow.ran = self.slow.ran or answer.errno is None

    @rule(vcpu=st.integers(0, 2), register=st.sampled_from(IDS), value=VALUES)
    def set(self, vcpu: int, register: int, value: int) -> None:
        assert int(self.model.set(vcpu, register, value).errno or 0) == self.slow.set(vcpu, register, value)

    @rule(vcpu=st.integers(0, 2), register=st.sampled_from(IDS))
    def get(self, vcpu: int, register: int) -> None:
        answer = self.model.get(vcpu, register)
        errno, value = self.slow.get(vcpu, register)
        assert int(answer.errno or 0) == errno
        if not self.mixed():
            assert answer.value == value

    def mixed(self) -> bool:
        """A VM with and without PSCI_0_2 (before 6.5), where one vCPU sets what the others read: stated by the reference as deduced."""
        return len(set(self.slow.features.values())) > 1

    @invariant()
    def the_list_is_what_can_be_read(self) -> None:
        for vcpu in self.slow.features if hasattr(self, "slow") else ():
            errno, ids = self.model.reg_list(vcpu)
            assert errno is None
            assert list(ids) == self.slow.listed()


Ioctls.TestCase.settings = settings(max_examples=150, stateful_step_count=25)
TestIoctls = Ioctls.TestCase


@given(kernel=st.sampled_from(KERNELS), register=st.sampled_from(IDS), ran=st.booleans())
@settings(max_examples=200)
def test_what_was_read_can_be_written_back(kernel: str, register: int, ran: bool) -> None:
    levels = Levels(spectre_v2=1, ssb=2, bhb=1, ssbs=False)
    machine = VirtualMachine(Kvm(profile=known(kernel), levels=levels))
    machine.init(0)
    if ran:
        machine.run(0)
    value = machine.get(0, register).value
    assert value is None or machine.set(0, register, value).errno is None


def test_a_pointer_that_cannot_be_read_is_told_after_what_is_looked_at_first() -> None:
    machine = VirtualMachine(Kvm(profile=known("6.12.94"), levels=Levels(spectre_v2=1, ssb=0, bhb=1, ssbs=True)))
    assert machine.set(0, FW, None).errno is Errno.ENOEXEC
    machine.init(0)
    assert machine.set(0, FW, None).errno is Errno.EFAULT
    assert machine.set(0, FW + 9, None).errno is Errno.EFAULT
    assert machine.set(0, 0x6020000000140000, None).errno is Errno.ENOENT


def test_sve_has_to_be_finalised_once() -> None:
    machine = VirtualMachine(Kvm(profile=known("6.12.94"), levels=Levels(spectre_v2=1, ssb=0, bhb=1, ssbs=True)))
    machine.init(0, ("psci_0_2", "sve"))
    assert machine.reg_list(0)[0] is Errno.EPERM
    assert machine.run(0).errno is Errno.EPERM
    assert machine.finalize(0).errno is None
    assert machine.finalize(0).errno is Errno.EPERM
    assert machine.run(0).errno is None
