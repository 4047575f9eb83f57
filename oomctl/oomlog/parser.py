"""Lines of a kernel log -> OOM reports. Pure, streaming, linear: memory is bounded by a few open reports.

Nothing is taken for granted: reports begin in the middle, end in the middle, run into each other and
repeat; what a report lacks stands in its ``missing``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

from oomctl.model.oomreport import Kill, OomReport, Reaped, Selected
from oomctl.oomlog import shapes
from oomctl.oomlog.conclusion import conclude
from oomctl.oomlog.draft import MOST_ROWS, Draft, killed_process
from oomctl.oomlog.prefix import Line, split_prefix

LONGEST_LINE = 8192
"""Characters that are looked at; the kernel's own records end near 1000."""
_OPEN_REPORTS = 8  # with PRINTK_CALLER or several hosts in one log, lines tell whose they are
_PATIENCE = 1000  # unrelated lines inside a report: call traces, allocation profiles, other messages
_PATIENCE_AFTER_KILL = 100  # for the reaper and the other members of a killed group
_LONGEST_GAP_S = 60.0
_LOOK_BACK_BYTES = 1 << 14  # totals, limits and call traces that stand before the first anchor
_REMEMBERED_KILLS = 1024

_Key = tuple[str | None, str | None]


def parse(lines: Iterable[str] | Iterable[bytes]) -> Iterator[OomReport]:
    """Yield the reports in ``lines``, which may end in LF, CRLF or nothing."""
    parser = Parser()
    for line in lines:
        if parser.idle and not may_open(line):
            continue
        yield from parser.feed(line)
    yield from parser.close()


def parse_blocks(blocks: Iterable[bytes]) -> Iterator[OomReport]:
    """Yield the reports in ``blocks`` of whole lines; quicker than ``parse`` where reports are rare."""
    parser = Parser()
    before = b""
    for block in blocks:
        if not any(word in block for word in shapes.ANCHORS):
            yield from parser.skip()
            if parser.idle:
                before = (before + block[-_LOOK_BACK_BYTES:])[-_LOOK_BACK_BYTES:]
                continue
        for line in _lines_of_interest(parser, before, block):
            yield from parser.feed(line)
        before = b""
    yield from parser.close()


def _lines_of_interest(parser: Parser, before: bytes, block: bytes) -> Iterator[bytes]:
    """Yield the lines that ``parser`` needs from a block: from an anchor, or a little before it, until it is idle."""
    finder = _Finder(block)
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


class _Finder:
    """The next anchor in a block; every anchor is searched for once over the block's length."""

    def __init__(self, block: bytes) -> None:
        self._block = block
        self._next = {word: block.find(word) for word in shapes.ANCHORS}

    def next_from(self, position: int) -> int | None:
        for word, at in list(self._next.items()):
            if at < 0:
                del self._next[word]
            elif at < position:
                self._next[word] = self._block.find(word, position)
        return min((at for at in self._next.values() if at >= 0), default=None)


_OPENING_TEXT = tuple(word.decode() for word in shapes.OPENING_WORDS)


def may_open(line: str | bytes) -> bool:
    """Whether a report can begin with this line."""
    if isinstance(line, bytes):
        return any(word in line for word in shapes.OPENING_WORDS)
    return any(word in line for word in _OPENING_TEXT)


