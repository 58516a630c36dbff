"""The group of all verbs; a verb's module is imported when the verb is called."""

from __future__ import annotations

from importlib import import_module
from keyword import iskeyword

import click

from fleetplan import __version__

VERBS = {
    "audit": "Say which guests are exposed, now and after each wave of a plan.",
    "check": "Say what is wrong, missing or assumed in an inventory.",
    "diff": "Say what of two plans or inventories differs, and needs a new approval.",
    "explain": "Explain a guest, a message that a VMM printed, or a rule.",
    "export": "Write a plan as a runbook, a script, manifests, a table or a drawing.",
    "graph": "Show the state graph, the host graph or the step graph.",
    "import": "Make facts of what probes, virsh, kubectl, OpenStack, Ansible or Prometheus print.",
    "mechanisms": "Compare the ways to keep a guest on old firmware.",
    "next": "Make the next wave of an approved plan, from the state that is.",
    "plan": "Make a plan for the rollout, judged before it is shown.",
    "probe": "Ask this host's own KVM what it gives a guest.",
    "registers": "Show the firmware registers that hosts give a guest.",
    "simulate": "Roll a plan forward, with moves and hosts that fail and guests that come and go.",
    "tui": "Look at fleet, plan and risks in a terminal.",
    "status": "Say where the rollout of a plan stands, and whether the rest is still safe.",
    "vcpu": "Replay register operations on the model of a host.",
    "verdict": "Judge one migration (this guest to that host), or all there are.",
    "verify": "Judge a plan file against an inventory.",
}
"""Verb -> one line of help. The command is `command` in the module of the verb's name (`import_`: a keyword names no module)."""


class Verbs(click.Group):
    """Finds commands by `VERBS`, so that one verb does not pay for the imports of another."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All verbs in alphabetical order."""
        return sorted(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """The command of a verb, or None."""
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"fleetplan.cli.{cmd_name}{'_' * iskeyword(cmd_name)}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """The list of verbs in `--help`, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(VERBS.items()))


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="fleetplan")
def fleetplan() -> None:
    """Plan rolling kernel upgrades of arm64 KVM fleets, and prove that the plan is safe.

    Exit codes: 0 clean; 1 findings; 2 usage or invalid input; 3 no safe plan was found; 4 plan refuted, or not for this
    fleet; 70 a bug in fleetplan; 130 interrupted.
    """
