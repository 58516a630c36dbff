"""The kinds of sources, a row each. A document is of the first kind that recognises it."""

from __future__ import annotations

from typing import Any

from fleetplan.importers import firecracker, kubernetes, libvirt, monitoring, openstack, probe_file
from fleetplan.importers.source import SourceError, SourceKind

KINDS: tuple[SourceKind, ...] = (
    probe_file.KIND,
    *libvirt.KINDS,
    kubernetes.KIND,
    *openstack.KINDS,
    *monitoring.KINDS,
    firecracker.KIND,
)

BY_ID = {kind.id: kind for kind in KINDS}


def kind_of(document: Any, said: str | None) -> SourceKind:
    """The kind of a document, which the user may have said. Raises SourceError."""
    if said is not None:
        kind = BY_ID[said]
        if not kind.recognises(document):
            message = f"it is not what `{kind.made_by}` prints"
            raise SourceError(message)
        return kind
    found = next((kind for kind in KINDS if kind.recognises(document)), None)
    if found is None:
        message = "it is none of the kinds that are known"
        raise SourceError(message)
    return found
