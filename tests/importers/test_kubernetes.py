"""kubectl: nodes are hosts, VirtualMachineInstances are guests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def node(name: str, **changes: Any) -> dict[str, Any]:
    allocatable = {"cpu": "79500m", "memory": "263774212Ki", "hugepages-2Mi": "4Gi", "hugepages-1Gi": "0", "devices.kubevirt.io/kvm": "1k"}
    return {
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/arch": "arm64", "topology.kubernetes.io/zone": "a"}},
        "spec": changes.get("spec", {}),
        "status": {
            "nodeInfo": {"architecture": changes.get("arch", "arm64"), "kernelVersion": "6.12.48+deb13-arm64", "bootID": "x"},
            "allocatable": changes.get("allocatable", allocatable),
            "conditions": [{"type": "Ready", "status": changes.get("ready", "True")}],
        },
    }


def vmi(name: str, **changes: Any) -> dict[str, Any]:
    domain = {"cpu": {"cores": 4, "sockets": 2}, "memory": {"guest": "8Gi"}, "devices": {"gpus": [{"name": "g", "deviceName": "nv/x"}]}}
    migratable = {"type": "LiveMigratable", "status": changes.get("migratable", "True"), "reason": "x"}
    return {
        "kind": "VirtualMachineInstance",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"domain": changes.get("domain", domain), "evacuationStrategy": "LiveMigrate"},
        "status": {
            "nodeName": "n1",
            "phase": changes.get("phase", "Running"),
            "conditions": [migratable],
            "machine": {"type": "virt-rhel9.6.0"},
        },
    }


def test_a_node_is_a_host_with_what_may_be_allocated(imports: Callable[..., Any]) -> None:
    found = imports({"kind": "List", "items": [node("n1"), vmi("web")]})
    assert found.hosts["n1"] == {
        "host": "n1",
        "hugepages": {"2048KiB": 2048},
        "kernel": "6.12.48+deb13-arm64",
        "memory": "261688MiB",
        "vcpus": 79,
        "zone": "a",
    }
    assert found.guests["shop/web"] == {
        "guest": "shop/web",
        "devices": ["nv/x"],
        "machine": "virt-rhel9.6.0",
        "memory": "8192MiB",
        "on": "n1",
        "vcpus": 8,
    }


def test_a_node_that_is_closed_or_gone_is_told_so(imports: Callable[..., Any]) -> None:
    items = [node("a", spec={"unschedulable": True}), node("b", ready="Unknown", spec={"unschedulable": True})]
    assert {name: host["state"] for name, host in imports({"items": items}).hosts.items()} == {"a": "cordoned", "b": "down"}


def test_what_is_no_part_of_an_arm64_fleet_is_left_out(imports: Callable[..., Any]) -> None:
    items = [node("a", arch="amd64"), node("b", allocatable={"cpu": "4"}), vmi("c", phase="Succeeded")]
    found = imports({"items": items})
    assert not found.outcome.lines
    assert [facts["what"] for facts in found.facts("FP143")] == ["guest `shop/c`", "host `a`", "host `b`"]


def test_sizes_in_the_older_shapes(imports: Callable[..., Any]) -> None:
    domain = {"resources": {"requests": {"memory": "1025Ki", "cpu": "1500m"}}}
    found = imports({"items": [vmi("c", domain=domain, migratable="False")]})
    assert (found.guests["shop/c"]["vcpus"], found.guests["shop/c"]["memory"], found.guests["shop/c"]["migrate"]) == (2, "2MiB", "never")
