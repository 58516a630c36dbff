"""The page that lists every key of an inventory, made from the tables that read them."""

from __future__ import annotations

from collections.abc import Iterator

from fleetplan.inventory import schema

KINDS: tuple[tuple[str, schema.Kind], ...] = (
    ("`target`", schema.TARGET),
    ("a host", schema.HOST),
    ("`workarounds` of a host", schema.WORKAROUNDS),
    ("`read_on` of a host", schema.READ_ON),
    ("a guest", schema.GUEST),
    ("`born` of a guest", schema.BORN),
    ("a group", schema.GROUP),
    ("`policy`", schema.POLICY),
    ("`policy.max_unavailable`", schema.MAX_UNAVAILABLE),
    ("`policy.overcommit`", schema.OVERCOMMIT),
    ("an entry of `policy.gates`", schema.GATE),
    ("an entry of `policy.windows`", schema.WINDOW),
    ("`policy.converge`", schema.CONVERGE),
    ("`policy.on_failure`", schema.ON_FAILURE),
    ("`policy.orchestrators`", schema.ORCHESTRATORS),
    ("`policy.orchestrators.kubevirt`", schema.KUBEVIRT),
    ("`policy.orchestrators.nova`", schema.NOVA),
    ("an entry of `waivers`", schema.WAIVER),
    ("an entry of `releases`", schema.RELEASE),
    ("`defaults`", schema.DEFAULTS),
)

HEAD = """\
# Keys of an inventory

Made from the tables in `fleetplan/inventory/schema.py`; a test keeps it in step.

At the top: `fleetplan: 1`, `target`, `hosts` (all required), `guests`, `groups`, `policy`, `waivers`, `releases`, `defaults`. `hosts`,
`guests` and `groups` map names to records. `like` copies every key of another host or guest (in any order, in chains), then own keys
override, then `defaults` fill what is left. In a folder, `facts/*.jsonl` has one object a line, `{"host": NAME, ...}` or
`{"guest": NAME, ...}`, with the same keys; what people write in `*.yaml` overrides it, and `check` lists each override.

Values are the text that was written: `kernel: 6.10` is 6.10. Sizes are `512GiB` or `4096MiB`, durations `300s` or `5m`, rates `25Gbit` or
`2980MiB` (a second), shares `3` or `5%`. A number without its unit is an error. `null` means not known. Anchors, aliases, tags and merge
keys are refused.
"""


def reference() -> str:
    """The page as Markdown."""
    return HEAD + "".join(_section(title, kind) for title, kind in KINDS)


def _section(title: str, kind: schema.Kind) -> str:
    return f"\n## Keys of {title}\n\n| key | means |\n|---|---|\n" + "".join(_rows(kind))


def _rows(kind: schema.Kind) -> Iterator[str]:
    for name, key in kind.items():
        required = " (required)" if key.required else ""
        yield f"| `{name}`{required} | {key.help} |\n"
