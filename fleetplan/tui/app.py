"""The application: holds the situation and the trail, and lets workers do what takes time. Views do the rest."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from threading import Lock
from time import monotonic
from typing import ClassVar, TypeVar

from msgspec.structs import replace
from textual import events
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Footer
from textual.worker import get_current_worker

from fleetplan.fleet.filter import FilterError
from fleetplan.output.document import Document
from fleetplan.output.filters import filter_sentence
from fleetplan.output.ink import Ink, Line, Span
from fleetplan.output.palettes import PALETTES
from fleetplan.output.progress import progress_line
from fleetplan.output.sentences import counted
from fleetplan.rollout.progress import CancelledError
from fleetplan.tui.frame.bars import Bar, Prompt
from fleetplan.tui.frame.heading import heading_line, plan_words, tab_line
from fleetplan.tui.frame.help import Help, help_document
from fleetplan.tui.frame.pane import Pane
from fleetplan.tui.frame.trail import Place, Trail
from fleetplan.tui.frame.view import View
from fleetplan.tui.messages import Answered, Arranged, Arrived, Failed, GoTo, Progressed, Said
from fleetplan.tui.save import free_path
from fleetplan.tui.situation import Situation
from fleetplan.tui.svg import picture
from fleetplan.tui.theme import NAMES, theme
from fleetplan.tui.views import FIRST, ROWS, TABS
from fleetplan.tui.whatif.change import USAGE, WishError, made, parse
from fleetplan.tui.whatif.trial import tried
from fleetplan.tui.work import Request, Watch, opened, trouble

T = TypeVar("T")

Opener = Callable[[Request, Watch], Situation]
"""How a situation is come by; in a worker."""

SPINNER = "◐◓◑◒"
TICK_S = 0.1
"""How often a wait is drawn; work that ends sooner is not seen to wait."""
VERBS = tuple(usage.split()[0] for usage in USAGE)
LEAVE_S = 2.0
"""Within so many seconds a second Esc at the end of the trail leaves."""


class FleetplanApp(App[int]):
    """`fleetplan tui`. Its result is the exit code."""

    TITLE = "fleetplan"
    ENABLE_COMMAND_PALETTE = True
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (160, "-wide")]  # noqa: RUF012 - how Textual declares it
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]  # noqa: RUF012 - as above

    CSS = """
    Screen { background: $background; }
    #stage { height: 1fr; }
    #stage > * { display: none; height: 100%; }
    #stage > .-shown { display: block; }
    #status { height: 1; }
    Footer { height: 1; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(row.key, f"show('{row.name}')", row.view.title, show=False) for row in ROWS if row.key),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("colon", "jump", "Go to", key_display=":"),
        Binding("escape", "back", "Back"),
        Binding("i", "try", "What if"),
        Binding("u", "undo", "Undo", show=False),
        Binding("U", "redo", "Do again", show=False),
        Binding("y", "copy", "Copy", show=False),
        Binding("w", "save('txt')", "Save as text", show=False),
        Binding("W", "save('svg')", "Save as picture", show=False),
        Binding("t", "theme", "Light, dark, terminal colours", show=False),
        Binding("ctrl+r", "open", "Read again", show=False),
        Binding("question_mark", "keys", "Keys", key_display="?"),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, request: Request, *, look: str = "dark", opener: Opener = opened) -> None:
        super().__init__(ansi_color=True if "NO_COLOR" in os.environ else None)
        for palette in PALETTES:
            self.register_theme(theme(palette))
        self.theme = NAMES["ansi" if self.no_color else look].name
        self.request = request
        self._opener = opener
        self.situation: Situation | None = None
        self.trail = Trail((Place(FIRST),))
        self._stale = {row.name for row in ROWS}
        self._turn = Lock()
        self._asked: Counter[str] = Counter()
        self._watch: Watch | None = None
        self._undone: tuple[Situation, ...] = ()
        self._stage: tuple[str, int, int] = ("load", 0, 0)
        self._began_s = 0.0
        self._said: Line = ()
        self._left_s = 0.0
        self._ticking: Timer

    def compose(self) -> ComposeResult:
        """Heading, the views, and what stands below them."""
        yield Bar(id="heading")
        with Container(id="stage"):
            for row in ROWS:
                yield row.view(id=f"view-{row.name}")
            yield Pane(id="view-notice")
        yield Bar(id="status")
        yield Prompt(id="prompt")
        yield Footer(show_command_palette=False, compact=True)

    def on_mount(self) -> None:
        """Begin to read."""
        self._ticking = self.set_interval(TICK_S, self._draw_status, pause=True)
        self._draw()
        self.action_open()

    # --- work beside the screen --------------------------------------------------------------------------------------------------

    def action_open(self) -> None:
        """Read the inventory, and plan. What is shown stays until there is another situation."""
        self._begin(partial(self._opener, self.request))

    def _begin(self, make: Callable[[Watch], Situation]) -> None:
        """Make another situation beside the screen, in place of any that is being made."""
        if self._watch is not None:
            self._watch.cancel()
        self._watch = Watch(self._tell)
        self._began_s, self._stage = monotonic(), ("load", 0, 0)
        self._ticking.resume()
        self.run_worker(partial(self._open, make, self._watch), thread=True, group="open", exclusive=True, description="open")

    def _tell(self, stage: str, done: int, total: int) -> None:
        self.post_message(Progressed(stage, done, total))

    def _open(self, make: Callable[[Watch], Situation], watch: Watch) -> None:
        try:
            with self._turn:
                situation = make(watch)
        except CancelledError:
            return
        except Exception as problem:  # noqa: BLE001 - whatever goes wrong in a worker ends on the screen
            if not watch.cancelled:
                self.post_message(Failed(trouble(problem)))
        else:
            if not watch.cancelled:
                self.post_message(Arrived(situation))

    def ask(self, group: str, make: Callable[[], T], done: Callable[[T], None]) -> None:
        """Work something out beside the screen; of one group only the last answer counts."""
        self._asked[group] += 1
        job = partial(self._answer, group, self._asked[group], make, done)
        # Textual would describe a job by its `repr`, and that of a fleet takes longer than all the rest.
        self.run_worker(job, thread=True, group=group, exclusive=True, description=group)

    def _answer(self, group: str, number: int, make: Callable[[], T], done: Callable[[T], None]) -> None:
        worker = get_current_worker()
        with self._turn:  # one at a time: classes grow while they are asked
            if worker.is_cancelled:
                return
            try:
                answer = make()
            except Exception as problem:  # noqa: BLE001 - as above
                self.post_message(Failed(trouble(problem)))
                return
        self.post_message(Answered(group, number, done, answer))

    def on_answered(self, event: Answered) -> None:
        """Hand an answer over, if nobody has asked anew."""
        if event.number == self._asked[event.group]:
            event.done(event.answer)

    def on_progressed(self, event: Progressed) -> None:
        """Remember how far the work is; the next tick draws it."""
        self._stage = (event.stage, event.done, event.total)

    def on_arrived(self, event: Arrived) -> None:
        """Look at this situation from now on."""
        self._rest()
        self._take(event.situation)

    def _take(self, situation: Situation) -> None:
        self.situation = situation
        self._stale = {row.name for row in ROWS}
        self._go(self.trail)

    def on_failed(self, event: Failed) -> None:
        """Say what went wrong. What was there before is still there, behind Esc."""
        self._rest()
        self._notice(event.document)

    def _rest(self) -> None:
        self._watch = None
        self._ticking.pause()

    def _notice(self, document: Document) -> None:
        self._show("notice")
        self.query_one("#view-notice", Pane).tell(document)
        self.query_one("#view-notice", Pane).focus()
        self._say("Esc: what was there before" if self.situation is not None else "q leaves; ctrl+r reads again")

    # --- where one is ------------------------------------------------------------------------------------------------------------

    def on_go_to(self, event: GoTo) -> None:
        """Somebody wants to go somewhere."""
        self._go(self.trail.to(event.place) if event.anew else self.trail.into(event.place))

    def action_show(self, view: str) -> None:
        """A view by its key."""
        self._go(self.trail.to(Place(view)))

    def _go(self, trail: Trail) -> None:
        self.trail, self._said = trail, ()
        if self.situation is None:
            self._draw()
            return
        view = self._view()
        if trail.here.view in self._stale:
            self._stale.discard(trail.here.view)
            view.take(self.situation)
        if trail.here.subject:
            view.aim(trail.here.subject)
        self._show(trail.here.view)
        view.main().focus()
        self.refresh_bindings()
        self._draw()

    def _view(self) -> View:
        return self.query_one(f"#view-{self.trail.here.view}", View)

    def _show(self, name: str) -> None:
        for child in self.query_one("#stage").children:
            child.set_class(child.id == f"view-{name}", "-shown")

    async def action_back(self) -> None:
        """One level up: out of a notice, out of a filter, out of a place; at the end, Esc once more leaves."""
        table = self._view().table() if self.situation is not None else None
        if self._watch is not None and self.situation is not None:
            self._watch.cancel()
            self._rest()
            self._say("given up; all is as it was")
        elif self.query_one("#view-notice").has_class("-shown") and self.situation is not None:
            self._go(self.trail)
        elif table is not None and (table.wish.text or table.wish.risky):
            table.want(replace(table.wish, text="", risky=False))
        elif len(self.trail.places) > 1:
            self._go(self.trail.back())
        elif monotonic() - self._left_s < LEAVE_S:
            self.exit(0)
        else:
            self._left_s = monotonic()
            self._say("Esc once more leaves fleetplan")

    # --- prompts -----------------------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Narrow the table that is shown."""
        table = self._view().table() if self.situation is not None else None
        if table is None:
            self._say("nothing to filter here")
            return
        keys = ", ".join(field.key for field in table.data.fields)
        self.query_one(Prompt).open("/", table.wish.text, f"words, KEY:VALUE, !not, /regex/; keys: {keys}")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002 - Textual's signature
        """Filters are offered where there is something to filter."""
        return action != "filter" or self.situation is None or self._view().table() is not None

    def action_jump(self) -> None:
        """Go to a view, a host or a guest by its name."""
        if self.situation is not None:
            known = (*(tab.name for tab in TABS), *self.situation.columns.hosts.names)
            self.query_one(Prompt).open(":", "", "a view, a host or a guest", known)

    def action_try(self) -> None:
        """Ask what if."""
        if self.situation is not None:
            names = (*(f"{verb} {name}" for verb in ("hold", "skip") for name in self.situation.columns.hosts.names), *VERBS)
            self.query_one(Prompt).open("?", "", "what if: " + "; ".join(USAGE), names)

    def _try(self, text: str) -> None:
        if self.situation is None or not text:
            return
        try:
            change = parse(text)
            made(change, self.situation.study.whole)
        except WishError as problem:
            self._say(str(problem), trouble=True)
        else:
            self._undone = ()
            self.trail = self.trail.to(Place("what-if"))
            self._begin(partial(tried, self.situation, change))

    def action_undo(self) -> None:
        """Take the last change back."""
        if self.situation is None or self.situation.before is None:
            self._say("nothing to undo")
            return
        self._undone = (*self._undone, self.situation)
        self._take(self.situation.before)

    def action_redo(self) -> None:
        """Make the change again that was taken back last."""
        if not self._undone:
            self._say("nothing to do again")
            return
        last, self._undone = self._undone[-1], self._undone[:-1]
        self._take(last)

    def on_prompt_typed(self, event: Prompt.Typed) -> None:
        """Filters work while they are typed, jumps once they are entered."""
        prompt = self.query_one(Prompt)
        if event.entered or event.left:
            prompt.close()
            self._view().main().focus()
        if event.kind == "/":
            self._narrow("" if event.left else event.text)
        elif event.entered and event.kind == "?":
            self._try(event.text.strip())
        elif event.entered:
            self._jump(event.text.strip())

    def _narrow(self, text: str) -> None:
        table = self._view().table()
        if table is None or table.wish.text == text:
            return
        try:
            table.want(replace(table.wish, text=text))
        except FilterError as problem:
            self._say(filter_sentence(problem), trouble=True)
        else:
            self._said = ()
            self._draw_status()

    def _jump(self, name: str) -> None:
        situation = self.situation
        if situation is None or not name:
            return
        if name in {tab.name for tab in TABS}:
            self.action_show(name)
        elif name in {"q", "quit"}:
            self.exit(0)
        elif name in situation.host_numbers:
            self._go(self.trail.into(Place("host", name)))
        elif situation.study.has_guest(name):
            self._go(self.trail.into(Place("guest", name)))
        else:
            self._say(f"no view, host or guest `{name}`", trouble=True)

    # --- what is said ------------------------------------------------------------------------------------------------------------

    def _say(self, words: str, *, trouble: bool = False) -> None:
        self._said = (Span(f" {words}", Ink.FAILS if trouble else Ink.STRIPS),)
        self._draw_status()

    def on_said(self, event: Said) -> None:
        """A view has something to say."""
        self._say(event.words, trouble=event.trouble)

    def on_arranged(self, _event: Arranged) -> None:
        """Another number of rows is shown."""
        self._draw_status()

    def on_resize(self, _event: events.Resize) -> None:
        """The heading has another width to fill, once everything has its new size."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        heading = heading_line(self.situation, self.trail, TABS, self.size.width)
        self.query_one("#heading", Bar).say(heading, tab_line(TABS, self.trail.places[0].view))
        self._draw_status()

    def _draw_status(self) -> None:
        self.query_one("#status", Bar).say(self._status())

    def _status(self) -> Line:
        if self._watch is not None:
            elapsed_s = monotonic() - self._began_s
            turn = SPINNER[int(elapsed_s / TICK_S) % len(SPINNER)]
            return (Span(f" {turn} {progress_line(*self._stage, int(elapsed_s), self.size.width - 4)}", Ink.HEAD),)
        if self._said or self.situation is None:
            return self._said
        return (Span(" "), *self._rows_words(), *plan_words(self.situation))

    def _rows_words(self) -> Line:
        table = self._view().table()
        if table is None:
            return self._view().standing()
        wish, shown, rows = table.wish, len(table.shown), table.data.rows
        kept = [words for words, holds in ((f"/{wish.text}", wish.text), ("risky only", wish.risky)) if holds]
        if not kept:
            return (Span(f"{counted(rows, 'row')}  "),)
        return (Span(f"{', '.join(kept)}: {shown:,} of {rows:,} rows (Esc: all)  ", Ink.STRIPS),)

    # --- copies, files, looks, help ----------------------------------------------------------------------------------------------

    def action_copy(self) -> None:
        """Put what the cursor is on into the clipboard, also over ssh (OSC 52)."""
        if self.situation is not None:
            text = self._view().copied()
            self.copy_to_clipboard(text)
            self._say(f"copied: {counted(len(text.splitlines()), 'line')}")

    def action_save(self, form: str) -> None:
        """Write the view as text, or the screen as a picture, to a new file in the working directory."""
        if self.situation is None:
            return
        path = free_path(self.trail.here, form)
        content = self._view().exported() if form == "txt" else picture(self)
        try:
            path.write_text(content)
        except OSError as problem:
            self._say(f"{path}: {problem.strerror}", trouble=True)
        else:
            self._say(f"written: {path}")

    def action_theme(self) -> None:
        """The next theme."""
        names = [palette.name for palette in PALETTES]
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else names[0]

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:  # noqa: ARG002 - Textual's signature
        """What the command palette offers: the views, and what the keys of the application do."""
        for tab in TABS:
            yield SystemCommand(tab.title, f"key {tab.key}", partial(self.action_show, tab.name))
        yield SystemCommand("Filter", "narrow the table (key /)", self.action_filter)
        yield SystemCommand("Go to", "a view, a host or a guest by its name (key :)", self.action_jump)
        yield SystemCommand("What if", "try a change (key i)", self.action_try)
        yield SystemCommand("Undo", "the last change (key u)", self.action_undo)
        yield SystemCommand("Do again", "what was undone last (key U)", self.action_redo)
        yield SystemCommand("Copy", "what the cursor is on (key y)", self.action_copy)
        yield SystemCommand("Save as text", "the whole view, to a new file (key w)", partial(self.action_save, "txt"))
        yield SystemCommand("Save as picture", "the screen, as SVG (key W)", partial(self.action_save, "svg"))
        yield SystemCommand("Theme", "light, dark or the terminal's colours (key t)", self.action_theme)
        yield SystemCommand("Read again", "the inventory (key ctrl+r)", self.action_open)
        yield SystemCommand("Keys", "what can be pressed here (key ?)", self.action_keys)
        yield SystemCommand("Quit", "leave (key q)", self.action_quit)

    def action_keys(self) -> None:
        """What can be pressed here."""
        bindings = [active.binding for active in self.screen.active_bindings.values()]
        self.push_screen(Help(help_document(bindings)))

    async def action_quit(self) -> None:
        """Leave, whatever is going on."""
        if self._watch is not None:
            self._watch.cancel()
        self.exit(0)


def run(request: Request, look: str) -> int:
    """Run until somebody leaves. Returns the exit code."""
    if os.environ.get("TERM", "") in {"", "dumb"}:
        sys.stderr.write("fleetplan: `tui` needs a terminal that can move its cursor\n")
        return 2
    return FleetplanApp(request, look=look).run() or 0
