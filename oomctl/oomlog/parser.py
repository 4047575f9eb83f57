"""Lines of a kernel log -> OOM reports. Pure, streaming, linear: memory is bounded by a few open reports.

Nothing is taken for granted: reports begin in the middle, end in the middle, run into each other and
repeat; what a report lacks stands in its ``missing``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Optional

from oomctl.model.oomreport import OomReport
from oomctl.oomlog.anchors import Finder, may_follow, may_open
from oomctl.oomlog.conclusion import conclude
from oomctl.oomlog.dates import apart_s
from oomctl.oomlog.draft import MOST_ROWS, Draft
from oomctl.oomlog.killers import Told
from oomctl.oomlog.killers import read as read_told
from oomctl.oomlog.lines import (
    Boot,
    Choice,
    Detail,
    Event,
    Exiting,
    Group,
    Header,
    Killing,
    NoKillable,
    Note,
    Panic,
    Rage,
    Reaped,
    Request,
    Sharer,
    Summary,
)
from oomctl.oomlog.prefix import Line, split_prefix, trimmed
from oomctl.oomlog.programs import Programs, merged
from oomctl.oomlog.shapes import continues_summary, read, read_summary
from oomctl.oomlog.table import Gap, TableHeader, read_row
from oomctl.oomlog.undressing import Undresser

LONGEST_LINE = 8192
"""Characters that are looked at; the kernel's own records end near 1000."""
_OPEN_REPORTS = 8  # with PRINTK_CALLER or several hosts in one log, lines tell whose they are
_PATIENCE = 1000  # unrelated lines inside a report: call traces, allocation profiles, other messages
_PATIENCE_AFTER_KILL = 100  # for the reaper and the other members of a killed group
_LONGEST_GAP_S = 60.0
_LONGEST_GAP_OF_DATES_S = 120.0  # a logger that was short of memory itself may stamp a report's end late
_LOOK_BACK_BYTES = 1 << 14  # totals, limits and call traces that stand before the first anchor
_LINES_OF_A_BLOCK = 1024
_MANY_BYTES = 1 << 12  # a block that is read while the log grows may be one line of a report
_REMEMBERED_KILLS = 1024
_REMEMBERED_HOSTS = 64
_EVENTS = (Header, Summary, Choice, Killing, Rage, Request, Sharer, TableHeader, Panic, NoKillable, Exiting)

_Key = tuple[Optional[str], Optional[str]]


def parse(lines: Iterable[str] | Iterable[bytes]) -> Iterator[OomReport]:
    """Yield the reports in ``lines``, which may end in LF, CRLF or nothing."""
    yield from parse_blocks(_blocks(lines))


def _blocks(lines: Iterable[str] | Iterable[bytes]) -> Iterator[bytes]:
    block: list[bytes] = []
    for line in lines:
        raw = line.encode("utf-8", "replace") if isinstance(line, str) else line
        block.append(raw if raw.endswith(b"\n") else raw + b"\n")
        if len(block) >= _LINES_OF_A_BLOCK:
            yield b"".join(block)
            block.clear()
    yield b"".join(block)


def parse_blocks(blocks: Iterable[bytes]) -> Iterator[OomReport]:
    """Yield the reports in ``blocks`` of whole lines; quicker than ``parse`` where reports are rare."""
    reading = Reading()
    for block in blocks:
        yield from reading.push(block)
    yield from reading.close()


