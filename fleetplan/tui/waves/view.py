"""The view of waves: the time line, what is the case at its mark, and the map at that moment. Without a plan: why there is none."""

from __future__ import annotations

from functools import partial
from typing import ClassVar

import numpy as np
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.timer import Timer

from fleetplan.output.views.refusal import infeasible_document, refuted_document
from fleetplan.rollout.plan import Infeasible
from fleetplan.rollout.timeline import Moment
from fleetplan.tui.fleet.surface import MapSurface
from fleetplan.tui.fleet.table import host_table
from fleetplan.tui.frame.pane import Pane
from fleetplan.tui.frame.surface import Lines, Surface
from fleetplan.tui.frame.trail import Place
from fleetplan.tui.frame.view import View
from fleetplan.tui.messages import GoTo
from fleetplan.tui.situation import Situation
from fleetplan.tui.waves.scene import scene
from fleetplan.tui.waves.surface import TimelineSurface
from fleetplan.tui.waves.timeline import Timeline, timeline
from fleetplan.workflow import critical_path

PLAY_S = 20.0
"""How long a whole rollout plays."""
FRAME_S = 0.2


class WavesView(View):
    """The rollout on a time line."""

    title: ClassVar[str] = "Waves"
    SCOPED_CSS: ClassVar[bool] = False  # it asks how wide the screen is

    DEFAULT_CSS = """
    WavesView { layout: grid; grid-size: 1; grid-rows: 1fr 8; }
    WavesView > #stage-map { display: none; }
    WavesView > #refusal { display: none; }
    WavesView > #scene { border-top: solid $border-blurred; overflow-x: hidden; }
    .-tall WavesView { grid-rows: 1fr 1fr 9; }
    .-tall WavesView > #stage-map { display: block; border-top: solid $border-blurred; }
    .-wide WavesView { grid-size: 2; grid-columns: 3fr 2fr; grid-rows: 1fr 9; }
    .-wide WavesView > #stage-map { display: block; row-span: 2; border-top: none; border-left: solid $border-blurred; }
    WavesView.-refused { layout: vertical; }
    WavesView.-refused > * { display: none; }
    WavesView.-refused > #refusal { display: block; height: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play", "Play"),
        Binding("right,l", "step(1)", "Next step", key_display="←→"),
        Binding("left,h", "step(-1)", "Step back", show=False),
        Binding("right_square_bracket", "wave(1)", "Next wave", key_display="[]"),
        Binding("left_square_bracket", "wave(-1)", "Wave before", show=False),
        Binding("home,g", "wind(0)", "To the beginning", show=False),
        Binding("end,G", "wind(1)", "To the end", show=False),
    ]

    _situation: Situation | None = None
    _timeline: Timeline | None = None
    _timer: Timer | None = None
    _at_s: int = 0
    _moments: tuple[Moment, ...] = ()

    def compose(self) -> ComposeResult:
        """Time line, map, scene; and the page that stands for all of them."""
        yield TimelineSurface(id="timeline")
        yield MapSurface(id="stage-map")
        yield Lines(id="scene")
        yield Pane(id="refusal")

    def take(self, situation: Situation) -> None:
        """Show the rollout of this situation from its beginning."""
        self._situation = situation
        self._stop()
        self.set_class(situation.plan is None, "-refused")
        if situation.plan is None:
            document = (
                infeasible_document(situation.outcome)
                if isinstance(situation.outcome, Infeasible)
                else refuted_document(situation.violations)
            )
            self.query_one("#refusal", Pane).tell(document)
            return
        self._timeline = timeline(situation.journey, critical_path(situation.study, situation.plan))
        self.query_one(TimelineSurface).show(self._timeline)
        picture = situation.journey.at(0)
        self.query_one(MapSurface).show(host_table(situation.study.fleet, situation.columns, picture), situation.columns, picture)
        self._moments = ()
        self._wind(0)
        self.work_out("moments", partial(_moments, situation), self._count)

    def _count(self, moments: tuple[Moment, ...]) -> None:
        """Exposure is known now."""
        self._moments = moments
        self._tell()

    def main(self) -> Surface:
        """The time line, or the page that says why there is none."""
        refused = self._situation is not None and self._situation.plan is None
        return self.query_one("#refusal", Pane) if refused else self.query_one(TimelineSurface)

    def exported(self) -> str:
        """Time line and scene."""
        return self.main().text() + ("" if self.has_class("-refused") else self.query_one("#scene", Lines).text())

    # --- time --------------------------------------------------------------------------------------------------------------------

    def _wind(self, at_s: int) -> None:
        if self._situation is None or self._timeline is None:
            return
        self._at_s = min(max(at_s, 0), self._situation.journey.end_s)
        self.query_one(TimelineSurface).wind(self._at_s)
        self.query_one(MapSurface).repaint(self._situation.journey.at(self._at_s))
        self._tell()

    def _tell(self) -> None:
        if self._situation is None or self._timeline is None:
            return
        picture, host = self._situation.journey.at(self._at_s), self.query_one(TimelineSurface).host
        lines = scene(self._situation, self._timeline, picture, self._at_s, self._moments, host=host, playing=self._timer is not None)
        self.query_one("#scene", Lines).show(lines)

    def action_step(self, steps: int) -> None:
        """To the next moment at which something begins or ends, or the one before."""
        if self._situation is not None:
            self._stop()
            moments = self._situation.journey.events
            place = int(np.searchsorted(moments, self._at_s, side="right")) - 1
            inside = steps < 0 and moments[place] < self._at_s
            self._wind(int(moments[min(max(place + (0 if inside else steps), 0), len(moments) - 1)]))

    def action_wave(self, waves: int) -> None:
        """To the beginning of the next wave, or of the one before."""
        if self._situation is None or self._situation.plan is None:
            return
        self._stop()
        begins = sorted({min(step.start_s for step in wave.steps) for wave in self._situation.plan.waves})
        later = [begin for begin in begins if begin > self._at_s]
        earlier = [begin for begin in begins if begin < self._at_s]
        if waves > 0:
            self._wind(later[0] if later else self._situation.journey.end_s)
        else:
            self._wind(earlier[-1] if earlier else 0)

    def action_wind(self, last: int) -> None:
        """To the beginning or the end."""
        if self._situation is not None:
            self._stop()
            self._wind(last * self._situation.journey.end_s)

    def action_play(self) -> None:
        """Let time pass, or halt it; from the end it begins anew."""
        if self._situation is None or self._timeline is None:
            return
        if self._timer is not None:
            self._stop()
        else:
            if self._at_s >= self._situation.journey.end_s:
                self._at_s = 0
            self._timer = self.set_interval(FRAME_S, self._pass)
        self._tell()

    def _pass(self) -> None:
        if self._situation is None or not self.has_class("-shown") or self._at_s >= self._situation.journey.end_s:
            self._stop()
            self._tell()
        else:
            self._wind(self._at_s + max(int(self._situation.journey.end_s * FRAME_S / PLAY_S), 1))

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None

    # --- hosts -------------------------------------------------------------------------------------------------------------------

    def on_timeline_surface_pointed(self, _event: TimelineSurface.Pointed) -> None:
        """Another host is looked at."""
        self._tell()

    def on_timeline_surface_wound(self, event: TimelineSurface.Wound) -> None:
        """The mouse put the mark somewhere."""
        self._stop()
        self._wind(event.at_s)

    def on_timeline_surface_chosen(self, _event: TimelineSurface.Chosen) -> None:
        """Go into the host."""
        self._into(self.query_one(TimelineSurface).host)

    def on_map_surface_chosen(self, event: MapSurface.Chosen) -> None:
        """Go into a host of the map."""
        self._into(event.host)

    def _into(self, host: int | None) -> None:
        if self._situation is not None and host is not None:
            self.post_message(GoTo(Place("host", self._situation.columns.hosts.names[host])))


def _moments(situation: Situation) -> tuple[Moment, ...]:
    return situation.course.moments
