"""The matrix as JSON: classes, rulings, and what the state graph says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fleetplan.firmware.registers import psci_text
from fleetplan.fleet.model import Fleet
from fleetplan.migration.classes import ClassTable, GuestClassId, HostClassId
from fleetplan.migration.matrix import Matrix, Row, Ways
from fleetplan.output.class_names import ClassNames, cpu_words
from fleetplan.output.json_text import encode

if TYPE_CHECKING:
    from fleetplan.migration.openings import BlockedWay, Change, Opening


def matrix_json(found: Matrix, fleet: Fleet, classes: ClassTable) -> bytes:
    """`hosts` and `guests` (the classes), `rows` of `verdicts` and `stages` by the order of `hosts`, and `ways` (null if too large)."""
    names = ClassNames(fleet, classes)
    rows = [_row(row, found, names) for row in found.rows]
    ways = _ways(found.ways, names) if found.ways is not None else None
    return encode(
        {
            "version": 1,
            "target": fleet.target,
            "hosts": [_host_class(host, classes, names) for host in found.columns],
            "guests": [_guest_class(guest, classes, names) for guest in dict.fromkeys(row.state[0] for row in found.rows)],
            "rows": rows,
            "ways": ways,
        }
    )


def _host_class(host: HostClassId, classes: ClassTable, names: ClassNames) -> Mapping[str, Any]:
    offered = classes.host_class(host)
    told = {"id": names.host(host), "kernel": offered.release.kernel, "vmm": offered.release.vmm, "cpu": cpu_words(offered.stated)}
    return {**told, "identity": offered.identity, "hosts": names.now.get(host, []), "once_upgraded": names.then.get(host, [])}


def _guest_class(guest: GuestClassId, classes: ClassTable, names: ClassNames) -> Mapping[str, Any]:
    state = classes.guest_class(guest)
    told = {"id": names.guest(guest), "psci": sorted({psci_text(possible.state.psci) for possible in classes.possible(guest)})}
    pin = psci_text(state.pin) if state.pin is not None else None
    return {**told, "pin": pin, "machine": state.machine, "guests": [member.name for member in names.members.get(guest, [])]}


def _row(row: Row, found: Matrix, names: ClassNames) -> Mapping[str, Any]:
    marks = found.ways.marks if found.ways is not None else {}
    told = {names.host(host): marks[row.state, host] for host in found.columns if (row.state, host) in marks}
    return {
        "guest": names.guest(row.state[0]),
        "host": names.host(row.state[1]),
        "guests": row.guests,
        "when": "target" if row.upgraded else "now",
        "restarted": row.restarted,
        "verdicts": [verdict for verdict, _ in row.rulings],
        "stages": [stage for _, stage in row.rulings],
        "marks": told,
    }


def _ways(ways: Ways, names: ClassNames) -> Mapping[str, Any]:
    from fleetplan.output.state_sentences import way_sentences  # noqa: PLC0415 - networkx, which a large matrix does without

    limit = ways.limit
    return {
        "one_way_doors": [
            {"from": _state(door.source, names), "to": _state(door.target, names), "restart_opens": door.restart_opens}
            for door in ways.doors
        ],
        "traps": [[_state(state, names) for state in states] for states in ways.traps],
        "stepping_stones": [[_state(state, names) for state in chain] for chain in ways.stones.values()],
        "blocked": [_blocked(way, names) for way in ways.blocked],
        "blocked_left_out": ways.left_out,
        "states_left_out": ways.open_ended,
        "limit": {
            "waiting": limit.waiting,
            "stuck": limit.stuck,
            "at_once": limit.at_once,
            "sending": [names.host(host) for host in limit.sending],
            "receiving": [names.host(host) for host in limit.receiving],
        },
        "remarks": list(way_sentences(ways, names)),
    }


def _state(state: tuple[GuestClassId, HostClassId], names: ClassNames) -> Mapping[str, str]:
    return {"guest": names.guest(state[0]), "host": names.host(state[1])}


def _blocked(way: BlockedWay, names: ClassNames) -> Mapping[str, Any]:
    told = {"from": _state(way.start, names), "to": names.host(way.goal), "guests": way.guests, "restartable": way.restartable}
    return {**told, "opening": _opening(way.opening, names), "without_restart": _opening(way.otherwise, names)}


def _opening(opening: Opening | None, names: ClassNames) -> Mapping[str, Any] | None:
    if opening is None:
        return None
    changes = [_change(change, names) for change in opening.changes]
    return {"changes": changes, "path": [_state(state, names) for state in opening.path]}


def _change(change: Change, names: ClassNames) -> Mapping[str, Any]:
    host = {"software": names.software(change.host)} if change.host >= 0 else {}
    return {"kind": change.kind, **({"subject": change.subject} if change.subject else {}), **host}
