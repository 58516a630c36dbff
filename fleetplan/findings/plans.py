"""FP41x and FP42x: whether the target can be reached (`--reach`), and whether a given plan still holds (`--plan`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from fleetplan.findings.finding import Finding, Rule, Severity
from fleetplan.findings.registry import Evidence, rule
from fleetplan.fleet.model import GuestName, HostName, Release
from fleetplan.fleet.source import Location

if TYPE_CHECKING:
    from fleetplan.rollout.invariants import Violation
    from fleetplan.rollout.part import Waiting

JUDGED = "fleetplan/rollout/invariants.py: the laws that every plan keeps"


@rule(
    Rule(
        id="FP410",
        severity=Severity.ERROR,
        title="The target cannot be reached",
        message="no safe plan to {target} was found: {because}",
        help="Somewhere on the way a guest would have to make a move that fails or that policy forbids, or would find no room. Nothing is "
        "planned around that.",
        fix="`fleetplan plan INVENTORY` shows the whole chain of causes, and what would help, each tried.",
        fact="A guest leaves its host by a migration that restores all of its firmware registers, or by a restart.",
        source="fleetplan/planner/causes.py; verdicts as in `fleetplan verdict INVENTORY --matrix`",
        example="""\
target: {kernel: 7.3.4, vmm: qemu-10.0.13}
hosts:
  arm-01: {vmm: qemu-10.0.13}
  arm-02: {like: arm-01}
""",
        mended="""\
target: {kernel: 7.3.4, vmm: qemu-11.1.3}
hosts:
  arm-01: {vmm: qemu-10.0.13}
  arm-02: {like: arm-01}
""",
        same_by=("blocked_on", "guest", "host", "pool", "alike"),
    ),
    needs="outcome",
)
def unreachable(evidence: Evidence) -> Iterator[Finding]:
    """Every cause for which there is no plan."""
    from fleetplan.rollout.plan import Infeasible  # noqa: PLC0415 - only who has planned

    if not isinstance(evidence.outcome, Infeasible):
        return
    places = _places(evidence)
    for cause in evidence.outcome.causes:
        guest, host = cause.facts.get("guest"), cause.facts.get("host")
        subject = guest or host or cause.facts.get("pool") or "fleet"
        yield Finding(
            rule="FP410",
            subject=subject,
            at=places.get(subject, evidence.fleet.at),
            hosts=(HostName(host),) if host is not None and guest is None else (),
            guests=(GuestName(guest),) if guest is not None else (),
            because=cause,
            facts={**cause.facts, "target": str(evidence.fleet.target), "blocked_on": cause.blocked_on.value},
        )


def _places(evidence: Evidence) -> dict[str, Location]:
    """Where hosts and guests stand, by name; a guest's place where both have one name."""
    fleet = evidence.fleet
    places: dict[str, Location] = {host.name: host.at for host in fleet.hosts}
    places.update((name, fleet.guests.places.at(number)) for number, name in enumerate(fleet.guests.names))
    return places


@rule(
    Rule(
        id="FP411",
        severity=Severity.WARNING,
        title="Hosts stay on the old release",
        message="host `{host}`{others} is left on its release: {why}",
        help="The rollout ends, and these hosts still run what they ran before: the fleet stays mixed.",
        fix="Mend what is in the way, or take these hosts out of the inventory.",
        source="`policy.immovable: skip`, and hosts that are down or lost",
        example="""\
policy: {immovable: skip}
guests:
  db-1: {on: arm-01, vcpus: 8, memory: 32GiB, migrate: never}
""",
        mended="""\
policy: {immovable: restart}
guests:
  db-1: {on: arm-01, vcpus: 8, memory: 32GiB, migrate: never, restart: ok}
""",
        same_by=("why",),
    ),
    needs="outcome",
)
def left_behind(evidence: Evidence) -> Iterator[Finding]:
    """Hosts that a plan skips, by why."""
    from fleetplan.rollout.plan import Infeasible  # noqa: PLC0415 - only who has planned

    if evidence.outcome is None or isinstance(evidence.outcome, Infeasible):
        return
    skipped: dict[str, list[HostName]] = defaultdict(list)
    for host, why in sorted(evidence.outcome.skipped.items()):
        skipped[why].append(host)
    at = {host.name: host.at for host in evidence.fleet.hosts}
    for why, hosts in sorted(skipped.items()):
        others = "" if len(hosts) == 1 else f" and {len(hosts) - 1} more"
        facts = {"host": hosts[0], "others": others, "why": why}
        yield Finding(rule="FP411", subject=hosts[0], at=at[hosts[0]], hosts=tuple(hosts), facts=facts)


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a given plan stands to the fleet.

    `begun` False: the fleet is as it was when the plan was made, and `violations` are what the judge holds against it. Else the plan is
    under way: `goes_on` says whether anything of it can go now, or all is done, and `waiting` which hosts wait though it is their turn.
    """

    target: Release
    begun: bool
    violations: tuple[Violation, ...] = ()
    goes_on: bool = True
    waiting: tuple[Waiting, ...] = ()


@rule(
    Rule(
        id="FP420",
        severity=Severity.ERROR,
        title="The plan does not hold",
        message="{because}",
        help="The judge refutes the plan for the very fleet that it was made for: carried out as it is, it would break that law.",
        fix="Make the plan again.",
        source=JUDGED,
        example="""\
