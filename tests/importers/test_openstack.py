"""The OpenStack client: both shapes of hypervisors, servers with their flavors, and what is for people to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

OLD = {
    "ID": "7c", "Hypervisor Hostname": "arm01", "Hypervisor Type": "QEMU", "Host IP": "10.0.0.1", "State": "up",
    "vCPUs Used": 8, "vCPUs": 80, "Memory MB Used": 16384, "Memory MB": 262144,
}  # fmt: skip
NEW = {key: OLD[key] for key in ("ID", "Hypervisor Hostname", "Hypervisor Type", "Host IP", "State")}
INVENTORY = [
    {"resource_class": "VCPU", "allocation_ratio": 4.0, "reserved": 4, "total": 80},
    {"resource_class": "MEMORY_MB", "allocation_ratio": 1.0, "reserved": 8192, "total": 262144},
]
FLAVORS = [{"ID": "1", "Name": "m1.large", "RAM": 8192, "Disk": 80, "Ephemeral": 0, "VCPUs": 4, "Is Public": True}]


def server(number: int, name: str, **changes: Any) -> dict[str, Any]:
    row = {"ID": f"0000-{number}", "Name": name, "Status": "ACTIVE", "Power State": 1, "Flavor": "m1.large", "Host": "arm01"}
    return {**row, **changes}


def test_a_hypervisor_says_its_size_up_to_2_87_and_its_provider_from_2_88(imports: Callable[..., Any]) -> None:
    assert imports([OLD]).hosts == {"arm01": {"host": "arm01", "memory": "262144MiB", "vcpus": 80}}
    found = imports([NEW], ("arm01", INVENTORY))
    assert found.hosts == {"arm01": {"host": "arm01", "memory": "253952MiB", "vcpus": 76}}
    assert "VCPU 4.0" in found.facts("FP143")[0]["problem"]


def test_the_version_of_the_hypervisor_is_its_qemu(imports: Callable[..., Any]) -> None:
    shown = {"hypervisor_hostname": "arm01", "hypervisor_version": 10000013, "status": "disabled", "cpu_info": {"arch": "aarch64"}}
    assert imports(shown).hosts["arm01"] == {"host": "arm01", "state": "cordoned", "vmm": "qemu-10.0.13"}


@pytest.mark.parametrize("changes", [{}, {"Flavor": None, "Flavor Name": "m1.large", "Power State": "Running"}])
def test_a_server_has_the_size_of_its_flavor(imports: Callable[..., Any], changes: dict[str, Any]) -> None:
    expected = {"guest": "web", "memory": "8192MiB", "on": "arm01", "vcpus": 4}
    for documents in ([[server(1, "web", **changes)], FLAVORS], [FLAVORS, [server(1, "web", **changes)]]):
        assert imports(*documents).guests == {"web": expected}


def test_a_server_and_its_domain_are_one_guest_by_uuid(imports: Callable[..., Any]) -> None:
    domain = "<domain id='1'><name>instance-01</name><uuid>0000-1</uuid><memory unit='GiB'>9</memory><vcpu>4</vcpu></domain>"
    found = imports([server(1, "web")], FLAVORS, ("arm01", domain))
    assert list(found.guests) == ["web"]
    assert found.guests["web"]["memory"] == "9216MiB"
    assert found.rules == ["FP142"]


def test_servers_of_one_name_go_by_their_ids_and_those_that_are_off_stay_out(imports: Callable[..., Any]) -> None:
    found = imports([server(1, "web"), server(2, "web"), server(3, "off", Status="SHUTOFF"), server(4, "lone", Host=None)])
    assert list(found.guests) == ["0000-1", "0000-2", "lone"]
    assert [facts["what"] for facts in found.facts("FP143")] == ["guest `off`"]
    assert ("on", ("lone",)) in {(row.key, row.names) for row in found.outcome.imported.missing}


def test_zones_are_of_hosts_and_groups_are_for_people(imports: Callable[..., Any]) -> None:
    aggregates = [{"ID": 1, "Name": "a", "Availability Zone": "z1", "Properties": {}, "Hosts": ["arm01"]}]
    groups = [{"ID": "g", "Name": "web", "Policy": "anti-affinity", "Members": "0000-1"}]
    usage = [{"resource_class": "VCPU", "usage": 8}]
    found = imports([OLD], aggregates, groups, usage)
    assert found.hosts["arm01"]["zone"] == "z1"
    assert [facts["what"] for facts in found.facts("FP143")] == ["server group `web`", "usage in source-4"]
