"""fleetplan vcpu: a KVM that one does not have."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click
import msgspec

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, INVENTORY, emit, refusals
from fleetplan.cli.exits import Exit
from fleetplan.output.json_text import harmless


@click.command("vcpu")
@INVENTORY
@click.argument("host")
@click.argument("operations", type=click.Path(path_type=Path))
@AS_OF
@refusals
def command(inventory: Path, host: str, operations: Path, today: date) -> Exit:
    """Replay OPERATIONS, one JSON object a line, on the model of HOST; answers go to stdout, one a line.

    Operations: vm (caps), init (vcpu, features), finalize, list, get (id), set (id, value), run, hvc (function, arg).
    """
    answers = workflow.replay_operations(workflow.study(inventory, today), host, operations)
    emit(b"".join(harmless(msgspec.json.encode(answer)) + b"\n" for answer in answers))
    return Exit.CLEAN
