"""What an audit found, as JSON and CSV for automation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from fleetplan.firmware.registers import psci_text
from fleetplan.fleet.model import Fleet
from fleetplan.fleet.table import Among
from fleetplan.migration.classes import ClassTable
from fleetplan.migration.exposure import Exposure
from fleetplan.migration.standing import Boot, Standing, Standings, Tally
from fleetplan.migration.undecided import asks
from fleetplan.output.json_text import encode
from fleetplan.rollout.audit import Audit, Band, PsciLimit, RestartStep
from fleetplan.rollout.timeline import Moment


def audit_json(found: Audit, fleet: Fleet, classes: ClassTable, wave: int, moments: Sequence[Moment]) -> bytes:
    """`wave` (0: now), `exposed`, `away`, `guests`, `restarts`, `after_restarts`, `psci_limits`, `timeline` (empty without a plan)."""
    return encode(
        {
            "version": 1,
            "wave": wave,
            "exposed": tally_json(found.tally),
            "away": found.away,
            "guests": [_band(band, fleet, classes) for band in found.bands],
            "restarts": [_step(step) for step in found.restarts],
            "after_restarts": tally_json(found.after),
            "psci_limits": [_limit(limit) for limit in found.limits],
            "timeline": [_moment(moment) for moment in moments],
        }
    )


def tally_json(tally: Tally) -> Mapping[str, Any]:
    """`guests`, `at_least` and `at_most` that are exposed to anything, and `flaws` by name, each with these and a count of each state."""
    counts = {
        count.item.value: {
            "at_least": count.at_least,
            "at_most": count.at_most,
            "states": {kind.value: number for kind, number in count.guests.items()},
        }
        for count in tally.items
    }
    return {"guests": tally.guests, "at_least": tally.at_least, "at_most": tally.at_most, "flaws": counts}


def _band(band: Band, fleet: Fleet, classes: ClassTable) -> Mapping[str, Any]:
    offered, state = classes.host_class(band.host_class), classes.guest_class(band.guest_class)
    standings = band.standings
    return {
        "guests": list(Among(fleet.guests.names, band.numbers)),
        "host": {"kernel": offered.release.kernel, "vmm": offered.release.vmm, "cpu": offered.identity},
        "psci": psci_text(state.psci),
        "psci_pin": psci_text(state.pin) if state.pin is not None else None,
        "flaws": {standing.item.value: _standing(standing) for standing in standings.items},
        "restart": standings.restart,
        "cold_boot": _boot(standings.boot),
        "hidden_services": list(standings.hidden_services),
    }


def _standing(standing: Standing) -> Mapping[str, Any]:
    return {
        "state": standing.exposure,
        "may_be": list(standing.may),
        "restart": standing.restart,
        "missing": [asks(fact, resident=True) for fact in standing.missing],
    }


def _boot(boot: Boot | None) -> Mapping[str, Any] | None:
    return None if boot is None else {"psci_pin": psci_text(boot.pin) if boot.pin is not None else None, "changes_pin": boot.changed}


def _step(step: RestartStep) -> Mapping[str, Any]:
    return {
        "round": step.round,
        "restart": step.restart,
        "cold_boot": _boot(step.boot),
        "permitted": step.permitted,
        "heals": list(step.heals),
        "something_is_left": step.lasting,
        "guests": list(step.guests),
    }


def _limit(limit: PsciLimit) -> Mapping[str, Any]:
    return {
        "release": limit.release,
        "psci_max": limit.most,
        "given": psci_text(limit.given) if limit.given is not None else None,
        "psci_pin": limit.pin,
        "hides_mitigations": limit.hides,
        "guests": list(limit.guests),
    }


def _moment(moment: Moment) -> Mapping[str, Any]:
    return {"wave": moment.wave, "ends_s": moment.ends_s, **tally_json(moment.tally)}


# --- CSV --------------------------------------------------------------------------------------------------------------------------------

Cells = Sequence[str | int]


def guest_rows(found: Audit, fleet: Fleet, classes: ClassTable) -> Iterator[Cells]:
    """A row for each guest that runs, in the order of the inventory."""
    yield ("guest", "host", "kernel", "psci", "spectre_v2", "spectre_v4", "spectre_bhb", "restart", "cold_boot_psci_pin", "missing")
    kinds = {id(band): tuple(_kind(band, classes)) for band in found.bands}
    order = sorted((number, place) for place, band in enumerate(found.bands) for number in band.numbers)
    guests = fleet.guests
    names = guests.names.many(number for number, _ in order)
    for (number, place), name in zip(order, names, strict=True):
        kernel, psci, *rest = kinds[id(found.bands[place])]
        yield (name or "", guests.host_names[guests.on[number]], kernel, psci, *rest)


def _kind(band: Band, classes: ClassTable) -> Iterator[str]:
    standings = band.standings
    yield classes.host_class(band.host_class).release.kernel
    yield psci_text(classes.guest_class(band.guest_class).psci)
    yield from (standing.exposure for standing in standings.items)
    yield standings.restart or ""
    yield _pin_cell(standings)
    yield "; ".join(dict.fromkeys(asks(fact, resident=True) for standing in standings.items for fact in standing.missing))


def _pin_cell(standings: Standings) -> str:
    boot = standings.boot
    return psci_text(boot.pin) if boot is not None and boot.pin is not None and boot.changed else ""


def timeline_rows(moments: Sequence[Moment]) -> Iterator[Cells]:
    """A row for each moment and flaw, and one for any flaw (`any`, whose states are not counted)."""
    states = [kind.value.replace(" ", "_") for kind in Exposure]
    yield ("wave", "ends_s", "flaw", "guests", "exposed_at_least", "exposed_at_most", *states)
    for moment in moments:
        for count in moment.tally.items:
            kinds = (count.guests[kind] for kind in Exposure)
            yield (moment.wave, moment.ends_s, count.item.value, moment.tally.guests, count.at_least, count.at_most, *kinds)
        tally = moment.tally
        yield (moment.wave, moment.ends_s, "any", tally.guests, tally.at_least, tally.at_most, *("" for _ in Exposure))
