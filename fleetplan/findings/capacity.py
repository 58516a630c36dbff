"""FP4xx: what is already broken, or in the way, before a rollout begins."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

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
        source="docs/inventory.md: `policy.overcommit`",
        example="""\
guests:
  web-1: {on: arm-01, vcpus: 81, memory: 32GiB}
""",
        mended="""\
guests:
  web-1: {on: arm-01, vcpus: 80, memory: 32GiB}
""",
        same_by=("host", "resource"),
    )
)
def over_committed(evidence: Evidence) -> Iterator[Finding]:
    """Sums of guests against capacity with overcommit, for vCPUs and memory."""
    for load in loads(evidence.fleet):
        if load.used > load.capacity:
            yield _excess("FP401", load, load.capacity)


class Load(NamedTuple):
    """What the guests of a host use of a resource, and what it has, with overcommit."""

    host: Host
    resource: str
    used: int
    capacity: int


def loads(fleet: Fleet) -> Iterator[Load]:
    """VCPUs and memory of every host. O(hosts + guests)."""
    guests, policy = fleet.guests, fleet.policy
    vcpus, memory_mib = [0] * len(guests.host_names), [0] * len(guests.host_names)
    for on, own_vcpus, own_memory_mib in zip(guests.on, guests.sizes[::2], guests.sizes[1::2], strict=True):
        vcpus[on] += own_vcpus
        memory_mib[on] += own_memory_mib
    used = {name: (vcpus[place], memory_mib[place]) for place, name in enumerate(guests.host_names)}
    pages_mib = _pages(fleet)
    for host in fleet.hosts:
        for size, reserved_mib in sorted((host.reserved_mib or {}).items()):
            yield Load(host, f"MiB in pages of {size} KiB", pages_mib[host.name, size], reserved_mib)
        of_vcpus, of_memory = used.get(host.name, (0, 0))
        yield Load(host, "vCPUs", of_vcpus, host.vcpus * policy.overcommit_vcpus_per_mille // 1000)
        yield Load(host, "MiB of memory", of_memory, host.memory_mib * policy.overcommit_memory_per_mille // 1000)


def _pages(fleet: Fleet) -> Counter[tuple[HostName, int | None]]:
    """By host and size of pages, the MiB of the guests that are backed by them; only where any host says how many it has."""
    found = Counter[tuple[HostName, int | None]]()
    if any(host.reserved_mib is not None for host in fleet.hosts):
        guests = fleet.guests
        size_of = [template.equipment.hugepages_kib for template in guests.templates]
        for on, template, memory_mib in zip(guests.on, guests.template, guests.sizes[1::2], strict=True):
            found[guests.host_names[on], size_of[template]] += memory_mib
    return found


def _excess(rule_id: str, load: Load, capacity: int) -> Finding:
    host = load.host
    facts = {
        "host": host.name,
        "resource": load.resource,
        "used": str(load.used),
        "capacity": str(capacity),
        "excess": str(load.used - capacity),
    }
    return Finding(rule=rule_id, subject=host.name, at=host.at, hosts=(host.name,), facts=facts)


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
        source="docs/inventory.md: a group",
        example="""\
groups: {web: {apart: host}}
guests:
  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, group: web}
  web-2: {on: arm-01, vcpus: 8, memory: 32GiB, group: web}
""",
        mended="""\
groups: {web: {apart: host}}
guests:
  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, group: web}
  web-2: {on: arm-02, vcpus: 8, memory: 32GiB, group: web}
""",
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
        source="docs/inventory.md: `state` of a host",
        example="""\
hosts:
  arm-01: {state: down}
  arm-02: {like: arm-01, state: up}
""",
        mended="""\
hosts:
  arm-01: {}
  arm-02: {like: arm-01, state: down}
""",
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
        source="docs/inventory.md: `policy.max_unavailable`",
        example="""\
policy: {max_unavailable: {fleet: 1}}
hosts:
  arm-01: {}
  arm-02: {like: arm-01, state: down}
""",
        mended="""\
policy: {max_unavailable: {fleet: 2}}
hosts:
  arm-01: {}
  arm-02: {like: arm-01, state: down}
""",
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


@rule(
    Rule(
        id="FP405",
        severity=Severity.WARNING,
        title="The reserve is in use",
        message="host `{host}` runs guests of {used} {resource}, {excess} more than the {capacity} that `policy.reserve` leaves",
        help="The reserve is capacity that policy keeps free on every host, for the time when a host fails. A plan lands nothing in it, "
        "but does not empty it either.",
        fix="Move guests away, or lower `policy.reserve`.",
        source="docs/inventory.md: `policy`",
        example="""\
policy: {reserve: 20%}
guests:
  web-1: {on: arm-01, vcpus: 70, memory: 32GiB}
""",
        mended="""\
policy: {reserve: 20%}
guests:
  web-1: {on: arm-01, vcpus: 64, memory: 32GiB}
""",
        same_by=("host", "resource"),
    )
)
def reserve_in_use(evidence: Evidence) -> Iterator[Finding]:
    """Hosts that serve, whose guests fit, but not beside the reserve."""
    kept = evidence.fleet.policy.reserve_per_mille
    for load in loads(evidence.fleet) if kept else ():
        left = load.capacity * (1000 - kept) // 1000
        if left < load.used <= load.capacity and load.host.state in SERVING:
            yield _excess("FP405", load, left)