class Reading:
    """A log that comes in blocks of whole lines."""

    def __init__(self) -> None:
        """Begin at the start of a log."""
        self._parser = Parser()
        self._undresser = Undresser()
        self._before = b""
        self._settled = 0
        self._pushed = False

    @property
    def waits(self) -> bool:
        """Whether there may be a report that was not told yet."""
        return self._parser.waits or self._undresser.holds

    def push(self, raw: bytes) -> Iterator[OomReport]:
        """Take the next block; yield the reports that are now over."""
        self._pushed = True
        finder = Finder(raw)
        block = raw
        if finder.first is not None:
            self._before, block = self._undresser.plain(self._before, raw, finder)
        else:
            if not self._undresser.holds and len(raw) >= _MANY_BYTES:
                yield from self._parser.skip()
            if not self._parser.idle or self._undresser.holds:
                block = self._undresser.other(raw)
        if block is not raw:
            finder = Finder(block)
        if self._parser.idle and finder.first is None:
            self._before = (self._before + block[-_LOOK_BACK_BYTES:])[-_LOOK_BACK_BYTES:]
            return
        yield from self._reports_in(block, finder)

    def settle(self) -> list[OomReport]:
        """Return the reports to which nothing was added since this was asked before, if they have their end.

        Lines that still belong to them do not tell them again. For logs that go on.
        """
        reports: list[OomReport] = []
        if not self._pushed and self._undresser.holds:
            rest = self._undresser.close()
            reports += self._reports_in(rest, Finder(rest))
        self._pushed = False
        reports += self._parser.announce(self._settled)
        self._settled = self._parser.line_number
        return reports

    def close(self) -> Iterator[OomReport]:
        """End of the log, or of patience: yield the reports that are still open."""
        rest = self._undresser.close()
        yield from self._reports_in(rest, Finder(rest))
        yield from self._parser.close()

    def _reports_in(self, block: bytes, finder: Finder) -> Iterator[OomReport]:
        for line in _lines_of_interest(self._parser, self._before, block, finder):
            yield from self._parser.feed(line)
        self._before = b""


def _lines_of_interest(parser: Parser, before: bytes, block: bytes, finder: Finder) -> Iterator[bytes]:
    """Yield the lines that ``parser`` needs from a block: from an anchor, or a little before it, until it is idle."""
    position = 0
    while position < len(block):
        if parser.idle:
            anchor = finder.next_from(position)
            if anchor is None:
                return
            start = block.rfind(b"\n", 0, anchor) + 1
            context = block[max(position, start - _LOOK_BACK_BYTES) : start]
            if position == 0 and len(context) < _LOOK_BACK_BYTES:
                context = before + context
            for line in context.splitlines(keepends=True):
                if not parser.idle or may_open(line):
                    yield line
            position = start
        end = block.find(b"\n", position) + 1 or len(block)
        yield block[position:end]
        position = end


