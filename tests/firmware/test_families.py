from __future__ import annotations

from collections import Counter
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.firmware import encodings
from fleetplan.firmware.encodings import by_name
from fleetplan.firmware.families import FAMILIES, Difference, Seen, changes, listed, moves, name, others, restorable, source_of
from fleetplan.firmware.id_fields import FIXED, FREE, WHOLE, Rule, accepts, fields
from fleetplan.firmware.id_rules import DESIGNS, ROWS
from fleetplan.firmware.kernels import KernelProfile, parse, profiles
from fleetplan.firmware.mitigations import LevelFacts, firmware_answers
from fleetplan.firmware.vcpu import Feature, OtherRegister

Kernels = dict[str, KernelProfile]
N1 = 0x414FD0C1
PMU: tuple[Feature, ...] = ("pmu_v3",)
FEATURE_BITS: dict[Feature, int] = {"psci_0_2": 4, "pmu_v3": 8, "sve": 16, "ptrauth_address": 32, "ptrauth_generic": 64}
TIMER_VALUES = {"CNTVCT_EL0", "CNTV_CVAL_EL0", "CNTPCT_EL0", "CNTP_CVAL_EL0"}


def features_of(bits: int) -> frozenset[Feature]:
    return frozenset(feature for feature, bit in FEATURE_BITS.items() if bits & bit)


