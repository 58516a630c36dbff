"""Plans as shell scripts: for libvirt, and for OpenStack.

A script has the plan as data, the functions of its platform, and an engine that is the same for all: it starts every step when those that
it waits for have ended, holds what waits for a step that failed, begins by looking whether the fleet is in a state on the plan's way, and
passes over what has been done. Every name is quoted.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from shlex import quote

from fleetplan.output.printable import printable
from fleetplan.output.runbooks.orders import Order, hosts_of, orders, ways
from fleetplan.output.sentences import clock, counted
from fleetplan.rollout.plan import HostSite, Plan, StepKind

PARALLEL = 64
"""Steps that a script runs at a time, at most; the plan's own limits are in what waits for what."""


def shell(plan: Plan) -> Iterator[str]:
    """With `virsh`."""
    return _script(plan, "libvirt.sh")


def openstack(plan: Plan) -> Iterator[str]:
    """With the `openstack` command."""
    return _script(plan, "openstack.sh")


def _script(plan: Plan, actions: str) -> Iterator[str]:
    yield from _head(plan)
    yield _part("engine.sh")
    yield _part(actions)
    yield "\n# --- the plan " + "-" * 122 + "\n\n"
    sites = plan.sites
    for name in hosts_of(plan):
        site = sites.get(name) or HostSite(vmm=plan.target.vmm, kernel=plan.target.kernel)
        yield f"host {_word(name)} {_word(site.address or name)} {_word(site.kernel)}\n"
    yield "\n"
    for guest, way in ways(plan).items():
        yield f"guest {_word(guest)} {' '.join(map(_word, way))}\n"
    yield "\n"
    yield from map(_step, orders(plan))
    yield '\nmain "$@"\n'


def _head(plan: Plan) -> Iterator[str]:
    moves = sum(order.step.kind is StepKind.MIGRATE for order in orders(plan))
    rollout = f"{counted(len(plan.waves), 'wave')}, {counted(moves, 'migration')}, {clock(plan.bounds.makespan_s.plan)}"
    policy = plan.on_failure
    yield "#!/usr/bin/env bash\n"
    yield f"# {_comment(f'To {plan.target}: {rollout}. Made by fleetplan from the plan for {plan.inventory_digest}.')}\n"
    yield "#\n# Without arguments it does the rollout, or what is left of it. --check only looks whether the fleet fits the plan,\n"
    yield "# --dry-run prints the commands. Exit codes: 0 all is done, 1 something is left, 2 it cannot begin, 4 the fleet does not fit.\n"
    yield "set -uo pipefail\n\n"
    yield f"target_kernel={_word(plan.target.kernel)} target_vmm={_word(plan.target.vmm)}\n"
    yield f"on_failure={policy.host.value} wave_stops_after={policy.wave_stops_after} retries={policy.retries}\n"
    yield f"parallel=${{FLEETPLAN_PARALLEL:-{PARALLEL}}}\n"
    name = "".join(character for character in plan.inventory_digest[-12:] if character.isalnum()) or "plan"
    yield f'state=${{FLEETPLAN_STATE:-"$PWD/rollout-{name}"}}\n\n'


def _comment(text: str) -> str:
    return printable(" ".join(text.split()))


def _word(text: str) -> str:
    """A word of the shell; what a terminal would obey is written out, as bash reads it back."""
    if printable(text) == text:
        return quote(text)
    shown = (
        mark if printable(mark) == mark and mark not in "'\\" else "".join(f"\\x{byte:02x}" for byte in mark.encode()) for mark in text
    )
    return f"$'{''.join(shown)}'"


def _part(name: str) -> str:
    return (files("fleetplan.output.runbooks") / name).read_text(encoding="utf-8")


def _step(order: Order) -> str:
    """The data of one step: who (a guest, or a host), from where, and where to."""
    step = order.step
    who = step.guest or step.host or ""
    words = (
        str(order.number),
        step.id,
        step.kind.value,
        str(order.wave),
        " ".join(map(str, order.after)),
        who,
        step.source or (step.host if step.guest is not None else None) or "",
        step.destination or "",
        str(step.duration_s),
        step.note or "",
    )
    return f"step {' '.join(map(_word, words))}\n"
