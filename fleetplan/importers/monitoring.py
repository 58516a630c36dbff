"""What Ansible and Prometheus know of hosts: the facts of the setup module, and answers to queries over node_exporter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fleetplan.importers.source import ARM64, LeftOut, Said, Source, SourceKind, Told, at, mib, text, whole

UNAME = "node_uname_info"
VULNERABILITY = "node_cpu_vulnerabilities_info"
MEMORY = "node_memory_MemTotal_bytes"


def _facts(document: Any) -> dict[str, Any] | None:
    """Facts of one host, without the prefix that keys carry outside of `ansible_facts`."""
    found = at(document, "ansible_facts") if isinstance(at(document, "ansible_facts"), dict) else document
    if not isinstance(found, dict):
        return None
    plain = {key.removeprefix("ansible_"): value for key, value in found.items() if isinstance(key, str)}
    return plain if {"nodename", "kernel"} <= plain.keys() else None


def read_ansible(document: Any, source: Source) -> Iterator[Told]:
    """Kernel, CPUs and memory."""
    facts = _facts(document) or {}
    name, machine = source.host or text(facts.get("nodename")) or "", facts.get("machine", facts.get("architecture"))
    if machine not in ARM64:
        yield LeftOut(f"host `{name}`", f"its CPUs are {machine}")
        return
    keys = {
        "kernel": facts.get("kernel"),
        "vcpus": whole(facts.get("processor_vcpus")),
        "memory": mib(facts.get("memtotal_mb"), 1 << 20),
    }
    yield Said(noun="host", name=name, keys=keys)


def _series(document: Any) -> list[tuple[dict[str, Any], Any]]:
    """Labels and value of every series of an instant vector."""
    rows = at(document, "data", "result")
    found = [(at(row, "metric"), at(row, "value")) for row in rows] if isinstance(rows, list) else []
    return [
        (labels, value[1] if isinstance(value, list) and len(value) == 2 else None) for labels, value in found if isinstance(labels, dict)
    ]


def read_prometheus(document: Any, source: Source) -> Iterator[Told]:
    """Kernel, vulnerabilities and memory. A host is called by its nodename where one answer has it, else by its instance without port."""
    series = _series(document)
    names = {text(labels.get("instance")): text(labels.get("nodename")) for labels, _ in series if labels.get("__name__") == UNAME}
    foreign = {text(labels.get("instance")) or "" for labels, _ in series if labels.get("machine", "aarch64") not in ARM64}
    for labels, value in series:
        instance = text(labels.get("instance")) or ""
        name = source.host or names.get(instance) or instance.rpartition(":")[0] or instance
        if instance in foreign:
            yield LeftOut(f"host `{name}`", "it is no arm64 host")
            continue
        keys = _metric(labels, value)
        yield (
            Said(noun="host", name=name, keys=keys) if keys else LeftOut(f"`{labels.get('__name__')}` of `{name}`", "it is no fact of ours")
        )


def _metric(labels: dict[str, Any], value: Any) -> dict[str, Any]:
    match labels.get("__name__"):
        case "node_uname_info":
            return {"kernel": labels.get("release")}
        case "node_cpu_vulnerabilities_info":
            return {"vulnerabilities": {str(labels.get("codename")): _sysfs(labels)}}
        case "node_memory_MemTotal_bytes":
            return {"memory": mib(_number(value), 1)}
    return {}


def _sysfs(labels: dict[str, Any]) -> str:
    """The text of the sysfs file, which node_exporter takes apart into state and mitigation."""
    state, detail = str(labels.get("state", "")).capitalize(), text(labels.get("mitigation"))
    return f"{state}: {detail}" if detail else state


def _number(value: Any) -> int | None:
    """A sample's text, which may be in scientific notation."""
    try:
        return whole(float(value))
    except (TypeError, ValueError, OverflowError):
        return None


KINDS = (
    SourceKind(
        id="ansible",
        made_by="ansible -m setup --tree FOLDER HOSTS",
        recognises=lambda document: _facts(document) is not None,
        read=read_ansible,
    ),
    SourceKind(
        id="prometheus",
        made_by=f"curl PROMETHEUS/api/v1/query?query={UNAME}",
        recognises=lambda document: at(document, "status") == "success" and isinstance(at(document, "data", "result"), list),
        read=read_prometheus,
    ),
)
