"""Text as an attacker, or a broken program, would put it into names; and findings that are about it."""

from __future__ import annotations

from hypothesis import strategies as st

from fleetplan.findings.finding import Finding
from fleetplan.fleet.source import Location

SAMPLES = (
    "\x1b[31mred\x1b[0m",
    "\x9b31m",
    "a\u202eb",
    "<script>alert(1)</script>",
    '" onmouseover="x',
    "]]>&amp;<!--",
    "| a | b |",
    "`code` and ``more``",
    "[link](https://example.org) @someone #12 www.example.org",
    "# heading",
    "- item",
    "1. item",
    "---",
    "%0A::error::x",
    "=1+1",
    "\u2028\u2029\x85",
    "a\nb\tc\r",
    "\ud800",
    "$x$ ~~y~~ *z* __w__ \\",
)

hostile = st.one_of(st.sampled_from(SAMPLES), st.text(), st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=3).map(" ".join))


FACTS = ("what", "key", "kind", "name", "suggestion", "assumed", "count", "guest")
"""What the messages of the rules below are filled with."""


@st.composite
def findings(draw: st.DrawFn) -> tuple[Finding, ...]:
    """Findings of three severities whose subject, facts, file and excerpt are hostile."""
    one = st.builds(
        Finding,
        rule=st.sampled_from(("FP106", "FP113", "FP203")),
        subject=hostile,
        at=st.one_of(st.just(Location("")), st.builds(Location, hostile.filter(bool), st.integers(1, 10**6), st.integers(0, 500))),
        facts=st.fixed_dictionaries(dict.fromkeys(FACTS, hostile)),
        excerpt=hostile,
    )
    return tuple(draw(st.lists(one, max_size=4)))
