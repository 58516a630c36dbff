"""FP4xx: guests that what operators ask for beside room holds where they are, or that are where it would not have them."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.findings.capacity import SERVING, place_of
from fleetplan.findings.finding import Finding, Rule, Severity
from fleetplan.findings.registry import Evidence, rule
from fleetplan.fleet.model import Fleet, GroupName, Host, HostName, Scope
from fleetplan.fleet.table import Among
from fleetplan.rollout.copying import SLOWEST_SHARE, copy_ends, migration_s


@rule(
    Rule(
        id="FP406",
        severity=Severity.NOTE,
        title="A group that stays together is apart",
        message="group `{group}` keeps its members together in a {scope}, but they are in {places} of them",
        help="A plan keeps together those that are together: the members in each place. It does not bring the others to them.",
        fix="Move the members to one place, or drop `together` from the group.",
        source="docs/inventory.md: an entry of `groups`",
        example="""\
guests:
  web-1: {on: arm-01, vcpus: 4, memory: 8GiB, group: web}
  web-2: {on: arm-02, vcpus: 4, memory: 8GiB, group: web}
groups: {web: {together: host}}
""",
        mended="""\
guests:
  web-1: {on: arm-01, vcpus: 4, memory: 8GiB, group: web}
  web-2: {on: arm-01, vcpus: 4, memory: 8GiB, group: web}
groups: {web: {together: host}}
""",
        same_by=("group",),
    )
)
def together_is_apart(evidence: Evidence) -> Iterator[Finding]:
    """Groups with `together` whose members are in several places."""
    fleet, guests = evidence.fleet, evidence.fleet.guests
    scopes = {number: _together(fleet, name) for number, name in enumerate(guests.group_names) if _together(fleet, name) is not None}
    members: dict[int, list[int]] = {}
    for guest, number in enumerate(guests.group) if scopes else ():
        if number in scopes:
            members.setdefault(number, []).append(guest)
    hosts = {host.name: host for host in fleet.hosts}
    for number, inside in sorted(members.items(), key=lambda item: guests.group_names[item[0]]):
        group, scope = fleet.groups[guests.group_names[number]], scopes[number] or Scope.HOST
        places = {place_of(hosts[guests.host_names[guests.on[guest]]], scope) for guest in inside}
        if len(places) > 1:
            facts = {"group": group.name, "scope": scope.value, "places": str(len(places))}
            yield Finding(rule="FP406", subject=group.name, at=group.at, guests=Among(guests.names, inside), facts=facts)


def _together(fleet: Fleet, name: GroupName) -> Scope | None:
    """In what the members of a group stay together; None: they need not."""
    return fleet.groups[name].together if name in fleet.groups else None


@rule(
    Rule(
        id="FP407",
        severity=Severity.WARNING,
        title="No copy of the guest ends in time",
        message="guest `{guest}` cannot be copied off host `{host}`: it dirties {dirty_mib_s} MiB/s, its fastest link carries {link_mib_s} "
        "MiB/s, over which copies end up to {most_mib_s} MiB/s; throttled as far as it goes, this one takes {takes_s} s{allowed}",
        help="A guest that writes nearly as fast as the link carries is copied for ever, and its host is never drained. A plan does not "
        "migrate it: it restarts in place, its host is skipped, or nothing is planned, by `restart` and `policy.immovable`.",
        fix="Cheapest first: let the VMM slow it down (`throttle: allow` in `policy.converge`), give its copy more time "
        "(`policy.converge`: `within`), migrate it when it writes less, let it restart (`restart: ok`), or give its pool a faster link.",
        source="docs/inventory.md: `policy.converge`",
        example="""\
guests:
  db-1: {on: arm-01, vcpus: 4, memory: 8GiB, dirty_rate: 4GiB}
""",
        mended="""\
policy: {converge: {throttle: allow}}
guests:
  db-1: {on: arm-01, vcpus: 4, memory: 8GiB, dirty_rate: 4GiB}
""",
        same_by=("guest",),
    )
)
def copy_without_end(evidence: Evidence) -> Iterator[Finding]:
    """Guests that may migrate, on hosts that are to be upgraded, whose copy ends over no link of their pool."""
    fleet, converge = evidence.fleet, evidence.fleet.policy.converge
    if converge.within_s is None and not any(fleet.guests.dirty_rate_mib_s):
        return
    leaving = {host.name: host for host in fleet.hosts if host.release != fleet.target and host.state in SERVING}
    goals = _fastest(fleet)
    for number, on in enumerate(fleet.guests.on):
        host = leaving.get(fleet.guests.host_names[on])
        goal = None if host is None else next((other for other in goals[host.pool] if other.name != host.name), None)
        if host is None or goal is None or (converge.within_s is None and not fleet.guests.dirty_rate_mib_s[number]):
            continue
        guest = fleet.guests[number]
        if guest.migratable and not copy_ends(guest, host, goal, converge):
            link = min(host.bandwidth_mib_s, goal.bandwidth_mib_s)
            facts = {
                "guest": guest.name,
                "host": host.name,
                "dirty_mib_s": str(guest.dirty_rate_mib_s),
                "link_mib_s": str(link),
                "most_mib_s": str(link - -(-link // SLOWEST_SHARE)),
                "takes_s": str(migration_s(guest, host, goal)),
                "allowed": "" if converge.within_s is None else f", and policy allows {converge.within_s} s",
            }
            yield Finding(rule="FP407", subject=guest.name, at=guest.at, guests=(guest.name,), hosts=(host.name,), facts=facts)


def _fastest(fleet: Fleet) -> dict[str, list[Host]]:
    """By pool, the two hosts that serve with the fastest links: one of them is another than any host."""
    pools: dict[str, dict[HostName, Host]] = {}
    for host in fleet.hosts:
        if host.state in SERVING:
            pools.setdefault(host.pool, {})[host.name] = host
    return {pool: sorted(hosts.values(), key=lambda host: -host.bandwidth_mib_s)[:2] for pool, hosts in pools.items()}
