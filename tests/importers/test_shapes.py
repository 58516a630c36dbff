"""A law for every reader: whatever stands where a key is expected, there are findings and facts, and never a crash."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetplan.importers.registry import KINDS
from fleetplan.importers.run import run
from fleetplan.importers.source import Source

LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=4
)

SHAPES: dict[str, Any] = {
    "probe": {"host": "a", "kernel": "6.12.1", "probe": {"hugepages": {"2048": 1}, "running": [{"guest": "g", "psci": "1.0", "vmm": "x"}]}},
    "node": {
        "kind": "Node",
        "metadata": {"name": "n", "labels": {"kubevirt.io/schedulable": "true"}},
        "spec": {"unschedulable": True},
        "status": {
            "nodeInfo": {"architecture": "arm64", "kernelVersion": "6.1.1"},
            "allocatable": {"cpu": "4", "memory": "4Gi", "hugepages-2Mi": "4Mi"},
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    },
    "vmi": {
        "kind": "VirtualMachineInstance",
        "metadata": {"name": "n", "namespace": "s"},
        "spec": {"domain": {"cpu": {"cores": 2}, "memory": {"guest": "1Gi"}, "devices": {"gpus": [{"deviceName": "x"}]}}},
        "status": {"phase": "Running", "nodeName": "n", "conditions": [{"type": "LiveMigratable", "status": "False"}]},
    },
    "hypervisors": [{"Hypervisor Hostname": "a", "Hypervisor Type": "QEMU", "vCPUs": 4, "Memory MB": 4, "State": "up"}],
    "hypervisor": {"hypervisor_hostname": "a", "hypervisor_version": 10000013, "cpu_info": {"arch": "aarch64"}, "vcpus": 4},
    "servers": [{"ID": "1", "Name": "a", "Status": "ACTIVE", "Host": "h", "Flavor": "f"}],
    "flavors": [{"Name": "f", "RAM": 4, "VCPUs": 4}],
    "aggregates": [{"Name": "a", "Availability Zone": "z", "Hosts": ["h"]}],
    "groups": [{"Name": "a", "Policy": "anti-affinity", "Members": ["1"]}],
    "inventory": [{"resource_class": "VCPU", "total": 4, "reserved": 1, "allocation_ratio": 2.0}],
    "ansible": {"ansible_facts": {"nodename": "a", "kernel": "6.1.1", "machine": "aarch64", "memtotal_mb": 4}},
    "prometheus": {
        "status": "success",
        "data": {"result": [{"metric": {"__name__": "node_uname_info", "instance": "i:1", "nodename": "n"}, "value": [1, "1"]}]},
    },
    "firecracker": {
        "firecracker_version": "1.16.0",
        "kernel_version": "6.1.1",
        "guest_cpu_config": {"reg_modifiers": [{"addr": "0x603000000013c000", "bitmap": "0b1"}]},
    },
}


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for key, child in inner for deeper in paths(child, (*path, key)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_value_in_any_place_of_any_shape_is_a_crash(data: st.DataObject) -> None:
    shape = SHAPES[data.draw(st.sampled_from(sorted(SHAPES)))]
    document = changed(shape, data.draw(st.sampled_from(paths(shape))), data.draw(VALUES))
    outcome = run([Source(name="s", data=json.dumps(document).encode(), host="h")])
    assert outcome.lines or outcome.imported.findings or outcome.imported.sources


def test_every_kind_of_json_is_among_the_shapes(imports: Callable[..., Any]) -> None:
    found = {row.kind for shape in SHAPES.values() for row in imports(("h", shape)).outcome.imported.sources}
    assert found == {kind.id for kind in KINDS if not kind.id.startswith("virsh")} - {"openstack-usage"}
