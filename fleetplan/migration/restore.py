"""What a destination's kernel makes of the registers that a load writes: firmware registers on an executable KVM, the others by rule.

Both parts depend on little (a few hundred kinds of hosts have a few dozen lists and levels), so each is worked out once and looked up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec.structs import replace

from fleetplan.firmware import registers as fw
from fleetplan.firmware.errno import Errno
from fleetplan.firmware.families import moves
from fleetplan.firmware.guest_view import GuestView, view
from fleetplan.firmware.vcpu import PFR1, Kvm, OtherRegister
from fleetplan.migration.carry import Carried, GuestState, StartRefusedError, firmware_of, resumed, start
from fleetplan.migration.interning import Numbers
from fleetplan.migration.messages import Refused
from fleetplan.migration.stream import tolerated
from fleetplan.migration.vmm import VmmProfile


class Sheet:
    """The other registers of a host, or of a stream: every register by id, and a number for each that is equal for equal ones."""

    __slots__ = ("numbers", "particular", "registers")

    def __init__(self, registers: Mapping[int, OtherRegister], number: Numbers[OtherRegister]) -> None:
        self.registers = registers
        self.numbers = {place: number(register) for place, register in registers.items()}
        self.particular = {place: self.numbers[place] for place, register in registers.items() if register.rule.particular}
        """Those of which a host does not take every value."""


class WrittenOthers(msgspec.Struct, frozen=True, kw_only=True):
    """What came of writing a whole stream: refusals and registers that could not be decided, by ascending id.

    `pfr1` is the value that ID_AA64PFR1_EL1 then has, None where it was not written: firmware registers may depend on it.
    """

    refused: tuple[Refused, ...]
    undecided: tuple[int, ...]
    pfr1: int | None


class Others:
    """Writes streams of other registers to hosts, and remembers what came of it."""

    def __init__(self) -> None:
        self._number: Numbers[OtherRegister] = Numbers()
        self._sheets: dict[int, Sheet] = {}
        self._streams: dict[tuple[int, int], Sheet] = {}
        self._hosts: Numbers[tuple[OtherRegister, ...]] = Numbers()
        self._carried: Numbers[Carried] = Numbers()
        self._taken: dict[tuple[int, int], bool | None] = {}
        self._written: dict[tuple[int, int], WrittenOthers] = {}

    def of_host(self, kvm: Kvm) -> Sheet:
        """What a fresh vCPU of a host has."""
        number = self._hosts(kvm.others)
        if number not in self._sheets:
            self._sheets[number] = Sheet({register.id: register for register in kvm.others}, self._number)
        return self._sheets[number]

    def of_stream(self, carried: Carried, kvm: Kvm) -> Sheet:
        """What a guest on a host saves: what its kernel lists, with the guest's own values."""
        key = (self._carried(carried), self._hosts(kvm.others))
        if key not in self._streams:
            own = self.of_host(kvm)
            registers = {place: carried.registers.get(place, register) for place, register in own.registers.items()}
            self._streams[key] = own if registers == own.registers else Sheet(registers, self._number)
        return self._streams[key]

    def write(self, stream: Sheet, there: Sheet) -> WrittenOthers:
        """Write all registers that both have. O(ID and cache registers) the first time, then a look-up."""
        key = (id(stream), id(there))
        written = self._written.get(key)
        if written is None:
            written = self._written[key] = self._write(stream, there)
        return written

    def _write(self, stream: Sheet, there: Sheet) -> WrittenOthers:
        refused, undecided, pfr1 = [], [], None
        for place, offered in there.particular.items():
            brought = stream.numbers.get(place)
            if brought is None:
                continue
            taken = self._takes(brought, offered, stream.registers[place], there.registers[place])
            if taken is False:
                refused.append((place, stream.registers[place].value, there.registers[place].value, Errno.EINVAL))
            elif taken is None:
                undecided.append(place)
            elif place == PFR1 and there.registers[place].rule.lowerable:
                pfr1 = stream.registers[place].value
        return WrittenOthers(refused=tuple(sorted(refused)), undecided=tuple(sorted(undecided)), pfr1=pfr1)

    def _takes(self, brought: int, offered: int, source: OtherRegister, destination: OtherRegister) -> bool | None:
        key = (brought, offered)
        if key not in self._taken:
            self._taken[key] = moves(source, destination)
        return self._taken[key]


