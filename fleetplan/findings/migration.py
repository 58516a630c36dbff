"""FP2xx: what verdicts rest on, and moves that need attention."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from fleetplan.findings.finding import Finding, Rule, Severity
from fleetplan.findings.registry import Evidence, rule
from fleetplan.fleet.model import Host


def _by_class(evidence: Evidence) -> dict[int, list[Host]]:
    """Hosts of each class as they are now, in the order of their names."""
    found: dict[int, list[Host]] = defaultdict(list)
    for host, number in zip(evidence.fleet.hosts, evidence.classes.hosts_now, strict=True):
        found[number].append(host)
    return found


@rule(
    Rule(
        id="FP201",
        severity=Severity.NOTE,
        title="Something is assumed of a host",
        message="{assumed} (host `{host}`{others}); `{key}` would say",
        help="Verdicts about this host rest on something that the inventory does not say. If it is not so, a verdict may be wrong.",
        fix="Give `{key}`, or probe the host.",
        source="levels and ID registers follow from MIDR_EL1, the command line and sysfs: arch/arm64/kernel/proton-pack.c",
    )
)
def assumed_of_hosts(evidence: Evidence) -> Iterator[Finding]:
    """Assumptions of each host class, told once with the number of hosts that they are made of."""
    found: dict[tuple[str, str], list[Host]] = defaultdict(list)
    for number, hosts in _by_class(evidence).items():
        for assumption in evidence.classes.host_class(number).assumptions:
            found[assumption.subject, assumption.text] += hosts
    for (key, text), hosts in found.items():
        first = min(hosts, key=lambda host: host.name)
        yield Finding(
            rule="FP201",
            subject=first.name,
            at=first.at,
            facts={"assumed": text, "host": first.name, "key": key, "others": _others(len(hosts))},
        )


def _others(count: int) -> str:
    return "" if count == 1 else f" and {count - 1} more"


@rule(
    Rule(
        id="FP202",
        severity=Severity.WARNING,
        title="What a host offers is not known",
        message="what host `{host}`{others} offers a guest is not known; {deciding} would decide",
        help="Moves from and to this host may be UNKNOWN, and no plan uses an UNKNOWN move unless policy accepts it.",
        fix="Give that fact, or probe the host.",
        source="see the candidates in `fleetplan registers`",
    )
)
def undecided_hosts(evidence: Evidence) -> Iterator[Finding]:
    """Host classes with more than one candidate."""
    for number, hosts in _by_class(evidence).items():
        offered = evidence.classes.host_class(number)
        if len(offered.kvms) > 1 or len(offered.vmms) > 1:
            facts = {"host": hosts[0].name, "others": _others(len(hosts)), "deciding": ", ".join(offered.undecided) or "a probe"}
            yield Finding(rule="FP202", subject=hosts[0].name, at=hosts[0].at, facts=facts)


@rule(
    Rule(
        id="FP203",
        severity=Severity.NOTE,
        title="Births are assumed",
        message="no `born` is given for {count} of the guests (`{guest}` is the first): they are taken to have cold booted on the "
        "release that their host runs now",
        help="PSCI version and services travel with a guest from its birth. A guest born on an older kernel has less than its host now "
        "gives, and can go back where one born here cannot.",
        fix="Give `born` with the kernel of the host at the guest's last cold boot.",
        source="KVM keeps PSCI_VERSION and the bitmaps over migration and warm reboot: Documentation/virt/kvm/arm/fw-pseudo-registers",
    )
)
def assumed_births(evidence: Evidence) -> Iterator[Finding]:
    """Guests without a birth, told once."""
    guests = evidence.fleet.guests
    unborn = [template.born is None for template in guests.templates]
    count = sum(map(unborn.__getitem__, guests.template))
    if count:
        first = next(guest for guest, template in enumerate(guests.template) if unborn[template])
        name = guests.names[first]
        yield Finding(rule="FP203", subject=name, at=guests.places.at(first), facts={"count": str(count), "guest": name})
