"""An executable KVM: virtual machines, vCPUs and the register ioctls, with the errno of every refusal.

State stands where the kernel has it: PSCI version and bitmaps belong to the VM, the enable flag of WORKAROUND_2 (5.3 to 5.9) to a vCPU,
levels to nobody (they are read from the host), ID registers to the VM from 6.7 on and to the vCPU before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from fleetplan.firmware import registers as fw
from fleetplan.firmware.encodings import by_name
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.id_fields import FREE, Rule, accepts
from fleetplan.firmware.profile import IdRule, KernelProfile, Workaround2Era

Feature = Literal["psci_0_2", "pmu_v3", "sve", "ptrauth_address", "ptrauth_generic"]


class Levels(msgspec.Struct, frozen=True, kw_only=True):
    """Host levels of the workarounds, as the kernel holds them (not as GET encodes them).

    `spectre_v2` and `bhb`: 0 vulnerable, 1 mitigated, 2 unaffected. `ssb` (v4): 0 vulnerable, 1 unknown, 2 mitigated dynamically,
    3 unaffected or mitigated always. `ssbs`: every CPU has SSBS, so guests protect themselves.
    """

    spectre_v2: int
    ssb: int
    bhb: int
    ssbs: bool


class OtherRegister(msgspec.Struct, frozen=True, kw_only=True):
    """A register that is no firmware register: what a fresh vCPU reads (None: not known) and what a restore may write.

    Where `value` is not known, `partial` may say some of it (a mask, and the bits under it), and registers of equal ids with equal,
    non-empty eras are equal in all other bits. `firmware` is what the machine's firmware may answer (`mitigations.firmware_answers`; 0: not
    known, or not shown in this register): of machines with different firmware, what they say of EL3 may differ.
    """

    id: int
    value: int | None
    rule: Rule = FREE
    era: str = ""
    partial: tuple[int, int] = (0, 0)
    firmware: int = 0


class Kvm(msgspec.Struct, frozen=True, kw_only=True):
    """/dev/kvm of a host: its kernel's rules, its levels, and the other registers that a fresh vCPU lists (in list order).

    `probed` says that `others` is the host's own list and not derived from its kernel and CPU.
    """

    profile: KernelProfile
    levels: Levels
    others: tuple[OtherRegister, ...] = ()
    probed: bool = False


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What an ioctl returns: an errno, or None and, for a GET, the value."""

    errno: Errno | None = None
    value: int | None = None


OK = Answer()
PFR1 = by_name("ID_AA64PFR1_EL1")
SSBS = 0xF0
"""ID_AA64PFR1_EL1.SSBS, bits 7:4: not zero where a guest can protect itself against v4."""


class _Vcpu(msgspec.Struct):
    """What belongs to one vCPU. `features` None: not initialised."""

    features: frozenset[Feature] | None = None
    finalised: bool = False
    workaround_2_enabled: bool = False
    others: dict[int, int] = {}

    @property
    def psci_0_2(self) -> bool:
        return self.features is not None and "psci_0_2" in self.features