class Saved(msgspec.Struct, frozen=True, kw_only=True):
    """What a guest's process saves of firmware registers: values by id in list order; and what the guest sees before it leaves.

    `tolerated` are firmware registers of it whose loss a B1 load accepts.
    """

    values: Mapping[int, int]
    before: GuestView
    tolerated: frozenset[int]


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What the destination's firmware registers came to. `values` are read back; `now` is what the guest would see if it looked."""

    refused: tuple[Refused, ...]
    psci: int
    bitmaps: tuple[tuple[str, int], ...]
    values: Mapping[int, int | None]
    now: GuestView


class Firmware:
    """Saves and restores firmware registers on executable KVMs, and remembers what came of it.

    A KVM is taken here with the one other register that firmware registers depend on, ID_AA64PFR1_EL1.
    """

    def __init__(self) -> None:
        self._number: Numbers[Kvm] = Numbers()
        self._small: dict[int, Kvm] = {}
        self._kvms: Numbers[Kvm] = Numbers()
        self._guests: Numbers[tuple[object, ...]] = Numbers()
        self._saved: dict[tuple[int, int, bool], Saved] = {}
        self._restored: dict[tuple[object, ...], Restored | None] = {}

    def kvm(self, kvm: Kvm) -> Kvm:
        """A KVM without its other registers, save ID_AA64PFR1_EL1; equal ones are one object."""
        number = self._number(kvm)
        if number not in self._small:
            small = replace(kvm, others=tuple(register for register in kvm.others if register.id == PFR1), probed=False)
            self._small[number] = next((known for known in self._small.values() if known == small), small)
        return self._small[number]

    def guest(self, state: GuestState) -> int:
        """A number that is equal for guests whose firmware registers are alike in every way."""
        pfr1 = state.carried.registers.get(PFR1)
        return self._guests((state.features, state.psci, state.bitmaps, state.pin, pfr1.value if pfr1 is not None else None))

    def save(self, state: GuestState, guest: int, here: Kvm, saver: VmmProfile) -> Saved:
        """What the guest's own process saves on a host (`kvm`), levels read from that host."""
        key = (guest, self._kvms(here), saver.saves_bitmaps)
        if key not in self._saved:
            machine = resumed(state, here)
            rows = (fw.BY_NAME[row] for row in here.profile.registers)
            saved = [row for row in rows if saver.saves_bitmaps or row.kind is not fw.Kind.BITMAP]
            values = {row.id: machine.get(0, row.id).value or 0 for row in saved}
            self._saved[key] = Saved(values=values, before=view(machine, here), tolerated=tolerated(values))
        return self._saved[key]

    def restore(
        self, state: GuestState, guest: int, saved: Saved, there: Kvm, copied: tuple[int, ...], pfr1: int | None, *, listed_first: bool
    ) -> Restored | None:
        """Start a VM and write the copied registers in their order; None if the VM does not start with the guest's pin.

        `pfr1` is what is written to ID_AA64PFR1_EL1: before the firmware registers, or after them where these are `listed_first`.
        """
        key = (guest, id(saved), self._kvms(there), copied, pfr1, listed_first)
        if key not in self._restored:
            self._restored[key] = _restore(state, saved, there, copied, pfr1, listed_first=listed_first)
        return self._restored[key]


def _restore(
    state: GuestState, saved: Saved, there: Kvm, copied: Iterable[int], pfr1: int | None, *, listed_first: bool
) -> Restored | None:
    try:
        machine = start(there, state.features, state.pin)
    except StartRefusedError:
        return None
    if pfr1 is not None and not listed_first:
        machine.set(0, PFR1, pfr1)
    refused = []
    for register in copied:
        errno = machine.set(0, register, saved.values[register]).errno
        if errno is not None:
            refused.append((register, saved.values[register], machine.get(0, register).value, errno))
    if pfr1 is not None and listed_first:
        machine.set(0, PFR1, pfr1)
    psci, bitmaps = firmware_of(machine, there)
    values = {row.id: machine.get(0, row.id).value for row in fw.REGISTERS}
    return Restored(refused=tuple(refused), psci=psci, bitmaps=bitmaps, values=values, now=view(machine, there))
