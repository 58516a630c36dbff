"""Guests that hopped more than once: what they carried, and what they saw after each hop and each reset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from fleetplan.firmware.guest_view import GuestView, Item, view
from fleetplan.firmware.registers import BY_NAME
from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, Release
from fleetplan.migration.carry import GuestState, rebooted, resumed
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.offers import HostOffer
from fleetplan.migration.restore import Firmware
from fleetplan.migration.stream import saved_ids
from fleetplan.migration.verdict import judge

DATA = json.loads((Path(__file__).resolve().parent.parent / "data" / "migrations.json").read_text())
VERSIONS = {"5.2": "qemu-5.2.0", "7.2": "qemu-7.2.18", "10.0": "qemu-10.0.13", "11.1": "qemu-11.1.3"}


def host_of(step: dict[str, Any], place: str) -> Host:
    end = DATA["hosts"][step["host"]]
    registers = tuple((int(register, 16), int(value, 16)) for register, value in end["registers"])
    facts = HostFacts(midr=int(end["midr"], 16), revidr=int(end["revidr"], 16), registers=registers)
    return Host(name=HostName(place), release=Release(end["kernel"], VERSIONS[end["qemu"]]), vcpus=8, memory_mib=1, facts=facts)


def told(seen: GuestView) -> dict[str, str]:
    """A view as the observations write it."""
    vendor = 1 * (Item.VENDOR_FEATURES in seen.services) + 2 * (Item.PTP in seen.services)
    return {
        "psci": f"{seen.psci:x}",
        "wa1": str(seen.workaround_1),
        "wa2": str(seen.workaround_2),
        "wa3": str(seen.workaround_3),
        "trng": "10000" if Item.TRNG in seen.services else "-1",
        "vendor": str(vendor or -1),
    }


def now_sees(state: GuestState, offer: HostOffer) -> GuestView:
    (kvm,) = offer.kvms
    return view(resumed(state, kvm), kvm)


IN_STREAM = {
    "psci": "PSCI_VERSION",
    "wa1": "SMCCC_ARCH_WORKAROUND_1",
    "wa2": "SMCCC_ARCH_WORKAROUND_2",
    "wa3": "SMCCC_ARCH_WORKAROUND_3",
    "std": "STD_BMAP",
    "std_hyp": "STD_HYP_BMAP",
    "vendor_hyp": "VENDOR_HYP_BMAP",
    "vendor_hyp2": "VENDOR_HYP_BMAP_2",
}


def saved(state: GuestState, offer: HostOffer) -> dict[str, str | int]:
    """What its process saves of a guest, as the observations write it: firmware registers, and the number of all."""
    (kvm,), (saver,) = offer.kvms, offer.vmms
    values = Firmware().save(state, 0, kvm, saver).values
    firmware = {name: f"{values[BY_NAME[row].id]:x}" for name, row in IN_STREAM.items() if BY_NAME[row].id in values}
    return {"registers": len(saved_ids(kvm, saver)), **firmware}


@pytest.mark.parametrize(
    "chain", DATA["chains"], ids=lambda chain: " > ".join(f"{step['host']}{'/' + step['pin'] if step['pin'] else ''}" for step in chain)
)
def test_every_hop_of_a_chain(chain: list[dict[str, Any]]) -> None:
    hosts = [host_of(step, f"h{number}") for number, step in enumerate(chain)]
    guest = Guest(name=GuestName("g"), on=HostName("h0"), vcpus=1, memory_mib=1, born=Birth(psci=chain[0]["pin"]))
    table = ClassTable(Fleet(target=hosts[-1].release, hosts=tuple(hosts), guests=(guest,)))
    offers = [table.host_class(number) for number in table.hosts_now]
    state: GuestState | None = table.guest_class(table.guests[0])
    for number, step in enumerate(chain):
        assert state is not None
        if number:
            # QEMU was started by hand at each end, so the first pin was not sent along.
            state = judge(replace(state, pin=None), offers[number - 1], offers[number]).after
        assert (state is not None) == step["ok"]
        if state is None:
            break
        assert told(now_sees(state, offers[number])) == step["seen"]
        if "seen_after_reset" in step:
            state = rebooted(state, offers[number].kvms[0])
            assert told(state.promise) == step["seen_after_reset"]
        if "stream" in step:
            assert saved(state, offers[number]) == step["stream"]
