"""What is fed with damaged input, and what must hold whatever that input is.

Commands run in this process, each with a limit of processor time. Nothing may be an error of ours (exit code 70), take too long or too
much memory, print what a terminal obeys, or print JSON or XML that cannot be read.
"""

from __future__ import annotations

import io
import json
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch
from xml.etree import ElementTree as ET

from fleetplan.cli import run
from fleetplan.cli.exits import Exit
from fleetplan.inventory import planfile
from fleetplan.output.findings_formats import FORMATS
from fleetplan.output.printable import printable
from fleetplan.output.runbooks.formats import EXPORTS
from tests.fuzzing.mutations import mutated

ROOT = Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "data" / "corpus"
INVENTORIES = ROOT / "inventories"
MOST_SECONDS = 20
"""Of processor time for one command: on a slow and busy machine, with inventories of some ten guests."""
AS_OF = ("--as-of", "2026-11-24")


class TooSlowError(BaseException):
    """A command had more than its share of the processor. No `Exception`, so that nobody takes it for something foreseen."""


@dataclass(frozen=True)
class Ran:
    """What a command did."""

    code: int
    out: bytes
    err: str


@contextmanager
def _limited(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlowError

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def limit_memory(mib: int) -> None:
    """Let this process have no more memory than that: what wants more gets a MemoryError, which is exit code 70."""
    resource.setrlimit(resource.RLIMIT_AS, (mib << 20, resource.RLIM_INFINITY))


def ran(arguments: Sequence[str], stdin: bytes = b"") -> Ran:
    """Run one command here."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="strict", write_through=True)
    err, source = io.StringIO(), io.TextIOWrapper(io.BytesIO(stdin))
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "stdin", source), _limited(MOST_SECONDS):
        code = run(list(arguments))
    return Ran(code, out.buffer.getvalue(), err.getvalue())  # type: ignore[attr-defined] # a BytesIO, as made above


# --- what must hold ------------------------------------------------------------------------------------------------------------------


def _form(arguments: Sequence[str]) -> str:
    return arguments[arguments.index("--format") + 1] if "--format" in arguments else "text"


def _obeyed(text: str) -> str:
    """The marks that a terminal would obey, written out."""
    return printable("".join(sorted(mark for mark in set(text) - {"\n"} if printable(mark) != mark)))


def faults(arguments: Sequence[str], stdin: bytes = b"") -> list[str]:
    """Run one command, and say what is wrong with what it did."""
    try:
        done = ran(arguments, stdin)
    except TooSlowError:
        return [f"more than {MOST_SECONDS} s of processor time"]
    if done.code == Exit.BUG or done.code not in set(Exit):
        return [f"exit code {done.code}\n{done.err[-6000:]}"]
    found = [f"this is obeyed on stderr: {_obeyed(done.err)}"] if _obeyed(done.err) else []
    try:
        text = done.out.decode()
        if text:
            found += _ill(_form(arguments), text)
    except UnicodeDecodeError as problem:
        found.append(f"stdout is not UTF-8: {problem}")
    return found


def _ill(form: str, text: str) -> Iterator[str]:
    """What is wrong with an output. (What markup may hold is held to in tests/output, format by format.)"""
    if _obeyed(text):
        yield f"this is obeyed on stdout: {_obeyed(text)}"
    try:
        if form in {"json", "sarif"}:
            json.loads(text, parse_constant=_no_constant)
        elif form in {"junit", "svg"}:
            ET.fromstring(text)  # noqa: S314 - made by us
    except (ValueError, ET.ParseError) as problem:
        yield f"this is no {form}: {problem}"
    if form in {"html", "svg", "markdown"} and "<script>alert" in text:
        yield "a script got through"


def _no_constant(name: str) -> None:
    told = f"{name} is not JSON"
    raise ValueError(told)


# --- what is fed ---------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """A kind of input: sound examples of it, how it is laid out in a folder, and the commands that read it."""

    name: str
    seeds: Callable[[], list[bytes]]
    commands: Callable[[Path, bytes], list[tuple[Sequence[str], bytes]]]


def _inventory_seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted(INVENTORIES.glob("*.yaml")) if path.stat().st_size < 10_000]


def _on_fleet(inventory: Path) -> list[tuple[Sequence[str], bytes]]:
    formats = [form for form in ("json", *FORMATS) if form != "json"]
    checks = [("check", str(inventory), "--format", form, *AS_OF) for form in ("text", "json", *formats)]
    others = [
        ("plan", str(inventory), "--format", "json"),
        ("audit", str(inventory), "--format", "csv", *AS_OF),
        ("registers", str(inventory)),
        ("mechanisms", str(inventory), "--format", "json"),
        ("graph", "states", str(inventory), "--format", "mermaid"),
        ("graph", "hosts", str(inventory), "--format", "dot"),
        ("verdict", str(inventory), "--matrix"),
    ]
    return [(command, b"") for command in [*checks, *others]]


def _inventory(folder: Path, data: bytes) -> list[tuple[Sequence[str], bytes]]:
    path = folder / "inventory.yaml"
    path.write_bytes(data)
    return _on_fleet(path)


def _facts_seeds() -> list[bytes]:
    """Some hosts with the guests that are on them."""
    facts = INVENTORIES / "three-zones" / "facts"
    hosts = (facts / "hosts.jsonl").read_bytes().splitlines()
    guests = (facts / "guests.jsonl").read_bytes().splitlines()
    return [_with_guests(hosts[first : first + 6], guests) for first in (0, 20)]


def _with_guests(hosts: list[bytes], guests: list[bytes]) -> bytes:
    names = {json.loads(line)["host"] for line in hosts}
    return b"\n".join([*hosts, *(line for line in guests if json.loads(line)["on"] in names)][:60]) + b"\n"


def _facts(folder: Path, data: bytes) -> list[tuple[Sequence[str], bytes]]:
    """A folder whose facts are damaged. What the fast reader of lines makes of them is held to the exact one in tests/inventory."""
    (folder / "facts").mkdir(exist_ok=True)
    for path in (INVENTORIES / "three-zones").glob("*.yaml"):
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "facts" / "some.jsonl").write_bytes(data)
    return _on_fleet(folder)


PLANNED = "half-upgraded"


def _plan_seeds() -> list[bytes]:
    golden = (ROOT / "tests" / "golden" / PLANNED / "plan.json").read_text()
    plan, _ = json.JSONDecoder().raw_decode(golden, golden.index("{"))
    return [json.dumps(plan, separators=(",", ":")).encode()]


def _plan(folder: Path, data: bytes) -> list[tuple[Sequence[str], bytes]]:
    path, inventory = folder / "plan.json", str(INVENTORIES / f"{PLANNED}.yaml")
    path.write_bytes(data)
    plan = str(path)
    commands: list[Sequence[str]] = [
        ("verify", inventory, plan),
        ("verify", inventory, plan, "--format", "json"),
        ("next", inventory, plan),
        ("next", inventory, plan, "--format", "json"),
        ("explain", inventory, "--plan", plan, "new-24"),
        ("explain", inventory, "--plan", plan, "n1-03", "--format", "json"),
        ("audit", inventory, "--plan", plan, "--at", "end", *AS_OF),
        ("audit", inventory, "--plan", plan, "--format", "svg", *AS_OF),
        ("plan", inventory, "--previous", plan, "--state-after", "1"),
    ]
    return [(command, b"") for command in commands]


def _export(folder: Path, data: bytes) -> list[tuple[Sequence[str], bytes]]:
    path = folder / "plan.json"
    path.write_bytes(data)
    return [(("export", str(path), "--to", form), b"") for form in EXPORTS]


def _beside_seeds() -> list[bytes]:
    """Waivers, and a baseline."""
    waiver = b"waivers:\n- {rule: FP203, scope: ['new-*'], reason: known, owner: ops, expires: 2099-01-01}\n"
    return [waiver, b'{"version": 1, "findings": [{"rule": "FP203", "names": ["new-24"], "fingerprint": "0123456789abcdef"}]}\n']


def _beside(folder: Path, data: bytes) -> list[tuple[Sequence[str], bytes]]:
    path, inventory = folder / "file", str(INVENTORIES / f"{PLANNED}.yaml")
    path.write_bytes(data)
    options = [(option, form) for option in ("--waivers", "--baseline") for form in ("text", "json")]
    return [(("check", inventory, option, str(path), "--format", form, *AS_OF), b"") for option, form in options]


def _large_plan(folder: Path, data: bytes) -> list[tuple[Sequence[str], bytes]]:
    return _plan(folder, data)[:1]


def _message_seeds() -> list[bytes]:
    found = json.loads((ROOT / "tests" / "data" / "migrations.json").read_bytes())
    texts = {text for text in _texts(found) if " " in text and len(text) > 30}
    return [b"Could not set register fw reg 0 to 10003 (is 10001)", *(text.encode() for text in sorted(texts)[:40])]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def _message(_folder: Path, data: bytes) -> list[tuple[Sequence[str], bytes]]:
    word = os.fsdecode(data.replace(b"\x00", b" ")[:100_000])
    small = str(INVENTORIES / "small.yaml")
    return [
        (("explain", "-"), data),
        (("explain", "-", "--format", "json"), data),
        (("explain", small, "-"), data),
        (("explain", "--", word), b""),
        (("explain", "--format", "json", "--", word), b""),
        (("explain", "--format", "json", "--", small, word), b""),
        (("verdict", small, "--", word, word), b""),
    ]


def _path(folder: Path, data: bytes) -> list[tuple[Sequence[str], bytes]]:
    """Names of files, and what is written on the command line."""
    word = os.fsdecode(data.replace(b"\x00", b" "))[:300]
    small, file = str(INVENTORIES / "small.yaml"), f"{folder}/{word}"
    checks: list[Sequence[str]] = [("check", file, "--format", form) for form in ("text", "json", *(set(FORMATS) - {"json"}))]
    return [
        (command, b"")
        for command in (
            *checks,
            ("verify", small, file, "--format", "json"),
            ("plan", small, f"--target={word}"),
            ("check", small, f"--fail-on={word}"),
            ("check", small, f"--as-of={word}"),
            ("plan", small, "-o", file),
            ("check", small, f"--{word}"),
            ("--", word),
        )
    ]


TARGETS: Mapping[str, Target] = {
    target.name: target
    for target in (
        Target("inventory", _inventory_seeds, _inventory),
        Target("facts", _facts_seeds, _facts),
        Target("plan", _plan_seeds, _plan),
        Target("large-plan", _plan_seeds, _large_plan),
        Target("export", _plan_seeds, _export),
        Target("beside", _beside_seeds, _beside),
        Target("message", _message_seeds, _message),
        Target("path", lambda: [b"inventory.yaml", b"6.18.15,qemu-11.1.3"], _path),
    )
}


def examined(target: Target, folder: Path, data: bytes, most: int = 99, random: Random | None = None) -> list[str]:
    """What is wrong with what the commands of the target do with this input; `most`: of them, picked by `random`."""
    commands = target.commands(folder, data)
    if random is not None and len(commands) > most:
        commands = random.sample(commands, most)
    large = 1 if target.name == "large-plan" else planfile.LARGE
    with patch.object(planfile, "LARGE", large):
        return [f"{' '.join(map(ascii, arguments))}: {fault}" for arguments, stdin in commands for fault in faults(arguments, stdin)]


def fresh(target: Target, random: Random, corpus: Sequence[bytes] = ()) -> bytes:
    """A new input for the target."""
    return mutated(random.choice([*target.seeds(), *corpus]), random)
