"""The dates that logs carry, in the ways that loggers, shippers and people write them."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone

_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
# Names that mean two zones (CST, IST) or are in no table here are left to the local one.
_ZONES = {
    **dict.fromkeys(("Z", "UTC", "GMT", "WET"), 0),
    **dict.fromkeys(("CET", "WEST", "MEZ"), 60),
    **dict.fromkeys(("CEST", "EET", "MESZ", "SAST"), 120),
    **dict.fromkeys(("EEST", "MSK"), 180),
    **dict.fromkeys(("JST", "KST"), 540),
    **dict.fromkeys(("EST", "CDT"), -300),
    **dict.fromkeys(("MST", "PDT"), -420),
    "EDT": -240,
    "MDT": -360,
    "PST": -480,
}
_ZONE = rf"(?: ?(?:[+-]\d\d:?\d\d|{'|'.join(sorted(_ZONES, key=len, reverse=True))})\b)?"
ISO = rf"\d{{4}}[-/]\d\d[-/]\d\d[T ]{_CLOCK}{_ZONE}"
# The name of the month may be in any language and script.
SYSLOG = rf"(?:\b(?:19|20)\d\d )?[^\W\d][^\s:/<>\d]{{1,12}} +\d{{1,2}}\.? (?:\d{{4}} )?{_CLOCK}(?: (?:19|20)\d\d\b)?"
_KIBANA = rf"[A-Z][a-z]{{2,8}} \d{{1,2}}(?:st|nd|rd|th)?,? \d{{4}}(?:,? @|,)? {_CLOCK}"
_WEB_SERVER = r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d(?: [+-]\d{4})?"
_KLOG = rf"\b[IWEF]\d{{4}} {_CLOCK}"
_NUMBERS = rf"(?<![\d./])(?:\d{{1,2}}|[a-z]{{3}})[./]\d{{1,2}}[./](?:20)?\d\d,? {_CLOCK}(?: [AP]M\b)?"
_LOGCAT = r"(?<![\d-])\d\d-\d\d \d\d:\d\d:\d\d\.\d{1,9}"
DATE = rf"{ISO}|{_KIBANA}|{SYSLOG}|{_WEB_SERVER}|{_LOGCAT}|{_KLOG}|{_NUMBERS}"
"""Any of these as the source of a pattern, without groups."""

_ISO_PARTS = re.compile(rf"(\d{{4}})[-/](\d\d)[-/](\d\d)[T ]({_CLOCK}) ?(.*)$")
_NUMBERS_PARTS = re.compile(rf"(\d{{1,2}})([./])(\d{{1,2}})\2((?:20)?\d\d),? ({_CLOCK})(?: ([AP])M)?$")
_YEAR = re.compile(r"(?<![\d:.,])((?:19|20)\d\d)(?!\d)")
_TIME = re.compile(rf"(?<!\d)({_CLOCK}|\d\d:\d\d)")
_DAY = re.compile(r"(?<![\d:])(\d{1,2})(?![\d:月])")
_MONTH_DAY = re.compile(r"(\d\d)-(\d\d) ")
_COUNTED = re.compile(r"1\d{9}(?:\.\d{1,9}|\d{3}|\d{6}|\d{9})?$")
_OFFSET = re.compile(r"([+-])(\d\d):?(\d\d)$")
_MONTHS = (
    ("jan", "ene", "gen", "sty", "янв", "1月"),
    ("feb", "fév", "fev", "lut", "фев", "2月"),
    ("mar", "mär", "mrt", "maa", "мар", "3月"),
    ("apr", "avr", "abr", "kwi", "апр", "4月"),
    ("may", "mai", "mag", "mei", "maj", "мая", "май", "5月"),
    ("jun", "juin", "giu", "cze", "июн", "6月"),
    ("jul", "juil", "lug", "lip", "июл", "7月"),
    ("aug", "aoû", "ago", "sie", "авг", "8月"),
    ("sep", "set", "wrz", "сен", "9月"),
    ("oct", "okt", "out", "ott", "paź", "окт", "10月"),
    ("nov", "lis", "ноя", "11月"),
    ("dec", "dez", "déc", "dic", "gru", "дек", "12月"),
)
_WORD = re.compile(r"\d{0,2}[^\W\d]{1,12}")
_A_LEAP_YEAR = 2000
_A_YEAR_S = 366 * 86400.0


def epoch_s(time_text: str | None) -> float | None:
    """Seconds since 1970 of a date with its year, of local time where no zone is named; None for any other text."""
    if time_text is None:
        return None
    if _COUNTED.match(time_text):
        return seconds_of(float(time_text))
    return _moment(time_text, None)


def seconds_of(count: float) -> float:
    """Seconds since 1970 of a number that may count milliseconds, microseconds or nanoseconds as well."""
    while abs(count) >= 1e11:
        count /= 1000
    return count


def apart_s(one: str | None, other: str | None) -> float | None:
    """Seconds from one date to another, right to a minute; None: they do not say.

    Where one of them has no year, the nearest is meant.
    """
    if one is None or other is None:
        return None
    if one == other or (one[:16] == other[:16] and one[4:5] in "-/"):
        return 0.0  # ISO to the same minute, as nearly always
    first, second = epoch_s(one), epoch_s(other)
    if first is not None and second is not None:
        return second - first
    first, second = _moment(one, _A_LEAP_YEAR), _moment(other, _A_LEAP_YEAR)
    if first is None or second is None:
        return None
    apart = second - first
    return apart - math.copysign(_A_YEAR_S, apart) if abs(apart) > _A_YEAR_S - 86400 else apart


def _moment(text: str, any_year: int | None) -> float | None:
    """Seconds since 1970; a date without its year counts only with ``any_year``, which is then that of every date."""
    iso = _ISO_PARTS.search(text)
    numbers = _NUMBERS_PARTS.match(text)
    try:
        if numbers is not None:
            return _of_numbers(numbers)
        if iso is not None:
            return _seconds(any_year or int(iso[1]), int(iso[2]), int(iso[3]), iso[4], iso[5])
        time = _TIME.search(text)
        year = _YEAR.search(text)
        if time is None or (year is None and any_year is None):
            return None
        date = text[: time.start()] + " " + text[time.end() :]
        month_day = _month_and_day(date)
        if month_day is None:
            return None
        zone = re.search(r"[+-]\d{4}$", text)
        number = any_year or (int(year[1]) if year else 0)
        return _seconds(number, *month_day, time[1], zone[0] if zone else "")
    except (ValueError, OverflowError, OSError):
        return None


def _of_numbers(date: re.Match[str]) -> float | None:
    """``23.08.2025``, ``8/23/2025`` or ``23/08/2025``; None: the day and the month could be either."""
    first, second = int(date[1]), int(date[3])
    if date[2] == "." or first > 12:
        day, month = first, second
    elif second > 12 or date[6]:
        month, day = first, second
    else:
        return None
    afternoon = {None: 0, "A": 0, "P": 12}[date[6]]
    hour = int(date[5][:2]) % 12 + afternoon if date[6] else int(date[5][:2])
    return _seconds(int(date[4]) % 100 + 2000, month, day, f"{hour:02d}{date[5][2:]}", "")


def _month_and_day(date: str) -> tuple[int, int] | None:
    numbers = _MONTH_DAY.match(date)
    if numbers is not None:
        return int(numbers[1]), int(numbers[2])
    day = _DAY.search(date.replace("/", " "))
    if day is None:
        return None
    for word in _WORD.findall(date.replace("/", " ").lower()):
        for month in range(12, 0, -1):  # 12月 before 2月
            if word.startswith(_MONTHS[month - 1]):
                return month, int(day[1])
    return None


def _seconds(year: int, month: int, day: int, clock: str, zone: str) -> float:
    hour, minute, rest = (clock + ":00").split(":")[:3]
    second, _, fraction = rest.replace(",", ".").partition(".")
    moment = datetime(year, month, day, int(hour), int(minute), int(second))
    offset = _offset(zone)
    if offset is not None:
        moment = (moment - offset).replace(tzinfo=timezone.utc)
    return moment.timestamp() + (float("0." + fraction) if fraction else 0.0)


def _offset(zone: str) -> timedelta | None:
    if zone in _ZONES:
        return timedelta(minutes=_ZONES[zone])
    match = _OFFSET.match(zone)
    if match is None:
        return None
    return timedelta(hours=int(match[2]), minutes=int(match[3])) * (-1 if match[1] == "-" else 1)
