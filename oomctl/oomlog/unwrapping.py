"""Records that a terminal, a mailer or a pager cut into several lines, put together again.

A line continues the one before where it has neither a prefix nor the beginning of any kernel line, and that one
stops in the middle of what the kernel always prints whole.
"""

from __future__ import annotations

import re
from collections import Counter

from oomctl.oomlog.openings import begins
from oomctl.oomlog.prefix import Line, split_prefix, unquoted
from oomctl.oomlog.table import read_header

MOST_PIECES = 12
"""Lines that one record may be cut into."""
_LONGEST_RECORD = 4000
_USUAL_WIDTHS = frozenset((80, 100, 120, 132, 160, 200))
_ENDS = (
    ("invoked oom-killer", re.compile(r"order=-?\d{1,3}$|(?:oom_score_adj|oom_adj|oomkilladj)=-?\d{1,5}$")),
    ("oom-kill:constraint", re.compile(r",uid=\d{1,10}$")),
    ("sharing same memory", re.compile(r"memory$")),
    ("Killed process", re.compile(r"(?:(?:file|shmem)-rss:\d{1,20}kB|UID:\d{1,10}|pgtables:\d{1,20}kB|adj:-?\d{1,5}|\))\.?$")),
    ("Kill process", re.compile(r"child$")),
    ("reaped process", re.compile(r"(?:rss:\d{1,20}kB|\))$")),
    (" pid ", re.compile(r"\bname$")),
    (": usage ", re.compile(r"failcnt \d{1,20}$")),
    ("ainted", re.compile(r"\d\.\d{1,3}\S{0,100}(?: #\S.*)?$")),
    (" cpuset=", re.compile(r"mems_allowed=[\d,-]{1,200}$")),
    ("Task in /", re.compile(r"as a result of limit of /.*$")),
)
"""A word of a line that is printed whole, and how such a line ends."""
_EARLY_END = re.compile(r"^$|(?:ut of memory:|emory cgroup|\b[Kk]ill(?:ed)?(?: process)?)$")
_WORD_END = re.compile(
    r"(?:[:,]|\b(?:process|Kill(?:ed)?|score|or|of|out|memory|cgroup|limit|usage|result|as|a|in|killed|invoked|reaped|now"
    r"|Not|sharing|same|pid|uid|tgid|total_vm|rss|rss_\w{4,5}|nr_[a-z]{3,5}|pgtables_bytes|swapents|oom_(?:score_)?adj))$"
)
_CONTINUES = re.compile(
    r"rss|vm:|kB\b|\bUID|pgtables|adj|order=|mask|GFP_|\bscore|child|task|pid=|uid=|mems|^ ?\S{0,20}name$|process \d"
    r"|^[\s\d-]+(?:\S{1,15}(?: \S{1,15})?)?$|limit|failcnt|usage|^\s?\S{1,16}$|\d\.\d|#\d|nr_|memory"
)
_ROW = re.compile(r"\[ *(\d{1,10})\]((?: +-?\d{1,20})*)(.*)$")


def is_cut(line: str) -> bool:
    """Whether a line with words of a report stops before its end."""
    message = split_prefix(line).message.rstrip()
    if "adj name" in message:
        return " pid " not in message
    return _unfinished(message, 0)


def unwrapped(lines: list[str]) -> list[str]:
    """Return ``lines`` with those that were cut put together, without their quotation marks."""
    lines = [unquoted(line) for line in lines]
    width = _hard_width(lines)
    records: list[str] = []
    columns = pieces = 0
    last = ""
    for line in lines:
        prefix = split_prefix(line)
        if records and _continues(records[-1], last, line, prefix, columns, width) and pieces < MOST_PIECES:
            records[-1] += _glue(records[-1], last, width) + (line if _is_hard(last, width) else line.lstrip(" ") or line)
            pieces += 1
        else:
            records.append(line)
            pieces = 1
        header = read_header(records[-1]) if " pid" in records[-1] else None
        columns = len(header.columns) if header is not None else columns
        last = line
    return records


def _continues(record: str, last: str, line: str, prefix: Line, columns: int, width: int) -> bool:
    """Whether ``line`` is the rest of ``record``, whose last piece is ``last``."""
    if not line.strip() or not record.strip() or len(record) > _LONGEST_RECORD or _has_prefix(prefix):
        return False
    message = split_prefix(record).message.rstrip()
    if begins(line.lstrip()):
        return not message or message.endswith("ut of memory:")
    if _is_hard(last, width):
        return True
    return _unfinished(message, columns) and _CONTINUES.search(line) is not None


def _has_prefix(line: Line) -> bool:
    return line.time_text is not None or line.uptime_s is not None or line.tagged or line.sequence is not None


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


def _hard_width(lines: list[str]) -> int:
    """Return the width at which a terminal cut every line, also within words; 0: lines were cut between words."""
    cut: Counter[int] = Counter()
    at_blanks: Counter[int] = Counter()
    longest = 0
    for line, following in zip(lines, lines[1:], strict=False):
        longest = max(longest, len(line))
        if following.strip() and not _has_prefix(split_prefix(following)) and not begins(following.lstrip()):
            cut[len(line)] += 1
            at_blanks[len(line)] += line.endswith(" ") or following.startswith(" ")
    near, near_blanks = cut[longest] + cut[longest - 1], at_blanks[longest] + at_blanks[longest - 1]
    if near == 1:
        return longest if longest in _USUAL_WIDTHS else 0
    # A mailer takes the blanks; a terminal leaves them to one of the two lines, and many rows are cut at one.
    return longest if near and (near_blanks or near < 3) else 0


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
