"""Everything from outside is hostile: entities, sizes, depths, encodings, names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fleetplan.importers import source

BILLION = "<!DOCTYPE d [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><domain id='1'><name>&b;</name></domain>"
EXTERNAL = "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain id='1'><name>&x;</name></domain>"
SUBSET = "<!DOCTYPE domain SYSTEM 'http://127.0.0.1/x.dtd'><domain/>"
DOMAIN = "<domain id='1'><name>{}</name><memory>1</memory><vcpu>1</vcpu></domain>"


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (BILLION, "document type"),
        (EXTERNAL, "document type"),
        (SUBSET, "document type"),
        ("<domain>" * 100 + "</domain>" * 100, "levels"),
        ("<domain>&undefined;</domain>", "no XML"),
        ("<domain>", "no XML"),
        ("<?xml version='1.0' encoding='UTF-16'?><domain id='1'><name>\N{SNOWMAN}</domain>", "no XML"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b'{"host": "\x00"}', "control character"),
        (b"", "nothing in it"),
        (b"   \n", "nothing in it"),
        ("[" * 100_000, "too deeply"),
        ("{", "no JSON"),
        ("{}\n{", "no JSON"),
        ("[1, 2]", "none of the kinds"),
        ("{}", "none of the kinds"),
        ("<html/>", "none of the kinds"),
        ("Lorem ipsum", "none of the kinds"),
    ],
)
def test_a_bad_source_is_refused_with_its_reason(imports: Callable[..., Any], document: str | bytes, problem: str) -> None:
    found = imports(document)
    assert problem in found.facts("FP140")[0]["problem"]
    assert not found.outcome.lines


def test_a_source_that_is_too_large_is_not_read(imports: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "LARGEST", 10)
    assert "larger" in imports("{}         ").facts("FP140")[0]["problem"]


@pytest.mark.parametrize("name", ["", "a" * 300, "a&#xA;b", "a&#x202E;b", " a"])
def test_a_bad_name_is_refused_as_the_loader_does(imports: Callable[..., Any], name: str) -> None:
    found = imports(("h", DOMAIN.format(name)))
    assert ("FP120" in found.rules) == (name != " a")


@pytest.mark.parametrize("value", [[], {}, 1e300, True, "x", -1, {"a": []}, [[[]]], None])
@pytest.mark.parametrize("key", ["kernel", "vcpus", "memory", "midr", "vulnerabilities", "registers", "masks", "probe", "hugepages"])
def test_a_value_of_another_type_is_a_finding_and_no_crash(imports: Callable[..., Any], key: str, value: Any) -> None:
    probe = {"host": "a", "kernel": "6.12.1", "probe": {"hugepages": value, "running": value}, key: value}
    assert imports(probe).outcome is not None


def test_all_bad_sources_are_told_at_once(imports: Callable[..., Any]) -> None:
    assert imports("{", BILLION, b"").rules == ["FP140"] * 3


def test_the_kind_that_was_said_is_held_to(imports: Callable[..., Any]) -> None:
    found = imports("<domain/>", kind="kubernetes")
    assert "kubectl" in found.facts("FP140")[0]["problem"]
