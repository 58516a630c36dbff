"""Why a guest cannot go back, in words."""

from __future__ import annotations

from collections.abc import Mapping

from fleetplan.firmware.registers import BY_NAME, describe
from fleetplan.rollout.plan import BlockedOn, Cause


def no_way_sentence(why: Cause) -> str:
    """What keeps it from moving back, and from restarting in place."""
    return f"{hop_words(why)}; {' and '.join(map(_restart, why.because))}"


def hop_words(why: Cause) -> str:
    """What keeps it from moving back."""
    if why.blocked_on is BlockedOn.PLACEMENT:
        return "`migrate: never`"
    if why.blocked_on is BlockedOn.ALONE:
        return f"{why.facts['host']} is the only host of pool {why.facts['pool']} that takes guests"
    if why.blocked_on is BlockedOn.UNAVAILABLE:
        return f"no host of pool {why.facts['pool']} would take it"
    return _refusal(why.facts)


def _refusal(facts: Mapping[str, str]) -> str:
    """The first reason of a refused move, from its facts: who refuses which register, in words and in hex, with the errno."""
    kernel, _, _ = facts["to"].partition(" with ")
    if "source_registers" in facts:
        return f"{facts['to']} lists {facts['destination_registers']} registers, and the guest brings {facts['source_registers']}"
    register, value = facts.get("register", ""), facts.get("source_value")
    if register in BY_NAME and value is not None:
        errno = f" ({facts['errno']})" if "errno" in facts else ""
        return f"{kernel} refuses {register} {describe(BY_NAME[register], int(value, 16))}, {value}{errno}"
    named = facts.get("registers", register)
    return f"the move to {facts['to']} is {facts['verdict']}" + (f" because of {named}" if named else "")


def _restart(cause: Cause) -> str:
    facts = cause.facts
    if "restart" in facts:
        return "`restart: never`"
    if "does_not_start_on" in facts:
        return f"it does not start on {facts['does_not_start_on']}"
    return f"`{facts['policy']}`"
