"""FP4xx: what is already broken, or in the way, before a rollout begins."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from fleetplan.findings.finding import Finding, Rule, Severity
from fleetplan.findings.registry import Evidence, rule
from fleetplan.fleet.model import Fleet, GuestName, Host, HostName, HostState, Scope
from fleetplan.fleet.table import Among

SERVING = frozenset({HostState.UP, HostState.CORDONED})


@rule(
    Rule(
        id="FP401",
        severity=Severity.WARNING,
        title="Host is over-committed",
        message="host `{host}` runs guests of {used} {resource}, {excess} more than its {capacity} with overcommit",
        help="The guests on this host already need more than policy allows it to give. A plan does not make this worse: the host "
        "takes no guest until enough have left.",
        fix="Move guests away, or raise `policy.overcommit` if the host really bears it.",
        same_by=("host", "resource"),
    )
)
def over_committed(evidence: Evidence) -> Iterator[Finding]:
    """Sums of guests against capacity with overcommit, for vCPUs and memory."""
    fleet = evidence.fleet
    vcpus, memory_mib = Counter[HostName](), Counter[HostName]()
    guests = fleet.guests
    for on, own_vcpus, own_memory_mib in zip(guests.on, guests.sizes[::2], guests.sizes[1::2], strict=True):
        vcpus[guests.host_names[on]] += own_vcpus
        memory_mib[guests.host_names[on]] += own_memory_mib
    pages_mib = _pages(fleet)
    for host in fleet.hosts:
        for size, reserved_mib in sorted((host.reserved_mib or {}).items()):
            yield from _excess(host, f"MiB in pages of {size} KiB", pages_mib[host.name, size], reserved_mib)
        yield from _excess(host, "vCPUs", vcpus[host.name], host.vcpus * fleet.policy.overcommit_vcpus_per_mille // 1000)
        capacity_mib = host.memory_mib * fleet.policy.overcommit_memory_per_mille // 1000
        yield from _excess(host, "MiB of memory", memory_mib[host.name], capacity_mib)


def _pages(fleet: Fleet) -> Counter[tuple[HostName, int | None]]:
    """By host and size of pages, the MiB of the guests that are backed by them; only where any host says how many it has."""
    found = Counter[tuple[HostName, int | None]]()
    if any(host.reserved_mib is not None for host in fleet.hosts):
        guests = fleet.guests
        size_of = [template.equipment.hugepages_kib for template in guests.templates]
        for on, template, memory_mib in zip(guests.on, guests.template, guests.sizes[1::2], strict=True):
            found[guests.host_names[on], size_of[template]] += memory_mib
    return found


def _excess(host: Host, resource: str, used: int, capacity: int) -> Iterator[Finding]:
    if used > capacity:
        yield Finding(
            rule="FP401",
            subject=host.name,
            at=host.at,
            hosts=(host.name,),
            facts={
                "host": host.name,
                "resource": resource,
                "used": str(used),
                "capacity": str(capacity),
                "excess": str(used - capacity),
            },
        )


def place_of(host: Host, scope: Scope) -> str:
    """The host, rack or zone that a host is in."""
    return {Scope.HOST: host.name, Scope.RACK: host.rack, Scope.ZONE: host.zone}[scope]


@rule(
    Rule(
        id="FP402",
        severity=Severity.WARNING,
        title="Anti-affinity is already broken",
        message="guests {guests} of group `{group}` share {scope} `{place}`, but the group keeps its members apart",
        help="A failure of that place takes several members of the group at once. A plan does not bring more of them together, but "
        "does not promise to part them either.",
        fix="Move all but one of the guests to another place, or drop `apart` from the group.",
        same_by=("group", "scope", "place"),
    )
)
def anti_affinity_broken(evidence: Evidence) -> Iterator[Finding]:
    """Groups with `apart` of which two or more members share a place."""
    fleet = evidence.fleet
    for (number, place), guests in sorted(_together(fleet).items(), key=lambda item: (fleet.guests.group_names[item[0][0]], item[0][1])):
        group = fleet.groups[fleet.guests.group_names[number]]
        scope = group.apart.value if group.apart is not None else ""
        together = Among(fleet.guests.names, guests)
        facts = {"guests": _listed(together), "group": group.name, "scope": scope, "place": place}
        yield Finding(rule="FP402", subject=group.name, at=group.at, guests=together, facts=facts)


def _together(fleet: Fleet) -> dict[tuple[int, str], list[int]]:
    """For each group that is kept apart (by its number) and place with several members: these, by number."""
    guests = fleet.guests
    hosts = {host.name: host for host in fleet.hosts}
    scopes = [fleet.groups[name].apart if name in fleet.groups else None for name in guests.group_names] + [None]
    places = {scope: [place_of(hosts[name], scope) for name in guests.host_names] for scope in Scope}
    first: dict[tuple[int, str], int] = {}
    together: dict[tuple[int, str], list[int]] = {}
    for guest, (on, group) in enumerate(zip(guests.on, guests.group, strict=True)):
        scope = scopes[group]
        if scope is not None:
            there = (group, places[scope][on])
            if first.setdefault(there, guest) != guest:
                together.setdefault(there, [first[there]]).append(guest)
    return together


def _listed(names: Sequence[GuestName]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"


@rule(
    Rule(
        id="FP403",
        severity=Severity.WARNING,
        title="Guests on a host that is not there",
        message="host `{host}` is {state}, but {count} guests are said to be on it",
        help="A host that is down or lost is never drained and counts as unavailable. Its guests keep their place in the plan's books.",
        fix="Correct `state`, or say where the guests are now.",
    )
)
def guests_on_dead_host(evidence: Evidence) -> Iterator[Finding]:
    """Hosts that are down or lost and still have guests."""
    guests = evidence.fleet.guests
    residents = Counter(map(guests.host_names.__getitem__, guests.on))
    for host in evidence.fleet.hosts:
        if host.state in {HostState.DOWN, HostState.LOST} and residents[host.name]:
            facts = {"host": host.name, "state": host.state.value, "count": str(residents[host.name])}
            yield Finding(rule="FP403", subject=host.name, at=host.at, hosts=(host.name,), facts=facts)


@rule(
    Rule(
        id="FP404",
        severity=Severity.WARNING,
        title="Unavailable hosts use up max-unavailable",
        message="{unavailable} of {hosts} hosts of {scope} `{place}` are unavailable already, and max-unavailable allows {limit}",
        help="No host of that scope can be drained before one of those comes back.",
        fix="Bring hosts back, take dead ones out of the inventory, or raise `policy.max_unavailable`.",
    )
)
def max_unavailable_used_up(evidence: Evidence) -> Iterator[Finding]:
    """Scopes in which the hosts that are not up leave no slot."""
    fleet = evidence.fleet
    limits = fleet.policy.max_unavailable
    for scope, limit in (("fleet", limits.fleet), ("zone", limits.zone), ("rack", limits.rack)):
        if limit is None:
            continue
        places = [getattr(host, scope) if scope != "fleet" else "fleet" for host in fleet.hosts]
        whole = Counter(places)
        away = defaultdict(list)
        for place, host in zip(places, fleet.hosts, strict=True):
            if host.state not in SERVING:
                away[place].append(host.name)
        pending = {place for place, host in zip(places, fleet.hosts, strict=True) if host.release != fleet.target}
        for place, names in sorted(away.items()):
            if len(names) >= limit.of(whole[place]) and place in pending:
                facts = {
                    "unavailable": str(len(names)),
                    "hosts": str(whole[place]),
                    "scope": scope,
                    "place": place,
                    "limit": str(limit.of(whole[place])),
                }
                yield Finding(rule="FP404", subject=f"{scope} {place}", at=fleet.policy.at, hosts=names, facts=facts)
