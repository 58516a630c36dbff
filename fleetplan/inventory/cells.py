"""A folder of cells: an inventory for each, and at the top `cells.yaml` with the budgets that span them."""

from __future__ import annotations

from pathlib import Path

import yaml

from fleetplan.findings import inventory_rules as rules
from fleetplan.findings.finding import Finding, Rule
from fleetplan.fleet.policy import MaxUnavailable
from fleetplan.fleet.source import Location
from fleetplan.inventory import schema
from fleetplan.inventory.draft import Draft, location
from fleetplan.inventory.events import Events, Mark
from fleetplan.inventory.load import PEOPLES, read_text, with_excerpts
from fleetplan.inventory.values import BAD, Place

TOP = "cells.yaml"


def is_folder_of_cells(path: Path) -> bool:
    """Whether a folder has the file that makes it one of cells."""
    return (path / TOP).is_file()


def cells_in(path: Path) -> tuple[Path, ...]:
    """The inventories of its cells, in the order of their names: subfolders, and files beside `cells.yaml`. Raises OSError."""
    there = sorted(each for each in path.iterdir() if not each.name.startswith(".") and each.name != TOP)
    return tuple(each for each in there if each.is_dir() or each.suffix in PEOPLES)


def read_budget(folder: Path) -> MaxUnavailable | tuple[Finding, ...]:
    """The limits that span the cells of a folder, or what is wrong with them."""
    draft, file = Draft(), folder / TOP
    found: list[MaxUnavailable] = []

    def report(rule: Rule, mark: Mark, **facts: str) -> None:
        draft.report(rule, str(file), location(str(file), mark), **facts)

    def read(data: bytes) -> None:
        events = Events(data, report)
        try:
            root = events.document()
            if root is None:
                draft.report(rules.EMPTY, str(file), Location(str(file)), path=str(file))
                return
            section = schema.section(schema.CELLS, events.node(root), Place(f"`{TOP}`", "", report))
            events.end()
            if section is not BAD:
                found.append(section["max_unavailable"])
        except yaml.YAMLError as problem:
            mark = getattr(problem, "problem_mark", None)
            at = location(str(file), mark) if mark is not None else Location(str(file))
            draft.report(rules.SYNTAX, str(file), at, problem=str(getattr(problem, "problem", None) or "this is not YAML"))

    read_text(file, draft, read)
    if draft.findings or not found:
        return with_excerpts(sorted(draft.findings, key=Finding.sort_key))
    return found[0]