class Parser:
    """The reports that are open, and how a line finds its own."""

    def __init__(self) -> None:
        """Begin at the start of a log."""
        self._open: dict[_Key, Draft] = {}
        self._programs = Programs()
        self._done: list[OomReport] = []
        self._count = 0
        self._line_number = 0
        self._sequence: int | None = None
        self._boot_kernels: dict[str | None, str] = {}
        self._killed: deque[int] = deque(maxlen=_REMEMBERED_KILLS)

    @property
    def idle(self) -> bool:
        """Whether no report is open, so that only an opening line matters."""
        return not self._open and self._programs.idle

    @property
    def waits(self) -> bool:
        """Whether a report is open that was not announced yet."""
        return not self._programs.idle or any(not draft.announced for draft in self._open.values())

    @property
    def line_number(self) -> int:
        """How many lines were fed."""
        return self._line_number

    def feed(self, raw: str | bytes) -> list[OomReport]:
        """Take one line; return the reports that are now over."""
        self._line_number += 1
        text = raw[:LONGEST_LINE]
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        if not self._is_row(text) and (not self._all_over() or may_follow(text)):
            line = split_prefix(trimmed(text))
            told = read_told(line)
            if told is not None:
                self._told(line, told)
            elif line.message and not line.foreign:
                for message in line.message.split("\n"):
                    self._take(line, message)
        if self._line_number % 64 == 0:
            self._close_stale()
        return self._finished()

    def skip(self) -> list[OomReport]:
        """Say that many lines without any word of a report went by; return the reports that are now over."""
        for key, draft in list(self._open.items()):
            if draft.over or not draft.evidence:
                self._finish(key)
        self._give(self._programs.over())
        return self._finished()

    def announce(self, line_number: int) -> list[OomReport]:
        """Return the reports that had their end by that line; they stay open for lines that belong to them, too."""
        for draft in self._open.values():
            if draft.over and not draft.announced and draft.last_line_number <= line_number:
                draft.announced = True
                self._conclude(draft)
        self._give(self._programs.over(line_number, patience=-1))
        return self._finished()

    def close(self) -> list[OomReport]:
        """End of the log: return the reports that are still open."""
        for key in list(self._open):
            self._finish(key)
        self._give(self._programs.over())
        return self._finished()

    def _finished(self) -> list[OomReport]:
        done, self._done = self._done, []
        return done

    # What is understood without looking at the prefix

    def _is_row(self, text: str) -> bool:
        """Take a row of the only open table without looking at its prefix, which is most of the work."""
        if len(self._open) != 1 or "," in text[:24] or "] " not in text:
            return False
        draft = next(iter(self._open.values()))
        table = draft.open_table
        if table is None or (draft.first.host is not None and draft.first.host not in text):
            return False
        if draft.first.tagged and " kernel: " not in text:
            return False
        row = read_row(table, trimmed(text))
        if row is None:
            return False
        draft.take(row)
        draft.last_line_number = self._line_number
        return True

    def _all_over(self) -> bool:
        return all(draft.over for draft in self._open.values())

    # What programs say

    def _told(self, line: Line, told: Told) -> None:
        draft = next((draft for draft in self._open.values() if self._programs.belongs(draft, told, line)), None)
        if draft is None:
            self._programs.take(line, told, self._line_number)
        else:
            draft.told = merged(draft.told, told.elsewhere)

    def _give(self, reports: list[OomReport]) -> None:
        for report in reports:
            self._count += 1
            self._done.append(report._replace(number=self._count))

    # Which report a line belongs to

    def _take(self, line: Line, message: str) -> None:
        self._watch_sequence(line)
        key = self._key(line)
        own = None if key is None else self._open[key]
        late = own is not None and _too_late(own, line)
        value = read(message, own.open_table if own is not None and not late else None)
        if isinstance(value, Boot):
            self._boot(line.host, value)
            return
        if isinstance(value, Reaped):
            self._reap(line, message, value)
            return
        if key is not None and late:
            self._finish(key)
            own = None
        if isinstance(value, _EVENTS):
            self._event(line, message, value, own)
        else:
            self._detail(line, message, value, own)

    def _event(self, line: Line, message: str, value: Event, own: Draft | None) -> None:
        """Give a line that can begin a report to its own, or begin one."""
        if own is None:
            if not isinstance(value, Sharer):
                self._add(self._begin(line), line, message, value)
        elif not isinstance(value, (Header, TableHeader)) or own.last_message != _identity(line, message):
            self._add(self._begin(line) if _begins_another(own, value) else own, line, message, value)

    def _reap(self, line: Line, message: str, value: Reaped) -> None:
        """The reaper speaks with its own caller, and late: the PID says which report it means."""
        draft = self._draft_of_victim(value.pid) or self._latest()
        if draft is not None or value.pid not in self._killed:
            self._add(draft or self._begin(line), line, message, value)

    def _detail(self, line: Line, message: str, value: Detail | None, own: Draft | None) -> None:
        """Give a line that says something only within a report to the open one; one without a shape may end a cut."""
        if own is None:
            if value is None or not may_open(message):
                return
            own = self._begin(line)
        if own.first.tagged and line.time_text is not None and not line.tagged:
            return  # another program's line between the kernel's
        cut, own.cut_summary = own.cut_summary, None
        if cut is not None and continues_summary(message):
            own.take(read_summary(cut + message.strip())._replace(cut=None))
        elif isinstance(value, Gap) or value is Note.LOST:
            own.take(value)  # says what is not there, not that the report goes on
        elif value is not None and (not own.over or isinstance(value, Group) or value is Note.SUPPRESSED):
            self._add(own, line, message, value)

    def _add(self, draft: Draft, line: Line, message: str, value: Event | Detail) -> None:
        draft.take(value)
        draft.last_line_number = self._line_number
        draft.last_message = _identity(line, message)
        if line.uptime_s is not None:
            draft.last_uptime_s = line.uptime_s
        if line.time_text is not None:
            draft.last_time_text = line.time_text
            if draft.first.time_text is None:
                draft.first = draft.first._replace(time_text=line.time_text)

    def _key(self, line: Line) -> _Key | None:
        """The key of the open report of this line's host and caller; None: there is none."""
        key = (line.host, line.caller)
        if key in self._open:
            return key
        if line.host is None and len(self._open) == 1:
            # A continuation without prefix belongs to the only report there is.
            (only,) = self._open
            return only if line.caller is None or only[1] is None else None
        # A prefix that lost its beginning names no host; what follows may name it.
        nameless = (None, line.caller)
        draft = self._open.get(nameless) if len(self._open) == 1 else None
        return None if draft is None or draft.over else nameless

    def _draft_of_victim(self, pid: int) -> Draft | None:
        return next((draft for draft in self._open.values() if pid in draft.killed), None)

    def _latest(self) -> Draft | None:
        return max(self._open.values(), key=lambda draft: draft.last_line_number, default=None)

    # From the first line of a report to its end

    def _begin(self, line: Line) -> Draft:
        key = (line.host, line.caller)
        if key in self._open:
            self._finish(key)
        elif len(self._open) >= _OPEN_REPORTS:
            self._finish_stalest()
        self._give(self._programs.over(kernels_too=False))
        draft = Draft(line, self._boot_kernels.get(line.host))
        draft.last_line_number = self._line_number
        draft.requested = self._take_request(line)
        self._open[key] = draft
        return draft

    def _take_request(self, line: Line) -> bool:
        """Whether SysRq f was told just before, as it is by another task than the one that kills."""
        for key, draft in self._open.items():
            if key[0] == line.host and draft.only_requested and not _too_late(draft, line):
                del self._open[key]
                return True
        return False

    def _boot(self, host: str | None, value: Boot) -> None:
        for key in [key for key in self._open if key[0] == host]:
            self._finish(key)
        self._boot_kernels[host] = value.release
        if len(self._boot_kernels) > _REMEMBERED_HOSTS:
            del self._boot_kernels[next(iter(self._boot_kernels))]
        self._killed.clear()

    def _watch_sequence(self, line: Line) -> None:
        """Tell the open reports of records that the log lost between this line and the one before."""
        if line.sequence is None:
            return
        if self._sequence is not None and line.sequence > self._sequence + 1:
            for draft in self._open.values():
                if not draft.over:
                    draft.take(Note.LOST)
        self._sequence = line.sequence

    def _close_stale(self) -> None:
        for key, draft in list(self._open.items()):
            patience = _PATIENCE_AFTER_KILL if draft.over else _PATIENCE
            if self._line_number - draft.last_line_number > patience:
                self._finish(key)
        self._give(self._programs.over(self._line_number))
        # Many hosts in one log, each with a table without end.
        while len(self._open) > 1 and sum(len(draft.rows) for draft in self._open.values()) > MOST_ROWS:
            self._finish_stalest()

    def _finish_stalest(self) -> None:
        self._finish(min(self._open, key=lambda key: self._open[key].last_line_number))

    def _finish(self, key: _Key) -> None:
        draft = self._open.pop(key)
        if draft.announced:
            self._killed.extend(draft.killed)  # some may have died since
        elif draft.evidence or draft.requested:
            self._conclude(draft)

    def _conclude(self, draft: Draft) -> None:
        self._programs.absorb(draft)
        self._count += 1
        report = conclude(draft, self._count, frozenset(self._killed) if draft.rows else frozenset())
        self._killed.extend(kill.pid for kill in report.killed)
        self._done.append(report)