# a plan was made, and all of its steps then taken out of the file
guests:
  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, born: {kernel: 6.12.117}}
""",
        mended="""\
# a plan was made, and nothing changed
guests:
  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, born: {kernel: 6.12.117}}
""",
        same_by=("invariant", "subject"),
        firm=True,
    ),
    needs="standing",
)
def does_not_hold(evidence: Evidence) -> Iterator[Finding]:
    """What the judge holds against the plan."""
    hosts = {host.name: host for host in evidence.fleet.hosts}
    for violation in evidence.standing.violations if evidence.standing is not None else ():
        host = hosts.get(HostName(violation.subject))
        yield Finding(
            rule="FP420",
            subject=violation.subject,
            at=host.at if host is not None else evidence.fleet.at,
            because=violation,
            facts={"invariant": violation.invariant.value, "subject": violation.subject},
        )


@rule(
    Rule(
        id="FP421",
        severity=Severity.ERROR,
        title="A plan for another target",
        message="the plan leads to {planned}, and the inventory to {target}",
        help="What was approved is not what the inventory asks for, so that the fleet is in no state on the plan's way.",
        fix="Make a plan for the new target, or put the old one back into the inventory.",
        source="docs/inventory.md: `target`",
        example="# a plan was made, and then a newer release arrived\ntarget: {kernel: 7.1.2, vmm: qemu-11.1.3}\n",
        mended="# a plan was made for this target\ntarget: {kernel: 6.18.15, vmm: qemu-11.1.3}\n",
        firm=True,
    ),
    needs="standing",
)
def other_target(evidence: Evidence) -> Iterator[Finding]:
    """The plan's target is not the inventory's."""
    standing, fleet = evidence.standing, evidence.fleet
    if standing is not None and standing.target != fleet.target:
        yield Finding(rule="FP421", subject="target", at=fleet.at, facts={"planned": str(standing.target), "target": str(fleet.target)})


@rule(
    Rule(
        id="FP422",
        severity=Severity.ERROR,
        title="The plan cannot go on",
        message="nothing of the plan can go on from the state that the inventory describes; {count} of its hosts wait",
        help="The plan is under way, hosts of it are not on the target yet, and none can go now without more than was approved.",
        fix="`fleetplan next INVENTORY PLAN` says of each host what would let it go.",
        source="fleetplan/follow/next.py",
        example="""\
# a plan was made; then a guest came that can neither move nor restart
hosts:
  arm-01: {}
  arm-02: {kernel: 6.18.15}
guests:
  web-1: {on: arm-02, vcpus: 8, memory: 32GiB, born: {kernel: 6.12.117}}
  new-1: {on: arm-01, vcpus: 8, memory: 32GiB, migrate: never, born: {kernel: 6.12.117}}
""",
        mended="""\
# a plan was made, and its first wave went
hosts:
  arm-01: {}
  arm-02: {kernel: 6.18.15}
guests:
  web-1: {on: arm-02, vcpus: 8, memory: 32GiB, born: {kernel: 6.12.117}}
""",
    ),
    needs="standing",
)
def cannot_go_on(evidence: Evidence) -> Iterator[Finding]:
    """A plan that has begun, is not done, and of which no host can go."""
    standing = evidence.standing
    if standing is not None and not standing.goes_on and standing.target == evidence.fleet.target:
        facts = {"count": str(len({waiting.host for waiting in standing.waiting}))}
        yield Finding(rule="FP422", subject="plan", at=evidence.fleet.at, facts=facts)


@rule(
    Rule(
        id="FP423",
        severity=Severity.WARNING,
        title="A host of the plan waits",
        message="host `{host}` waits, though its turn has come: {because}",
        help="The plan is under way, and goes on without this host until what it waits for is settled.",
        fix="`fleetplan next INVENTORY PLAN` says what would let it go, and what of that needs a new approval.",
        source="fleetplan/follow/next.py",
        example="""\
# a plan was made; then a guest came that can neither move nor restart
hosts:
  arm-01: {}
  arm-02: {kernel: 6.18.15}
guests:
  web-1: {on: arm-02, vcpus: 8, memory: 32GiB, born: {kernel: 6.12.117}}
  new-1: {on: arm-01, vcpus: 8, memory: 32GiB, migrate: never, born: {kernel: 6.12.117}}
""",
        mended="""\
# a plan was made, and its first wave went
hosts:
  arm-01: {}
  arm-02: {kernel: 6.18.15}
guests:
  web-1: {on: arm-02, vcpus: 8, memory: 32GiB, born: {kernel: 6.12.117}}
""",
        same_by=("host", "why"),
    ),
    needs="standing",
)
def waits(evidence: Evidence) -> Iterator[Finding]:
    """Hosts that wait, each for every reason that it has."""
    at = {host.name: host.at for host in evidence.fleet.hosts}
    for waiting in evidence.standing.waiting if evidence.standing is not None else ():
        facts = {"host": waiting.host, "why": waiting.why.value}
        place = at.get(waiting.host, evidence.fleet.at)
        yield Finding(rule="FP423", subject=waiting.host, at=place, hosts=(waiting.host,), because=waiting, facts=facts)
