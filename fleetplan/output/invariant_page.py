"""The page that lists the invariants of a plan, made from their rows."""

from __future__ import annotations

from fleetplan.rollout.invariant_rows import INVARIANTS
from fleetplan.rollout.invariants import Invariant

HEAD = """\
# Invariants of a plan

Made from the rows in `fleetplan/rollout/invariant_rows.py`; a test keeps it in step.

Every plan keeps all of these. The judge checks each, apart from the planner, before a plan is shown and whenever one is read from a file.
*Static* ones are about the plan as a document, *continuous* ones hold at every instant, *final* ones when the last step has ended.
`fleetplan explain NAME` shows one of them.
"""


def page() -> str:
    """The page as Markdown."""
    return HEAD + "".join(map(_section, INVARIANTS))


def _section(row: Invariant) -> str:
    paragraphs = (f"## `{row.id}`", f"*{row.when.value.capitalize()}*, for each {row.scope}. {row.law}", row.help)
    return "".join(f"\n{paragraph}\n" for paragraph in (*paragraphs, f"Decided by: {row.decided_by}."))
