"""Sentences about what is not as a plan has it."""

from __future__ import annotations

from collections.abc import Mapping

from fleetplan.follow.position import Deviation, Difference

SENTENCES: Mapping[Deviation, str] = {
    Deviation.OTHER_TARGET: "the inventory's target is {found}; the plan leads to {planned}",
    Deviation.HOST_NEW: "host {subject} ({found}) is not in the plan",
    Deviation.HOST_GONE: "host {subject} is gone",
    Deviation.HOST_STATE: "host {subject} is {found}; the plan has it {planned}",
    Deviation.HOST_RELEASE: "host {subject} is {found}; the plan has it {planned}",
    Deviation.HOST_BEHIND: "host {subject} is {found}; but {begun} has begun, which comes only after {behind}",
    Deviation.GUEST_NEW: "guest {subject} on {found} is not in the plan",
    Deviation.GUEST_GONE: "guest {subject} is gone",
    Deviation.GUEST_ELSEWHERE: "guest {subject} is on {found}; the plan has it on {planned}",
    Deviation.GUEST_BEHIND: "guest {subject} is on {found}; but {begun} has begun, which comes only after {behind}",
    Deviation.GUEST_PIN: "guest {subject} is on {found}, and its PSCI pin is not the one that the plan has it booted with there",
}


def difference_sentence(difference: Difference) -> str:
    """What is seen, and what the plan has."""
    return SENTENCES[difference.kind].format(
        subject=difference.subject,
        found=difference.found,
        planned=", then ".join(difference.planned),
        behind=difference.behind,
        begun=difference.begun,
    )