def probe_of(observed: dict[str, Any], host: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    ids, values = observed["lists"][host["list"]], observed["values"][host["values"]]
    return tuple((int(register, 16), int(value or "0", 16)) for register, value in zip(ids, values, strict=True))


def ids_of(observed: dict[str, Any], place: int) -> list[int]:
    return [int(register, 16) for register in observed["lists"][place]]


# --- lists against observed hosts ---------------------------------------------------------------------------------------------------


def test_the_list_of_every_observed_host_is_predicted_in_order(observed: dict[str, Any], observed_kernels: Kernels) -> None:
    for host in observed["hosts"]:
        assert list(listed(observed_kernels[host["kernel"]])) == ids_of(observed, host["list"]), host


def test_the_list_of_a_guest_with_all_features_of_its_host_is_predicted(observed: dict[str, Any], observed_kernels: Kernels) -> None:
    for host in observed["hosts"]:
        more = host["hostlike"]
        found = listed(observed_kernels[host["kernel"]], features_of(more["features"]))

        assert set(found) == {*ids_of(observed, host["list"]), *ids_of(observed, more["new"])}, host
        assert len(found) == len(set(found))


def test_values_that_are_known_are_the_observed_ones(observed: dict[str, Any], observed_kernels: Kernels) -> None:
    checked: Counter[str] = Counter()
    for host in observed["hosts"]:
        changed = {int(register, 16): int(value, 16) for register, value in host["hostlike"]["changed"].items()}
        plain = dict(probe_of(observed, host))
        for bits, values in ((4, plain), (host["hostlike"]["features"], plain | changed)):
            for register in others(
                observed_kernels[host["kernel"]],
                midr=int(host["midr"], 16),
                revidr=0,
                features=features_of(bits),
                unaffected=host["workarounds"][0] == 2,
            ):
                mask, known = (WHOLE, register.value) if register.value is not None else register.partial
                if register.id in values:
                    assert values[register.id] & mask == known, (host, name(register.id))
                    checked[name(register.id)] += mask != 0

    assert checked["ID_AA64DFR0_EL1"] > 100
    assert checked["CCSIDR_EL1[0]"] > 50


def test_equal_eras_mean_equal_values(observed: dict[str, Any], observed_kernels: Kernels) -> None:
    """On one machine, that is: firmware shows in EL3 fields, which no name of a CPU tells."""
    seen: dict[tuple[int, str, str], tuple[int, Any]] = {}
    for host in observed["hosts"]:
        kernel, values = observed_kernels[host["kernel"]], dict(probe_of(observed, host))
        for register in others(kernel, midr=int(host["midr"], 16), revidr=0):
            if register.era:
                mask, _ = (WHOLE, 0) if register.value is not None else register.partial
                key = (register.id, register.era, host["firmware"])
                rest = values[register.id] & ~mask & WHOLE
                assert seen.setdefault(key, (rest, host))[0] == rest, (name(register.id), host, seen[key])


# --- restores against observed pairs ------------------------------------------------------------------------------------------------


def test_refusals_between_probed_hosts_are_the_observed_ones(
    observed: dict[str, Any], observed_kernels: Kernels, restores: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = observed["hosts"]
    probes = [probe_of(observed, host) for host in hosts]
    destinations = [
        {register.id: register for register in others(observed_kernels[host["kernel"]], midr=None, revidr=None, probe=probe)}
        for host, probe in zip(hosts, probes, strict=True)
    ]
    refused_sets = [{int(register, 16) for register in refused} for refused in restores["refused"]]
    verdicts: dict[tuple[OtherRegister, int], bool | None] = {}
    false_accepts: Counter[str] = Counter()
    false_refusals: Counter[str] = Counter()
    for source, destination, outcome in restores["pairs"]:
        have, refused = destinations[destination], refused_sets[outcome]
        for register, value in probes[source]:
            if register not in have:
                taken: bool | None = False
            else:
                key = (have[register], value)
                taken = verdicts[key] if key in verdicts else verdicts.setdefault(key, restorable(*key))
            false_accepts[name(register)] += taken is not False and register in refused
            false_refusals[name(register)] += taken is not True and register not in refused
    with capsys.disabled():
        print(
            f"\n{len(restores['pairs'])} pairs ({restores['observed_pairs']} with PSCI pins): "
            f"{false_accepts.total()} false accepts, {false_refusals.total()} false refusals"
        )

    assert +false_accepts == Counter()
    assert +false_refusals == Counter()


def test_a_move_that_is_predicted_is_never_decided_wrongly(
    observed: dict[str, Any], observed_kernels: Kernels, restores: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    """Only pairs of one machine: what the hosts' firmware shows in ID registers cannot be predicted."""
    hosts = observed["hosts"]
    refused_sets = [{int(register, 16) for register in refused} for refused in restores["refused"]]
    predicted = [
        {register.id: register for register in others(observed_kernels[host["kernel"]], midr=int(host["midr"], 16), revidr=0)}
        for host in hosts
    ]
    decided: Counter[bool | None] = Counter()
    for source, destination, outcome in restores["pairs"]:
        a, b = hosts[source], hosts[destination]
        if (a["cpu"], a["firmware"]) != (b["cpu"], b["firmware"]):
            continue
        told = {_moves(register, predicted[destination].get(place)) for place, register in predicted[source].items()}
        verdict = False if False in told else None if None in told else True
        decided[verdict] += 1
        assert verdict in {None, not refused_sets[outcome]}, (a, b)
    with capsys.disabled():
        print(f"\npredicted moves: {decided[True]} pass, {decided[False]} fail, {decided[None]} undecided, 0 wrong")

    assert decided[None] < decided.total() / 10


def test_machines_whose_firmware_answers_otherwise_may_differ_in_what_they_say_of_el3(
    observed: dict[str, Any], observed_kernels: Kernels, restores: dict[str, Any]
) -> None:
    """Facts alone: where two machines of one CPU show that their firmware differs, no restore that was refused is promised."""
    hosts = observed["hosts"]
    answers = [
        firmware_answers(
            LevelFacts(
                midr=int(host["midr"], 16),
                cmdline=host["cmdline"],
                spectre_v2=host["spectre_v2"],
                spec_store_bypass=host["spec_store_bypass"],
            ),
            observed_kernels[host["kernel"]],
        )
        for host in hosts
    ]
    predicted = [
        {
            r.id: r
            for r in others(
                observed_kernels[host["kernel"]],
                midr=int(host["midr"], 16),
                revidr=0,
                firmware=firmware,
                unaffected=host["workarounds"][0] == 2,
            )
        }
        for host, firmware in zip(hosts, answers, strict=True)
    ]
    told: Counter[tuple[bool | None, bool]] = Counter()
    for source, destination, outcome in restores["pairs"]:
        if hosts[source]["cpu"] == hosts[destination]["cpu"] and not answers[source] & answers[destination]:
            moved = {_moves(register, predicted[destination].get(place)) for place, register in predicted[source].items()}
            verdict = False if False in moved else None if None in moved else True
            told[verdict, not restores["refused"][outcome]] += 1
    assert told[True, False] == told[False, True] == 0, told
    assert told[True, True] > 100


def _moves(source: OtherRegister, destination: OtherRegister | None) -> bool | None:
    return False if destination is None else moves(source, destination)


def test_a_probe_from_before_an_upgrade_predicts_what_the_upgraded_host_reads(observed: dict[str, Any], observed_kernels: Kernels) -> None:
    by_machine: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for host in observed["hosts"]:
        if host["cmdline"].endswith("oracle=1"):
            by_machine.setdefault((host["cpu"], host["firmware"], host["midr"]), []).append(host)
    told = 0
    for (_, _, midr), hosts in by_machine.items():
        for before in hosts:
            seen = Seen(kernel=observed_kernels[before["kernel"]], registers=probe_of(observed, before))
            for after in hosts:
                truth = dict(probe_of(observed, after))
                found = others(observed_kernels[after["kernel"]], midr=int(midr, 16), revidr=0, seen=seen)
                assert [register.id for register in found] == list(truth)
                for register in found:
                    if register.value is not None and name(register.id) not in TIMER_VALUES:
                        assert register.value == truth[register.id], (before, after, name(register.id))
                        told += 1
    assert told > 10_000


# --- real hosts ---------------------------------------------------------------------------------------------------------------------


def metal_probe(host: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    return tuple((int(register, 16), int(value, 16)) for register, value in host["values"].items())


def metal_kernel(host: dict[str, Any]) -> KernelProfile:
    return next(iter(profiles(parse(host["kernel"]))))


def test_values_that_are_known_are_those_of_real_hosts(metal: list[dict[str, Any]]) -> None:
    for host in metal:
        probe = dict(metal_probe(host))
        midr, revidr = probe[by_name("MIDR_EL1")], probe[by_name("REVIDR_EL1")]
        for register in others(metal_kernel(host), midr=midr, revidr=revidr):
            mask, known = (WHOLE, register.value) if register.value is not None else register.partial
            if register.id in probe:
                assert probe[register.id] & mask == known, (host["file"], name(register.id))


def test_equal_eras_mean_equal_values_on_real_hosts(metal: list[dict[str, Any]]) -> None:
    """CLIDR_EL1 is left out: Firecracker writes its own."""
    seen: dict[tuple[int, str], tuple[int, str]] = {}
    for host in metal:
        probe = dict(metal_probe(host))
        midr, revidr = probe[by_name("MIDR_EL1")], probe[by_name("REVIDR_EL1")]
        for register in others(metal_kernel(host), midr=midr, revidr=revidr):
            if register.id in probe and register.era and register.value is None and name(register.id) != "CLIDR_EL1":
                rest = probe[register.id] & ~register.partial[0] & WHOLE
                first = seen.setdefault((register.id, register.era), (rest, host["file"]))
                assert first[0] == rest, (name(register.id), host["file"], first[1])


@pytest.mark.parametrize("cpu", ["N1", "V1"])
def test_id_registers_of_real_hosts_go_from_6_1_to_6_18_and_not_back(metal: list[dict[str, Any]], cpu: str) -> None:
    hosts = {host["file"].rsplit("_", 1)[1]: host for host in metal if f"_{cpu}_" in host["file"]}
    old, new = hosts["6.1host.json"], hosts["6.18host.json"]

    def refused(source: dict[str, Any], destination: dict[str, Any]) -> set[str]:
        kernel, probe = metal_kernel(destination), metal_probe(destination)
        written = dict(metal_probe(source))
        offered = others(kernel, midr=None, revidr=None, probe=probe)
        return {name(register.id) for register in offered if restorable(register, written[register.id]) is False}

    assert refused(old, {**new, "values": {k: v for k, v in new["values"].items() if k in old["values"]}}) == set()
    assert {"ID_AA64DFR0_EL1", "CCSIDR_EL1[0]", "CLIDR_EL1"} <= refused(new, old)


# --- laws ---------------------------------------------------------------------------------------------------------------------------

values = st.integers(0, WHOLE)


@given(host=values, written=values, writable=st.none() | values, signed=values)
def test_a_host_always_takes_its_own_value(host: int, written: int, writable: int | None, signed: int) -> None:
    rule = Rule(writable=writable, lowerable=True, signed=signed, higher=(fields(0),), exact=((fields(4), 1 << 4),), narrow=(1 << 8,))
    assert accepts(rule, host, host)
    assert accepts(FREE, host, written)
    assert accepts(FIXED, host, written) == (host == written)


@given(host=values, written=values, writable=values, ignored=values)
def test_bits_outside_the_mask_must_be_equal(host: int, written: int, writable: int, ignored: int) -> None:
    differ = (host ^ written) & ~writable & ~ignored

    assert accepts(Rule(writable=writable, ignored=ignored), host, written) == (differ == 0)


@given(host=values, written=values)
def test_lowerable_fields_compare_one_by_one(host: int, written: int) -> None:
    digits = [f"{value:016x}" for value in (host, written)]
    lower = all(int(b, 16) <= int(a, 16) for a, b in zip(*digits, strict=True))

    assert accepts(Rule(writable=WHOLE, lowerable=True), host, written) == lower


@pytest.mark.parametrize(("host", "written", "taken"), [(0xF, 0x0, False), (0x0, 0xF, True), (0x1, 0x0, True), (0x7, 0x8, True)])
def test_signed_fields_rank_f_below_zero(host: int, written: int, taken: bool) -> None:
    assert accepts(Rule(writable=0xF, lowerable=True, signed=0xF), host, written) is taken


@given(host=values, written=values)
def test_peculiar_fields_have_their_own_way(host: int, written: int) -> None:
    rule = Rule(writable=WHOLE, lowerable=True, higher=(fields(0),), exact=((fields(4), 1 << 4),), narrow=(3 << 8, 3 << 10))
    raised = written & 0xF >= host & 0xF
    told = (host ^ written) & 0xF0 == 0 or written & 0xF0 == 0x10
    halves = all(written >> shift & 3 <= host >> shift & 3 for shift in (8, 10))
    rest = all(written >> shift & 0xF <= host >> shift & 0xF for shift in range(12, 64, 4))

    assert accepts(rule, host, written) == (raised and told and halves and rest)


@given(host=values, written=values)
def test_of_every_mask_that_is_needed_a_bit_must_be_there(host: int, written: int) -> None:
    assert accepts(Rule(needs=(6, 8)), host, written) == (written & 6 > 0 and written & 8 > 0)


@given(data=st.data())
def test_moves_of_what_is_known_in_full_are_restores(observed_kernels: Kernels, data: st.DataObject) -> None:
    kernel = data.draw(st.sampled_from(list(observed_kernels.values())))
    register = data.draw(st.sampled_from(others(kernel, midr=N1, revidr=0)))
    host, written = data.draw(values), data.draw(values)

    assert moves(OtherRegister(id=register.id, value=written), replace(register, value=host)) == restorable(
        replace(register, value=host), written
    )


def test_what_is_not_known_is_not_decided() -> None:
    unknown = OtherRegister(id=by_name("ID_AA64PFR0_EL1"), value=None, rule=FIXED)

    assert restorable(unknown, 1) is None
    assert moves(unknown, unknown) is None
    assert moves(replace(unknown, era="x"), replace(unknown, era="y")) is None
    assert moves(replace(unknown, era="x"), replace(unknown, era="x")) is True
    assert moves(replace(unknown, partial=(0xF, 1)), replace(unknown, partial=(0xF, 2))) is False


# --- single rules of the reference --------------------------------------------------------------------------------------------------


def differences(a: KernelProfile, b: KernelProfile, features: tuple[Feature, ...] = ()) -> dict[str, Difference]:
    return {change.name: change.difference for change in changes(a, b, midr=N1, revidr=0, features=features)}


def test_neoverse_n1_from_6_12_to_6_18_loses_three_registers(observed_kernels: Kernels) -> None:
    lost = dict.fromkeys(("TCR2_EL1", "PIRE0_EL1", "PIR_EL1"), Difference.REMOVED)

    assert differences(observed_kernels["6.12.117"], observed_kernels["6.18.15"]) == lost


def test_neoverse_n1_fails_from_5_10_to_6_1_on_its_debug_version(observed_kernels: Kernels) -> None:
    found = differences(observed_kernels["5.10.223"], observed_kernels["6.1.192"], PMU)

    assert found == {"ID_AA64DFR0_EL1": Difference.REFUSED, "OSLSR_EL1": Difference.ADDED}


def test_neoverse_n1_goes_from_6_1_to_6_18_and_not_back(observed_kernels: Kernels) -> None:
    forward = differences(observed_kernels["6.1.192"], observed_kernels["6.18.15"])
    back = differences(observed_kernels["6.18.15"], observed_kernels["6.1.192"])

    assert set(forward.values()) == {Difference.ADDED}
    assert back["ID_AA64DFR0_EL1"] is Difference.REFUSED
    assert back["CCSIDR_EL1[3]"] is Difference.REMOVED
    assert back["CNTP_CTL_EL0"] is Difference.REMOVED


def test_a_cpu_that_nobody_watched_is_undecided_between_kernels_that_differ(observed_kernels: Kernels) -> None:
    a, b = observed_kernels["6.12.117"], observed_kernels["6.18.15"]
    unknown = changes(a, b, midr=0x610F0220, revidr=0)

    assert Difference.UNDECIDED in {change.difference for change in unknown}
    assert changes(a, a, midr=0x610F0220, revidr=0) == ()
    assert all(change.source for change in unknown)


def test_another_stepping_is_refused(observed_kernels: Kernels) -> None:
    kernel = observed_kernels["6.18.15"]
    old, new = (next(r for r in others(kernel, midr=midr, revidr=0) if r.id == by_name("MIDR_EL1")) for midr in (0x413FD0C1, N1))

    assert moves(old, new) is False


def test_masks_that_a_kernel_stated_replace_ours(observed_kernels: Kernels) -> None:
    register = by_name("ID_AA64ISAR0_EL1")
    probe = ((register, 0x1110),)
    (plain,) = others(observed_kernels["6.18.15"], midr=None, revidr=None, probe=probe)
    (masked,) = others(observed_kernels["6.18.15"], midr=None, revidr=None, probe=probe, masks={register: 0xF0})

    assert restorable(plain, 0x0110) is True
    assert restorable(masked, 0x0110) is False
    assert restorable(masked, 0x1100) is True
    assert restorable(masked, 0x1120) is False


@pytest.mark.parametrize(
    ("register", "host", "written", "taken"),
    [
        ("ID_AA64PFR0_EL1", 0x1100000011110112, 0x1000000011110112, True),  # CSV2 down
        ("ID_AA64PFR0_EL1", 0x1100000011110112, 0x1100000001110112, True),  # RAS down
        ("ID_AA64PFR0_EL1", 0x1100000001110112, 0x1100000011110112, False),  # and not up
        ("ID_AA64PFR0_EL1", 0x1100000111110112, 0x1100000011110112, False),  # SVE is the vCPU's feature
        ("ID_AA64DFR0_EL1", 0x10305008, 0x10305006, True),
        ("ID_AA64DFR0_EL1", 0x10305008, 0x10304008, False),  # BRPs
        ("ID_AA64DFR0_EL1", 0xF010305009, 0x0010305009, False),  # DoubleLock: 0 is more than 0xf
        ("ID_AA64DFR0_EL1", 0x0010305009, 0xF010305009, True),
        ("ID_AA64MMFR0_EL1", 0x00101125, 0xF0101125, True),  # TGRAN4: 0xf is not there
        ("ID_AA64MMFR0_EL1", 0xF0101125, 0x00101125, False),
        ("ID_AA64MMFR0_EL1", 0x20000101125, 0x10000101125, True),  # TGRAN4_2: 1 is "not there"
        ("ID_AA64MMFR0_EL1", 0x20000101125, 0x00000101125, False),
        ("ID_AA64MMFR0_EL1", 0x00101125, 0x00101105, False),  # ASIDBits
        ("ID_AA64MMFR1_EL1", 0x10212122, 0x10202122, True),  # LO
        ("ID_AA64MMFR1_EL1", 0x10212122, 0x10212112, False),  # VMIDBits
        ("ID_AA64MMFR1_EL1", 0x10212122, 0x11212122, True),  # SpecSEI up
        ("ID_AA64MMFR1_EL1", 0x11212122, 0x10212122, False),
        ("ID_AA64DFR1_EL1", 0x1, 0x0, False),
        ("CTR_EL0", 0x9444C004, 0x8444C004, True),
        ("CTR_EL0", 0x9444C004, 0x9444C003, True),
        ("CTR_EL0", 0x9444C004, 0x9444C005, False),
        ("CTR_EL0", 0x9444C004, 0xA444C004, False),  # IDC down, DIC up
        ("CTR_EL0", 0x9444C004, 0x94448004, True),  # L1Ip: anybody may be told VIPT
        ("CTR_EL0", 0x94448004, 0x9444C004, False),
    ],
)
def test_writable_fields_of_a_new_kernel(observed_kernels: Kernels, register: str, host: int, written: int, taken: bool) -> None:
    (found,) = others(observed_kernels["6.18.15"], midr=None, revidr=None, probe=((by_name(register), host),))

    assert restorable(found, written) is taken


LOWERED = [
    # register, host, written, the releases that take it: the first, and long-term ones before it
    ("ID_DFR0_EL1", 0x05000006, 0x04000006, "6.2", ()),
    ("ID_AA64DFR0_EL1", 0x10305508, 0x10305408, "6.2", ()),
    ("ID_AA64DFR0_EL1", 0x10305508, 0x10305F08, "6.2", ()),  # 0xf was shown for PMUs that are none
    ("ID_AA64ISAR0_EL1", 0x100010211120, 0x000010211120, "6.7", ()),
    ("ID_AA64MMFR0_EL1", 0x00101125, 0x00101124, "6.7", ()),
    ("CTR_EL0", 0x9444C004, 0x8444C004, "6.11", ()),
    ("ID_AA64PFR1_EL1", 0x20, 0x00, "6.12", ()),
    ("ID_AA64PFR0_EL1", 0x1100000011110112, 0x1100000010110112, "6.12", ()),  # GIC
    ("ID_AA64DFR0_EL1", 0x10305508, 0x10205508, "6.12", ()),  # WRPs
    ("ID_AA64MMFR3_EL1", 0x101, 0x001, "6.12", ()),
    ("CTR_EL0", 0x9444C004, 0x94448004, "6.13", ()),
    ("ID_AA64MMFR0_EL1", 0x20000101125, 0x10000101125, "6.15", ()),
    ("ID_AA64PFR0_EL1", 0x1100000011110112, 0x1100000001110112, "6.17", ()),  # RAS
    ("ID_AA64MMFR1_EL1", 0x10010212122, 0x00010212122, "6.18", ()),  # HCX
    ("ID_PFR0_EL1", 0x10010131, 0x10000131, "6.18", ("6.12.60", "6.17.9")),
    ("ID_MMFR4_EL1", 0x00002110, 0x00002111, "6.18", ("6.12.60", "6.17.9")),  # SpecSEI up
]
RELEASES = ("5.10.223", "6.1.192", "6.2", "6.6.150", "6.7", "6.11", "6.12", "6.12.60", "6.13", "6.14", "6.15", "6.16.3", "6.17.8", "6.17.9")


@pytest.mark.parametrize(
    ("register", "host", "written", "first", "before"), LOWERED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_from_which_release_on_a_field_may_change(register: str, host: int, written: int, first: str, before: tuple[str, ...]) -> None:
    for text in (*RELEASES, "6.18", "7.0.13", "7.3.4"):
        for profile in profiles(parse(text)):
            (found,) = others(profile, midr=None, revidr=None, probe=((by_name(register), host),))
            assert restorable(found, written) is (parse(text).order >= parse(first).order or text in before), text


@pytest.mark.parametrize(("release", "lowers"), [("6.7", True), ("6.12.6", True), ("6.12.7", False), ("6.13", False), ("7.3.4", False)])
def test_asid_bits_could_be_lowered_for_a_while(release: str, lowers: bool) -> None:
    for profile in profiles(parse(release)):
        (found,) = others(profile, midr=None, revidr=None, probe=((by_name("ID_AA64MMFR0_EL1"), 0x00101125),))
        assert restorable(found, 0x00101105) is lowers


CLEAN, NEEDS_CLEANING = 0x9444C004, 0x8444C004
"""CTR_EL0 of CPUs whose data caches need no cleaning for what is executed (IDC), and of others."""


@pytest.mark.parametrize(
    ("ctr", "written", "taken"),
    [
        (CLEAN, 0x2000021, True),
        (CLEAN, 0x9200003, True),
        (NEEDS_CLEANING, 0x9200003, True),
        (NEEDS_CLEANING, 0xA200023, True),
        (NEEDS_CLEANING, 0x2000021, False),  # made up for a CPU with IDC: neither LoUIS nor LoUU
        (NEEDS_CLEANING, 0x0, False),
    ],
)
def test_made_up_cache_levels_must_fit_the_hosts_cache_type(observed_kernels: Kernels, ctr: int, written: int, taken: bool) -> None:
    probe = ((by_name("CTR_EL0"), ctr), (by_name("CLIDR_EL1"), 0x9200003))
    found = {register.id: register for register in others(observed_kernels["6.12.117"], midr=None, revidr=None, probe=probe)}

    assert restorable(found[by_name("CLIDR_EL1")], written) is taken


def test_made_up_cache_sizes_have_lines_no_shorter_than_the_hosts(observed_kernels: Kernels) -> None:
    (found,) = others(observed_kernels["6.12.117"], midr=None, revidr=None, probe=((encodings.CCSIDR_IDS[0], 2),))

    assert [restorable(found, written) for written in (0x701FE01A, 3, 1, 0x700FE019)] == [True, True, False, False]


def test_hosts_without_32_bit_guests_drop_what_is_written_to_32_bit_registers(observed_kernels: Kernels) -> None:
    probe = ((by_name("ID_PFR0_EL1"), 0), (by_name("ID_ISAR0_EL1"), 0))
    for text, taken in (("6.1.192", False), ("6.12.117", True)):
        found = {register.id: register for register in others(observed_kernels[text], midr=None, revidr=None, probe=probe)}
        assert restorable(found[by_name("ID_ISAR0_EL1")], 0x2101110) is taken


@pytest.mark.parametrize(
    ("register", "text"),
    [
        (0x603000000013C028, "ID_AA64DFR0_EL1"),
        (0x603000000013808C, "OSLSR_EL1"),
        (0x6020000000110002, "CCSIDR_EL1[2]"),
        (0x603000000013C01B, "S3_0_C0_C3_3"),
        (0x603000000013DF1A, "CNTVCT_EL0"),
        (0x603000000013DF02, "CNTV_CVAL_EL0"),
        (0x6030000000138004, "DBGBVR0_EL1"),
        (0x603000000013DF40, "PMEVCNTR0_EL0"),
        (0x6030000000140000, "0x6030000000140000"),
    ],
)
def test_registers_have_names(register: int, text: str) -> None:
    assert name(register) == text


def test_every_name_leads_back_to_its_id() -> None:
    for register in (register for family in FAMILIES for register in family.ids):
        if encodings.parts(register) is not None and not name(register).startswith("S"):
            assert by_name(name(register)) == register


def test_every_row_has_a_source_and_no_register_stands_in_two_families() -> None:
    ids = [register for family in FAMILIES for register in family.ids]

    assert len(ids) == len(set(ids))
    assert all(row.source for row in (*FAMILIES, *ROWS, *DESIGNS))
    assert all(source_of(register) != "not modelled" for register in ids)
    assert source_of(0) == "not modelled"


def test_features_of_the_tests_are_all_there_are() -> None:
    assert set(FEATURE_BITS) == set(get_args(Feature))
    assert fields(0, 60) == 0xF00000000000000F
