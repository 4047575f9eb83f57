"""The interactive ``top``: what keys do, and what is drawn when. Everything it shows is decided below it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Callable, Collection, Coroutine, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import ClassVar

from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.widgets import Input

from oomctl.changes import recording
from oomctl.errors import OomctlError
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.live import pending
from oomctl.live.ask import Ask, has_cmdlines, shows_cmdlines
from oomctl.live.cmdlines import CommandLines
from oomctl.live.filling import Filling
from oomctl.live.pending import Mark, Marks
from oomctl.live.seen import Seen
from oomctl.live.shot import Shot, shoot
from oomctl.live.standing import Standing, judged
from oomctl.live.view import GROUPINGS, View, grouped, members_of, shown
from oomctl.model.changes import Change, Recorded, Status
from oomctl.model.listing import Row
from oomctl.model.look import Group
from oomctl.oomlog.sources import KMSG
from oomctl.procfs.details import with_details
from oomctl.procfs.sampler import Sampler
from oomctl.render import palette
from oomctl.render.changes import Report
from oomctl.render.fields import FIELDS, Field, empty_fields, find
from oomctl.render.palette import PLAIN
from oomctl.render.text import count, named, visible
from oomctl.targets.words import parse_adj
from oomctl.tui import keys, marking, theme, writing
from oomctl.tui.details import Details
from oomctl.tui.dialogs import BESIDE, Choice, Confirm, Notice
from oomctl.tui.events import Events
from oomctl.tui.footer import Footer
from oomctl.tui.heading import Heading
from oomctl.tui.help import help_text
from oomctl.tui.pane import Pane
from oomctl.tui.prompt import Prompt, Question
from oomctl.tui.ranking import Contents, Ranking, Titles
from oomctl.tui.scopes import lines, scopes

_WIDE = 160  # from so many columns on, details and events stand beside the ranking

_FIRST_SCREEN = 50  # rows; what more a terminal shows has its command lines at the second look


class TopApp(App[int]):
    """Shows one ``Ask`` again and again; returns the exit status."""

    ENABLE_COMMAND_PALETTE = False
    CSS = theme.CSS
    BINDINGS: ClassVar = [
        Binding(key.names, key.action, key.meaning, show=False, priority=key.action == "interrupt") for key in keys.KEYS
    ]

    def __init__(
        self,
        ask: Ask,
        sampler: Sampler,
        delay_s: float,
        first: Shot,
        kmsg: Path = KMSG,
        theme_name: str = "terminal",
    ) -> None:
        """``theme_name``: one of ``palette.THEMES``."""
        own_colours = theme_name == "terminal"
        super().__init__(ansi_color=own_colours)
        for painted in theme.THEMES:
            self.register_theme(painted)
        self.theme = theme.TERMINAL if own_colours else theme_name
        self._palette = PLAIN if self.no_color else palette.THEMES[theme_name]
        self._ask = ask
        self._sampler = sampler
        self._delay_s = delay_s
        self._seen = Seen(delay_s)
        self._kmsg = kmsg
        self._shot = first
        self._standing: Standing = judged(first.look)
        self._view = View(ask.sort, ask.reverse)
        self._cmdlines = CommandLines() if shows_cmdlines(ask.fields) else None
        self._read_cmdlines(first, self._standing, ())
        self._marks = Marks()
        self._written: list[Recorded] = []
        self._paused = False
        self._look_now = asyncio.Event()
        self._said = ""
        self._found = 0, 0
        """Processes that the filter leaves, and all."""
        self._rows: list[Row] = []
        """The processes that are shown, by themselves or in groups."""

    # What is on the screen

    def compose(self) -> ComposeResult:
        titles = Titles()
        yield Heading(self._palette)
        with Vertical(id="middle"):
            with Vertical(id="list"):
                yield titles
                yield Ranking(titles, self._palette)
            with Vertical(id="side"):
                yield Details()
                yield Events(self._kmsg, self._shot.procfs)
        yield Question()
        yield Footer()

    def on_mount(self) -> None:
        """Draw the first look, begin to look again and again, and listen to signals."""
        self._ranking.focus()
        self._say("")
        self._draw()
        if self._shot.is_partial:
            self._look_now.set()
        self.run_worker(self._until_closed(self.keep_looking()))
        if not self.is_headless:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.exit, 128 + signal.SIGTERM)
            # Not by the loop: without its terminal textual waits for ever to write what nobody reads.
            signal.signal(signal.SIGHUP, self._hung_up)

    def _hung_up(self, number: int, _: FrameType | None) -> None:
        """End; where the terminal is gone there is nothing to put in order."""
        if not sys.__stdin__ or not sys.__stdin__.isatty():
            os._exit(128 + number)
        asyncio.get_running_loop().call_soon_threadsafe(self.exit, 128 + number)

    def on_resize(self, event: events.Resize) -> None:
        """Put details and events beside the ranking where there is room for it, and draw all anew."""
        middle = self.query_one("#middle")
        wide = event.size.width >= _WIDE
        if wide != middle.has_class("wide"):
            middle.set_class(wide, "wide")
            for pane in self.query(Pane):
                pane.open(wide)
            self.query_one(Events).draw()
        self.call_after_refresh(self._draw_all)

    @property
    def _ranking(self) -> Ranking:
        return self.query_one(Ranking)

    @property
    def _prompt(self) -> Prompt:
        return self.query_one(Prompt)

    def _judge(self, already: tuple[Marks, Standing] | None = None) -> None:
        """Judge the latest look with the marks as they are, and draw that; ``already``: it was, with these marks."""
        marks, gone = self._marks.still_true(self._shot.look.scenario.tasks)
        if self._sampler.cgroup is None:  # outside of a cgroup's scope processes are not gone, only out of sight
            self._marks = marks
            if gone:
                self._say(", ".join(named(mark.task) for mark in gone) + " ended; nothing to write there")
        if already is not None and already[0] == self._marks:
            self._standing = already[1]
        else:
            self._standing = judged(self._shot.look, self._marks.what_if)
        self._draw()

    def _draw_all(self) -> None:
        self._draw_status()
        self._draw()

    def _draw(self) -> None:
        self.query_one(Heading).show(self._shot, self._standing, len(self._marks.marks))
        standing, view = self._standing, self._view
        page = standing.scenario.page_size
        rows = shown(self._with_cmdlines(standing.rows), view, page, self._shot.only)
        self._found = len(rows), len(standing.rows) if self._shot.only is None else len(self._shot.only)
        rows = self._rows = rows[: self._ask.lines]
        self._ranking.show(
            Contents(
                grouped(rows, view.group_by) if view.group_by else rows,
                view.group_by,
                self._ask.fields,
                view.sort.name if view.sort else "rank",
                standing.highest,
                page,
                self._marks.what_if,
                self._cmdlines,
                empty_fields(self._shot.machine, standing.scenario.tasks),
            )
        )
        self._draw_details()
        self._draw_status()

    def _with_cmdlines(self, rows: tuple[Row, ...]) -> list[Row]:
        if has_cmdlines(*self._ask.fields, self._view.sort):
            return with_details(rows, self._shot.procfs, cmdline=True)
        return list(rows)

    def _draw_details(self) -> None:
        self.query_one(Details).show(self._selected_row(), self._standing, self._shot.procfs)

    def _draw_status(self) -> None:
        paused = "paused  " if self._paused else ""
        left, all_of_them = self._found
        typed = self._prompt.is_open and self._prompt.about is None
        if typed:
            self.query_one(Question).say_found(left, all_of_them)
        filtered = f"filter: {self._view.words} ({left} of {all_of_them})  " if self._view.words and not typed else ""
        self.query_one(Footer).show(paused + filtered, self._said, max(self.size.width, 1))

    def _say(self, text: str) -> None:
        """Show a sentence in place of the keys until something else happens."""
        self._said = text
        self._draw_status()

    # Looking

    async def _until_closed(self, work: Coroutine[None, None, None]) -> None:
        """Do ``work``; a look that comes back when the view is being taken down finds nothing to draw on."""
        with contextlib.suppress(NoMatches):
            await work

    async def keep_looking(self) -> None:
        """Look every so many seconds, and at once when asked to, until the view is closed."""
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._look_now.wait(), self._delay_s)
            asked = self._look_now.is_set()
            self._look_now.clear()
            if asked or not self._paused:
                await self.look()

    async def look(self) -> None:
        """Look once and draw that; a cgroup that cannot be looked at is left for the machine."""
        cgroup = self._sampler.cgroup
        try:
            marks = self._marks
            shot, standing = await asyncio.to_thread(self._look_and_judge, self._ranking.visible_pids, marks)
        except OomctlError as error:
            if cgroup is not None:
                self._say(f"back to the machine: {error}")
                self._sampler.cgroup = None
                self._look_now.set()
            else:
                self._say(f"cannot look: {error}")
            return
        if cgroup == self._sampler.cgroup:  # else another scope was chosen meanwhile
            self._shot = shot
            self._judge((marks, standing))

    def _look_and_judge(self, visible: Collection[int], marks: Marks) -> tuple[Shot, Standing]:
        """Do both beside the loop, which takes keys meanwhile."""
        shot = shoot(self._sampler, self._ask, visible, tuple(marks.what_if), self._seen)
        standing = judged(shot.look, marks.what_if)
        self._read_cmdlines(shot, standing, visible)
        return shot, standing

    def _read_cmdlines(self, shot: Shot, standing: Standing, visible: Collection[int]) -> None:
        """Read the command lines of those on the screen, and of the first, who may come onto it."""
        if self._cmdlines is not None:
            rows = shown(standing.rows, self._view, standing.scenario.page_size, shot.only)
            first = {row.task.pid for row in rows[: max(len(visible), _FIRST_SCREEN)]}
            wanted = first | {*visible}
            self._cmdlines.read((row.task for row in rows if row.task.pid in wanted), shot.procfs)

    # The selected process

    def _selected_row(self) -> Row | None:
        selected = self._ranking.selected
        return selected.first if isinstance(selected, Group) else selected

    def on_ranking_moved(self) -> None:
        """Explain the process that is selected now."""
        self._said = ""
        self._draw_status()
        self._draw_details()

    def on_events_killed(self) -> None:
        """Look at once: the ranking has changed."""
        self._look_now.set()

    def on_ranking_opened(self) -> None:
        """Do what Enter does."""
        self.action_details()

    async def on_footer_clicked(self, event: Footer.Clicked) -> None:
        """Do what that key does."""
        await self.run_action(event.action)

    def on_titles_clicked(self, event: Titles.Clicked) -> None:
        """Sort by that column; by the one sorted by already, the other way round."""
        name = event.field.name
        now = self._view.sort.name if self._view.sort else "rank"
        if name == now:
            self.action_turn_round()
        else:
            self.action_sort_by("" if name == "rank" else name)

    # What keys do

    def action_help(self) -> None:
        """Show all keys, and what colours mean."""
        self.push_screen(Notice(partial(help_text, self._palette), "oomctl top"))

    def action_quit_view(self) -> None:
        """End with status 0."""
        self.exit(0)

    def action_interrupt(self) -> None:
        """End with the status of Ctrl-C."""
        self.exit(130)

    def action_refresh_now(self) -> None:
        """Look at once, and draw all anew."""
        self._look_now.set()
        self.refresh(layout=True)

    def action_pause(self) -> None:
        """Stop looking, or go on with it."""
        self._paused = not self._paused
        self._say("")

    def action_details(self) -> None:
        """Open or close the explanation of the selected process; of a group, show the members."""
        selected = self._ranking.selected
        if isinstance(selected, Group):
            self._view = self._view._replace(group_by=None, words=selected.name.removeprefix("-"))
            self._say("")
            self._draw()
            return
        pane = self.query_one(Details)
        pane.open(not pane.is_open)
        self._draw_details()

    def action_events(self) -> None:
        """Open or close the list of kills."""
        pane = self.query_one(Events)
        pane.open(not pane.is_open)
        pane.draw()

    def action_scroll_panes(self, lines: int) -> None:
        """Show what lies further down, or up, in what is open beside the ranking."""
        for pane in self.query(Pane):
            pane.scroll_relative(y=lines, animate=False, immediate=True)

    def action_leave(self) -> None:
        """Close the innermost thing that is open."""
        if self._prompt.is_open:
            self._close_prompt()
        elif self._view.words:
            self._view = self._view._replace(words="")
        else:
            for pane in self.query(Pane):
                pane.open(False)
        self._say("")
        self._draw()

    def action_turn_round(self) -> None:
        """Show the last one first."""
        self._view = self._view._replace(reverse=not self._view.reverse)
        self._draw()

    def action_sort_by(self, name: str) -> None:
        """Sort by the field of that name; by rank if it is empty."""
        self._view = self._view._replace(sort=find(name) if name else None, reverse=False, group_by=None)
        self._draw()

    def action_sort(self) -> None:
        """Let a column be chosen, and sort by it."""
        fields: list[Field] = [field for field in FIELDS if field.name not in ("group", "killable")]
        now = self._view.sort.name if self._view.sort else "rank"
        names = [field.name for field in fields]

        def chosen(index: int | None) -> None:
            if index is not None:
                self.action_sort_by("" if names[index] == "rank" else names[index])

        self.push_screen(Choice("Sort by", [f"{f.title:<12} {f.name}" for f in fields], names.index(now)), chosen)

    def action_group(self) -> None:
        """Go on to the next grouping; after the last one, every process is by itself."""
        order: list[str | None] = [None, *GROUPINGS]
        after = order[(order.index(self._view.group_by) + 1) % len(order)]
        self._view = self._view._replace(group_by=after)
        self._say(f"grouped by {after}: sums, and the member that would die; t for the next" if after else "")
        self._draw()

    def action_scope(self) -> None:
        """Let the memory be chosen that is thought to run out."""
        filling = Filling(self._shot, self._seen)
        offered = scopes(self._shot.procfs, self._shot.look.details.values(), filling.seconds)
        now = next((index for index, scope in enumerate(offered) if scope.path == self._sampler.cgroup), 0)

        def chosen(index: int | None) -> None:
            if index is not None:
                self._sampler.cgroup = offered[index].path
                self._say(f"{visible(offered[index].path or 'machine')}: who would die if this memory ran out")
                self._look_now.set()

        self.push_screen(Choice("Which memory runs out?", lines(offered, self.size.width - BESIDE), now), chosen)

    # What if

    def action_step(self, step: int) -> None:
        """Mark the selected process, or each of a group, with ``step`` more than what it has or might get; stay."""
        self._ranking.hold_selected()
        self._mark_selected(f"{step:+} each", lambda adj: pending.stepped(adj, step))

    def action_mark(self, adj: int) -> None:
        """Mark the selected process, or all of a group that may have it, with ``adj``; go on to the next."""
        self._ranking.hold_next()
        self._mark_selected(str(adj), lambda _: adj)

    def _mark_selected(self, asked: str, adj_after: Callable[[int], int]) -> None:
        """Mark what is selected; ``adj_after``: the adj of a process that has or might get another now."""
        selected = self._ranking.selected
        rows = self._selected_rows()
        tasks = self._standing.real([row.task.pid for row in rows])
        marks = [Mark(task, adj_after(row.task.adj)) for row, task in zip(rows, tasks)]
        if isinstance(selected, Group):
            self._mark_group(selected.name, asked, marks)
        elif marks:
            self._mark(marks[0])

    def _selected_rows(self) -> list[Row]:
        """Return the selected process, or all members of the selected group that are shown."""
        selected = self._ranking.selected
        if isinstance(selected, Group):
            return members_of(selected, self._rows, self._view.group_by)
        return [] if selected is None else [selected]

    def _mark(self, mark: Mark) -> None:
        """Mark a process, even where it can only be thought of."""
        self._marks = self._marks.with_adj(mark.task, mark.adj)
        self._say(marking.warning(mark, self._shot.procfs))
        self._judge()

    def _mark_group(self, name: str, asked: str, marks: Sequence[Mark]) -> None:
        """Mark all of a group but for those that the command would refuse, or ask about."""
        now = {task.pid: task for task in self._shot.look.scenario.tasks}
        allowed, left_alone = marking.allowed(marks, now, self._shot.procfs)
        self._marks = self._marks.with_all(allowed)
        self._judge()
        self._say(marking.sentence(name, asked, allowed, left_alone))

    def action_write(self) -> None:
        """Write all marks, after a question."""
        marks = self._marks.marks
        if not marks:
            self._say("nothing is marked: + - = p s r mark a value for the selected process")
            return
        procfs, scenario = self._shot.procfs, self._shot.look.scenario
        asked = writing.attempt(procfs, scenario, marks, dry_run=True)
        self._ask_first(asked, marks, "Write", self._write, writing.risks(procfs, scenario, marks))

    def _write(self, marks: tuple[Mark, ...]) -> writing.Done:
        done = writing.write(self._shot.procfs, self._shot.look.scenario, marks)
        if done.entry is not None:
            self._written.append(done.entry)
            made = {value.pid for value in done.entry.values}
            self._marks = Marks(tuple(mark for mark in self._marks.marks if mark.task.pid not in made))
        return done

    def action_undo(self) -> None:
        """Take the latest mark away; without any, put back what was written last, after a question."""
        if self._marks.marks:
            last = [mark.task for mark in self._marks.last()]
            self._marks = self._marks.without_last()
            self._ranking.hold(last[0].pid, last[0].start_ticks)
            self._say(
                f"no longer marked: {named(last[0]) if len(last) == 1 else count(len(last), 'process', 'processes')}"
            )
            self._judge()
        elif self._written:
            asked = recording.put_back(self._written[-1], self._shot.procfs, dry_run=True)
            self._ask_first(asked, (), "Put back", self._take_back)
        else:
            self._say("nothing to take back: nothing is marked, and nothing was written here")

    def _take_back(self, _: tuple[Mark, ...]) -> writing.Done:
        return writing.take_back(self._shot.procfs, self._written.pop())

    def _ask_first(
        self,
        asked: list[Change],
        marks: tuple[Mark, ...],
        verb: str,
        act: Callable[[tuple[Mark, ...]], writing.Done],
        risks: Sequence[str] = (),
    ) -> None:
        """Name processes and values, and go on only with a yes."""
        possible = {change.pid: change.after for change in pending.possible(asked) if change.after is not None}
        standing = judged(self._shot.look, possible)
        lines = pending.question(pending.report(standing, asked), verb, risks)

        def answered(yes: bool | None) -> None:
            if yes:
                done = act(marks)
                self._report(pending.report(standing, done.changes), done.complaint)

        if possible:
            self.push_screen(Confirm(lines, verb), answered)
        else:
            self.push_screen(Notice("\n".join(lines)))

    def _report(self, done: Report, complaint: str | None) -> None:
        if not complaint and all(change.status in (Status.CHANGED, Status.UNCHANGED) for change in done.changes):
            self._say(pending.summary(done))
        else:
            self.push_screen(Notice("\n".join([*pending.outcome(done), *([complaint] if complaint else [])])))
        self._judge()
        self._look_now.set()

    # Typing

    def action_filter(self) -> None:
        """Let a filter be typed."""
        self._prompt.ask_for_filter(self._view.words)
        self._draw_status()

    def action_type_adj(self) -> None:
        """Let an adj be typed for the selected process, or for all of the selected group."""
        selected = self._ranking.selected
        tasks = self._standing.real([row.task.pid for row in self._selected_rows()])
        if tasks:
            self._ranking.hold_selected()
            self._prompt.ask_for_adj(tasks, selected.name if isinstance(selected, Group) else None)

    def _close_prompt(self) -> None:
        self._prompt.close()
        self._ranking.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Show what the filter, as far as it is typed, leaves."""
        if self._prompt.is_open and self._prompt.about is None:
            self._view = self._view._replace(words=event.value)
            self._draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter, or mark the process with the adj that was typed for it."""
        tasks = self._prompt.about
        self._close_prompt()
        self._say("")
        if tasks is None:
            return
        adj = parse_adj(event.value)
        if adj is None:
            self._say(f"{visible(event.value)!r} is not an oom_score_adj: {ADJ_MIN}..{ADJ_MAX}, {ADJ_MIN} = never kill")
        elif self._prompt.group is not None:
            self._mark_group(self._prompt.group, str(adj), [Mark(task, adj) for task in tasks])
        else:
            self._mark(Mark(tasks[0], adj))


def run(ask: Ask, sampler: Sampler, delay_s: float, first: Shot, theme_name: str) -> int:
    """Show the interactive view until the user has seen enough; return the exit status."""
    app = TopApp(ask, sampler, delay_s, first, theme_name=theme_name)
    status = app.run()
    if status is None:  # none of its own ends: asyncio cancels what runs on SIGINT
        status = 128 + signal.SIGINT
    return app.return_code or status
