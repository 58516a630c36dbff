"""fleetplan mechanisms: the ways to keep a guest on old firmware, compared."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click

from fleetplan import workflow
from fleetplan.cli.console import AS_OF, emit, format_option, refusals, show
from fleetplan.cli.exits import Exit


@click.command("mechanisms")
@click.argument("inventory", type=click.Path(path_type=Path), required=False)
@click.option("--revision", type=click.Choice(["1", "2"]), default="1", show_default=True, help="Which step of the firmware is taken.")
@click.option("--carry-features/--no-carry-features", "carries", help="Whether userspace sends feature bits along.  [default: no]")
@click.option(
    "--load",
    type=click.Choice(["A", "B0", "B1", "B1-fixed", "strict"]),
    default="A",
    show_default=True,
    help="How userspace loads a stream: as QEMU up to 10.2 (A), 11.0 (B0) or 11.1 (B1) does, B1 mended, or one by one (strict).",
)
@format_option("text", "json")
@AS_OF
@refusals
def command(inventory: Path | None, revision: str, carries: bool, load: str, form: str, today: date) -> Exit:
    """Compare the ways to keep a guest on old firmware.

    Runs every move between simulated kernels, of which some never were. With INVENTORY: what each way would change for that fleet.
    """
    subject = workflow.study(inventory, today) if inventory is not None else None
    compared, fleet = workflow.compare_mechanisms(subject, revision=int(revision), carries=carries, load=load)
    if form == "json":
        from fleetplan.output.json import mechanisms_json  # noqa: PLC0415 - one of the two is needed

        emit(mechanisms_json(compared, fleet))
    else:
        from fleetplan.output.views.mechanisms import mechanisms_document  # noqa: PLC0415 - as above

        show(mechanisms_document(compared, fleet))
    return Exit.CLEAN
