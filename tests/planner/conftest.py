"""Small fleets for the planner, made in memory."""

from __future__ import annotations

from typing import Any

import pytest

from fleetplan.fleet.model import Birth, Fleet, Group, GroupName, Guest, GuestName, Host, HostFacts, HostName, Release, Scope
from fleetplan.fleet.policy import MaxUnavailable, Policy, Share

OLD, NEW = Release("6.12.117", "qemu-11.1.3"), Release("6.18.15", "qemu-11.1.3")
N1 = HostFacts(midr=0x413FD0C1, revidr=0, cmdline="quiet")


class Make:
    """Builds fleets."""

    def host(self, name: str, vcpus: int = 8, **fields: Any) -> Host:
        fields.setdefault("release", OLD)
        fields.setdefault("memory_mib", 16_384)
        return Host(name=HostName(name), vcpus=vcpus, facts=N1, **fields)

    def guest(self, name: str, on: str, vcpus: int = 2, **fields: Any) -> Guest:
        fields.setdefault("memory_mib", 1024)
        fields.setdefault("born", Birth(kernel=OLD.kernel))
        return Guest(name=GuestName(name), on=HostName(on), vcpus=vcpus, **fields)

    def fleet(self, hosts: list[Host], guests: list[Guest], *, apart: Scope = Scope.HOST, **policy: Any) -> Fleet:
        policy.setdefault("max_unavailable", MaxUnavailable(fleet=Share(count=1)))
        names = sorted({guest.group for guest in guests if guest.group is not None})
        return Fleet(
            target=NEW,
            hosts=tuple(sorted(hosts, key=lambda host: host.name)),
            guests=tuple(sorted(guests, key=lambda guest: guest.name)),
            groups={GroupName(name): Group(name=GroupName(name), apart=apart) for name in names},
            policy=Policy(**policy),
        )


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()
