"""The task table of a report: its own header says what the numbers of its rows are."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from oomctl.model.oomreport import TableRow

LONGEST_NAME = 64
"""Characters of a task's name that are kept. The kernel's own end at 15 bytes (``TASK_COMM_LEN``), but a log may have
been edited, and a table has many rows."""
_MOST_COLUMNS = 24
_COLUMNS = (
    "uid",
    "tgid",
    "total_vm",
    "rss_anon",
    "rss_file",
    "rss_shmem",
    "rss",
    "nr_ptes",
    "nr_pmds",
    "nr_puds",
    "pgtables_bytes",
    "swapents",
    "cpu",
    "oom_adj",
    "oom_score_adj",
    "name",
)
_COLUMN = re.compile("|".join(sorted(_COLUMNS, key=len, reverse=True)))
_HEADER = re.compile(r"\[( +)pid +\] {0,8}(uid .{1,300}?name)\b")
_DAMAGED_ROW = re.compile(r"^\[ *\d{1,10}\]?[\d -]{0,200}$|^\[ *\d{1,10}\] +\d")
_ELIDED = re.compile(r"^\W{0,4}(?:\.\.\.|…|snip\b|cut\b|skipped|omitted|truncated)", re.IGNORECASE)


class TableHeader(NamedTuple):
    """``[  pid  ]   uid  tgid total_vm ... name`` (``dump_tasks``)."""

    columns: tuple[str, ...]
    """From ``uid`` to ``name``; names that are not known here are kept too."""
    wide_pid: bool
    """``[  pid  ]`` rather than ``[ pid ]``."""
    row_pattern: re.Pattern[str] | None
    """None: the header is damaged, so that its rows cannot be read."""


class Gap(Enum):
    """What shows, inside a table, that rows are missing."""

    DAMAGED_ROW = "the rest of a row, or a row without its rss or total_vm"
    ELIDED = "an author's mark for rows that were cut out"


def read_header(message: str) -> TableHeader | None:
    """Return the header that stands in a message; None: there is none."""
    match = _HEADER.search(message)
    if match is None:
        return None
    titles = columns(match[2])
    whole = titles[:2] == ("uid", "tgid") and titles[-1] == "name" and len(titles) <= _MOST_COLUMNS
    return TableHeader(titles, len(match[1]) > 1, _row_pattern(len(titles) - 1) if whole else None)


def read_row(table: TableHeader, text: str) -> TableRow | Gap | None:
    """Return the row that stands in ``text``, behind any prefix; None: there is none."""
    match = table.row_pattern.search(text) if table.row_pattern is not None else None
    if match is None:
        return None
    # A name of no bytes, or one that a mailer took the end of the line from, leaves no group.
    name = (match[3] or "")[:LONGEST_NAME]
    return _table_row(int(match[1]), match[2].split(), name, table.columns)


def read_gap(message: str) -> Gap | None:
    """Return what a line inside a table says of rows that are not there; None: nothing."""
    if _DAMAGED_ROW.match(message):
        return Gap.DAMAGED_ROW
    return Gap.ELIDED if _ELIDED.match(message) else None


def columns(header: str) -> tuple[str, ...]:
    """Column names of a table header, from ``uid`` to ``name``."""
    words = tuple(header.split())
    if all(word in _COLUMNS for word in words):
        return words
    squashed = "".join(words)
    titles = tuple(_COLUMN.findall(squashed))
    return titles if "".join(titles) == squashed else words


def _table_row(pid: int, numbers: list[str], comm: str, names: tuple[str, ...]) -> TableRow | Gap:
    values = dict(zip(names, map(int, numbers)))
    if "rss" not in values or "total_vm" not in values:
        return Gap.DAMAGED_ROW
    tables = [values[name] for name in ("nr_ptes", "nr_pmds", "nr_puds") if name in values]
    return TableRow(
        pid,
        values["tgid"],
        values["uid"],
        values["total_vm"],
        values["rss"],
        values.get("oom_score_adj"),
        comm,
        values.get("swapents"),
        sum(tables) if tables else None,
        values.get("pgtables_bytes"),
        values.get("rss_anon"),
        values.get("rss_file"),
        values.get("rss_shmem"),
    )


@lru_cache(maxsize=64)
def _row_pattern(numbers: int) -> re.Pattern[str]:
    return re.compile(rf"\[ *(\d{{1,10}})\]((?: +-?\d{{1,20}}){{{numbers}}})(?: (.*)|$)", re.DOTALL)
