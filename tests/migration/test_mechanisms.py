"""Mechanisms: laws of the tables, rules flipped one by one, and agreement with the judgment of real kernels."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleetplan.firmware.registers import PSCI_VERSION, psci_value
from fleetplan.firmware.vcpu import Kvm
from fleetplan.fleet.model import Birth, Fleet, Guest, GuestName, Host, HostFacts, HostName, Release, Workarounds
from fleetplan.migration.carry import Carried, Guests, born, certainly
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.mechanisms.shifts import in_fleet, under
from fleetplan.migration.mechanisms.simulation import Kernel, Means, Origin, Outcome, Skill, Userspace, migrate
from fleetplan.migration.mechanisms.tables import (
    BETTER,
    FEATURE,
    FIVE,
    FURTHER,
    HIDDEN,
    MECHANISMS,
    NO_COMPAT,
    SYSREG,
    TYPED_FEATURE,
    TYPED_SYSREG,
    Case,
    Comparison,
    End,
    Mechanism,
    Move,
    Remark,
    mechanisms,
    outcome,
)
from fleetplan.migration.mechanisms.tables import compare as compare_afresh
from fleetplan.migration.mechanisms.worlds import NOVELTIES, World, first_revision, forced, profile, second_revision, without_register
from fleetplan.migration.offers import HostOffer, offer
from fleetplan.migration.reasons import Stage, Verdict
from fleetplan.migration.verdict import Judge
from fleetplan.migration.vmm import Load

OLD, NEWER = psci_value("0.2"), psci_value("1.0")
MOVES = {str(move): move for move in (*FIVE, *FURTHER)}
CARRYING = replace(FEATURE, skills=FEATURE.skills | {Skill.CARRY})

compare = lru_cache(compare_afresh)
"""The same comparisons are looked at by many tests."""


def cell(compared: Comparison, mechanism: str, move: str) -> Case:
    return next(case for case in compared.cases if (case.mechanism.name, str(case.move)) == (mechanism, move))


def verdicts(compared: Comparison, mechanism: str) -> list[Verdict | None]:
    return [cell(compared, mechanism, str(move)).outcome and cell(compared, mechanism, str(move)).outcome.verdict for move in FIVE]


def ran(mechanism: Mechanism, move: str, world: World | None = None, load: Load = Load.A) -> Outcome:
    found = outcome(mechanism, world or first_revision(mechanism.means), MOVES[move], load)
    assert found is not None
    return found


# --- what was said when the register was proposed ------------------------------------------------------------------------------------


def test_the_register_fails_where_a_feature_bit_succeeds_unsafely() -> None:
    assert verdicts(compare(), "sysreg") == [Verdict.SAFE, Verdict.CHANGES, Verdict.FAILS, Verdict.FAILS, Verdict.SAFE]
    assert verdicts(compare(), "vCPU feature") == [Verdict.SAFE, Verdict.CHANGES, Verdict.STRIPS, Verdict.SAFE, Verdict.SAFE]


def test_compat_to_old_needs_the_register_hidden_or_no_register_at_all() -> None:
    assert cell(compare(), "sysreg", "compat -> old").needs == (Skill.ASK, Skill.HIDE)
    assert cell(compare(), "vCPU feature", "compat -> old").needs == (Skill.ASK,)


def test_the_moves_without_compat_need_no_change_of_userspace() -> None:
    for name, move in product(("sysreg", "vCPU feature"), ("new -> new", "old -> new")):
        assert cell(compare(), name, move).needs == ()
    assert cell(compare(), "sysreg", "old -> compat").needs == cell(compare(), "vCPU feature", "old -> compat").needs == (Skill.ASK,)


def test_hiding_the_register_buys_the_way_to_old_with_the_way_to_new() -> None:
    assert (ran(SYSREG, "compat -> old").verdict, ran(SYSREG, "compat -> new").verdict) == (Verdict.FAILS, Verdict.SAFE)
    assert (ran(HIDDEN, "compat -> old").verdict, ran(HIDDEN, "compat -> new").verdict) == (Verdict.SAFE, Verdict.CHANGES)


def test_a_machine_type_keeps_an_old_guest_old_and_fails_before_the_copy() -> None:
    assert ran(TYPED_SYSREG, "old -> new").verdict is ran(TYPED_FEATURE, "old -> new").verdict is Verdict.SAFE
    assert (ran(TYPED_SYSREG, "new -> old").verdict, ran(TYPED_SYSREG, "new -> old").stage) == (Verdict.FAILS, Stage.START)


def test_dropping_compat_is_what_4_16_was() -> None:
    assert first_revision(Means.NONE).new.kvm.profile == profile("4.16.3")
    assert [outcome(NO_COMPAT, first_revision(Means.NONE), move) for move in FIVE if End.COMPAT in {move.source, move.destination}] == [
        None
    ] * 2


def test_only_the_feature_bit_is_outgrown_by_a_second_psci_version() -> None:
    needed = {(row.mechanism.name, row.novelty.name): (row.needed, row.taught) for row in compare().extensions}
    assert needed["sysreg", "PSCI 1.2"] == (False, False)
    assert needed["vCPU feature", "PSCI 1.2"] == (True, True)
    assert needed["sysreg", "WORKAROUND_2"] == (True, False)
    assert needed["vCPU feature", "WORKAROUND_2"] == (True, True)


# --- laws ----------------------------------------------------------------------------------------------------------------------------

WORLDS: list[Callable[[Means], World]] = [
    first_revision,
    *(
        lambda means, novelty=novelty, more=more: second_revision(means, novelty, extended=more)
        for novelty in NOVELTIES
        for more in (False, True)
    ),
]


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("load", list(Load))
def test_carrying_changes_exactly_the_moves_whose_bit_the_destination_is_not_asked_for(world: Callable[[Means], World], load: Load) -> None:
    for bare in (FEATURE, TYPED_FEATURE):
        carrying = replace(bare, skills=bare.skills | {Skill.CARRY})
        for move in MOVES.values():
            without, carried = (outcome(row, world(Means.BIT), move, load) for row in (bare, carrying))
            depends = not bare.by_type and move.source is End.COMPAT and move.destination is not End.COMPAT and without is not None
            assert (without != carried) == depends, move


@pytest.mark.parametrize("world", WORLDS)
def test_a_bit_that_is_not_carried_never_makes_a_compat_guest_compat(world: Callable[[Means], World]) -> None:
    found = outcome(FEATURE, world(Means.BIT), MOVES["compat -> new"])
    assert found is None or found.origin is Origin.DEFAULT
    assert found is None or found.verdict is not Verdict.SAFE


@pytest.mark.parametrize(("world", "load"), list(product(WORLDS, Load)))
def test_a_register_never_lets_a_psci_version_be_lost_in_silence(world: Callable[[Means], World], load: Load) -> None:
    for row, move in product((SYSREG, HIDDEN, TYPED_SYSREG), MOVES.values()):
        found = outcome(row, world(Means.REGISTER), move, load)
        if found is not None and found.after is not None and found.after.psci != found.before.psci:
            assert found.verdict is Verdict.CHANGES
            assert found.after.psci > found.before.psci


@pytest.mark.parametrize("world", WORLDS)
def test_what_holds_by_luck_breaks_on_another_default_and_nothing_else_does(world: Callable[[Means], World]) -> None:
    for row, move in product(MECHANISMS, (MOVES["new -> new"], MOVES["compat -> compat"], MOVES["old -> compat"])):
        here = world(row.means)
        found = outcome(row, here, move)
        if found is None or found.verdict is not Verdict.SAFE:
            continue
        lucky = Remark.BY_LUCK in Case(mechanism=row, move=move, outcome=found, needs=()).remarks
        other = _at_the_destination(row, here, move, psci_value("1.3"))
        assert other is not None
        assert (other.verdict is Verdict.SAFE) == (not lucky), (row.name, move)


def _at_the_destination(row: Mechanism, world: World, move: Move, default: int) -> Outcome | None:
    """The same guest, to a kernel like the new one with a newer default."""
    new = world.new.kvm.profile
    accepted = (*new.psci_accepted, default) if new.psci_accepted else ()
    kvm = replace(world.new.kvm, profile=replace(new, psci_default=default, psci_accepted=accepted))
    userspace = Userspace(means=row.means, skills=row.skills, bits=frozenset(world.new.bits), hides=world.added)
    wish = world.old_psci if row.by_type or move.source is End.COMPAT else None
    here = None if move.source is End.OLD and not row.by_type else wish
    there = world.old_psci if move.destination is End.COMPAT else wish
    if row.by_type and move.source is End.NEW:
        here = there = world.new_psci if userspace.can_state(world.new_psci) else None
    source = world.old if move.source is End.OLD else world.new
    return migrate(userspace, source, here, Kernel(kvm=kvm, bits=world.new.bits), there)


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda mechanism: mechanism.name)
def test_what_a_move_needs_is_enough_and_nothing_less_is(mechanism: Mechanism) -> None:
    world = first_revision(mechanism.means)
    for name, move in MOVES.items():
        asks = mechanism.by_type or End.COMPAT in {move.source, move.destination}
        ends = {}
        for taught in product((False, True), repeat=len(Skill)):
            skills = frozenset(skill for skill, has in zip(Skill, taught, strict=True) if has)
            if Skill.ASK in skills or not asks:
                found = outcome(replace(mechanism, skills=skills), world, move)
                ends[skills] = BETTER.index(found.verdict) if found is not None else len(BETTER)
        needs = cell(compare(), mechanism.name, name).needs
        if needs is None:
            assert min(ends.values()) > BETTER.index(Verdict.CHANGES)
        else:
            assert ends[frozenset(needs)] == min(ends.values())
            assert all(end > min(ends.values()) for skills, end in ends.items() if len(skills) < len(needs))


def test_a_failure_protects_or_is_needless_and_says_which() -> None:
    for compared in (compare(), compare(carries=True), compare(revision=2, carries=True)):
        for case in compared.cases:
            if case.outcome is not None and case.outcome.verdict is Verdict.FAILS:
                assert (Remark.NEEDLESS in case.remarks) == case.outcome.same
                assert len({Remark.NEEDLESS, Remark.PROTECTS} & set(case.remarks)) == 1
                assert case.outcome.after is None


def test_the_restore_check_foretells_what_a_plain_load_refuses() -> None:
    """Of moves whose destination is started without a wish: it keeps a guest exactly where a register ends the move."""
    for compared in (compare(load=load, revision=revision) for load in Load for revision in (1, 2)):
        kept = {(seen.case.mechanism.name, seen.case.move): seen.restore_check for seen in compared.foresights}
        for case in compared.cases:
            if case.mechanism.by_type or case.move.destination is End.COMPAT or case.outcome is None:
                continue
            refused = case.outcome.refusal is not None and case.outcome.refusal.register is not None
            assert kept.get((case.mechanism.name, case.move), False) == refused


def test_the_capability_sees_what_the_restore_check_cannot() -> None:
    seen = {(row.case.mechanism.name, str(row.case.move)): (row.capability, row.restore_check) for row in compare().foresights}
    assert seen["vCPU feature", "new -> old"] == (True, False)
    assert seen["sysreg", "compat -> old"] == (False, True)
    assert seen["no compat", "new -> old"] == (False, False)


# --- rules flipped one by one --------------------------------------------------------------------------------------------------------


def changed(world: World, *, old: Kvm | None = None, new: Kvm | None = None, **bits: dict[int, Kvm]) -> World:
    """A world with one rule of a kernel flipped."""
    return World(
        means=world.means,
        old=Kernel(kvm=old or world.old.kvm, bits=bits.get("old_bits", world.old.bits)),
        new=Kernel(kvm=new or world.new.kvm, bits=bits.get("new_bits", world.new.bits)),
    )


REGISTER, BIT = first_revision(Means.REGISTER), first_revision(Means.BIT)
LISTED = replace(REGISTER.old.kvm.profile, registers=(PSCI_VERSION.name,), psci_accepted=(OLD,))
UNLISTED = replace(REGISTER.new.kvm, profile=without_register(REGISTER.new.kvm.profile))
STUBBORN = replace(REGISTER.new.kvm, profile=replace(REGISTER.new.kvm.profile, psci_accepted=(NEWER,)))
QUIET = replace(REGISTER.new.kvm, profile=replace(REGISTER.new.kvm.profile, smccc=False))
MUTANTS = {
    "the old kernel lists the register": (
        SYSREG,
        REGISTER,
        changed(REGISTER, old=replace(REGISTER.old.kvm, profile=LISTED)),
        "compat -> old",
    ),
    "the new kernel lists none": (SYSREG, REGISTER, changed(REGISTER, new=UNLISTED), "new -> old"),
    "the new kernel gives up 0.2": (SYSREG, REGISTER, changed(REGISTER, new=STUBBORN), "old -> compat"),
    "the new kernel tells guests of no workaround": (
        FEATURE,
        BIT,
        changed(BIT, new=replace(QUIET, profile=without_register(QUIET.profile))),
        "new -> old",
    ),
    "the bit forces nothing": (FEATURE, BIT, changed(BIT, new_bits={OLD: BIT.new.kvm}), "old -> compat"),
    "the old kernel knows the bit": (CARRYING, BIT, changed(BIT, old_bits={OLD: BIT.old.kvm}), "compat -> old"),
    "the old kernel gives 1.0": (FEATURE, BIT, changed(BIT, old=replace(BIT.old.kvm, profile=profile("4.16.3"))), "old -> new"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_flipped_rule_changes_the_table(name: str) -> None:
    mechanism, world, mutant, move = MUTANTS[name]
    before, after = outcome(mechanism, world, MOVES[move]), outcome(mechanism, mutant, MOVES[move])
    assert (before and before.verdict) != (after and after.verdict)


@pytest.mark.parametrize(("skill", "move"), [(Skill.ASK, "old -> compat"), (Skill.HIDE, "compat -> old"), (Skill.CARRY, "compat -> new")])
def test_a_skill_that_is_not_taught_changes_the_table(skill: Skill, move: str) -> None:
    taught = {Skill.ASK: SYSREG, Skill.HIDE: HIDDEN, Skill.CARRY: CARRYING}[skill]
    assert ran(taught, move).verdict is not ran(replace(taught, skills=taught.skills - {skill}), move).verdict


def test_the_loader_decides_the_stage_alone() -> None:
    stages = [ran(SYSREG, "new -> old", load=load).stage for load in Load]
    assert stages == [Stage.LENGTH, Stage.MERGE, Stage.MERGE, Stage.MERGE, Stage.SET]


# --- agreement with the judgment of real kernels -------------------------------------------------------------------------------------

KERNELS = ["4.15", "4.16.3", "4.17", "5.3", "5.10.262", "5.18", "6.1.176", "6.12.94", "6.16.3", "6.18.15", "7.3.4"]
VMMS = {"qemu-10.0.13": Load.A, "qemu-11.0.3": Load.B0, "qemu-11.1.3": Load.B1, "firecracker-1.13": Load.STRICT}
CPUS = [
    HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet"),
    HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", workarounds=Workarounds(1, 3, 1)),
    HostFacts(midr=0x410FD083, revidr=0, cmdline="quiet", workarounds=Workarounds(0, 0, 0)),
]


def bare(kernel: str, vmm: str, facts: HostFacts) -> HostOffer:
    """A host that offers firmware registers alone."""
    found = offer(Release(kernel, vmm), facts)
    only = replace(found.kvms[0], others=())
    return replace(found, kvms=(only,), choices=((),), read=found.read[:1], vmms=found.vmms[:1])


def born_on(host: HostOffer, pin: int | None = None) -> Guests:
    """A guest that booted there."""
    kvm = host.kvms[0]
    return certainly(born(kvm, host.features, Carried(kvm.others), pin))


@settings(max_examples=120)
@given(
    source=st.sampled_from(KERNELS),
    destination=st.sampled_from(KERNELS),
    vmm=st.sampled_from(sorted(VMMS)),
    here=st.sampled_from(CPUS),
    there=st.sampled_from(CPUS),
    psci=st.sampled_from([None, OLD]),
)
def test_the_register_on_real_kernels_is_judged_as_real_moves_are(
    source: str, destination: str, vmm: str, here: HostFacts, there: HostFacts, psci: int | None
) -> None:
    leaving, goal = bare(source, vmm, here), bare(destination, vmm, there)
    asked = psci if leaving.kvms[0].profile.psci_accepted else None
    guests = tuple(replace(possible, state=replace(possible.state, pin=None)) for possible in born_on(leaving, asked))
    userspace = Userspace(means=Means.REGISTER, skills=frozenset({Skill.ASK}), load=VMMS[vmm])
    found = migrate(userspace, Kernel(kvm=leaving.kvms[0]), asked, Kernel(kvm=goal.kvms[0]), None)
    assert found is not None
    assert (found.verdict, found.stage) == Judge().ruling(guests, leaving, goal)


def test_a_register_that_is_dropped_in_silence_is_a_loss_though_the_guest_never_looked() -> None:
    newest, oldest = (Kernel(kvm=bare(kernel, "qemu-11.1.3", CPUS[0]).kvms[0]) for kernel in ("6.16.3", "5.18"))
    userspace = Userspace(means=Means.REGISTER, skills=frozenset({Skill.ASK}), load=Load.B1)
    found = migrate(userspace, newest, OLD, oldest, None)
    assert found is not None
    assert (found.verdict, found.lost, found.dropped) == (Verdict.STRIPS, (), ("STD_BMAP", "STD_HYP_BMAP", "VENDOR_HYP_BMAP"))


THREAD = {Means.REGISTER: ["4.15", "4.17"], Means.BIT: ["4.15", "4.17", "5.18"], Means.NONE: ["4.15", "4.17", "6.12.94"]}


@pytest.mark.parametrize("mechanism", MECHANISMS, ids=lambda mechanism: mechanism.name)
@pytest.mark.parametrize("psci", [None, "0.2"])
def test_a_fleet_is_judged_under_a_mechanism_as_the_simulation_runs_it(mechanism: Mechanism, psci: str | None) -> None:
    """Both ends are asked for what the guest's configuration asks for; a bit is no version but 0.2."""
    vmm, facts = "qemu-11.1.3", CPUS[1]
    for source, destination in product(THREAD[mechanism.means], repeat=2):
        if psci is not None and source == "4.15":
            continue  # a guest of that kernel cannot be asked for a version today
        leaving, goal = bare(source, vmm, facts), bare(destination, vmm, facts)
        guests = born_on(leaving, OLD if psci else None)
        ruling = Judge().ruling(*under(mechanism, (guests, leaving, goal)))
        simulated = _simulated(mechanism, leaving.kvms[0], goal.kvms[0], guests[0].state.psci, asked=psci is not None)
        assert simulated is not None
        expected = (simulated.verdict, simulated.stage)
        if psci is not None and destination == "4.15" and mechanism is SYSREG:
            expected = (Verdict.FAILS, Stage.START)  # today's QEMU refuses a pin where there is no register, and does not presume
        assert ruling == expected, (source, destination)


