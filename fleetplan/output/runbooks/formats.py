"""The forms that plans are exported in, by name. A new one is a function and a row here; none is loaded before it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from fleetplan.rollout.plan import Plan

Export = Callable[[Plan], Iterator[bytes]]


def _encoded(pieces: Iterator[str]) -> Iterator[bytes]:
    return (piece.encode() for piece in pieces)


def _markdown(plan: Plan) -> Iterator[bytes]:
    from fleetplan.output.markdown import render  # noqa: PLC0415 - one of the forms is needed
    from fleetplan.output.runbooks.runbook import runbook_document, title  # noqa: PLC0415 - as above

    yield f"# {title(plan)}\n\n{render(runbook_document(plan))}".encode()


def _html(plan: Plan) -> Iterator[bytes]:
    from fleetplan.output.html import render  # noqa: PLC0415 - as above
    from fleetplan.output.runbooks.runbook import runbook_document, title  # noqa: PLC0415 - as above

    yield render(runbook_document(plan), title=title(plan), about=f"Made from the plan for {plan.inventory_digest}.").encode()


def _shell(plan: Plan) -> Iterator[bytes]:
    from fleetplan.output.runbooks.scripts import shell  # noqa: PLC0415 - as above

    return _encoded(shell(plan))


def _openstack(plan: Plan) -> Iterator[bytes]:
    from fleetplan.output.runbooks.scripts import openstack  # noqa: PLC0415 - as above

    return _encoded(openstack(plan))


def _ansible(plan: Plan) -> Iterator[bytes]:
    from fleetplan.output.runbooks.platforms import ansible  # noqa: PLC0415 - as above

    return _encoded(ansible(plan))


def _kubevirt(plan: Plan) -> Iterator[bytes]:
    from fleetplan.output.runbooks.platforms import kubevirt  # noqa: PLC0415 - as above

    return _encoded(kubevirt(plan))


def _libvirt(plan: Plan) -> Iterator[bytes]:
    from fleetplan.output.runbooks.platforms import pins  # noqa: PLC0415 - as above

    return _encoded(pins(plan))


def _mermaid(plan: Plan) -> Iterator[bytes]:
    from fleetplan.output.runbooks.tables import mermaid  # noqa: PLC0415 - as above

    return _encoded(mermaid(plan))


def _csv(plan: Plan) -> Iterator[bytes]:
    from fleetplan.output.runbooks.tables import as_csv  # noqa: PLC0415 - as above

    return as_csv(plan)


def _dot(plan: Plan) -> Iterator[bytes]:
    from fleetplan.output.runbooks.tables import dot  # noqa: PLC0415 - as above

    return _encoded(dot(plan))


EXPORTS: Mapping[str, Export] = {
    "markdown": _markdown,
    "html": _html,
    "shell": _shell,
    "ansible": _ansible,
    "openstack": _openstack,
    "kubevirt": _kubevirt,
    "libvirt": _libvirt,
    "mermaid": _mermaid,
    "csv": _csv,
    "dot": _dot,
}
