"""How long the copy of one guest is forecast to take, and whether it ends. Arrays of them stand in `durations`; this loads no numpy."""

from __future__ import annotations

from fleetplan.fleet.model import Guest, Host
from fleetplan.fleet.policy import Converge

SLOWEST_SHARE = 20
"""A guest that dirties memory nearly as fast as a link carries it is throttled by the VMM (auto-converge): a migration is never
forecast to be slower than a twentieth of the link's rate."""


def migration_s(guest: Guest, source: Host, destination: Host) -> int:
    """Seconds to copy the guest's memory at the slower end's rate, less what it dirties meanwhile; at least 1."""
    link = min(source.bandwidth_mib_s, destination.bandwidth_mib_s)
    rate = max(link - guest.dirty_rate_mib_s, -(-link // SLOWEST_SHARE), 1)
    return max(-(-guest.memory_mib // rate), 1)


def copy_ends(guest: Guest, source: Host, destination: Host, converge: Converge) -> bool:
    """Whether a migration counts as ending: the link outruns the guest, or the VMM throttles it; and it takes no longer than allowed."""
    link = min(source.bandwidth_mib_s, destination.bandwidth_mib_s)
    outruns = link - guest.dirty_rate_mib_s >= -(-link // SLOWEST_SHARE)
    in_time = converge.within_s is None or migration_s(guest, source, destination) <= converge.within_s
    return (outruns or converge.throttle) and in_time