def _simulated(mechanism: Mechanism, source: Kvm, destination: Kvm, psci: int, *, asked: bool) -> Outcome | None:
    def kernel(kvm: Kvm) -> Kernel:
        if mechanism.means is Means.REGISTER:
            return Kernel(kvm=kvm)
        plain = replace(kvm, profile=without_register(kvm.profile))
        bits = (
            {OLD: replace(kvm, profile=forced(kvm.profile, OLD))}
            if mechanism.means is Means.BIT and kvm.profile.psci_default != OLD
            else {}
        )
        return Kernel(kvm=plain, bits=bits)

    hides = frozenset({PSCI_VERSION.name})
    userspace = Userspace(means=mechanism.means, skills=mechanism.skills, load=Load.B1, bits=frozenset({OLD}), hides=hides)
    version = psci if asked or mechanism.by_type else None
    wish = version if version is not None and userspace.can_state(version) else None
    return migrate(userspace, kernel(source), wish, kernel(destination), wish)


# --- fleets --------------------------------------------------------------------------------------------------------------------------


def fleet(*kernels: str, vmm: str = "qemu-11.1.3", psci: str | None = None) -> Fleet:
    """One host for each kernel, and a guest on each."""
    facts = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")
    hosts = tuple(
        Host(name=HostName(f"h{number}"), release=Release(kernel, vmm), vcpus=8, memory_mib=8192, facts=facts)
        for number, kernel in enumerate(kernels)
    )
    guests = tuple(
        Guest(name=GuestName(f"g{number}"), on=host.name, vcpus=1, memory_mib=512, born=Birth(psci=psci))
        for number, host in enumerate(hosts)
    )
    return Fleet(target=hosts[-1].release, hosts=hosts, guests=guests)


