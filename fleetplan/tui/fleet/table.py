"""Hosts as a table: what filters of the map look at."""

from __future__ import annotations

import numpy as np

from fleetplan.fleet.model import Fleet
from fleetplan.output.risk import STANDS
from fleetplan.rollout.columns import FleetColumns
from fleetplan.tui.fleet.picture import ORDER, Picture
from fleetplan.tui.moves.landings import RISKS, SAFE
from fleetplan.tui.table.model import Field, Table


def host_table(fleet: Fleet, columns: FleetColumns, picture: Picture) -> Table:
    """A row for each host, in the order of their names."""
    hosts = columns.hosts
    kernels, kernel = np.unique([host.release.kernel for host in fleet.hosts], return_inverse=True)
    vmms, vmm = np.unique([host.release.vmm for host in fleet.hosts], return_inverse=True)
    return Table(
        fields=(
            Field(key="host", title="host", values=hosts.names),
            Field(key="zone", title="zone", values=hosts.zone_names, codes=hosts.zone),
            Field(key="rack", title="rack", values=hosts.rack_names, codes=hosts.rack),
            Field(key="pool", title="pool", values=hosts.pool_names, codes=hosts.pool),
            Field(key="state", title="state", values=[STANDS[stand].word for stand in ORDER], codes=picture.stand),
            Field(key="verdict", title="verdict", values=[sign.word for sign in RISKS], codes=picture.risk),
            Field(key="kernel", title="kernel", values=kernels.tolist(), codes=kernel),
            Field(key="vmm", title="VMM", values=vmms.tolist(), codes=vmm),
        ),
        rows=len(hosts.names),
        names=("host",),
        risky=picture.risk > SAFE,
    )
