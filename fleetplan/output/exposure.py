"""Words for what guests are exposed to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from fleetplan.firmware.guest_view import Item
from fleetplan.firmware.registers import psci_text
from fleetplan.migration.carry import GuestState
from fleetplan.migration.exposure import SAFE, Exposure
from fleetplan.migration.standing import Boot, Restart, Standing, Standings
from fleetplan.migration.undecided import asks
from fleetplan.output.sentences import counted
from fleetplan.output.ways import PIN_ARGUMENT
from fleetplan.rollout.audit import PsciLimit

FLAWS: Mapping[Item, str] = {Item.SPECTRE_V2: "Spectre v2", Item.SPECTRE_V4: "Spectre v4", Item.SPECTRE_BHB: "Spectre BHB"}

BARS = "▁▂▃▄▅▆▇█"
WIDEST = 60
"""Moments that a sparkline shows; of more, the worst of each few."""


def share(part: int, whole: int) -> str:
    """`2 (5.0 %)`; of nothing, nothing."""
    return f"{part:,} ({_percent(part, whole)})" if whole else "0"


def _percent(part: int, whole: int) -> str:
    """`5.0 %`, rounded down. Of a part that is there, never none."""
    per_mille = part * 1000 // whole
    return f"{per_mille / 10:.1f} %" if per_mille or not part else "< 0.1 %"


def exposed(at_least: int, at_most: int, whole: int) -> str:
    """`2 (5.0 %)`, or `at least 2 (5.0 %), at most 16 (40.0 %)` where not all is known."""
    if at_least == at_most:
        return share(at_most, whole)
    return f"at least {share(at_least, whole)}, at most {share(at_most, whole)}"


def exposed_guests(at_least: int, at_most: int, whole: int) -> str:
    """`no guest is exposed`, `2 of 40 guests (5.0 %) are exposed`, or at least so many and at most so many."""
    if not at_most:
        return "no guest is exposed"
    if at_least == at_most:
        return f"{at_most:,} of {counted(whole, 'guest')} ({_percent(at_most, whole)}) {'is' if at_most == 1 else 'are'} exposed"
    return f"of {counted(whole, 'guest')}, {exposed(at_least, at_most, whole)} are exposed"


def flaws(items: Sequence[Item]) -> str:
    """`Spectre v2, v4 and BHB`."""
    first, *others = (FLAWS[item] for item in items)
    short = [first, *(other.removeprefix("Spectre ") for other in others)]
    return " and ".join([", ".join(short[:-1]), short[-1]]) if others else first


def standing_lines(standings: Standings, state: GuestState) -> Iterator[str]:
    """A line for each thing that is to be said of flaws to which a guest is, or may be, exposed; flaws that are alike share it."""
    alike: dict[tuple[object, ...], list[Standing]] = {}
    for standing in standings.items:
        if standing.exposure not in SAFE:
            alike.setdefault((standing.exposure, standing.restart, standing.missing), []).append(standing)
    for group in alike.values():
        first = group[0]
        yield f"{flaws([each.item for each in group])}: {first.exposure}{_why(first, state)}; {_cure(first, standings.boot, state)}"
    if standings.hidden_services:
        yield f"{', '.join(standings.hidden_services)}: hidden by cleared bitmaps; a cold boot brings them back"


def _why(standing: Standing, state: GuestState) -> str:
    match standing.exposure:
        case Exposure.HIDDEN:
            return f" (PSCI {psci_text(state.psci)})"
        case Exposure.UNKNOWN:
            how = ", though exposed in any case" if standing.at_least else ""
            return f"{how} ({' and '.join(asks(fact, resident=True) for fact in standing.missing)} would tell)"
        case _:
            return ""


def _cure(standing: Standing, boot: Boot | None, state: GuestState) -> str:
    verb = "settles" if standing.exposure is Exposure.UNKNOWN else "heals"
    if standing.restart is None:
        return f"no restart where it is {verb} it"
    if standing.restart is Restart.COLD and boot is not None:
        return f"a cold boot{boot_words(boot, state.pin)} {verb} it"
    return f"a {standing.restart} {verb} it"


def boot_words(boot: Boot, before: int | None = None) -> str:
    """What is to be changed for a cold boot: ` with PSCI pinned to 1.0`; empty where nothing is."""
    if not boot.changed:
        return ""
    instead = f" in place of {psci_text(before)}" if before is not None else ""
    return " without its PSCI pin" if boot.pin is None else f" with PSCI pinned to {psci_text(boot.pin)}{instead}"


def limit_sentence(limit: PsciLimit) -> str:
    """Guests that bear no newer PSCI version, and the pin that they need."""
    several = len(limit.guests) > 1
    bears = "that bear" if several else "that bears"
    gives = "no cold boot as configured" if limit.given is None else f"a cold boot gives {psci_text(limit.given)}"
    helps = f"pin PSCI {limit.pin} before that (QEMU: {PIN_ARGUMENT}{limit.pin})"
    pin = helps if limit.pin is not None else "no PSCI pin helps there"
    hides = "; below 1.0 no mitigation is found" if limit.hides else ""
    return f"{counted(len(limit.guests), 'guest')} {bears} no PSCI above {limit.most}, on {limit.release}: {gives}; {pin}{hides}"


def sparkline(values: Sequence[int], most: int) -> str:
    """A bar for each value, `·` for 0; `most` is the height of the highest. Of more than WIDEST values, the worst of each few."""
    few = -(-len(values) // WIDEST)
    shown = [max(values[start : start + few]) for start in range(0, len(values), few)] if few else []
    return "".join("·" if not value else BARS[max(0, -(-value * len(BARS) // most) - 1)] for value in shown)
