"""What came of a move under a mechanism, as words and sentences."""

from __future__ import annotations

from typing import assert_never

from fleetplan.firmware.guest_view import MITIGATIONS
from fleetplan.firmware.registers import psci_text
from fleetplan.migration.mechanisms.simulation import Means, Origin, Outcome, Refusal, Skill
from fleetplan.migration.mechanisms.tables import Case, End, Extension, Mechanism, Remark
from fleetplan.migration.reasons import Stage, Verdict

MARKS = {Verdict.SAFE: "yes", Verdict.CHANGES: "yes", Verdict.STRIPS: "UNSAFE", Verdict.FAILS: "no"}

TAUGHT = {
    Skill.ASK: "ask for compat",
    Skill.HIDE: "hide",
    Skill.CARRY: "carry bits",
}


def works(case: Case) -> str:
    """`yes`, `yes*`, `UNSAFE`, `no`, `no*`; `-` where there is no compat. A star: there is more to say."""
    if case.outcome is None:
        return "-"
    star = "*" if case.starred and case.outcome.verdict is not Verdict.STRIPS else ""
    return MARKS[case.outcome.verdict] + star


def userspace_change(case: Case) -> str:
    """What userspace must be taught for the best end that the move can have."""
    if case.needs is None:
        return "none would help"
    return f"yes: {', '.join(TAUGHT[skill] for skill in case.needs)}" if case.needs else "no"


def sees(case: Case) -> str:
    """The PSCI versions that the guest sees on its way."""
    found = case.outcome
    if found is None:
        return ""
    before = psci_text(found.before.psci)
    if found.after is None or found.after.psci == found.before.psci:
        return before
    return f"{before}, {psci_text(found.after.psci)}"


def why(case: Case) -> str:
    """What decided, in a few words."""
    found, end = case.outcome, case.move.destination
    if found is None:
        return "compat cannot be asked for"
    if found.refusal is not None:
        return _refused(found.refusal, end)
    match found.origin:
        case Origin.TRAVELS:
            return "its version travels" if case.mechanism.means is Means.REGISTER else "the feature bit travels"
        case Origin.ASKED:
            return "asked for at the start"
        case Origin.DEFAULT:
            return f"nothing travels; {_kernel(end)}'s default"
        case _:
            assert_never(found.origin)


def _kernel(end: End) -> str:
    return "old" if end is End.OLD else "new"


def _refused(refusal: Refusal, end: End) -> str:
    if refusal.register is None:
        return f"{refusal.stage}: {_kernel(end)} lacks the bit (EINVAL)"
    if refusal.errno is None:
        return f"{refusal.stage}: {end} lists no {refusal.register}"
    return f"{refusal.stage}: {_kernel(end)} refuses {refusal.register} ({refusal.errno.name})"


def remark_sentence(remark: Remark, case: Case) -> str:
    """One remark on a case, without its move."""
    found = case.outcome
    if found is None or remark is Remark.NO_MEANS:
        return "this mechanism has no way to ask for the old version"
    match remark:
        case Remark.UNDER_ITS_FEET:
            return _under_its_feet(found)
        case Remark.BY_LUCK:
            return f"by luck: nothing tells {_kernel(case.move.destination)} what the guest had, and its default happens to be that"
        case Remark.UNSAFE:
            return f"an unsafe success: it runs, and has lost {_lost(found)} without an error"
        case Remark.PROTECTS:
            return f"an unexpected failure, better than an unsafe success: the guest would lose {_lost(found)}"
        case Remark.NEEDLESS:
            return f"a needless failure: {case.move.destination} would show the guest what it saw.{_remedy(case)}"
        case Remark.OVERRULED:
            asked = psci_text(found.asked) if found.asked is not None else "another version"
            return f"PSCI {asked} was asked for at the start, and does not hold: the guest has {psci_text(found.regardless.psci)}"
        case _:
            assert_never(remark)


def _under_its_feet(found: Outcome) -> str:
    before, after = psci_text(found.before.psci), psci_text(found.regardless.psci)
    if before == after:
        return f"the guest keeps PSCI {before}; what is new beside it appears under its feet"
    return f"PSCI changes under the guest's feet; nothing is lost, unless the guest bears only {before}"


def _lost(found: Outcome) -> str:
    names = [f"the mitigation of {item.value}" if item in MITIGATIONS else item.value for item in found.lost]
    changed = found.before.psci != found.regardless.psci
    return " and ".join([*names, *([f"PSCI {psci_text(found.before.psci)}"] if changed else [])]) or "nothing"


def _remedy(case: Case) -> str:
    if case.needs is None:
        return ""
    useless = sorted(skill for skill in case.mechanism.skills if skill not in case.needs)
    wanted = [TAUGHT[skill] for skill in case.needs if skill not in case.mechanism.skills]
    unwanted = [f"not {TAUGHT[skill]}" for skill in useless]
    return f" It works if userspace learns to {', '.join([*wanted, *unwanted])}." if wanted or unwanted else ""


def needed_words(extension: Extension) -> str:
    """What a second revision needs of a mechanism."""
    if not extension.needed:
        return "nothing"
    return "a further register" if extension.mechanism.means is Means.REGISTER else "a further bit"


def mechanism_words(mechanism: Mechanism) -> str:
    """What a mechanism is, in a sentence."""
    match mechanism.means:
        case Means.REGISTER:
            what = "the PSCI version is a register, saved and restored like others"
        case Means.BIT:
            what = "a bit of KVM_ARM_VCPU_INIT forces the old version; nothing is listed"
        case Means.NONE:
            what = "a guest has its host's newest version"
        case _:
            assert_never(mechanism.means)
    return what + ("; asked for by machine type, at both ends" if mechanism.by_type else "")


def stage_words(verdict: Verdict, stage: Stage) -> str:
    """`FAILS at set`, `SAFE`."""
    return f"{verdict} at {stage}" if verdict is Verdict.FAILS else verdict.value
