"""Damage, as accidents and attackers do it: to bytes, and to what a YAML or JSON text says."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, MutableSequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import yaml

from tests.output.hostile import SAMPLES

NAMES = (
    *SAMPLES,
    "../../../../etc/passwd",
    "/etc/passwd",
    "..",
    "a/../../b",
    "con:ads|pipe",
    "-rf",
    "--help",
    "$(reboot)`reboot`;reboot",
    "\N{FULLWIDTH EQUALS SIGN}1+1",
    "'=1+1",
    '"; node [x]; "',
    'x"] end subgraph; click n0 "javascript:alert(1)"',
    "</svg><script>alert(1)</script>",
    "{{7*7}}%s%n{0}{x.__class__}",
    "*",
    "!*",
    "?[a]",
    "null",
    "~",
    "e\u0301" * 40,
    "\N{CJK UNIFIED IDEOGRAPH-4E00}" * 120,
    "\N{GRINNING FACE}" * 90,
    "x" * 253,
    "x" * 254,
    "y" * 70_000,
    "\u0130\u0131\ufb03",
    "\x00",
    "\x7f\x80\x9f",
    "\u200d\u2066\u2069\ufeff",
    "[/red][bold]x[/]",
)
"""Text where a name is expected."""

TOKENS = (
    "null", "~", "true", "no", "0", "-0", "-1", "1", "0x0", "0xffffffffffffffff", "0x1ffffffffffffffff", "0o17", "0b1", "1_000", "1e3",
    "1e309", "-1e309", "1.5", ".nan", ".inf", "-.inf", "NaN", "Infinity", "9" * 25, "9" * 5_000, "-" + "9" * 5_000, "4294967296",
    "9223372036854775807", "9223372036854775808", "18446744073709551616", "2026-02-30", "0000-00-00", "9999-12-31", "10000-01-01",
    "2026-11-24T00:00:00Z", "24:00", "-1:00", "1e9999999", "1e9999999 GiB", "1 YiB", "-1 GiB", "0 GiB", "0.0000001 B", "1/0 Gbit/s",
    "99999999999999999999 GiB/s", "1000000 d", "never", "{}", "[]", '""', "[[]]", "{a: {}}", "&a x", "*a", "!!python/object:os.system x",
    "!!binary aGk=", "!!set {a, b}", "<<", "6.18.15", "6", "6.", "6.999999999999.1", "v6.18", "999999999999999999999.1",
    "6.18.15-rc99999999", "qemu-11.1.3", "qemu-", "qemu-99999999999", "firecracker-1.13", "0.0.0", "\u0661\u0662", "1\u00b2", "\uff11",
)  # fmt: skip
"""Text as it is written in the file: numbers, dates, and what YAML does more than it should."""

DICTIONARY = (
    b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"\xc2\x85", b"\xe2\x80\xa8",
    b"\r", b"\t", b"\x1b]0;x\x07", b"\xc2\x9b31m", b"\xe2\x80\xae", b"---\n", b"...\n", b"%YAML 9.9\n---\n", b"%TAG ! x:\n",
    b"? ", b"- ", b": ", b"&a ", b"*a", b"!!x ", b"<<: ", b"|\n", b">9\n", b"#",
    b"'", b'"', b"\\", b'"\\ud800"', b'"\\u0000"', b'"\\x9b"', b"{", b"}", b"[", b"]", b",", b"`",
    b"@",
    b"[" * 200, b"{a: " * 200, b"- " * 200, b"[" * 20_000, b"? " * 3_000, b"9" * 5_000, b"1e400", b"NaN", b"\n" * 1_000, b" " * 3_000,
)  # fmt: skip
"""Bytes that parsers stumble over."""


# --- bytes ---------------------------------------------------------------------------------------------------------------------------


def damaged(data: bytes, random: Random) -> bytes:
    """The bytes after one to four accidents."""
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(data))
        end = min(len(data), start + random.choice((0, 1, 1, 3, 20, 300)))
        middle = random.choice(
            (
                b"",
                random.choice(DICTIONARY),
                random.choice(DICTIONARY),
                data[start:end] * random.choice((2, 2, 50)),
                random.randbytes(random.randint(1, 4)),
                data[random.randint(0, len(data)) :][: random.randint(0, 200)],
            )
        )
        data = data[:start] + middle + (data[end:] if random.random() > 0.03 else b"")
    return data


# --- what the text says --------------------------------------------------------------------------------------------------------------


@dataclass
class Mapping:
    """Pairs in their order; a key may be there twice."""

    pairs: list[list[Any]] = field(default_factory=list)


Tree = Mapping | list[Any] | str
"""A scalar is the text that is written for it, quotes included."""

FLOW = frozenset("[]{},&*#?|-<>=!%@:\"'`\\ \n\t")


def tree_of(text: str) -> Tree:
    """What a sound YAML or JSON text says."""
    return _tree(yaml.compose(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def _tree(node: Any) -> Tree:
    if isinstance(node, yaml.MappingNode):
        return Mapping([[_tree(key), _tree(value)] for key, value in node.value])
    if isinstance(node, yaml.SequenceNode):
        return [_tree(item) for item in node.value]
    plain = node.style in (None, "") and FLOW.isdisjoint(node.value)
    return str(node.value) if plain else quoted(node.value)


def quoted(text: str) -> str:
    """The text in JSON's quotes; lone surrogates as escapes."""
    return json.dumps(text, ensure_ascii=any(0xD800 <= ord(mark) < 0xE000 for mark in text))


