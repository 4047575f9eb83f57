"""Messages that a program wrapped into records: JSON of any shipper, and the journal's verbose and export formats.

Each becomes lines as syslog writes them, ``DATE HOST PROGRAM: MESSAGE``, so that nothing behind this needs to know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from oomctl.oomlog.dates import DATE, epoch_s, seconds_of
from oomctl.oomlog.prefix import names_program, split_prefix

_MESSAGE_KEYS = (
    *("MESSAGE", "message", "Message", "msg", "log", "line", "Line", "text", "textPayload", "@message", "_raw"),
    *("body", "stringValue", "full_message", "short_message", "content", "note"),
)
_TIME_KEYS = (
    *("__REALTIME_TIMESTAMP", "_SOURCE_REALTIME_TIMESTAMP", "@timestamp", "time", "timestamp", "lastTimestamp"),
    *(
        "eventTime",
        "firstTimestamp",
        "ts",
        "date",
        "datetime",
        "@t",
        "timeUnixNano",
        "Time",
        "Date",
        "creationTimestamp",
    ),
)
_HOST_KEYS = ("_HOSTNAME", "hostname", "host", "HOSTNAME", "nodename", "node_name", "node", "syslog_host", "computer")
_PROGRAM_KEYS = ("SYSLOG_IDENTIFIER", "_COMM", "ident", "appname", "programname", "syslog_identifier", "app_name")
_UPTIME_KEYS = ("_SOURCE_MONOTONIC_TIMESTAMP",)
_DEEPEST = 12
_LONGEST_UPTIME_S = 1e10
_LONGEST_RECORD = 400
"""Lines of one record that is written over several."""

_VERBOSE = re.compile(
    r"\w{2,12}\.? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,6})?) ?(\S{0,9}) \[(?:s=|.{0,200}?;t=)[^\]]{0,400}\]$"
)
_VERBOSE_MOMENT = re.compile(r"[;\[]t=([0-9a-f]{6,16})[;\]]")
_FIELD = re.compile(r"\s{0,8}([A-Z_][A-Z0-9_]{0,63})=(.*)$", re.DOTALL)
_DATE = re.compile(DATE)
_UNUSUAL = re.compile(r"[^\w./@-]")
_JSON_START = re.compile(r'[\[{]\s{0,8}(?:[\[{]\s{0,8}){0,4}"')
_PATH = re.compile(r"memcg=/|cpuset=|\b(?:in|of|for|cgroup) /")
_ESCAPED_END = re.compile(r"(?<!\\)(?:\\\\)*\\n")


class _Around(NamedTuple):
    """What a record, or what it stands in, says besides its message."""

    time: str | None = None
    host: str | None = None
    program: str | None = None
    uptime_s: float | None = None


def is_structured(line: str) -> bool:
    """Whether a line with words of a report is a part of a record."""
    field = _FIELD.match(line)
    return (
        (field is not None and field[1] == "MESSAGE")
        or _JSON_START.search(line) is not None
        or re.match(r'\s{0,80}"[\w.@]{1,40}"\s?: "', line) is not None
        or _has_escaped_ends(line)
    )


def plain_lines(lines: list[str], last: bool) -> tuple[list[str], list[str]]:
    """Return the lines with records turned into what they say, and those at the end that belong to an open record.

    The latter are to be given again, with what follows. ``last``: nothing follows.
    """
    plain: list[str] = []
    number = 0
    while number < len(lines):
        found = _journal_record(lines, number) or _json_record(lines, number)
        if found is None:
            plain += _one_line(lines[number])
            number += 1
            continue
        taken, said = found
        if number + taken >= len(lines) and taken < _LONGEST_RECORD and not last:
            return plain, lines[number:]
        plain += said
        number += taken
    return plain, []


def _one_line(line: str) -> Iterator[str]:
    start = _JSON_START.search(line)
    if start is not None:
        try:
            value, _ = json.JSONDecoder().raw_decode(line, start.start())
        except (ValueError, RecursionError):
            pass
        else:
            date = _DATE.search(line, 0, start.start())
            said = list(_messages(value, _Around(date[0] if date else None), 0))
            if said:
                yield from said
                return
    if _has_escaped_ends(line):
        yield from _escaped(line)
    else:
        yield line


def _has_escaped_ends(line: str) -> bool:
    """Whether line ends are written as backslash and n, and do not stand in the name that somebody gave a cgroup."""
    end = _ESCAPED_END.search(line)
    return end is not None and _PATH.search(line, 0, end.start()) is None


def _escaped(line: str) -> Iterator[str]:
    """Split a text in which the line ends are written as backslash and n: of a string that is cut, or of no format."""
    first, *rest = (_unescaped(part) for part in _ESCAPED_END.split(line))
    first = re.sub(r'^.{0,400}"(?:' + "|".join(map(re.escape, _MESSAGE_KEYS)) + r')"\s?: ?"', "", first)
    yield first
    date = split_prefix(first).time_text
    for part in rest:
        yield part if date is None or split_prefix(part).time_text else f"{date} {part}"


def _unescaped(text: str) -> str:
    try:
        return str(json.loads('"' + text.replace('\\"', '"').replace('"', '\\"') + '"'))
    except ValueError:
        return text.replace("\\t", "\t").replace('\\"', '"')


# JSON over several lines


def _json_record(lines: list[str], start: int) -> tuple[int, list[str]] | None:
    """Return how many lines a JSON value takes that begins on a line of its own, and what it says."""
    first = lines[start].rstrip()
    if not first.endswith(("{", "[")) or not first.lstrip() or first.lstrip()[0] not in "{[":
        return None
    closing = first[: len(first) - len(first.lstrip())] + ("}" if first.lstrip()[0] == "{" else "]")
    for end in range(start + 1, min(start + _LONGEST_RECORD, len(lines))):
        if lines[end].startswith(closing):
            text = "\n".join(lines[start : end + 1]).rstrip().rstrip(",")
            try:
                return end + 1 - start, list(_messages(json.loads(text), _Around(), 0))
            except (ValueError, RecursionError):
                return end + 1 - start, [said for line in lines[start : end + 1] for said in _member(line)]
    if len(lines) - start < _LONGEST_RECORD:
        return len(lines) - start, [said for line in lines[start:] for said in _member(line)]
    return None


def _member(line: str) -> Iterator[str]:
    """Return what one line of a value that cannot be read as a whole says."""
    member = re.match(r'\s{0,80}"([\w.@]{1,40})"\s?: (".*"),?$', line)
    if member is not None and member[1] in _MESSAGE_KEYS:
        try:
            yield from json.loads(member[2]).split("\n")
        except ValueError:
            yield line
    else:
        yield line


def _messages(value: Any, around: _Around, depth: int) -> Iterator[str]:
    """Yield a line for every message within a value of JSON, at any depth."""
    if depth > _DEEPEST:
        return
    if isinstance(value, list):
        if len(value) == 2 and all(isinstance(item, str) for item in value) and value[0].isdecimal():  # Loki
            yield from _lines(value[1], around._replace(time=_time(value[0])), depth)
            return
        for item in value:
            yield from _messages(item, around, depth + 1)
    elif isinstance(value, dict):
        around = _around(value, around)
        for key in _MESSAGE_KEYS:
            text = _text(value.get(key))
            if text is not None:
                yield from _lines(text, around, depth)
                return
        for item in value.values():
            if isinstance(item, (dict, list)):
                yield from _messages(item, around, depth + 1)


def _text(value: Any) -> str | None:
    if isinstance(value, list) and value and all(isinstance(item, int) and 0 <= item < 256 for item in value):
        return bytes(value).decode("utf-8", "replace")  # what the journal writes for text that is not UTF-8
    return value if isinstance(value, str) else None


def _around(value: dict[str, Any], outer: _Around) -> _Around:
    host = next((value[key] for key in _HOST_KEYS if value.get(key)), None)
    if isinstance(host, dict):
        host = host.get("name") or host.get("hostname")
    program = next((value[key] for key in _PROGRAM_KEYS if isinstance(value.get(key), str)), None)
    if value.get("_TRANSPORT") == "kernel":
        program = "kernel"
    uptime = next((value[key] for key in _UPTIME_KEYS if value.get(key)), None)
    times = (_time(value[key]) for key in _TIME_KEYS if value.get(key))
    return _Around(
        next((time for time in times if time is not None), outer.time),
        host if isinstance(host, str) and re.fullmatch(r"\S{1,255}", host) else outer.host,
        program or outer.program,
        _uptime(uptime) if uptime else outer.uptime_s,
    )


def _uptime(value: Any) -> float | None:
    try:
        seconds = float(value) / 1e6
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < _LONGEST_UPTIME_S else None


def _time(value: Any) -> str | None:
    """Return a date as text; None: it is none."""
    if isinstance(value, str):
        date = _DATE.search(value)
        if date is not None:
            return date[0]
    try:
        seconds = seconds_of(float(value))
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat() if seconds > 1e8 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _lines(text: str, around: _Around, depth: int) -> Iterator[str]:
    """Yield the lines of one message, each with what its record says of it."""
    if text.lstrip().startswith("{"):
        try:
            inner = list(_messages(json.loads(text), around, depth + 1))
        except (ValueError, RecursionError):
            inner = []
        if inner:
            yield from inner
            return
    for line in text.split("\n"):  # not splitlines: names may hold what that takes for an end
        if line.strip():
            yield _dressed(line, around)


def _dressed(line: str, around: _Around) -> str:
    """Return a message as a line of syslog."""
    own = split_prefix(line)
    if own.foreign or around.time is None:
        return line
    time = around.time if epoch_s(own.time_text) is None else own.time_text
    host = own.host or around.host or "host"
    if around.program is None and names_program(line):
        return f"{time} {host} {line}"
    program = around.program or "kernel"
    uptime = around.uptime_s if own.uptime_s is None else own.uptime_s
    stamp = (
        "" if uptime is None or program != "kernel" else f"[{uptime:12.6f}]" + (f"[{own.caller}]" if own.caller else "")
    )
    tag = "kernel" if program == "kernel" else _UNUSUAL.sub("-", program)[:64] + "[1]"
    return f"{time} {host} {tag}: {stamp}{' ' if stamp else ''}{own.message}"


# The journal's own formats


def _journal_record(lines: list[str], start: int) -> tuple[int, list[str]] | None:
    """Return how many lines a record of ``journalctl -o verbose`` or ``-o export`` takes, and what it says."""
    header = _VERBOSE.match(lines[start].rstrip())
    first = _FIELD.match(lines[start])
    if header is None and (first is None or not first[1].startswith(("__CURSOR", "__REALTIME", "MESSAGE"))):
        return None
    fields: dict[str, Any] = {} if header is None else {"time": _wall_time(header)}
    number = start + (header is not None)
    key = ""
    while number < len(lines) and number - start < _LONGEST_RECORD:
        field = _FIELD.match(lines[number])
        if field is not None:
            key = field[1]
            if key == "__CURSOR" and number > start:
                break
            fields.setdefault(key, field[2].rstrip())
        elif lines[number].startswith("     ") and key == "MESSAGE":
            fields["MESSAGE"] += "\n" + lines[number].strip()
        else:
            break
        number += 1
    if header is not None:
        fields.pop("__REALTIME_TIMESTAMP", None)
        fields.pop("_SOURCE_REALTIME_TIMESTAMP", None)
    return number - start, list(_messages(fields, _Around(), 0))


def _wall_time(header: re.Match[str]) -> str:
    """Return the time of a verbose record with its offset, which the moment beside it tells."""
    moment = _VERBOSE_MOMENT.search(header[0])
    wall = header[1]
    if moment is None:
        return f"{wall} {header[2]}".rstrip()
    try:
        utc = datetime.fromtimestamp(int(moment[1], 16) // 1_000_000, timezone.utc)
        offset = datetime.fromisoformat(wall[:19]).replace(tzinfo=timezone.utc) - utc
        minutes = round(offset / timedelta(minutes=1))
    except (ValueError, OverflowError, OSError):
        return wall
    if not -24 * 60 < minutes < 24 * 60:
        return wall
    sign = "-" if minutes < 0 else "+"
    return f"{wall}{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