class VirtualMachine:
    """A VM on a host. vCPUs come into being when they are first named; `init` is KVM_ARM_VCPU_INIT, and so on."""

    def __init__(self, kvm: Kvm, capabilities: frozenset[str] = frozenset()) -> None:
        self._kvm = kvm
        self._capabilities = capabilities
        self._profile = kvm.profile
        self._others = {register.id: register for register in kvm.others}
        self._vcpus: dict[int, _Vcpu] = {}
        self._psci = 0
        """0: nothing was set, so guests get the kernel's default."""
        self._bitmaps = {name: value for name, value in fw.FRESH_BITMAP.items() if name in kvm.profile.registers}
        self._ran = False
        self._shared: dict[int, int] = {}
        """ID registers of the whole VM, once written (6.7 and later)."""

    # --- life ---------------------------------------------------------------------------------------------------------------------

    def init(self, vcpu: int, features: Iterable[Feature] = ("psci_0_2",)) -> Answer:
        """Initialise a vCPU, or reset it: PSCI version and bitmaps stay, the enable flag of WORKAROUND_2 is set again.

        From 6.5 on all vCPUs of a VM have the same features, and a vCPU keeps those of its first init in every kernel.
        """
        wanted = frozenset(features)
        own = self._vcpu(vcpu)
        others = [other.features for other in self._vcpus.values() if other.features is not None]
        if own.features is not None and own.features != wanted:
            return Answer(errno=Errno.EINVAL)
        if self._profile.vm_wide_features and any(other != wanted for other in others):
            return Answer(errno=Errno.EINVAL)
        own.features = wanted
        own.finalised = own.finalised or "sve" not in wanted
        own.workaround_2_enabled = self._kvm.levels.ssb == fw.ON_DEMAND
        return OK

    def finalize(self, vcpu: int) -> Answer:
        """Finalise SVE. Refused for a vCPU without SVE, or twice."""
        own = self._vcpu(vcpu)
        if own.features is None:
            return Answer(errno=Errno.ENOEXEC)
        if "sve" not in own.features:
            return Answer(errno=Errno.EINVAL)
        if own.finalised:
            return Answer(errno=Errno.EPERM)
        own.finalised = True
        return OK

    def run(self, vcpu: int) -> Answer:
        """The first run of any vCPU freezes the bitmaps of the VM."""
        own = self._vcpu(vcpu)
        if own.features is None:
            return Answer(errno=Errno.ENOEXEC)
        if not own.finalised:
            return Answer(errno=Errno.EPERM)
        self._ran = True
        return OK

    # --- registers ----------------------------------------------------------------------------------------------------------------

    def reg_list(self, vcpu: int) -> tuple[Errno | None, tuple[int, ...]]:
        """KVM_GET_REG_LIST: the ids, firmware registers first (core and SVE registers are not modelled)."""
        own = self._vcpu(vcpu)
        if own.features is None:
            return Errno.ENOEXEC, ()
        if not own.finalised:
            return Errno.EPERM, ()
        return None, (*(fw.BY_NAME[name].id for name in self._profile.registers), *self._others)

    def get(self, vcpu: int, register: int) -> Answer:
        """KVM_GET_ONE_REG."""
        own = self._vcpu(vcpu)
        refusal = self._gate(own, register)
        if refusal is not None:
            return Answer(errno=refusal)
        if fw.is_firmware(register) and register not in self._others:
            row = self._row(register)
            return Answer(errno=self._unknown(register)) if row is None else Answer(value=self._read(own, row))
        if register not in self._others:
            return Answer(errno=Errno.ENOENT)
        return Answer(value=self._shared.get(register, own.others.get(register, self._others[register].value)))

    def set(self, vcpu: int, register: int, value: int | None) -> Answer:
        """KVM_SET_ONE_REG; `value` None is a pointer that cannot be read."""
        own = self._vcpu(vcpu)
        refusal = self._gate(own, register)
        if refusal is not None:
            return Answer(errno=refusal)
        if fw.is_firmware(register) and register not in self._others:
            return Answer(errno=self._set_firmware(own, register, value))
        if register not in self._others:
            return Answer(errno=Errno.ENOENT)
        return Answer(errno=Errno.EFAULT if value is None else self._set_other(own, self._others[register], value))

    def has_psci_0_2(self, vcpu: int) -> bool:
        """Whether a vCPU was initialised with PSCI_0_2."""
        return self._vcpu(vcpu).psci_0_2

    def has_capability(self, name: str) -> bool:
        """Whether the VMM turned a capability on, such as `arm_system_suspend`, and the kernel has it."""
        return name in self._capabilities and (name != "arm_system_suspend" or self._profile.psci_system_suspend)

    def ssbs(self, vcpu: int) -> bool:
        """Whether this VM's ID_AA64PFR1_EL1 shows SSBS (the host's own, where nothing was written)."""
        return self._ssbs(self._vcpu(vcpu))

    def _vcpu(self, number: int) -> _Vcpu:
        return self._vcpus.setdefault(number, _Vcpu())

    def _gate(self, own: _Vcpu, register: int) -> Errno | None:
        """Before anything else: the vCPU is initialised, and the id is an arm64 one (its size is not looked at here)."""
        if own.features is None:
            return Errno.ENOEXEC
        return Errno.EINVAL if register & fw.ARCH_MASK != fw.ARM64 else None

    def _row(self, register: int) -> fw.FirmwareRegister | None:
        """The register of this kernel with exactly this id, size included."""
        row = fw.BY_ID.get(register)
        return row if row is not None and row.name in self._profile.registers else None

    def _unknown(self, register: int) -> Errno:
        """Kernels that know PSCI_VERSION alone answer EINVAL in its block; all others, and the other block, ENOENT."""
        in_block = (register & fw.COPROC_MASK) >> fw.COPROC_SHIFT == fw.Block.FW.value
        return self._profile.unknown_id if in_block else Errno.ENOENT

    def _read(self, own: _Vcpu, row: fw.FirmwareRegister) -> int:
        levels = self._kvm.levels
        match row.kind:
            case fw.Kind.VERSION:
                return self._version(own)
            case fw.Kind.BITMAP:
                return self._bitmaps[row.name]
            case fw.Kind.LEVEL:
                if row is fw.WORKAROUND_2:
                    return self._workaround_2(own)
                return levels.spectre_v2 if row is fw.WORKAROUND_1 else levels.bhb

    def _version(self, own: _Vcpu) -> int:
        """`vcpu lacks PSCI_0_2: 0.1; stored: stored; else latest`."""
        if not own.psci_0_2:
            return 0x1
        return self._psci or self._profile.psci_default

    def _workaround_2(self, own: _Vcpu) -> int:
        ssb = self._kvm.levels.ssb
        if self._profile.workaround_2 is Workaround2Era.FLAG:
            return fw.flag_era_value(ssb, enabled=own.workaround_2_enabled)
        return fw.workaround_2_value(ssb, ssbs=self._ssbs(own))

    def _ssbs(self, own: _Vcpu) -> bool:
        """Before 6.12 the host's SSBS; from 6.12 what this VM's ID register shows."""
        if self._profile.workaround_2 is Workaround2Era.VM:
            shown = self._shared.get(PFR1, own.others.get(PFR1))
            if shown is not None:
                return bool(shown & SSBS)
        return self._kvm.levels.ssbs

    def _set_firmware(self, own: _Vcpu, register: int, value: int | None) -> Errno | None:
        row = self._row(register)
        if row is None:
            return self._unknown_set(register, value)
        if value is None:
            return Errno.EFAULT
        match row.kind:
            case fw.Kind.VERSION:
                refusal = fw.version_refusal(value, self._profile.psci_accepted, psci_0_2=own.psci_0_2)
                if refusal is None:
                    self._psci = value
                return refusal
            case fw.Kind.BITMAP:
                refusal = fw.bitmap_refusal(value, supported=row.valid, current=self._bitmaps[row.name], ran=self._ran)
                if refusal is None:
                    self._bitmaps[row.name] = value
                return refusal
            case fw.Kind.LEVEL:
                return self._check_level(own, row, value)

    def _unknown_set(self, register: int, value: int | None) -> Errno:
        """From 5.3 a kernel copies the value before it looks at the id, if its size is not refused first."""
        refusal = self._unknown(register)
        sized = self._profile.set_checks_size and register & fw.SIZE_MASK != fw.SIZE_U64
        handled = (register & fw.COPROC_MASK) >> fw.COPROC_SHIFT == fw.Block.FW.value or bool(self._bitmaps)
        copies_first = handled and refusal is Errno.ENOENT and len(self._profile.registers) > 1
        return Errno.EFAULT if value is None and copies_first and not sized else refusal

    def _check_level(self, own: _Vcpu, row: fw.FirmwareRegister, value: int) -> Errno | None:
        levels = self._kvm.levels
        if row is not fw.WORKAROUND_2:
            return fw.level_refusal(value, levels.spectre_v2 if row is fw.WORKAROUND_1 else levels.bhb)
        if self._profile.workaround_2 is not Workaround2Era.FLAG:
            return fw.workaround_2_refusal(value, self._workaround_2(own))
        refusal = fw.flag_era_refusal(value, levels.ssb)
        enables = fw.flag_era_enables(value)
        if refusal is None and enables is not None and levels.ssb == fw.ON_DEMAND:
            own.workaround_2_enabled = enables
        return refusal

    def _set_other(self, own: _Vcpu, register: OtherRegister, value: int) -> Errno | None:
        """ID registers are VM-wide from 6.7 on, and frozen by the first run. What is not known refuses nothing."""
        vm_wide = register.rule.lowerable and self._profile.id_rule is IdRule.FIELDS
        now = self._shared.get(register.id, own.others.get(register.id, register.value))
        if vm_wide and self._ran:
            return None if value == now else Errno.EBUSY
        if register.value is not None and not accepts(register.rule, register.value, value):
            return Errno.EINVAL
        (self._shared if vm_wide else own.others)[register.id] = value
        return None