def _begins_another(own: Draft, value: Event) -> bool:
    """Whether a line begins a report although one is open: what it says cannot belong to that one."""
    if own.only_requested:
        return isinstance(value, Request)
    if isinstance(value, Request):
        return not (value.ignored and own.no_killable)
    if isinstance(value, Rage) or own.only_rage:
        return own.over or isinstance(value, Rage)
    if isinstance(value, Header):
        return True
    if isinstance(value, Sharer):
        return False
    begun = own.evidence or own.about_memcg  # Mem-Info alone may be that of an allocation that failed
    if isinstance(value, Summary):
        return own.over or not (begun or own.table)
    if isinstance(value, TableHeader):
        return own.over or bool(own.rows)
    if isinstance(value, Choice):
        another = own.selected is not None and own.selected.pid != value.selected.pid
        return own.over or another or not begun
    if isinstance(value, Killing):
        # After the victim, others die only with its group; the same may be told twice.
        again = own.victim is not None and value.kill.pid in own.killed
        return not begun or (own.over and own.group is None and not again)
    return own.victim is not None or (isinstance(value, NoKillable) and own.over)


def _too_late(draft: Draft, line: Line) -> bool:
    if line.uptime_s is not None and draft.last_uptime_s is not None:
        return not -1 <= line.uptime_s - draft.last_uptime_s <= _LONGEST_GAP_S
    apart = apart_s(draft.last_time_text, line.time_text)
    return apart is not None and abs(apart) > _LONGEST_GAP_OF_DATES_S


def _identity(line: Line, message: str) -> str:
    """What makes a line the same line again, printed twice."""
    return f"{line.time_text} {line.uptime_s} {message}"
