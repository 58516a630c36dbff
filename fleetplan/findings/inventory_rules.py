"""FP1xx: what can be wrong with the form of an inventory or a plan file. Rows only; the loader reports them."""

from __future__ import annotations

from fleetplan.findings.finding import Rule, Severity

TOLD = ("what", "key", "name", "found", "path", "problem")
"""Facts that tell errors of one rule apart; each rule has some of them."""


def _error(number: int, title: str, message: str, why: str, fix: str, example: str, mended: str) -> Rule:
    return Rule(
        id=f"FP{number}",
        severity=Severity.ERROR,
        title=title,
        message=message,
        help=why,
        fix=fix,
        source="docs/inventory.md",
        example=example,
        mended=mended,
        same_by=TOLD,
        firm=True,
    )


UNREADABLE = _error(
    101,
    "File cannot be read",
    "cannot read `{path}`: {problem}",
    "An inventory is a YAML or JSON file, or a folder of such files with machine-owned facts below `facts/`.",
    "Check the path and its permissions.",
    "$ fleetplan check no-such-file.yaml\n",
    "$ cp sound.yaml fleet.yaml\n$ fleetplan check fleet.yaml\n",
)
EMPTY = _error(
    102,
    "Nothing in it",
    "`{path}` has no content",
    "An empty file is more often a failed write than an empty fleet, so it is not taken for one.",
    "Write at least `fleetplan`, `target` and `hosts`; `fleetplan: 1` comes first.",
    "# nothing yet\n",
    "fleetplan: 1\n",
)
NOT_TEXT = _error(
    103,
    "Not UTF-8 text",
    "{problem}",
    "Inventories are UTF-8 text without control characters. Other bytes are a sign of a damaged file.",
    "Save the file as UTF-8, without NUL bytes or control characters.",
    "$ cp sound.yaml fleet.yaml\n$ printf '\\xff' >> fleet.yaml\n$ fleetplan check fleet.yaml\n",
    "$ cp sound.yaml fleet.yaml\n$ fleetplan check fleet.yaml\n",
)
SYNTAX = _error(
    104,
    "Not YAML",
    "{problem}",
    "The file cannot be read beyond this place; what comes after it is not checked.",
    "Mend the syntax here. Indentation is by blanks, never by tabs.",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB\n",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}\n",
)
WRONG_TYPE = _error(
    105,
    "Wrong type",
    "{what} must be {expected}, not {found}",
    "Every key has one type. Quoted numbers are text.",
    "Write {expected}.",
    "guests:\n  web-1: {on: arm-01, vcpus: '8', memory: 32GiB}\n",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}\n",
)
UNKNOWN_KEY = _error(
    106,
    "Unknown key",
    "{what} has an unknown key `{key}`",
    "Unknown keys are errors, because a misspelt limit would otherwise be no limit at all.",
    "Correct the key, or remove it.",
    "policy: {max_unavailabel: {fleet: 1}}\n",
    "policy: {max_unavailable: {fleet: 1}}\n",
)
DUPLICATE_KEY = _error(
    107,
    "Given twice",
    "{what} is given twice; first at {first}",
    "The same host or key twice means that one of the two is lost, and nobody can say which was meant.",
    "Keep one of the two.",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}\n  web-1: {on: arm-02, vcpus: 8, memory: 32GiB}\n",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}\n  web-2: {on: arm-02, vcpus: 8, memory: 32GiB}\n",
)
MISSING_KEY = _error(
    108,
    "Missing key",
    "{what} has no `{key}`",
    "This key has no default, because none would be safe.",
    "Add `{key}`, here, through `like`, or under `defaults`.",
    "guests:\n  web-1: {on: arm-01, vcpus: 8}\n",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}\n",
)
NO_VALUE = _error(
    109,
    "No value",
    "{what} has no value",
    "A key without a value is more often forgotten than meant.",
    "Write a value, or `null` for `not known`.",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: }\n",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}\n",
)
IMPOSSIBLE = _error(
    110,
    "Impossible value",
    "{what} is {found}: {limit}",
    "No host, guest or policy can be like this.",
    "Correct the value.",
    "guests:\n  web-1: {on: arm-01, vcpus: 0, memory: 32GiB}\n",
    "guests:\n  web-1: {on: arm-01, vcpus: 1, memory: 32GiB}\n",
)
BAD_QUANTITY = _error(
    111,
    "Number without its unit, or a unit that is not known",
    "{what} is `{found}`: write {expected}",
    "Units are always written, so that nobody has to guess whether 512 are MiB or GiB.",
    "Write {expected}.",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32}\n",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}\n",
)
UNKNOWN_WORD = _error(
    112,
    "Unknown word",
    "{what} is `{found}`, but must be one of {expected}",
    "Only these words mean something here.",
    "Use one of {expected}.",
    "groups: {web: {apart: room}}\n",
    "groups: {web: {apart: rack}}\n",
)
DANGLING = _error(
    113,
    "Name of nothing",
    "{what} names {kind} `{name}`, which does not exist",
    "A rule about a thing that does not exist does nothing, and nobody notices.",
    "Correct the name, or add the {kind}.",
    "guests:\n  web-1: {on: arm-10, vcpus: 8, memory: 32GiB}\n",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}\n",
)
LIKE_CYCLE = _error(
    114,
    "`like` in a circle",
    "{what} is like itself: {chain}",
    "`like` copies the keys of another host; in a circle there is nothing to copy.",
    "Write the keys out at one of them.",
    "hosts:\n  arm-01: {like: arm-02}\n  arm-02: {like: arm-01}\n",
    "hosts:\n  arm-01: {}\n  arm-02: {like: arm-01}\n",
)
ALIAS = _error(
    115,
    "Anchors and aliases are refused",
    "{found} is not allowed",
    "A few lines of aliases can stand for billions of values, so none are read.",
    "Use `like: NAME` to copy another host or guest, and `defaults` for what all have in common.",
    "groups:\n  web: &apart {apart: rack}\n  db: *apart\n",
    "groups:\n  web: {apart: rack}\n  db: {apart: rack}\n",
)
TAG = _error(
    116,
    "Tags are refused",
    "the tag `{found}` is not allowed",
    "Tags change how a value is read. Here the key alone decides that.",
    "Remove the tag.",
    "policy: {reserve: !share 5%}\n",
    "policy: {reserve: 5%}\n",
)
DOCUMENTS = _error(
    117,
    "Several documents",
    "a second document begins here",
    "One file is one inventory; what follows `---` would be read by nobody.",
    "Split the file, and put the parts into a folder.",
    "policy: {reserve: 5%}\n---\nguests: {}\n",
    "policy: {reserve: 5%}\nguests: {}\n",
)
TOO_DEEP = _error(
    118,
    "Nested too deeply",
    "nested more than {limit} levels deep",
    "No inventory needs it, and reading it costs memory without end.",
    "Flatten the value.",
    f"policy: {{gates: {'[' * 40}1{']' * 40}}}\n",
    "policy: {gates: [{after: 1}]}\n",
)
TOO_LONG = _error(
    119,
    "Text too long",
    "a text of {length} characters; at most {limit} are read",
    "No name or value is that long.",
    "Shorten it.",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, machine: virt…}\n",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, machine: virt-10.0}\n",
)
BAD_NAME = _error(
    120,
    "Not a name",
    "`{name}` is no name: {problem}",
    "Names stand in plans, scripts and reports. They are printable text without blanks at the ends, at most 253 characters.",
    "Choose another name.",
    "guests:\n  ' web-1': {on: arm-01, vcpus: 8, memory: 32GiB}\n",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB}\n",
)
BAD_KERNEL = _error(
    121,
    "Not a kernel release",
    "{what} is `{found}`: {problem}",
    "What a host offers follows from its kernel release, as `uname -r` prints it.",
    "Write the release as `uname -r` prints it, such as 6.12.48+deb13-arm64.",
    "target: {kernel: newest, vmm: qemu-11.1.3}\n",
    "target: {kernel: 6.18.15, vmm: qemu-11.1.3}\n",
)
BAD_VMM = _error(
    122,
    "Not a VMM",
    "{what} is `{found}`: {problem}",
    "How a guest is saved and loaded follows from the VMM and its version.",
    "Write the VMM with its version, such as qemu-10.0.13.",
    "target: {kernel: 6.18.15, vmm: newest}\n",
    "target: {kernel: 6.18.15, vmm: qemu-11.1.3}\n",
)
NO_INVENTORY = _error(
    123,
    "Folder without an inventory",
    "`{path}` has no inventory: no `*.yaml` and no `*.json`",
    "A folder needs one file written by people at least, which says what the target is.",
    "Give the path of an inventory, or add one to the folder.",
    "$ mkdir fleet\n$ fleetplan check fleet\n",
    "$ mkdir fleet\n$ cp sound.yaml fleet/fleet.yaml\n$ fleetplan check fleet\n",
)
BAD_VERSION = _error(
    124,
    "Unknown version of the format",
    "`fleetplan` is `{found}`, but this fleetplan reads version 1",
    "The first key says which version of the format a file is written in.",
    "Write `fleetplan: 1`.",
    "fleetplan: 2\n",
    "fleetplan: 1\n",
)
BAD_FACT = _error(
    125,
    "Not a fact",
    "a line of facts must name one host or one guest",
    "Each line of `facts/*.jsonl` is one object with `host` or `guest`, and the keys of that host or guest.",
    "Have the facts written again by `import` or `probe`.",
    '# facts/hosts.jsonl\n{"vcpus": 80}\n',
    '# facts/hosts.jsonl\n{"host": "arm-03", "vcpus": 80}\n',
)
NOT_A_PLAN = _error(
    126,
    "Not a plan",
    "`{path}` is no plan: {problem}",
    "A plan is the JSON that `fleetplan plan -o FILE` writes. A truncated or edited one is not guessed at.",
    "Make the plan again.",
    '{"version": 1}\n',
    "$ fleetplan plan sound.yaml -o plan.json\n",
)
BAD_PSCI = _error(
    127,
    "Not a PSCI version",
    "{what} is `{found}`: write a version such as 1.0",
    "PSCI versions are 0.1, 0.2, 1.0, 1.1, 1.2 and 1.3.",
    "Write one of these versions.",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, psci_max: 1}\n",
    "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, psci_max: 1.0}\n",
)
BAD_OPERATION = _error(
    128,
    "Not an operation",
    "{problem}",
    "Each line is one operation on the model of a host; a line that is none may stand for an ioctl that was meant to matter.",
    "Write one JSON object a line, such as an `op` of get with `vcpu` and `id`.",
    '{"op": "get", "vcpu": 0}\n',
    '{"op": "list", "vcpu": 0}\n',
)
NOT_A_BASELINE = _error(
    129,
    "Not a baseline",
    "`{path}` is no baseline: {problem}",
    "A baseline is the file that `fleetplan check --write-baseline FILE` writes. A damaged one would hide what is new, or show all.",
    "Write it anew.",
    "{}\n",
    '{"version": 1, "findings": []}\n',
)
OVERRIDE = Rule(
    id="FP130",
    severity=Severity.NOTE,
    title="A fact is overridden",
    message="`{key}` of {what} overrides the fact at {first}",
    help="What people write is stronger than what a probe or an import found. Each such place is listed, so that none is forgotten.",
    fix="Remove the key once the fact is right.",
    source="docs/inventory.md",
    example="""\
hosts:
  arm-03: {vcpus: 64}
# facts/hosts.jsonl
{"host": "arm-03", "vcpus": 80}
""",
    mended="""\
hosts:
  arm-03: {zone: a}
# facts/hosts.jsonl
{"host": "arm-03", "vcpus": 80}
""",
    same_by=("what", "key"),
)

INVENTORY_RULES: tuple[Rule, ...] = tuple(row for row in list(globals().values()) if isinstance(row, Rule))
"""All rows of this file, in their order."""
