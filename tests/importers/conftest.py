"""Sources in the shapes that tools print, and the import of some of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fleetplan.importers.run import Outcome, run
from fleetplan.importers.source import Source

Facts = dict[str, dict[str, Any]]


class Imports:
    """An import's facts by name, and what it found."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        rows = [json.loads(line) for line in outcome.lines]
        self.hosts: Facts = {row["host"]: row for row in rows if "host" in row}
        self.guests: Facts = {row["guest"]: row for row in rows if "guest" in row}
        self.rules = [finding.rule for finding in outcome.imported.findings]

    def facts(self, rule: str) -> list[dict[str, str]]:
        return [dict(finding.facts) for finding in self.outcome.imported.findings if finding.rule == rule]


@pytest.fixture
def imports() -> Callable[..., Imports]:
    """Imports of documents: text as it stands, all else as JSON; a pair is (host, document)."""

    def call(*documents: Any, kind: str | None = None, short_names: bool = False) -> Imports:
        sources = []
        for number, document in enumerate(documents, 1):
            host, content = document if isinstance(document, tuple) else (None, document)
            data = content if isinstance(content, bytes) else (content if isinstance(content, str) else json.dumps(content)).encode()
            sources.append(Source(name=f"source-{number}", data=data, host=host))
        return Imports(run(sources, kind, short_names=short_names))

    return call
