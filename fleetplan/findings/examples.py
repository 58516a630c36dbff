"""The inventory that examples of rules are part of."""

from __future__ import annotations

import re
from collections.abc import Mapping

SOUND: Mapping[str, str] = {
    "fleetplan": "fleetplan: 1\n",
    "target": "target: {kernel: 6.18.15, vmm: qemu-11.1.3}\n",
    "defaults": """\
defaults:
  host: {kernel: 6.12.117, vmm: qemu-11.1.3, cpu: neoverse-n1, midr: 0x413fd0c1, revidr: 0x0, cmdline: quiet, vcpus: 80, memory: 256GiB}
""",
    "hosts": "hosts:\n  arm-01: {}\n  arm-02: {}\n",
    "guests": "guests:\n  web-1: {on: arm-01, vcpus: 8, memory: 32GiB, born: {kernel: 6.12.117}}\n",
}
"""Section by section; nothing is found in it."""


def whole(part: str) -> str:
    """The inventory of which this is a part: sections that it does not give are those of `SOUND`."""
    given = set(re.findall(r"^(\w+):", part, re.MULTILINE))
    return "".join(text for section, text in SOUND.items() if section not in given) + part
