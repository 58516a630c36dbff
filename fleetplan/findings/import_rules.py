"""FP14x: what can be said of the sources of an import. Rows only; importers report them.

In examples a line is a source, after HOST= where it is that host's.
"""

from __future__ import annotations

from fleetplan.findings.finding import Rule, Severity

UNUSABLE = Rule(
    id="FP140",
    severity=Severity.ERROR,
    title="Source cannot be imported",
    message="cannot import `{path}`: {problem}",
    help="A source that is left out in silence would leave hosts or guests out of the plan. So nothing is written.",
    fix="Have the source printed again, say what it is with `--as`, or leave it out. `fleetplan import --help` lists the kinds.",
    source="docs/import.md",
    example="<!DOCTYPE domain SYSTEM 'other.dtd'><domain/>\n",
    mended='{"host": "arm-01", "kernel": "6.12.117", "probe": {}}\n',
    same_by=("what", "key", "path", "name"),
)
DISAGREE = Rule(
    id="FP141",
    severity=Severity.ERROR,
    title="Sources disagree",
    message="`{key}` of {what} is {one} in {first}, but {other} in {second}; it is left unknown",
    help="Neither source is known to be right, so no guess is written: the key stays unknown. Often one of the two is older.",
    fix="Have the older source printed again, or write the key in a file of your own.",
    source="docs/import.md",
    example=('{"host": "arm-01", "kernel": "6.12.117", "probe": {}}\n{"host": "arm-01", "kernel": "6.18.15", "probe": {}}\n'),
    mended=('{"host": "arm-01", "kernel": "6.18.15", "probe": {}}\n{"host": "arm-01", "kernel": "6.18.15", "probe": {}}\n'),
    same_by=("what", "key", "path", "name"),
)
KNOWN_BETTER = Rule(
    id="FP142",
    severity=Severity.NOTE,
    title="One source knows better than another",
    message="`{key}` of {what} is {one} in {first}; {second} says {other}, and knows it less well",
    help="Sizes are those that an orchestrator gives away; what a host is, its own probe knows best.",
    fix="Nothing, unless the value is wrong; then write the key in a file of your own.",
    source="docs/import.md",
    example=(
        '{"host": "a", "memory": "256GiB", "probe": {}}\n'
        'a=<capabilities><host><topology><cells><cell><memory unit="GiB">255</memory></cell></cells></topology></host></capabilities>\n'
    ),
    mended=(
        '{"host": "a", "memory": "256GiB", "probe": {}}\n'
        'a=<capabilities><host><topology><cells><cell><memory unit="GiB">256</memory></cell></cells></topology></host></capabilities>\n'
    ),
    same_by=("what", "key", "path", "name"),
)
LEFT_OUT = Rule(
    id="FP143",
    severity=Severity.NOTE,
    title="Not imported",
    message="{what} is left out: {problem}",
    help="Only running guests and arm64 hosts that run guests are part of a rollout.",
    fix="Nothing, if that is right.",
    source="docs/import.md",
    example="arm-01=<domain><name>web</name></domain>\n",
    mended="arm-01=<domain id='7'><name>web</name></domain>\n",
    same_by=("what", "key", "path", "name"),
)
NEAR_NAMES = Rule(
    id="FP144",
    severity=Severity.WARNING,
    title="Two names that may be of one host",
    message="hosts `{name}` and `{short}` may be one host",
    help="A host that is imported under two names counts twice, and its guests are spread over both.",
    fix="If they are one host, import with `--short-names`, or name it with NAME=FILE.",
    source="docs/import.md",
    example=('{"host": "arm-01", "kernel": "6.12.117", "probe": {}}\n{"host": "arm-01.example.com", "kernel": "6.12.117", "probe": {}}\n'),
    mended=('{"host": "arm-01", "kernel": "6.12.117", "probe": {}}\n{"host": "arm-02.example.com", "kernel": "6.12.117", "probe": {}}\n'),
    same_by=("what", "key", "path", "name"),
)
IMPORT_RULES: tuple[Rule, ...] = tuple(row for row in list(globals().values()) if isinstance(row, Rule))
"""All rows of this file, in their order."""
