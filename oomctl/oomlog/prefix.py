"""What stands in front of a kernel message: quoting, dates, host, level, stamp and caller, in any order seen.

dmesg in all its formats, rsyslog, journald, raw /dev/kmsg records, or nothing at all.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import NamedTuple


class Line(NamedTuple):
    """A line of a log without its prefix, and what that prefix said."""

    message: str
    time_text: str | None = None
    uptime_s: float | None = None
    caller: str | None = None
    """CONFIG_PRINTK_CALLER: ``T3074`` or ``C1``."""
    host: str | None = None
    sequence: int | None = None
    """Of a raw /dev/kmsg record."""
    foreign: bool = False
    """Written by a user-space program: it may say anything."""
    tagged: bool = False
    """``kernel:`` stands in front, as syslog and the journal put it."""


_ANSI = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
_QUOTE = re.compile(r"(?:[>|] ?){1,20}")
_LEVEL = re.compile(r"<\d{1,3}>(?:1 )?")
_FACILITY = re.compile(r"[a-z]{2,8}\d? {0,8}:[a-z]{2,8} {0,8}: (?=\[|\d{4}-)")  # dmesg -x
# "6,1234,276024242,-;msg"; further fields such as caller=T12 stand before the semicolon.
_KMSG = re.compile(r"\d{1,10},(\d{1,18}),(\d{1,18}),[^;,]{0,8}(?:,(?:caller=([TC]\d{1,10})|[^;,]{0,80})){0,8};")
_KMSG_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_STAMP = re.compile(r"\[ *(\d{1,10}\.\d{3,9})(?:[@,] ?\d{1,5})?\] ?(?:\[ *([TC]\d{1,10})\] ?)?")
_KERNEL = re.compile(r"([^()\[\]=]{0,160}?)\bkernel(?:\[\d{1,10}\])?: ?")
_HOST_KERNEL = re.compile(r"(\S{1,255}) kernel(?:\[\d{1,10}\])?: ?")
_BRACKETED_DATE = re.compile(r"\[([^\[\]]{0,60}\d{1,2}:\d\d:\d\d[^\[\]]{0,30})\] ?")
_ISO = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d)\b)?"
# The name of the month may be in any language and script: "août 10", "10月 3" is not worth a table.
_SYSLOG = r"[^\W\d]\S{1,12} +\d{1,2}\.? (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,9})?"
_DATE = re.compile(rf"({_ISO}|{_SYSLOG})")
_DATED = re.compile(rf"(?:\S{{1,80}}?[:-]|\d{{1,9}}[: ])?\s{{0,8}}({_ISO}|{_SYSLOG})(?: |$)")
_PROGRAM = re.compile(r" ?(?:\S{1,255} )?(?!kernel\[)[\w./@-]{1,64}\[\d{1,10}\]: ")
# pr_fmt() of some trees puts a subsystem in front.
_SUBSYSTEM = re.compile(r"(?:oom_kill|cpuset|hugetlb|memcontrol|mm): ")
_EVENT_WORDS = ("process ", "oom-kill", "oom_reaper", "Out of memory", "cgroup", "Task in ")
_FARTHEST_STAMP = 200


def split_prefix(text: str) -> Line:
    """Take the prefix off one line; what is not understood stays in the message."""
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    quote = _QUOTE.match(text)
    if quote:
        text = text[quote.end() :]
    record = _KMSG.match(text)
    if record:
        message = _KMSG_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text[record.end() :])
        return Line(_bare(message), None, int(record[2]) / 1e6, record[3], None, int(record[1]))
    level = _LEVEL.match(text) or _FACILITY.match(text)
    if level:
        text = text[level.end() :]
    return _rendered(text)


def _rendered(text: str) -> Line:
    time_text = host = caller = None
    uptime: float | None = None
    dated = False
    named = _KERNEL.match(text)
    if named:
        time_text, host = _date_and_host(named[1])
        if time_text is not None and _quotes_the_kernel(named[1], time_text):
            return Line(text, time_text, foreign=True)
        text = text[named.end() :]
        dated = time_text is not None
    stamp = _STAMP.search(text, 0, _FARTHEST_STAMP)
    if stamp and _is_prefix(text[: stamp.start()]):
        if not dated:
            date = _DATE.search(text, 0, stamp.start())
            bracket = _BRACKETED_DATE.match(text)
            time_text = date[1] if date else bracket[1] if bracket else None
        uptime, caller = float(stamp[1]), stamp[2]
        text = text[stamp.end() :]
        behind = _HOST_KERNEL.match(text)
        if behind:
            host, text = behind[1], text[behind.end() :]
        return Line(_bare(text), time_text, uptime, caller, host, tagged=bool(named or behind))
    if dated:
        return Line(_bare(text), time_text, None, None, host, tagged=True)
    bracket = _BRACKETED_DATE.match(text)
    if bracket:
        return Line(_bare(text[bracket.end() :]), bracket[1], None, None, host)
    date = _DATED.match(text)
    if date:
        text = text[date.end() :]
        return Line(_bare(text), date[1], None, None, host, foreign=_PROGRAM.match(text) is not None)
    return Line(_bare(text), None, None, None, host)


def _quotes_the_kernel(before: str, date: str) -> bool:
    """Whether a program's name, ending in a colon, stands between the date and ``kernel:``."""
    return any(word.endswith(":") for word in before.rpartition(date)[2].split())


def _is_prefix(text: str) -> bool:
    """Whether text before a stamp can be a prefix; a task may carry a stamp in its name."""
    return not text or not any(word in text for word in _EVENT_WORDS)


def _bare(message: str) -> str:
    subsystem = _SUBSYSTEM.match(message)
    return message[subsystem.end() :] if subsystem else message


def _date_and_host(before: str) -> tuple[str | None, str | None]:
    date = _DATE.search(before)
    if date is None:
        return None, None
    words = before[date.end() :].split()
    return date[1], words[0] if words else None


_ZONED = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9}))? ?(?:(Z|UTC)|([+-])(\d\d):?(\d\d))$"
)


def epoch_s(time_text: str | None) -> float | None:
    """Seconds since 1970 of a date with a time zone; None for any other text."""
    match = _ZONED.match(time_text or "")
    if match is None:
        return None
    offset = timedelta(0)
    if match[9]:
        offset = timedelta(hours=int(match[10]), minutes=int(match[11])) * (-1 if match[9] == "-" else 1)
    try:
        year, month, day, hour, minute, second = (int(match[part]) for part in range(1, 7))
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone.utc) - offset
        return moment.timestamp() + (float("0." + match[7]) if match[7] else 0.0)
    except (ValueError, OverflowError):
        return None