def test_the_register_is_what_linux_has_so_it_changes_nothing() -> None:
    for subject in (fleet("6.12.94", "6.18.15"), fleet("4.15", "4.16.3", "4.17")):
        told = in_fleet(subject, ClassTable(subject), mechanisms(carries=False))
        assert next(effect for effect in told.effects if effect.mechanism is SYSREG).shifts == ()


def test_without_the_register_the_way_back_would_be_an_unsafe_success() -> None:
    subject = fleet("6.12.94", "6.18.15")
    told = {effect.mechanism.name: effect.shifts for effect in in_fleet(subject, ClassTable(subject), MECHANISMS).effects}
    back = {name: [shift.then for shift in shifts if shift.kinds[0].example.guest == "g1"] for name, shifts in told.items()}
    assert back["no compat"] == back["vCPU feature"] == [(Verdict.STRIPS, Stage.AFTER)]
    assert back["machine type, sysreg"] == [(Verdict.FAILS, Stage.START)]


@pytest.mark.parametrize("mechanism", [HIDDEN, FEATURE, NO_COMPAT], ids=lambda mechanism: mechanism.name)
def test_a_pin_that_the_destination_cannot_give_keeps_a_hidden_register_from_starting_there(mechanism: Mechanism) -> None:
    subject = fleet("6.12.94", "6.18.15", psci="1.3")
    table = ClassTable(subject)
    move = table.move(table.guests[1], table.hosts_now[1], table.hosts_now[0])
    assert Judge().ruling(*move) == (Verdict.FAILS, Stage.START)
    pinned = mechanism is HIDDEN  # under the others no such pin exists
    assert (Judge().ruling(*under(mechanism, move)) == (Verdict.FAILS, Stage.START)) == pinned