class Parser:
    """The reports that are open, and how a line finds its own."""

    def __init__(self) -> None:
        self._open: dict[_Key, Draft] = {}
        self._done: list[OomReport] = []
        self._count = 0
        self._line_number = 0
        self._sequence: int | None = None
        self._boot_kernels: dict[str | None, str] = {}
        self._killed: deque[int] = deque(maxlen=_REMEMBERED_KILLS)
        self._uptime_s: float | None = None

    @property
    def idle(self) -> bool:
        """Whether no report is open, so that only an opening line matters."""
        return not self._open

    def feed(self, raw: str | bytes) -> list[OomReport]:
        """Take one line; return the reports that are now over."""
        self._line_number += 1
        text = raw[:LONGEST_LINE]
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        if not self._is_row(text) and not self._is_noise(text):
            line = split_prefix(text.rstrip("\r\n"))
            if not line.foreign:
                for message in line.message.split("\n"):
                    self._take(line, message)
        if self._line_number % 64 == 0:
            self._close_stale()
        done, self._done = self._done, []
        return done

    def skip(self) -> list[OomReport]:
        """Say that many lines without any word of a report went by."""
        for key, draft in list(self._open.items()):
            if draft.over or not draft.evidence:
                self._finish(key)
        done, self._done = self._done, []
        return done

    def close(self) -> list[OomReport]:
        """End of the log: return the reports that are still open."""
        for key in list(self._open):
            self._finish(key)
        done, self._done = self._done, []
        return done

    def _is_row(self, text: str) -> bool:
        """Take a row of the only open table without looking at its prefix, which is most of the work."""
        if len(self._open) != 1 or "," in text[:24] or "] " not in text:
            return False
        draft = next(iter(self._open.values()))
        if not draft.in_table or (draft.first.host is not None and draft.first.host not in text):
            return False
        if draft.first.tagged and " kernel: " not in text:
            return False
        if draft.row(text.rstrip("\r\n")):
            draft.last_line_number = self._line_number
            return True
        return False

    def _is_noise(self, text: str) -> bool:
        """Whether nothing in the text can matter to reports that already have their end."""
        if any(not draft.over for draft in self._open.values()):
            return False
        return "oom" not in text and "suppressed" not in text and "sharing" not in text and not may_open(text)

    def _take(self, line: Line, message: str) -> None:
        if line.sequence is not None:
            if self._sequence is not None and line.sequence > self._sequence + 1:
                self._note_loss()
            self._sequence = line.sequence
        if "Linux version " in message:
            self._boot(line, message)
        elif not self._opening(line, message):
            self._belonging(line, message)

    # Lines that can begin a report

    def _opening(self, line: Line, message: str) -> bool:
        if "invoked oom-killer" in message:
            draft = self._draft(line)
            if draft is not None and draft.last_message == _identity(line, message):
                return True
            draft = self._begin(line)
            draft.header(message)
        elif "oom-kill:" in message and "constraint=" in message:
            draft = self._draft(line)
            if draft is None or draft.over or (not draft.evidence and not draft.columns):
                draft = self._begin(line)
            draft.summary(message)
        elif "ill process " in message or "illed process " in message:
            return self._killing(line, message)
        elif "oom_reaper:" in message:
            return self._reaper(line, message)
        elif " pid " in message and shapes.TABLE_HEADER.search(message):
            draft = self._draft(line)
            same = draft is not None and draft.last_message == _identity(line, message)
            if draft is None or draft.over or (draft.rows and not same):
                draft = self._begin(line)
            if not same:
                draft.table_header(message)
        else:
            return self._ending(line, message)
        self._touch(draft, line, message)
        return True

    def _killing(self, line: Line, message: str) -> bool:
        shared, selected = shapes.SHARER.search(message), shapes.SELECTED.search(message)
        if shared:
            draft = self._draft(line)
            if draft is not None:
                draft.share(Kill(int(shared.before[1]), shared.text[: shapes.LONGEST_NAME], why="sharer"))
                self._touch(draft, line, message)
            return True
        if selected:
            pid, score = int(selected.before[1]), selected.behind[1]
            draft = self._draft(line)
            again = draft is not None and draft.selected is not None and draft.selected.pid != pid
            if draft is None or draft.over or again or not draft.evidence:
                draft = self._begin(line)
            name = selected.text[: shapes.LONGEST_NAME]
            draft.choose(Selected(pid, name, int(score) if score else None), message)
            self._touch(draft, line, message)
            return True
        match = shapes.KILLED.search(message)
        if match is None:
            return False
        self._killed_process(line, message, killed_process(int(match[1]), match[2], message[match.end() :]))
        return True

    def _killed_process(self, line: Line, message: str, kill: Kill) -> None:
        draft = self._draft(line)
        if draft is None or not draft.evidence:
            draft = self._begin(line)
        elif draft.over:
            if draft.group is not None:
                kill = kill._replace(why="group")
            elif draft.victim is None or kill.pid not in draft.killed:
                draft = self._begin(line)
        draft.kill(kill, message)
        self._touch(draft, line, message)

    def _reaper(self, line: Line, message: str) -> bool:
        found = shapes.REAPED.search(message)
        reaped = found is not None
        found = found or shapes.UNREAPED.search(message)
        if found is None:
            return False
        pid = int(found.before[1])
        draft = self._draft_of_victim(pid) or self._latest()
        if draft is None:
            if pid in self._killed:
                return True
            draft = self._begin(line)
        draft.reap(Reaped(pid, found.text[: shapes.LONGEST_NAME], reaped))
        self._touch(draft, line, message)
        return True

    def _ending(self, line: Line, message: str) -> bool:
        """Lines that end a report without a kill."""
        panic = shapes.PANIC.search(message) if "Kernel panic" in message else None
        if panic is not None and shapes.PANIC_OF_MEMORY.search(panic[1]) is None:
            panic = None
        nobody = panic is None and shapes.NO_KILLABLE in message and "ut of memory" in message
        exiting = shapes.EXITING.search(message) if "OOM victim" in message else None
        if not (panic or nobody or exiting):
            return False
        draft = self._draft(line)
        if draft is None or draft.victim is not None or (nobody and draft.over):
            draft = self._begin(line)
        draft.evidence = True
        draft.kill_prefix(message)
        if panic:
            draft.panic = panic[1].strip()
        elif exiting:
            draft.exiting(int(exiting.before[1]), message)
        else:
            draft.no_killable = True
        self._touch(draft, line, message)
        return True

    # Lines inside one

    def _belonging(self, line: Line, message: str) -> None:
        draft = self._draft(line)
        if draft is None:
            if not may_open(message):
                return
            draft = self._begin(line)
        if draft.first.tagged and line.time_text is not None and not line.tagged:
            return  # another program's line between the kernel's
        if draft.complete_pending(message):
            return
        if (draft.in_table and draft.row(message)) or draft.aside(message):
            self._touch(draft, line, message)
        elif not draft.over:
            if draft.in_table:
                draft.damage(message)
            if draft.context(message):
                self._touch(draft, line, message)

    def _boot(self, line: Line, message: str) -> None:
        match = shapes.BOOT.search(message)
        if match is None:
            return
        for key in [key for key in self._open if key[0] == line.host]:
            self._finish(key)
        self._boot_kernels[line.host] = match[1]
        if len(self._boot_kernels) > 64:
            del self._boot_kernels[next(iter(self._boot_kernels))]
        self._killed.clear()

    # Which report a line belongs to

    def _draft(self, line: Line) -> Draft | None:
        """The open report of this line's host and caller, unless the line comes too late for it."""
        key = (line.host, line.caller)
        draft = self._open.get(key)
        if draft is None and line.host is None and len(self._open) == 1:
            # A continuation without prefix belongs to the only report there is.
            key, draft = next(iter(self._open.items()))
            if line.caller is not None and key[1] is not None:
                return None
        if draft is None or line.uptime_s is None or draft.last_uptime_s is None:
            return draft
        if -1 <= line.uptime_s - draft.last_uptime_s <= _LONGEST_GAP_S:
            return draft
        self._finish(key)
        return None

    def _draft_of_victim(self, pid: int) -> Draft | None:
        for draft in self._open.values():
            if pid in draft.killed:
                return draft
        return None

    def _latest(self) -> Draft | None:
        return max(self._open.values(), key=lambda draft: draft.last_line_number, default=None)

    def _begin(self, line: Line) -> Draft:
        key = (line.host, line.caller)
        if key in self._open:
            self._finish(key)
        elif len(self._open) >= _OPEN_REPORTS:
            self._finish_stalest()
        draft = Draft(line, self._boot_kernels.get(line.host))
        draft.last_line_number = self._line_number
        self._open[key] = draft
        return draft

    def _touch(self, draft: Draft, line: Line, message: str) -> None:
        draft.last_line_number = self._line_number
        draft.last_message = _identity(line, message)
        if line.uptime_s is not None:
            draft.last_uptime_s = line.uptime_s

    def _note_loss(self) -> None:
        for draft in self._open.values():
            if not draft.over:
                draft.lost_lines = True

    def _close_stale(self) -> None:
        for key, draft in list(self._open.items()):
            patience = _PATIENCE_AFTER_KILL if draft.over else _PATIENCE
            if self._line_number - draft.last_line_number > patience:
                self._finish(key)
        # Many hosts in one log, each with a table without end.
        while len(self._open) > 1 and sum(len(draft.rows) for draft in self._open.values()) > MOST_ROWS:
            self._finish_stalest()

    def _finish_stalest(self) -> None:
        self._finish(min(self._open, key=lambda key: self._open[key].last_line_number))

    def _finish(self, key: _Key) -> None:
        draft = self._open.pop(key)
        if not draft.evidence:
            return
        self._count += 1
        report = conclude(draft, self._count, frozenset(self._killed) if draft.rows else frozenset())
        self._killed.extend(kill.pid for kill in report.killed)
        self._done.append(report)


def _identity(line: Line, message: str) -> str:
    """What makes a line the same line again, printed twice."""
    return f"{line.time_text} {line.uptime_s} {message}"
