"""Ansible facts, Prometheus answers and Firecracker fingerprints."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

FACTS = {"nodename": "arm-01", "kernel": "6.12.48+deb13-arm64", "machine": "aarch64", "processor_vcpus": 80, "memtotal_mb": 257592}
HOST = {"host": "arm-01", "kernel": "6.12.48+deb13-arm64", "memory": "257592MiB", "vcpus": 80}


@pytest.mark.parametrize(
    "document",
    [
        {"ansible_facts": FACTS},
        {"ansible_facts": {f"ansible_{key}": value for key, value in FACTS.items()}, "changed": False},
        {f"ansible_{key}": value for key, value in FACTS.items()},
    ],
)
def test_facts_come_with_and_without_prefix(imports: Callable[..., Any], document: dict[str, Any]) -> None:
    assert imports(document).hosts == {"arm-01": HOST}


def test_a_host_of_another_architecture_is_left_out(imports: Callable[..., Any]) -> None:
    assert imports({"ansible_facts": {**FACTS, "machine": "x86_64"}}).rules == ["FP143"]


def answer(*series: tuple[dict[str, Any], str]) -> dict[str, Any]:
    rows = [{"metric": labels, "value": [1764082800.1, value]} for labels, value in series]
    return {"status": "success", "data": {"resultType": "vector", "result": rows}}


def metric(name: str, **labels: str) -> dict[str, Any]:
    return {"__name__": name, "instance": "10.0.0.1:9100", **labels}


def test_series_of_one_instance_are_of_its_nodename(imports: Callable[..., Any]) -> None:
    found = imports(
        answer(
            (metric("node_uname_info", release="6.12.48+deb13-arm64", machine="aarch64", nodename="arm-01"), "1"),
            (metric("node_memory_MemTotal_bytes"), "2.70104788992e+11"),
            (metric("node_cpu_vulnerabilities_info", codename="spectre_v2", state="mitigation", mitigation="CSV2, BHB"), "1"),
            (metric("node_cpu_vulnerabilities_info", codename="meltdown", state="not affected", mitigation=""), "1"),
        )
    )
    texts = {"meltdown": "Not affected", "spectre_v2": "Mitigation: CSV2, BHB"}
    assert found.hosts == {"arm-01": {"host": "arm-01", "kernel": "6.12.48+deb13-arm64", "memory": "257592MiB", "vulnerabilities": texts}}


def test_other_architectures_and_other_metrics_are_left_out(imports: Callable[..., Any]) -> None:
    found = imports(answer((metric("node_uname_info", machine="x86_64", nodename="x", release="6.1.1"), "1")), answer((metric("up"), "1")))
    assert not found.hosts
    assert [facts["what"] for facts in found.facts("FP143")] == ["host `x`", "`up` of `10.0.0.1`"]


def test_a_fingerprint_gives_cpu_and_levels(imports: Callable[..., Any]) -> None:
    registers = {0x603000000013C000: 0x413FD0C1, 0x6030000000140001: 1, 0x6030000000140003: 2}
    document = {
        "firecracker_version": "1.16.0-dev",
        "kernel_version": "6.18.20-41.238.amzn2023.aarch64",
        "guest_cpu_config": {"reg_modifiers": [{"addr": hex(key), "bitmap": f"{value:#0130b}"} for key, value in registers.items()]},
    }
    assert imports(("metal", document)).hosts["metal"] == {
        "host": "metal",
        "kernel": "6.18.20-41.238.amzn2023.aarch64",
        "midr": "0x413fd0c1",
        "vmm": "firecracker-1.16.0",
        "workarounds": {"arch_workaround_1": 1, "arch_workaround_3": 2},
    }
