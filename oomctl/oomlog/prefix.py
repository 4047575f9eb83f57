"""What stands in front of a kernel message: quoting, dates, host, level, stamp and caller, in any order seen.

dmesg in all its formats, rsyslog, journald, raw /dev/kmsg records, or nothing at all.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from oomctl.oomlog.dates import DATE
from oomctl.oomlog.openings import kernels_words


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
# Quotation marks of mails, bold and code of Markdown, the frame of a table.
_QUOTE = re.compile(r"\s{0,8}(?:(?:>|\||&gt;|\*\*|`{1,3})[ \t]?){1,20}")
_MARKS = ("**", "`", " |")
_MARKED_END = re.compile(r"[ \t]{0,80}(?:\*\*|`{1,3}|\|)$")
_LEVEL = re.compile(r"[ \t]{0,80}<\d{1,3}>(?:1 )?")
_FACILITY = re.compile(r"[a-z]{2,8}\d? {0,8}:[a-z]{2,8} {0,8}: (?=\[|\d{4}-)")  # dmesg -x
# "6,1234,276024242,-;msg"; further fields such as caller=T12 stand before the semicolon.
_KMSG = re.compile(r"\d{1,10},(\d{1,18}),(\d{1,18}),[^;,]{0,8}(?:,(?:caller=([TC]\d{1,10})|[^;,]{0,80})){0,8};")
_KMSG_ESCAPE = re.compile(r"\\x([0-9a-f]{2})")
_STAMP = re.compile(r"\[ *(\d{1,10}\.\d{3,9})(?:[@,] ?\d{1,5}| <[ \d.+]{1,24}>)?\] ?(?:\[ *([TC]\d{1,10})\] ?)?")
_CLIPPED_STAMP = re.compile(r" {0,8}(\d{1,10}\.\d{6})\] ")  # who marks text with the mouse misses the first bracket
# dmesg -H: the date once a minute, else the time since the message before.
_HUMAN = re.compile(r"\[(?:([^\W\d]{2,5}) ?(\d{1,2}) (\d\d:\d\d)| *[+<] *\d{1,10}\.\d{6}>?)\] ?")
_KERNEL = re.compile(r"(?:\[[A-Za-z][\w.]{0,11}\] ?)?([^()\[\]=]{0,160}?)\bkernel(?:\[\d{1,10}\])?: ?(?:: ?)?")
_HOST_KERNEL = re.compile(r"(\S{1,255}) kernel(?:\[\d{1,10}\])?: ?")
_BRACKETED_DATE = re.compile(
    r"\[([^\[\]<]{0,60}\d{1,2}:\d\d:\d\d(?:[^\[\]<]{0,30}[^\s\[\]<])?)(?: *<[ \d.+]{1,24}>)?\](?:: ?| ?)"
)
_COUNTED = re.compile(
    r"(?:[A-Z]{1,12}\s)?[\"']?(1\d{9}(?:\.\d{1,9}|\d{3}|\d{6}|\d{9})?)[\"']?[\s,]{1,2}[\"']?(?=[^\s\d\"'])"
)
_CLOCK = re.compile(r"\d:\d\d")
"""In every date but those that count seconds, and in few other lines."""
_COUNTS = ("1", '"1', "EVENTS")
_DATE = re.compile(rf"({DATE})")
_DATED = re.compile(rf"(?:\S{{1,80}}?[:-]|\d{{1,9}}[: ])?[\s\"']{{0,8}}({DATE})(?:[\"',]{{0,3}}[\s,]|$)")
_PROGRAM = re.compile(r"\s{0,8}(?:\S{1,255} )?(?!kernel\[)[\w./@-]{1,64}\[\d{1,10}\]: ")
_STANDARD_SYSLOG = re.compile(
    r"\s{0,8}(\S{1,255}) (\S{1,48}) (?:-|\d{1,10}) \S{1,32} (?:-|\[[^\]]{0,400}\]) ?"
)  # RFC 5424
_CONTAINER = re.compile(r"\s{0,8}(?:std(?:out|err) [FP] |\{[^{}]{0,400}\}[ \t])")  # CRI; the labels of Loki
# pr_fmt() of some trees puts a subsystem in front, Android's kernels the CPU and the task that printed.
_SUBSYSTEM = re.compile(
    r"<\d{1,3}>|\s{0,2}[.-]?\(\d{1,3}\)\[\d{1,7}:[^\]]{1,20}\] ?"
    r"|\s{0,2}\[ ?\d{1,3}: {0,20}[^\]:]{1,24}: {0,8}\d{1,7}\] ?"
    r"|(?:oom_kill|cpuset|hugetlb|memcontrol|mm): "
)
_LEVEL_WORD = re.compile(
    r"(?:kern|user|daemon|syslog|local\d)\.\w{1,12}|!?\[?(?:EMERG|ALERT|CRIT|ERR(?:OR)?|WARN(?:ING)?|NOTICE|INFO|DEBUG)\]?:?|\W{1,8}",
    re.IGNORECASE,
)
_EVENT_WORDS = ("process ", "oom-kill", "oom_reaper", "Out of memory", "cgroup", "Task in ", "Hardware name", "BIOS")
_FARTHEST_STAMP = 200
_DUMPED = re.compile(r" - Guest: $|\bguest: {0,8}$", re.IGNORECASE)
"""A hypervisor that wrote down what its guest's console showed: the date is that of the dump."""


