"""fleetplan probe: what a host gives a guest, asked of its own KVM."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from fleetplan import probe

PASSED_ON = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}


@click.command("probe", context_settings=PASSED_ON, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Say what this arm64 host gives a guest (or, with --restore, whether a guest's registers can be set here).

    `--emit-script` prints the probe itself, for `ssh HOST python3 -`; all other options are those of that script.
    """
    if "--emit-script" in arguments:
        sys.stdout.write(Path(probe.__file__).read_text(encoding="utf-8"))
        return 0
    try:
        if {"-h", "--help"} & set(arguments):
            sys.stdout.write("--emit-script prints the probe itself, for `ssh HOST python3 -`; the options of the probe are:\n\n")
        return probe.main(arguments)
    except SystemExit as done:  # argparse has printed its help, or what is wrong with the call
        return int(done.code or 0)
