"""Why a plan does with a host or a guest what it does, as a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import assert_never

from fleetplan.output.document import Bullets, Document, Paragraph, Section
from fleetplan.output.sentences import clock, counted, listed
from fleetplan.output.waits import MOST_NAMED, chain_section
from fleetplan.rollout.why import Because, MoveStory, MoveWhy, Place, Story

TIMES = {1: "once", 2: "twice"}


def story_document(story: Story) -> Document:
    """What happens, then why: the moves, the wave, the time."""
    if story.guest is not None:
        sections = (Section("", (Paragraph(_guest(story)),)), *_moves(story), *chain_section("Why then, and not earlier", story.chain))
    else:
        sections = (Section("", (Paragraph(_host(story)),)), *_waves(story), *chain_section("Why then, and not earlier", story.chain))
    return Document(sections)


def _host(story: Story) -> str:
    if not story.wave:
        return f"{story.host} is not upgraded: {_kept(story)}."
    last = " No host is back later." if story.last else ""
    return f"{story.host} is upgraded in wave {story.wave}; it is cordoned at {clock(story.chain[-1].end_s)}.{last}"


def _kept(story: Story) -> str:
    return story.skipped or "it runs the target release"


def _guest(story: Story) -> str:
    if story.moves:
        count = len(story.moves)
        return f"{story.guest} moves {TIMES.get(count, f'{count} times')}: {_way(story)}."
    if story.restart is not None:
        why = f"while that is upgraded in wave {story.wave}" if story.wave else "for its PSCI pin"
        return f"{story.guest} stays on {story.host}, and restarts there {why}."
    return f"{story.guest} stays on {story.host}, which is not upgraded: {_kept(story)}."


def _way(story: Story) -> str:
    return " to ".join([story.moves[0].source, *(move.destination for move in story.moves)])


def _moves(story: Story) -> Iterator[Section]:
    points: list[tuple[int, str]] = []
    for move in story.moves:
        points.append((0, f"{clock(move.start_s)}  wave {move.wave}: {move.source} to {move.destination}"))
        points.append((1, _move_words(move)))
    if points:
        yield Section("Why it moves", (Bullets(tuple(points)),))


def _move_words(move: MoveStory) -> str:
    match move.why:
        case MoveWhy.DRAIN:
            return f"{move.source} is upgraded, and {move.destination} was before: it stays there"
        case MoveWhy.SEED:
            return (
                f"a seed: {move.source} is upgraded before {move.destination}, so that its pool has an upgraded host at all, "
                f"and the guest must move again. {_room_words(move.facts)}"
            )
        case MoveWhy.AGAIN:
            return f"it came to {move.source} by a seed, and now {move.source} is upgraded"
        case _:
            assert_never(move.why)


def _room_words(facts: Mapping[str, str]) -> str:
    """What was free on upgraded hosts of the pool, and what was needed."""
    hosts, pool = int(facts["upgraded_hosts"]), facts["pool"]
    if not hosts:
        return f"Pool {pool} has no upgraded host yet"
    free = f"{facts['free_vcpus']} vCPUs and {facts['free_memory_mib']} MiB"
    needs = f"{facts['needs_vcpus']} vCPUs and {facts['needs_memory_mib']} MiB"
    return f"The upgraded hosts of pool {pool} ({hosts}) have {free} left; its guests need {needs}"


def _waves(story: Story) -> Iterator[Section]:
    if story.waves:
        points: list[tuple[int, str]] = []
        for place in story.waves:
            points.append((0, f"{place.host} is in wave {place.wave}" if place.because is not Because.FIRST else f"{place.host}: wave 1"))
            points.append((1, _place_words(place)))
        yield Section("Why in this wave", (Bullets(tuple(points)),))


def _place_words(place: Place) -> str:
    facts, waves = place.facts, _span(place)
    match place.because:
        case Because.FIRST:
            return "nothing is before it"
        case Because.LANDING:
            return f"{listed(place.guests, MOST_NAMED)} {_lands(place)} on {place.on}, which is upgraded in wave {place.wave - 1}"
        case Because.SEEDED:
            return f"in wave {place.wave - 1} a seed brings it {counted(len(place.guests), 'guest')} from {place.on}"
        case Because.SLOTS:
            return f"{waves} {'has' if place.since == place.wave - 1 else 'have'} all {facts['slots']} slots of {_scope(facts)} taken"
        case Because.CANARY:
            return f"a gate lets no more than {counted(int(facts['hosts']), 'host')} into {waves}"
        case Because.ROOM:
            return f"there is no room once {waves} has landed. {_room_words(facts)}"
        case Because.TURN:
            return f"neither slots nor the sum of what is free forbid {waves}: hosts went first that make more room, or take longer"
        case _:
            assert_never(place.because)


def _lands(place: Place) -> str:
    return "lands" if len(place.guests) == 1 else "land"


def _scope(facts: Mapping[str, str]) -> str:
    return "the fleet" if facts["place"] == "fleet" else facts["place"]


def _span(place: Place) -> str:
    return f"wave {place.since}" if place.since >= place.wave - 1 else f"waves {place.since} to {place.wave - 1}"