def test_a_machine_type_needs_no_property() -> None:
    subject = fleet("6.12.94", "6.18.15", vmm="qemu-10.0.13")
    table = ClassTable(subject)
    guests, here, there = under(TYPED_SYSREG, table.move(table.guests[0], table.hosts_now[0], table.hosts_now[1]))
    assert [possible.state.pin for possible in guests] == [psci_value("1.1")]
    assert Judge().ruling(guests, here, there) == table.ruling(table.guests[0], table.hosts_now[0], table.hosts_now[1])


def test_a_capability_and_a_restore_check_would_have_shown_the_refused_version() -> None:
    subject = fleet("6.12.94", "6.18.15")
    warned = in_fleet(subject, ClassTable(subject), ()).warnings
    assert (warned.bad, warned.capability, warned.restore_check, warned.either) == (1, 1, 1, 1)


def test_each_changed_move_is_named_once_with_a_host_that_the_guest_is_not_on() -> None:
    subject = fleet("4.15", "4.16.3", "4.17", "4.17")
    table = ClassTable(subject)
    for effect in in_fleet(subject, table, MECHANISMS).effects:
        assert sum(shift.moves for shift in effect.shifts) <= effect.moves
        for shift in effect.shifts:
            assert shift.today != shift.then
            assert len({(kind.source, kind.destination) for kind in shift.kinds}) == len(shift.kinds)
            assert all(kind.example.source != kind.example.destination for kind in shift.kinds)
            assert shift.guests <= shift.moves


def test_guests_that_never_migrate_are_not_counted() -> None:
    subject = fleet("6.12.94", "6.18.15")
    rooted = replace(subject, guests=tuple(replace(guest, migratable=False) for guest in subject.guests))
    assert all(effect.moves == 0 for effect in in_fleet(rooted, ClassTable(rooted), MECHANISMS).effects)


def test_every_way_to_load_can_be_asked_for() -> None:
    from fleetplan.cli.mechanisms import command
    from fleetplan.output.views.mechanisms import LOADS

    offered = next(option.type for option in command.params if option.name == "load")
    assert list(getattr(offered, "choices", ())) == [load.value for load in Load] == [load.value for load in LOADS]
