"""Probes: the keys of the host, as they stand; what it saw of guests only adds to what others say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PROBE = {
    "host": "arm-01",
    "kernel": "6.12.48+deb13-arm64",
    "vmm": "qemu-10.0.13",
    "midr": ["0x413fd0c1"],
    "revidr": "0x0",
    "cmdline": "ro quiet",
    "vulnerabilities": {"spectre_v2": "Mitigation: CSV2, BHB"},
    "vcpus": 80,
    "memory": "257592MiB",
    "hugepages": ["2048KiB"],
    "sve": [],
    "features": ["pmu"],
    "gic": [3],
    "registers": [["0x6030000000140000", "0x10001"], ["0x6030000000140001", "0x1"]],
    "probe": {
        "format": 1,
        "hugepages": {"2048": 512, "1048576": 0},
        "running": [
            {"pid": 7, "vmm": "qemu-10.0.2", "replaced": True, "guest": "web-1", "machine": "virt-10.0", "psci": "1.0"},
            {"pid": 8, "vmm": "qemu-10.0.2", "guest": "nobody"},
        ],
    },
}
WEB = "<domain id='1'><name>web-1</name><memory>1048577</memory><vcpu>2</vcpu><os><type arch='aarch64'>hvm</type></os></domain>"


def test_a_probe_is_the_keys_of_its_host(imports: Callable[..., Any]) -> None:
    (host,) = imports(PROBE).hosts.values()
    assert host == {key: value for key, value in PROBE.items() if key != "probe"} | {"hugepages": {"2048KiB": 512}}


def test_probes_of_several_hosts_may_stand_in_one_file_a_line_each(imports: Callable[..., Any]) -> None:
    import json

    lines = "\n".join(json.dumps({**PROBE, "host": host}) for host in ("b", "a"))
    assert list(imports(lines).hosts) == ["a", "b"]


def test_a_running_vmm_adds_to_a_guest_that_another_source_names_and_makes_none(imports: Callable[..., Any]) -> None:
    found = imports(PROBE, ("arm-01", WEB))
    assert list(found.guests) == ["web-1"]
    web = found.guests["web-1"]
    assert (web["vmm"], web["machine"], web["born"], web["memory"]) == ("qemu-10.0.2", "virt-10.0", {"psci": "1.0"}, "1025MiB")
    assert [facts["what"] for facts in found.facts("FP143")] == ["guest `nobody`"]


def test_what_a_host_may_not_say_of_itself_is_not_taken(imports: Callable[..., Any]) -> None:
    (host,) = imports({**PROBE, "zone": "z", "like": "other", "state": "lost"}).hosts.values()
    assert not {"zone", "like", "state"} & host.keys()


def test_an_unknown_key_and_a_bad_value_are_refused_as_in_an_inventory(imports: Callable[..., Any]) -> None:
    assert imports({**PROBE, "kernels": "6.1"}).rules == ["FP106", "FP143", "FP143"]
    assert "FP121" in imports({**PROBE, "kernel": "rm -rf"}).rules
    assert "FP120" in imports({**PROBE, "host": "a\x1b[2J"}).rules