def split_prefix(text: str) -> Line:
    """Take the prefix off one line; what is not understood stays in the message."""
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    text = text.strip("\ufeff")
    text = unquoted(text)
    record = _KMSG.match(text)
    if record:
        message = _KMSG_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text[record.end() :])
        return Line(_bare(message), None, int(record[2]) / 1e6, record[3], None, int(record[1]))
    level = _LEVEL.match(text) or _FACILITY.match(text)
    if level:
        text = text[level.end() :]
    return _rendered(text)


def has_prefix(text: str) -> bool:
    """Whether something stands in front that begins a record: a level, a date, a stamp, or ``kernel:``."""
    if _LEVEL.match(unquoted(text)):
        return True
    line = split_prefix(text)
    # A date alone may be that of the BIOS, at the end of another line.
    dated = line.time_text is not None and bool(line.message)
    return dated or line.uptime_s is not None or line.tagged or line.sequence is not None


def unquoted(text: str) -> str:
    """Take off the marks of a quotation."""
    quote = _QUOTE.match(text)
    return text[quote.end() :] if quote else text


def trimmed(text: str) -> str:
    """Take off what stands behind a message: padding, line ends, the end of a quotation."""
    text = text.rstrip()
    return _MARKED_END.sub("", text) if text.endswith(_MARKS) else text


def names_program(text: str) -> bool:
    """Whether a user-space program's name and PID stand in front."""
    return _PROGRAM.match(text) is not None


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
    stamp = _stamp(text)
    if stamp:
        if not dated:
            time_text = _date_before(text, stamp.start())
        uptime, caller = float(stamp[1]), stamp[2] if stamp.re is _STAMP else None
        text = text[stamp.end() :]
        behind = _HOST_KERNEL.match(text)
        if behind:
            host, text = behind[1], text[behind.end() :]
        return Line(_bare(text), time_text, uptime, caller, host, tagged=bool(named or behind))
    if dated:
        return Line(_bare(text), time_text, None, None, host, tagged=True)
    return _only_dated(text, host)


def _stamp(text: str) -> re.Match[str] | None:
    stamp = _STAMP.search(text, 0, _FARTHEST_STAMP)
    if stamp and _is_prefix(text[: stamp.start()]):
        return stamp
    return _CLIPPED_STAMP.match(text)


def _date_before(text: str, end: int) -> str | None:
    if not end or _DUMPED.search(_LEVEL.sub("", text[:end])):
        return None
    date = _DATE.search(text, 0, end)
    bracket = _BRACKETED_DATE.match(text)
    return date[1] if date else bracket[1] if bracket else None


def _only_dated(text: str, host: str | None) -> Line:
    """Read a line whose prefix has no stamp."""
    if _CLOCK.search(text, 0, _FARTHEST_STAMP) is None and not text.startswith(_COUNTS):
        return Line(_message(text), None, None, None, host)
    bracket = _BRACKETED_DATE.search(text, 0, _FARTHEST_STAMP)
    if bracket and _is_prefix(text[: bracket.start()]):
        return Line(_message(text[bracket.end() :]), bracket[1], None, None, host)
    human = _HUMAN.match(text)
    if human:
        when = f"{human[1]} {human[2]} {human[3]}" if human[1] else None
        return Line(_message(text[human.end() :]), when, None, None, host)
    date = _DATED.match(text) or _COUNTED.match(text)
    if date is None:
        date = _DATE.search(text, 0, _FARTHEST_STAMP)
        if date is not None and not _is_prefix(text[: date.start()]):
            date = None
    if date is None:
        return Line(_message(text), None, None, None, host)
    text = text[date.end() :]
    structured = _STANDARD_SYSLOG.match(text)
    if structured:
        is_kernel = structured[2] == "kernel"
        return Line(
            _message(text[structured.end() :]), date[1], host=structured[1], foreign=not is_kernel, tagged=is_kernel
        )
    container = _CONTAINER.match(text)
    foreign = _PROGRAM.match(text) is not None
    return Line(_message(text[container.end() :] if container else text), date[1], None, None, host, foreign=foreign)


def _quotes_the_kernel(before: str, date: str) -> bool:
    """Whether a program's name, ending in a colon, stands between the date and ``kernel:``."""
    words = before.rpartition(date)[2].split()
    return any(word.endswith(":") and not _LEVEL_WORD.fullmatch(word) for word in words)


def _is_prefix(text: str) -> bool:
    """Whether text before a stamp can be a prefix; a task may carry a stamp in its name."""
    return not text or not any(word in text for word in _EVENT_WORDS)


def _bare(message: str) -> str:
    subsystem = _SUBSYSTEM.match(message)
    if subsystem:
        return message[subsystem.end() :]
    return message.lstrip() if message[:1].isspace() and "oom-killer:" in message else message


def _message(text: str) -> str:
    """Return where the kernel's own words begin behind a prefix that is not known."""
    text = _bare(text)
    return text[kernels_words(text) :]


def _date_and_host(before: str) -> tuple[str | None, str | None]:
    date = _DATE.search(before)
    if date is None:
        date = _COUNTED.match(before)
    if date is None:
        return None, None
    words = (word for word in before[date.end() :].split() if not _LEVEL_WORD.fullmatch(word))
    return date[1], next(words, None)
