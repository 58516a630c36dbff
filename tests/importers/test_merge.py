"""Several sources about one thing: who is the same, who knows better, what nobody says."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

from fleetplan.importers.run import run
from fleetplan.importers.source import Source

CAPABILITIES = """<capabilities><host><topology><cells><cell><memory unit='GiB'>256</memory><cpus num='80'/></cell></cells>
</topology></host></capabilities>"""


def probe(host: str, **keys: Any) -> dict[str, Any]:
    return {"host": host, **keys, "probe": {}}


def test_two_sources_of_one_host_make_one_fact(imports: Callable[..., Any]) -> None:
    found = imports(probe("a", kernel="6.12.1"), ("a", CAPABILITIES))
    assert found.hosts == {"a": {"host": "a", "kernel": "6.12.1", "memory": "262144MiB", "vcpus": 80}}


def test_the_same_value_in_other_words_is_no_conflict(imports: Callable[..., Any]) -> None:
    found = imports(probe("a", memory="256GiB"), ("a", CAPABILITIES), probe("a", memory="262144MiB"))
    assert found.rules == []


def test_sources_that_disagree_are_both_named_and_the_key_is_unknown(imports: Callable[..., Any]) -> None:
    found = imports(probe("a", kernel="6.12.1", vmm="qemu-10.0.2"), probe("a", kernel="6.18.15"))
    assert found.hosts == {"a": {"host": "a", "vmm": "qemu-10.0.2"}}
    (facts,) = found.facts("FP141")
    assert facts == {
        "what": "host `a`", "key": "kernel", "one": "6.12.1", "other": "6.18.15", "first": "source-1", "second": "source-2",
    }  # fmt: skip
    assert ("kernel", ("a",)) in {(row.key, row.names) for row in found.outcome.imported.missing}


def test_texts_of_vulnerabilities_are_merged_one_by_one(imports: Callable[..., Any]) -> None:
    one = probe("a", vulnerabilities={"spectre_v2": "Mitigation: CSV2", "meltdown": "Not affected"})
    found = imports(one, probe("a", vulnerabilities={"spectre_v2": "Vulnerable", "mds": "Not affected"}))
    assert found.hosts["a"]["vulnerabilities"] == {"mds": "Not affected", "meltdown": "Not affected"}
    assert [facts["key"] for facts in found.facts("FP141")] == ["vulnerabilities.spectre_v2"]


def test_names_that_may_be_of_one_host_are_told_and_can_be_cut_short(imports: Callable[..., Any]) -> None:
    documents = (probe("a", kernel="6.12.1"), probe("a.example.com", vmm="qemu-10.0.2"))
    assert imports(*documents).rules == ["FP144"]
    found = imports(*documents, short_names=True)
    assert (found.rules, list(found.hosts)) == ([], ["a"])


def test_two_guests_of_one_name_are_told_apart_by_their_uuid(imports: Callable[..., Any]) -> None:
    xml = "<domain id='1'><name>web</name><uuid>{}</uuid><memory>1024</memory><vcpu>1</vcpu></domain>"
    found = imports(("a", xml.format("1111")), ("b", xml.format("2222")))
    assert {facts["key"] for facts in found.facts("FP141")} == {"uuid", "on"}


def test_the_order_of_sources_changes_no_fact() -> None:
    import json

    documents = [probe(host, kernel="6.12.1", vcpus=vcpus) for host in "ba" for vcpus in (1, 1 + (host == "a"))]
    sources = [Source(name=f"{number}", data=json.dumps(document).encode()) for number, document in enumerate(documents)]
    expected = run(sources)
    for order in permutations(sources, len(sources)):
        again = run(order)
        assert (again.lines, again.imported.findings) == (expected.lines, expected.imported.findings)
