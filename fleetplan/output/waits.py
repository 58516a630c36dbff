"""Why steps wait, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fleetplan.output.document import Bullets, Section
from fleetplan.output.sentences import clock, counted, listed
from fleetplan.rollout.waits import Reason, Stretch, Wait

MOST_NAMED = 3
MOST_STRETCHES = 16
"""A longer chain is shown by its two ends; JSON has all of it."""


TEMPLATES: Mapping[Wait, str] = {
    Wait.LANDING: "{earlier} is back, where {who} {land}",
    Wait.SLOT: "{earlier} is back and hands over its slot of {places}",
    Wait.ARRIVAL: "{who} has come from {earlier}, to move again",
    Wait.FELLOW: "{who} has left {earlier}: members of a group stay apart",
    Wait.GATE: "the gate is passed",
    Wait.WAVES: "all before the gate has ended, {earlier} last",
    Wait.CORDON: "{later} is cordoned",
    Wait.SENDING: "a stream of {later} is free",
    Wait.RECEIVING: "{earlier} has sent its guests to where {later} sends some",
    Wait.DRAIN: "the last guest has left {later}",
    Wait.ORDER: "the step before has ended",
    Wait.GIVEN: "the plan asks for it",
}


def reason_words(reason: Reason, earlier: str, later: str) -> str:
    """Why a step about `later` waits for one about `earlier`; both are hosts, or the gate."""
    return TEMPLATES[reason.wait].format(
        earlier=earlier,
        later=later,
        who=listed(reason.guests, MOST_NAMED),
        land="lands" if len(reason.guests) == 1 else "land",
        places=" and ".join(map(_place, reason.places)),
    )


def _place(place: str) -> str:
    return "the fleet" if place == "fleet" else place


def stretch_words(stretch: Stretch) -> str:
    """Why a stretch did not begin earlier."""
    if stretch.after is None:
        return "waits for nothing"
    earlier, later = stretch.after_host or "the gate", stretch.host or "the gate"
    words = [reason_words(reason, earlier, later) for reason in stretch.after.reasons]
    return "; ".join([words[0], *(word.removeprefix(f"{earlier} is back and ") for word in words[1:])])


def chain_points(chain: tuple[Stretch, ...]) -> Iterator[tuple[int, str]]:
    """A chain, a point for each host that it passes, with the reason why it begins then."""
    half, left = MOST_STRETCHES // 2, len(chain) - MOST_STRETCHES
    for place, stretch in enumerate(chain):
        if left > 0 and place == half:
            yield 0, f"... {counted(left, 'host')} more; `--format json` has them"
        if left <= 0 or place < half or place >= len(chain) - half:
            yield 0, _what(stretch)
            if stretch.after is not None:
                yield 1, stretch_words(stretch)


def _what(stretch: Stretch) -> str:
    when = clock(stretch.start_s) if stretch.start_s == stretch.end_s else f"{clock(stretch.start_s)} to {clock(stretch.end_s)}"
    if stretch.host is None:
        return f"{when}  gate after wave {stretch.wave}"
    drain = f", {counted(stretch.moves, 'guest')} in {clock(stretch.drain_s)}" if stretch.moves else ""
    return f"{when}  {stretch.host} (wave {stretch.wave}){drain}"


def chain_lines(chain: tuple[Stretch, ...]) -> Iterator[str]:
    """The same, a line for each host."""
    line = ""
    for depth, words in chain_points(chain):
        if depth:
            line += f": {words}"
        else:
            yield from [line] if line else []
            line = words
    yield from [line] if line else []


def chain_section(title: str, chain: tuple[Stretch, ...]) -> Iterator[Section]:
    """A chain under a title; nothing, if it is empty."""
    if chain:
        yield Section(title, (Bullets(tuple(chain_points(chain))),))


SHORT: Mapping[Wait, str] = {
    Wait.LANDING: "landing place",
    Wait.SLOT: "slot",
    Wait.ARRIVAL: "arrives first",
    Wait.FELLOW: "group",
    Wait.GATE: "gate",
    Wait.WAVES: "before the gate",
    Wait.CORDON: "cordon",
    Wait.SENDING: "stream of the source",
    Wait.RECEIVING: "stream of the destination",
    Wait.DRAIN: "drain",
    Wait.ORDER: "order",
    Wait.GIVEN: "given",
}


def short_words(reasons: tuple[Reason, ...]) -> str:
    """Reasons in a word or two each, for the edges of a drawing."""
    return ", ".join(SHORT[reason.wait] for reason in reasons)
