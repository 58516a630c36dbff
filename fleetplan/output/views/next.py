"""What `next` says beside the wave: what it is part of, who waits and why, or why nothing can go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fleetplan.fleet.model import GuestName
from fleetplan.output.document import Bullets, Document, Paragraph, Section, Tone
from fleetplan.output.sentences import counted, listed
from fleetplan.rollout.part import TO_APPROVE, Barrier, PartOf, Waiting, WhyWaits

if TYPE_CHECKING:
    from fleetplan.follow.next import Finished, NoWave

WHY: Mapping[WhyWaits, str] = {
    WhyWaits.NOT_IN_PLAN: "the approved plan does not upgrade {it}",
    WhyWaits.OTHER_RELEASE: "{it} {runs} {what}, which the approved plan did not know",
    WhyWaits.RESTART: "{guests} would have to restart, which was not approved",
    WhyWaits.PIN: "{guests} would boot with the PSCI pin {what}, which was not approved",
    WhyWaits.LOSS: "{guests} would lose something, or may, and nobody has answered for that",
    WhyWaits.STUCK: "{guests} can neither move nor restart",
    WhyWaits.NO_ROOM: "not all of {guests} found a landing place with room",
    WhyWaits.SLOTS: "dead, held and cordoned hosts use up max-unavailable",
    WhyWaits.STATE: "{it} {are} {what}",
}

THEN: Mapping[WhyWaits, str] = {
    WhyWaits.STUCK: "say `restart: ok` or what else policy allows, or make a plan without them",
    WhyWaits.NO_ROOM: "more room on upgraded hosts lets them go",
    WhyWaits.SLOTS: "bring hosts back, or raise max-unavailable",
}
"""What lets hosts go, where it is no approval."""


def part_sections(part: PartOf) -> Iterator[Section]:
    """What stands above a wave: its number, the gate before it, hosts that wait."""
    points = [f"Wave {part.wave} of the approved plan ({short(part.approved)}); {counted(len(part.later), 'host')} to go after it."]
    points += [gate_sentence(part.behind)] if part.behind is not None else []
    yield Section("", tuple(Paragraph(point) for point in points))
    yield from waiting_sections(part.waiting)


def short(digest: str) -> str:
    """A digest that people can compare."""
    return digest[:19]


def gate_sentence(gate: Barrier) -> str:
    """What must have been before a wave begins."""
    return f"Before it: the gate after wave {gate.after} ({_note(gate)})."


def _note(gate: Barrier) -> str:
    return gate.note or f"soak {gate.soak_s} s"


def waiting_sections(waiting: tuple[Waiting, ...]) -> Iterator[Section]:
    """Hosts that wait though it is their turn, those with one reason together; what an approval would settle first."""
    for title, those in (
        ("Waits for a new approval", [each for each in waiting if each.why in TO_APPROVE]),
        ("Waits for something else", [each for each in waiting if each.why not in TO_APPROVE]),
    ):
        if those:
            yield Section(title, (Bullets(tuple(_points(those))),))


def _points(waiting: Iterable[Waiting]) -> Iterator[tuple[int, str]]:
    alike: dict[tuple[WhyWaits, str], list[Waiting]] = defaultdict(list)
    for each in waiting:
        alike[each.why, each.what].append(each)
    for (why, _), those in alike.items():
        yield 0, f"{listed([each.host for each in those])}: {_reason(those)}"
        if why in THEN:
            yield 1, THEN[why]


def _reason(those: Sequence[Waiting]) -> str:
    """Why hosts wait that have one reason."""
    why, one = those[0].why, len(those) == 1
    guests: list[GuestName] = [guest for each in those for guest in each.guests]
    words = {"it": "it", "are": "is", "runs": "runs"} if one else {"it": "they", "are": "are", "runs": "run"}
    it = ("it" if one else "them") if why is WhyWaits.NOT_IN_PLAN else words["it"]
    told = {**words, "it": it, "what": those[0].what, "guests": f"{counted(len(guests), 'guest')} ({listed(guests)})"}
    return WHY[why].format(**told)


def waiting_sentence(waiting: Waiting) -> str:
    """Why a host waits."""
    return _reason((waiting,))


def finished_document(outcome: Finished) -> Document:
    """Nothing is left to do."""
    head = Section("", (Paragraph(f"Nothing is left: every host that lives and is to be upgraded runs {outcome.target}.", Tone.GOOD),))
    return Document((head, *waiting_sections(outcome.waiting)))


def no_wave_document(outcome: NoWave) -> Document:
    """Why no wave can go, and what would need an approval."""
    if outcome.other_target is not None:
        told = f"The inventory's target is {outcome.other_target}; approved is a plan to {outcome.target} ({short(outcome.approved)})."
        again = "Another target needs a new plan and its approval: `fleetplan plan INVENTORY`."
        return Document((Section("", (Paragraph(told, Tone.BAD), Paragraph(again))),))
    head = [Paragraph(f"No wave of the approved plan ({short(outcome.approved)}) can go now.", Tone.BAD)]
    if outcome.shut is not None:
        told = f"The gate after wave {outcome.shut.after} ({_note(outcome.shut)}) stays shut: no host in front of it has been upgraded."
        head.append(Paragraph(told))
    if outcome.other_order:
        could = f"Out of turn, {counted(len(outcome.other_order), 'host')} could go now ({listed(outcome.other_order)})"
        head.append(Paragraph(f"{could}: another order needs a new approval (`fleetplan plan INVENTORY --previous PLAN`)."))
    return Document((Section("", tuple(head)), *waiting_sections(outcome.waiting)))
