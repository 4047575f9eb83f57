"""Records that a terminal, a mailer or a pager cut into several lines, put together again.

A line continues the one before where it has neither a prefix nor the beginning of any kernel line, and that one
stops in the middle of what the kernel always prints whole.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from oomctl.oomlog.openings import begins
from oomctl.oomlog.prefix import has_prefix, split_prefix, trimmed, unquoted
from oomctl.oomlog.table import read_header

_FARTHEST_START = 200
_LONGEST_NAME = 15
_ROWS_LOOKED_AT = 6000  # bytes
MOST_PIECES = 12
"""Lines that one record may be cut into."""
_LONGEST_RECORD = 4000
_USUAL_WIDTHS = frozenset((80, 100, 120, 132, 160, 200))
_RELEASE_AT_END = re.compile(r"\d\.\d{1,3}\S{0,100}(?: #\S.*)?$")
_ENDS = (
    ("invoked oom-killer", re.compile(r"order=-?\d{1,3}$|(?:oom_score_adj|oom_adj|oomkilladj)=-?\d{1,5}$")),
    ("oom-kill:constraint", re.compile(r",uid=\d{1,10}$")),
    ("sharing same memory", re.compile(r"memory$")),
    (
        "Killed process",
        re.compile(r"(?:(?:file|shmem)-rss:\d{1,20}kB|UID:\d{1,10}|pgtables:\d{1,20}kB|adj:-?\d{1,5}|\))\.?$"),
    ),
    ("Kill process", re.compile(r"child$")),
    ("reaped process", re.compile(r"(?:rss:\d{1,20}kB|\))$")),
    (" pid ", re.compile(r"\bname$")),
    (": usage ", re.compile(r"failcnt \d{1,20}$")),
    ("ainted", _RELEASE_AT_END),
    (" PID: ", _RELEASE_AT_END),
    ("Pid: ", _RELEASE_AT_END),
    ("B min:", re.compile(r"(?:free_cma:\d{1,20}kB|unreclaimable\? (?:yes|no))$")),
    (" cpuset=", re.compile(r"mems_allowed=[\d,-]{1,200}$")),
    ("Kernel panic - not", re.compile(r"(?:enabled|processes[. ]{0,4}|memory|selected)$")),
    ("Tasks in ", re.compile(r"oom\.group set$")),
    ("Task in /", re.compile(r"as a result of limit of /.*$")),
)
"""A word of a line that is printed whole, and how such a line ends."""
_EARLY_END = re.compile(
    r"^$|(?:ut of memory:|\bMemory|emory cgroup|\b[Kk]ill(?:ed)?(?: process)?|\bTask in|\bas a|result"
    r"|\bof limit|\blimit of|stats for|\binvoked"
    r"|Node \d{1,5}(?: (?:DMA|DMA32|Normal|HighMem|Movable)(?: free:\d{1,20}kB(?: boost:\d{1,20}kB)?)?)?)$"
)
_WORD_END = re.compile(
    r"(?:[:,]|\b(?:process|Kill(?:ed)?|score|or|of|out|memory|cgroup|limit|usage|result|as|a|in|killed|invoked|reaped|now"
    r"|Not|sharing|same|pid|uid|tgid|total_vm|rss|rss_\w{4,5}|nr_[a-z]{3,5}|pgtables_bytes|swapents|oom_(?:score_)?adj))$"
)
_CONTINUES = re.compile(
    r"rss|vm:|kB\b|\bUID|pgtables|adj|order=|mask|GFP_|\bscore|child|task|pid=|uid=|mems|^ ?\S{0,20}name$|process \d"
    r"|^[\s\d-]+(?:\S{1,15}(?: \S{1,15})?)?$|limit|failcnt|usage|unreclaimable|oom\.group|^\s?\S{1,16}$|\d\.\d|#\d|nr_"
)
_GOES_ON = re.compile(
    r"\s{0,8}(?:(?:invoked )?oom-killer:"
    r"|total-vm:|vsz:|(?:anon-|file-|shmem-)?rss:|UID:\d|pgtables:|oom_score_adj[:=]|order=|nodemask="
    r"|score -?\d"
    r"|or sacrifice|sacrifice child|limit \d|failcnt \d|uid=|task=|pid=|oom_memcg=|task_memcg=|mems_allowed=|cpuset=)"
)
"""What only the middle of a line begins with."""
_PATH = re.compile(r"\s?/\S{1,4000}$")
_REST_OF_ROW = re.compile(r"[\s\d-]{0,200}.{0,16}$")
_ROW = re.compile(r"\[ *(\d{1,10})\]((?: +-?\d{1,20})*)(.*)$")


def is_cut(line: str, following: str) -> bool:
    """Whether a line with words of a report stops before its end, or the next one goes on with it."""
    message = split_prefix(trimmed(line)).message
    if "adj name" in message:
        return " pid " not in message
    if message.startswith(("invoked oom-killer", "oom-killer:")):
        return True
    return _unfinished(message, 0) or _GOES_ON.match(unquoted(following)) is not None


def rows_are_cut(block: bytes) -> bool:
    """Whether the first rows of a table are cut, where every other line was short enough."""
    start = block.find(b"adj name")
    lines = block[start : start + _ROWS_LOOKED_AT].split(b"\n")[1:-1]
    width = max(map(len, lines), default=0)
    ends = [one for one, other in zip(lines, lines[1:]) if len(one) == width and 0 < len(other) < 40]
    return start >= 0 and len(ends) > 1 and _hard_width([line.decode("utf-8", "replace") for line in lines]).columns > 0


class Unwrapper:
    """Takes the lines of a log in pieces; what ends a piece may go on in the next one."""

    def __init__(self) -> None:
        """Begin at the start of a log."""
        self._rest: list[str] = []
        self._width = _Width(0, 0)
        self._columns = 0

    @property
    def holds(self) -> bool:
        """Whether lines are held back."""
        return bool(self._rest)

    def unwrapped(self, lines: list[str], last: bool) -> list[str]:
        """Return the complete records, without their quotation marks. ``last``: nothing follows."""
        lines = self._rest + [unquoted(line) for line in lines]
        self._width = max(self._width, _hard_width(lines), key=lambda width: width.seen)
        complete = len(lines) if last else _last_record(lines)
        self._rest = lines[complete:]
        return self._records(lines[:complete])

    def _records(self, lines: list[str]) -> list[str]:
        records: list[str] = []
        pieces = 0
        last = ""
        width = self._width.columns
        for line in lines:
            if records and pieces < MOST_PIECES and _continues(records[-1], last, line, self._columns, width):
                hard = _is_hard(last, width)
                records[-1] += _glue(records[-1], last, width) + (line if hard else line.lstrip(" "))
                pieces += 1
            else:
                records.append(line)
                pieces = 1
            header = read_header(records[-1]) if " pid" in records[-1] else None
            self._columns = len(header.columns) if header is not None else self._columns
            last = line
        return records


def _last_record(lines: list[str]) -> int:
    """Return the place, near the end, where a record begins, so that nothing behind it belongs to one before."""
    for place in range(max(len(lines) - MOST_PIECES, 0), max(len(lines) - _FARTHEST_START, 0), -1):
        if has_prefix(lines[place]) or begins(lines[place].lstrip()):
            return place
    return 0 if len(lines) < _FARTHEST_START else len(lines)


def _continues(record: str, last: str, line: str, columns: int, width: int) -> bool:
    """Whether ``line`` is the rest of ``record``, whose last piece is ``last``."""
    if not line.strip() or not record.strip() or len(record) > _LONGEST_RECORD or has_prefix(line):
        return False
    if _is_hard(last, width) and has_prefix(record):
        return True
    message = split_prefix(trimmed(record)).message
    if _GOES_ON.match(line):
        if "oom-killer:" in line[:30]:
            return len(message.removesuffix("invoked").strip()) <= _LONGEST_NAME
        return any(word in message for word, _ in _ENDS)
    if begins(line.lstrip()):
        return not message or message.endswith("ut of memory:")
    if _is_hard(last, width):
        return True
    if not _unfinished(message, columns):
        return False
    if columns and _ROW.match(message):
        return _REST_OF_ROW.match(line) is not None
    return _CONTINUES.search(line) is not None or _PATH.match(line) is not None


def _unfinished(message: str, columns: int) -> bool:
    """Whether a message stops early; ``columns``: of the table whose rows may follow, 0: there is none."""
    if _EARLY_END.search(message):
        return True
    for word, end in _ENDS:
        if word in message:
            return end.search(message) is None
    row = _ROW.match(message) if columns else None
    if row is None:
        return False
    numbers = len(row[2].split())
    return numbers < columns - 1 or (numbers == columns - 1 and not row[3].strip())


class _Width(NamedTuple):
    columns: int
    """At which a terminal cut every line, also within words; 0: lines were cut between words."""
    seen: int
    """Cut lines by which it is known."""


def _hard_width(lines: list[str]) -> _Width:
    lines = [unquoted(line) for line in lines]
    cut: Counter[int] = Counter()
    no_mailers: Counter[int] = Counter()
    longest = 0
    for line, following in zip(lines, lines[1:]):
        longest = max(longest, len(line))
        if following.strip() and not has_prefix(following) and not begins(following.lstrip()):
            cut[len(line)] += 1
            row = _ROW.search(line)
            within_a_word = row is None or bool(row[3].strip())
            no_mailers[len(line)] += within_a_word or line.endswith(" ") or following.startswith(" ")
    near, near_no_mailers = cut[longest] + cut[longest - 1], no_mailers[longest] + no_mailers[longest - 1]
    if near == 1:
        return _Width(longest if longest in _USUAL_WIDTHS else 0, 1)
    # A mailer cuts lines of about the same length, and takes the blanks. A terminal cuts all at one place, and leaves
    # the blanks to one of the two lines.
    about = _longer_than(cut, int(0.85 * longest))
    by_a_terminal = near > 0.6 * about and near > 0.25 * _longer_than(cut, longest // 2)
    within_words = near_no_mailers > (1 if near == about else max(1, 0.3 * near))
    if near < 3 < sum(cut.values()):
        return _Width(0, about)  # a path, which no mailer cuts
    return _Width(longest if by_a_terminal and within_words else 0, about)


def _longer_than(cut: Counter[int], length: int) -> int:
    return sum(number for one, number in cut.items() if one > length)


def _is_hard(last: str, width: int) -> bool:
    """Whether a piece fills the width; a blank at its end may have been lost."""
    return bool(width) and len(last) - width in (0, -1)


def _glue(record: str, last: str, width: int) -> str:
    """Return what stood where a line was cut: nothing, or the blank that a mailer took."""
    if _is_hard(last, width):
        return " " if len(last) < width and _WORD_END.search(last) else ""
    if last.endswith((" ", "-", "|", "(", "=", "/")):
        return ""
    return "" if last.endswith(",") and "oom-kill:" in record else " "
