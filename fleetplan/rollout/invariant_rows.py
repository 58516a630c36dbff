"""The invariants: a row each. The judge checks every row; the tests break every row, and have a fleet whose plan changes because of it."""

from __future__ import annotations

from fleetplan.rollout.invariants import Invariant, InvariantId, When

INVARIANTS: tuple[Invariant, ...] = (
    Invariant(
        id=InvariantId.INVENTORY,
        scope="plan",
        when=When.STATIC,
        law="The plan's digest, target and placement are those of the inventory it is judged against.",
        help="A plan is made for one state of one fleet. After the smallest change (a guest more, a host gone) its landing places may be "
        "taken; so it is refused as a whole, and another one is made.",
        decided_by="all of the inventory, `target`",
    ),
    Invariant(
        id=InvariantId.STEPS,
        scope="step",
        when=When.STATIC,
        law="Step ids are unique, a step names what its kind needs and nothing else, every host and guest that it names exists, and its "
        "times are times.",
        help="Whoever carries a plan out takes steps by their names. A name that nobody knows, or that two things have, would be carried "
        "out wrongly.",
        decided_by="`hosts`, `guests`",
    ),
    Invariant(
        id=InvariantId.ORDER,
        scope="step",
        when=When.STATIC,
        law="Every id in `after` exists, and a step starts only when all of them have ended.",
        help="The forecast must agree with what steps wait for: otherwise nobody can say when the plan ends, and a circle would never "
        "start.",
        decided_by="what decides durations: `memory`, `bandwidth`, `dirty_rate`, `reboot`",
    ),
    Invariant(
        id=InvariantId.AFTER,
        scope="step",
        when=When.STATIC,
        law="Waiting for `after` alone is enough, whatever steps take: what must not happen at once, or in another order, is in order by "
        "`after`. That holds for a host's and a guest's own steps, and for who shares streams, slots of max-unavailable, room and "
        "places.",
        help="No forecast comes true. What keeps a rollout safe when a copy takes an hour is that every step waits for those that must "
        "have ended, not for a time.",
        decided_by="`policy.max_unavailable`, `policy.streams`, sizes, groups",
    ),
    Invariant(
        id=InvariantId.DURATION,
        scope="step",
        when=When.STATIC,
        law="No step is forecast to be shorter than the durations model says.",
        help="A plan that forecasts less than the copy or the reboot takes promises an end that cannot be kept.",
        decided_by="`memory`, `bandwidth`, `dirty_rate`, `reboot`",
    ),
    Invariant(
        id=InvariantId.WAVES,
        scope="wave",
        when=When.STATIC,
        law="Waves are numbered from 1, a host is upgraded in one wave only, and the wave that names it has its steps. A guest lands on a"
        " host upgraded in an earlier wave or before the plan, or, as a seed move, on a host of a later wave: of the plan, or of "
        "the rollout that the plan is one wave of. The hosts of a wave, with those that are away before and after it, are no more than "
        "max-unavailable allows.",
        help="A guest that lands on a host that is still to be upgraded moves twice. Only where a pool has no upgraded room yet is that "
        "unavoidable, and then it is a seed move, to a host of a later wave. A wave is what may be away together: otherwise a plan could "
        "call any rollout one wave, and a bound on waves would say nothing.",
        decided_by="`kernel` and `vmm` of hosts, `pool`, sizes, `policy.max_unavailable`",
    ),
    Invariant(
        id=InvariantId.GATES,
        scope="wave",
        when=When.STATIC,
        law="A gate that policy asks for after a wave exists, lasts as long as its soak, waits for every step of the waves up to it, and "
        "every step of later waves waits for it. Waves up to a canary gate have no more hosts than it allows.",
        help="Between waves people look whether all is well. A gate that steps can go round stops nothing; a canary that is too wide is "
        "none.",
        decided_by="`policy.gates`: `after`, `soak`, `approval`, `hosts`",
    ),
    Invariant(
        id=InvariantId.PLACEMENT,
        scope="guest",
        when=When.CONTINUOUS,
        law="A guest moves from the host where it is then, to another host, and one migration at a time.",
        help="A guest is in one place. A plan that moves it from where it is not was made for another fleet, or has two plans in it.",
        decided_by="`on` of guests",
    ),
    Invariant(
        id=InvariantId.LANDING,
        scope="migration",
        when=When.CONTINUOUS,
        law="While a migration runs its destination is up and not cordoned, and its source is up.",
        help="A guest must not be sent to a host that is about to go away, nor be fetched from one that is dead.",
        decided_by="`state` of hosts",
    ),
    Invariant(
        id=InvariantId.POOL,
        scope="migration",
        when=When.STATIC,
        law="Source and destination are in one pool.",
        help="Hosts of two pools do not share storage or networks: a migration between them is not even attempted.",
        decided_by="`pool` of hosts",
    ),
    Invariant(
        id=InvariantId.ALLOWED,
        scope="migration",
        when=When.STATIC,
        law="The destination matches the guest's `allow` and not its `deny`.",
        help="Licences, contracts and hardware tie guests to hosts.",
        decided_by="`allow`, `deny` of guests",
    ),
    Invariant(
        id=InvariantId.MIGRATABLE,
        scope="guest",
        when=When.STATIC,
        law="A guest with `migrate: never` does not migrate.",
        help="Somebody said that this guest must not migrate. It is restarted in place, or its host is skipped, or the rollout is blocked "
        "on it, by policy.",
        decided_by="`migrate` of guests, `policy.immovable`",
    ),
    Invariant(
        id=InvariantId.RESTARTABLE,
        scope="guest",
        when=When.STATIC,
        law="Only a guest with `restart: ok` is stopped, and only where policy restarts guests in place or for a pin.",
        help="A restart is an outage for those who use the guest. It is never chosen to save a migration.",
        decided_by="`restart` of guests, `policy.immovable`, `policy.reversible`",
    ),
    Invariant(
        id=InvariantId.VERDICT,
        scope="migration",
        when=When.CONTINUOUS,
        law="The verdict of the move, judged for the guest as it is then and the hosts as they are then, is the one stated, and policy or"
        " a waiver allows it.",
        help="A migration that fails does so after the whole copy; one that strips takes a promised mitigation away without an error. So "
        "every move is judged for the guest and the hosts as they will be at its time.",
        decided_by="releases, `cpu` or `midr`, `born`, `waivers`, `policy.unknown`, `policy.psci_change`",
    ),
    Invariant(
        id=InvariantId.PSCI_MAX,
        scope="guest",
        when=When.CONTINUOUS,
        law="No guest cold boots into a PSCI version above its `psci_max`.",
        help="Some guests choke on a newer PSCI version than they were built for, and a cold boot on a new kernel gives the newest.",
        decided_by="`psci_max` of guests",
    ),
    Invariant(
        id=InvariantId.PINS,
        scope="guest",
        when=When.CONTINUOUS,
        law="A pin listed is set by a pin step, on a host that is not rebooting, before the cold boot from which it is said to count; "
        "every VMM that the guest starts under afterwards knows the property, and its kernel accepts the version.",
        help="A pin counts from a cold boot on. Set too late, or where the VMM does not know the property, it does nothing and the way "
        "back is closed.",
        decided_by="`policy.reversible`, `psci_max`, `restart`, `vmm`",
    ),
    Invariant(
        id=InvariantId.CAPACITY,
        scope="host",
        when=When.CONTINUOUS,
        law="The vCPUs and the memory of the guests on a host, arriving and leaving ones included, are within its capacity with "
        "overcommit; a host over-committed from the start takes no guest until it is not.",
        help="A host that is given more than it has kills guests. While a guest moves it takes room on both ends. What is over-committed "
        "when the plan begins is reported by `check` (FP401) and is not made worse.",
        decided_by="`vcpus`, `memory`, `hugepages`, `policy.overcommit`",
    ),
    Invariant(
        id=InvariantId.RESERVE,
        scope="host",
        when=When.CONTINUOUS,
        law="No landing takes a host above its capacity less the reserve.",
        help="What is kept free is for the host that fails during the rollout.",
        decided_by="`policy.reserve`",
    ),
    Invariant(
        id=InvariantId.APART,
        scope="group",
        when=When.CONTINUOUS,
        law="Members of a group kept apart share no host, rack or zone, both ends of a migration counted, beyond what was so at the start.",
        help="Members of a group back each other up. Two in one place fail together. What is together when the plan begins is reported by "
        "`check` (FP402) and is not made worse.",
        decided_by="`groups`: `apart`; `rack` and `zone` of hosts",
    ),
    Invariant(
        id=InvariantId.TOGETHER,
        scope="group",
        when=When.CONTINUOUS,
        law="After each wave, the members of a group kept together that were in one host, rack or zone at the start are in one, whichever.",
        help="Members of such a group talk to each other all the time, or share what only one place has. While a host is drained they go "
        "one after the other, so between two waves is when it counts. Members that are apart when the plan begins are reported by "
        "`check` (FP406), and are not parted further.",
        decided_by="`groups`: `together`; `rack` and `zone` of hosts",
    ),
    Invariant(
        id=InvariantId.UNAVAILABLE,
        scope="fleet, zone, rack",
        when=When.CONTINUOUS,
        law="No more hosts are unavailable (from cordon to uncordon, down, lost, held) than max-unavailable allows.",
        help="So many hosts may be missing and the fleet still bears its load. Dead hosts are missing, too.",
        decided_by="`policy.max_unavailable`, `state`, `zone`, `rack`",
    ),
    Invariant(
        id=InvariantId.STREAMS,
        scope="host",
        when=When.CONTINUOUS,
        law="A host sends no more migrations at a time than policy's streams, and receives no more.",
        help="Migrations at the same time share a link: all of them take longer, and guests that write much never end.",
        decided_by="`policy.streams`",
    ),
    Invariant(
        id=InvariantId.DISRUPTED,
        scope="group",
        when=When.CONTINUOUS,
        law="No more members of a group at a time migrate, or are stopped, than its `max_disrupted`.",
        help="A service bears to miss, or to have slowed down, so many of its members. A drain that could never keep to it (two members "
        "that restart with one host, where one may) is told before anything begins.",
        decided_by="`groups`: `max_disrupted`; `policy.streams`",
    ),
    Invariant(
        id=InvariantId.LAST,
        scope="host",
        when=When.CONTINUOUS,
        law="A host that goes last is cordoned only when every other host that the plan upgrades has been uncordoned.",
        help="The host that runs the manager of the fleet, or that everybody depends on, is touched when all the rest is done and well.",
        decided_by="`last` of hosts, `policy.last`",
    ),
    Invariant(
        id=InvariantId.CONVERGES,
        scope="migration",
        when=When.STATIC,
        law="A guest migrates only where its copy ends: the link is faster than the guest dirties memory (or policy throttles guests), "
        "and the copy takes no longer than policy allows.",
        help="A guest that writes faster than the link carries is copied for ever, and its drain with it. It is found beforehand (FP407), "
        "and is a guest that cannot be moved: restarted in place, skipped with its host, or a reason to plan nothing, by policy.",
        decided_by="`dirty_rate`, `memory`, `bandwidth`, `policy.converge`, `policy.immovable`",
    ),
    Invariant(
        id=InvariantId.WINDOWS,
        scope="step",
        when=When.STATIC,
        law="What disturbs anybody (cordon, migrate, stop, pin) starts inside a window of policy, counted from when the plan begins.",
        help="Outside of the windows nobody watches. What gives back (the upgrade of an empty host, check, uncordon, start) never waits "
        "for one: a host that is held up empty, or a guest that stays stopped, helps nobody.",
        decided_by="`policy.windows`",
    ),
    Invariant(
        id=InvariantId.DRAINED,
        scope="host",
        when=When.CONTINUOUS,
        law="While a host is upgraded or checked no guest runs on it.",
        help="A guest that runs on a host while it reboots is lost with all its state.",
        decided_by="nothing: it always holds",
    ),
    Invariant(
        id=InvariantId.CORDONED,
        scope="host",
        when=When.CONTINUOUS,
        law="A host is cordoned before its guests leave, upgraded while cordoned, checked after the upgrade, uncordoned after the check; "
        "each once.",
        help="While a host is not cordoned the orchestrator may put new guests on it, and a host that is never uncordoned is lost as "
        "capacity.",
        decided_by="nothing: it always holds",
    ),
    Invariant(
        id=InvariantId.UPGRADED,
        scope="host",
        when=When.FINAL,
        law="Every host that lives ends on the target release, save those the plan says it skips as policy allows, and those that "
        "a plan for one wave of a rollout names as left to later waves.",
        help="The aim of it all. A host is left out only if policy allows it, and the plan says which and why.",
        decided_by="`target`, `policy.immovable`, `state`",
    ),
    Invariant(
        id=InvariantId.RUNNING,
        scope="guest",
        when=When.FINAL,
        law="Every guest that was stopped has been started again where it was stopped, after its host's uncordon if that host was "
        "upgraded meanwhile.",
        help="Who was stopped must run again, and on a host that serves.",
        decided_by="`restart` of guests",
    ),
    Invariant(
        id=InvariantId.CLAIMS,
        scope="plan",
        when=When.STATIC,
        law="What the plan says of itself is so: moves, waves, makespan, status, critical path, the old release, and for every wave the "
        "guests that no move of their own takes back to it.",
        help="People decide by what a plan says of itself: how long, how many moves, how near to the best, whether there is a way back. "
        "None of it is taken on trust.",
        decided_by="nothing: it always holds",
    ),
)