def written(tree: Tree) -> str:
    """The tree as flow-style YAML, which is JSON where its keys are quoted."""
    if isinstance(tree, Mapping):
        return "{" + ", ".join(f"{written(key)}: {written(value)}" for key, value in tree.pairs) + "}"
    if isinstance(tree, list):
        return "[" + ", ".join(map(written, tree)) + "]"
    return tree


Slot = tuple[MutableSequence[Any], int]
"""Where a part of a tree stands: the sequence that holds it, and its place there."""


def _slots(tree: Tree) -> Iterator[Slot]:
    holders: list[MutableSequence[Any]] = [*tree.pairs] if isinstance(tree, Mapping) else [tree] if isinstance(tree, list) else []
    for holder in holders:
        for place, part in enumerate(holder):
            yield holder, place
            yield from _slots(part)


def _hostile(random: Random) -> Tree:
    kind = random.random()
    if kind < 0.45:
        return quoted(random.choice(NAMES))
    if kind < 0.9:
        return random.choice(TOKENS)
    deep = random.choice((10, 33, 300))
    return "[" * deep + "]" * deep if random.random() < 0.5 else '{"a": ' * deep + "1" + "}" * deep


def _replace(tree: Tree, slots: list[Slot], random: Random) -> None:
    holder, place = random.choice(slots)
    holder[place] = _hostile(random)


def _swap(tree: Tree, slots: list[Slot], random: Random) -> None:
    """Put one part in the place of another of its kind: what is sound by itself, and wrong where it is."""
    holder, place = random.choice(slots)
    others = [slot for slot in slots if slot[1] == place and type(slot[0][slot[1]]) is type(holder[place])]
    other, there = random.choice(others)
    if holder[place] is not holder and not _holds(other[there], holder):
        holder[place] = other[there]


def _holds(tree: Any, holder: MutableSequence[Any]) -> bool:
    return tree is holder or any(inner is holder for inner, _ in _slots(tree)) if not isinstance(tree, str) else False


def _lose(tree: Tree, slots: list[Slot], random: Random) -> None:
    collections = [part for part in _collections(tree, slots) if part]
    if collections:
        part = random.choice(collections)
        del part[random.randrange(len(part))]


def _again(tree: Tree, slots: list[Slot], random: Random) -> None:
    collections = [part for part in _collections(tree, slots) if part]
    if collections:
        part = random.choice(collections)
        part.insert(random.randint(0, len(part)), random.choice(part))


def _collections(tree: Tree, slots: list[Slot]) -> list[list[Any]]:
    parts = [tree, *(holder[place] for holder, place in slots)]
    return [part.pairs if isinstance(part, Mapping) else part for part in parts if isinstance(part, Mapping | list)]


def _rename(tree: Tree, slots: list[Slot], random: Random) -> None:
    """Give what is written in some place another name, wherever it is written: a hostile name that all agree on."""
    scalars = [holder[place] for holder, place in slots if isinstance(holder[place], str)]
    old, new = random.choice(scalars), quoted(random.choice(NAMES))
    for holder, place in slots:
        if isinstance(holder[place], str) and holder[place].strip('"') == old.strip('"'):
            holder[place] = new


CHANGES: tuple[Callable[[Tree, list[Slot], Random], None], ...] = (_replace, _replace, _swap, _swap, _lose, _again, _rename, _rename)


def changed(text: str, random: Random) -> bytes:
    """The text with one to three changes of what it says."""
    tree = tree_of(text)
    for _ in range(random.randint(1, 3)):
        slots = list(_slots(tree))
        if slots:
            random.choice(CHANGES)(tree, slots, random)
    return written(tree).encode(errors="surrogatepass")


STRUCTURED = re.compile(rb"[{:]")


def mutated(seed: bytes, random: Random) -> bytes:
    """A seed, damaged in one of the two ways or in both."""
    try:
        data = changed(seed.decode(), random) if STRUCTURED.search(seed) and random.random() < 0.75 else seed
    except (UnicodeDecodeError, yaml.YAMLError, ValueError, RecursionError, AttributeError):
        data = seed
    return damaged(data, random) if data is seed or random.random() < 0.1 else data
