"""The columns of a list of processes: one table for titles, accepted names, values and how they look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from oomctl.errors import BadInput
from oomctl.model.kernel import Task
from oomctl.model.listing import Details, Machine, Row
from oomctl.render import cgroups, podnames, reasons
from oomctl.render.cgroupshapes import places
from oomctl.render.commandline import command
from oomctl.render.text import mib_a_minute, size, visible

_MIB = 1 << 20


class Field(NamedTuple):
    """One column: what it is called, what its value is and how that is written."""

    name: str
    """As in JSON."""
    aliases: tuple[str, ...]
    """Other names for ``-o`` and ``--sort``; ``ps`` and ``top`` know some of them."""
    title: str
    value: Callable[[Row, int], Any]
    """The JSON value; the second argument is the page size in bytes."""
    is_size: bool = False
    number: bool = True
    biggest_first: bool = True
    """How ``--sort`` orders it."""
    told: Callable[[Row, int | None], str | None] | None = None
    """What people read of it where that is not the value: in a table in so many characters; None: no table."""

    @property
    def called(self) -> str:
        """Its name, and the short one where it has one."""
        return ", ".join((self.name, *self.aliases[:1]))

    def text(self, row: Row, page_size: int, room: int | None = None) -> str:
        """Return the value as people read it; ``room``: of a table, names of cgroups in so many characters."""
        if self.told is not None:
            return self.told(row, room) or "-"
        value = self.value(row, page_size)
        if value is None:
            return "-"
        if self.is_size:
            return size(value)
        if isinstance(value, bool):
            return "yes" if value else "no"
        return visible(str(value))

    def raw(self, row: Row, page_size: int) -> str:
        """Return the value for cut and awk: bytes, and nothing where there is none."""
        value = self.value(row, page_size)
        return "" if value is None else visible(str(value).lower() if isinstance(value, bool) else str(value))


def pid_of(task: Task) -> int | None:
    """Return None for a process of a what-if: a negative number would be a process group to ``kill``."""
    return task.pid if task.pid > 0 else None


def _badness_bytes(row: Row, page_size: int) -> int | None:
    return None if row.candidate is None else row.candidate.badness * page_size


def short_place(details: Details, room: int | None = None) -> str | None:
    """Return the container or pod that a process is in, else its unit, else its cgroup, as people know it."""
    cgroup, unit = details.cgroup, details.unit
    in_container = cgroup is not None and any(place.kind not in _OF_SYSTEMD for place in places(cgroup))
    return _short(cgroup if in_container else unit or cgroup, room)


def _path(path: str | None, room: int | None) -> str | None:
    """A column that was asked for by name is for programs too: they get the whole path."""
    return path and (visible(path) if room is None else cgroups.short_name_within(path, room))


def _short(path: str | None, room: int | None) -> str | None:
    if path is None:
        return None
    return cgroups.short_name(path) if room is None else cgroups.short_name_within(path, room)


_OF_SYSTEMD = ("unit", "user", "path")


def _mib_a_minute(row: Row, _: int) -> float | None:
    growth = row.details.growth
    return None if growth is None else growth.total / _MIB


def _growth(row: Row) -> str | None:
    growth = row.details.growth
    return None if growth is None else mib_a_minute(growth.total)


def _reason(row: Row, _: int) -> str | None:
    return None if row.reason is None else reasons.spared(row.reason)


FIELDS: tuple[Field, ...] = (
    Field("rank", (), "RANK", lambda row, _: row.rank, biggest_first=False),
    Field("pid", (), "PID", lambda row, _: pid_of(row.task), biggest_first=False),
    Field("ppid", (), "PPID", lambda row, _: row.task.ppid, biggest_first=False),
    Field("user", (), "USER", lambda row, _: row.details.user, number=False, biggest_first=False),
    Field("uid", (), "UID", lambda row, _: row.task.uid, biggest_first=False),
    Field("oom_score", ("oom", "score", "ooms", "oomsc"), "OOM", lambda row, _: row.task.oom_score),
    Field("oom_score_adj", ("oomadj", "adj", "ooma"), "ADJ", lambda row, _: row.task.adj),
    Field("badness_bytes", ("badness",), "BADNESS", _badness_bytes, is_size=True),
    Field("badness_pages", ("points",), "PAGES", lambda row, _: row.candidate.badness if row.candidate else None),
    Field("rss_bytes", ("rss", "res", "vmrss"), "RSS", lambda row, page: row.task.rss_pages * page, is_size=True),
    Field("swap_bytes", ("swap", "vmswap"), "SWAP", lambda row, page: row.task.swap_pages * page, is_size=True),
    Field(
        "pgtables_bytes",
        ("pgtables", "pte"),
        "PGTABLES",
        lambda row, page: row.task.pgtables_pages * page,
        is_size=True,
    ),
    Field("growth", (), "GROWTH", _mib_a_minute, told=lambda row, _: _growth(row)),
    Field("killable", (), "KILLABLE", lambda row, _: row.candidate is not None, number=False),
    Field("reason", (), "REASON", _reason, number=False, biggest_first=False),
    Field("unit", (), "UNIT", lambda row, _: row.details.unit, number=False, biggest_first=False),
    Field(
        "cgroup",
        (),
        "CGROUP",
        lambda row, _: row.details.cgroup,
        number=False,
        biggest_first=False,
        told=lambda row, room: _path(row.details.cgroup, room),
    ),
    Field(
        "group",
        (),
        "UNIT/CGROUP",
        lambda row, _: row.details.unit or row.details.cgroup,
        number=False,
        biggest_first=False,
        told=lambda row, room: short_place(row.details, room),
    ),
    Field("start_time", ("start",), "START", lambda row, _: row.details.start_time),
    Field("comm", ("command", "name"), "COMMAND", lambda row, _: row.task.comm, number=False, biggest_first=False),
    Field("cmdline", ("args",), "CMDLINE", lambda row, _: row.details.cmdline, number=False, biggest_first=False),
)

MEANINGS = {
    "rank": "place in the order in which the kernel would kill them",
    "pid": "process ID",
    "ppid": "process ID of the parent",
    "user": "owner",
    "uid": "number of the owner",
    "oom_score": "the rounded number in /proc/PID/oom_score, 0 to 2000",
    "oom_score_adj": "the adjustment, -1000 (never kill) to 1000",
    "badness_bytes": "what the kernel compares, as a size",
    "badness_pages": "what the kernel compares, in pages",
    "rss_bytes": "memory that is resident",
    "swap_bytes": "memory that is in swap",
    "pgtables_bytes": "memory of the page tables",
    "growth": "MiB a minute over the last minute, files left out; only in the live view",
    "killable": "whether it can be chosen at all",
    "reason": "why it cannot be chosen",
    "unit": "systemd unit",
    "cgroup": "memory cgroup",
    "group": "unit, or cgroup where there is none",
    "start_time": "when it started, in seconds since 1970",
    "comm": "name of the process, up to 15 bytes",
    "cmdline": "command line",
}
"""What each field says; for completion and the manual."""

_BY_NAME = {name: field for field in FIELDS for name in (field.name, *field.aliases)}

DEFAULT = ("rank", "pid", "user", "oom", "oomadj", "badness", "rss", "swap", "pgtables", "group", "comm")
"""The columns that ``top`` shows when none are asked for."""

LIVE_ONLY = ("growth",)
"""The names of what one look alone cannot tell."""

OF_A_PROCESS = (
    *("pid", "comm", "user", "uid", "start_time", "oom_score_adj", "oom_score", "badness_pages"),
    *("rss_bytes", "swap_bytes", "pgtables_bytes", "killable", "reason", "cgroup", "unit", "cmdline"),
)
"""The names of what the JSON contract says of every process."""


def tsv_line(cells: Iterable[str]) -> str:
    """Return a line for cut and awk."""
    return "\t".join(cells) + "\n"


def find(name: str) -> Field:
    """Return the field called ``name``; BadInput lists the valid ones."""
    field = _BY_NAME.get(name.strip().lower())
    if field is None:
        raise BadInput(f"unknown field {name!r}; valid are {', '.join(field.name for field in FIELDS)}")
    return field


def _command(row: Row, room: int | None) -> str:
    return visible(row.task.comm) if room is None else command(row.task.comm, row.details.cmdline, room)


COMMAND_LINE = find("comm")._replace(told=_command)
"""The field ``comm`` as a table shows it that nobody chose the columns of: with the command line where there is room.

Its value stays the comm, for programs and to sort by.
"""


def with_command_lines(fields: Sequence[Field]) -> tuple[Field, ...]:
    """Return ``fields``, of which ``comm`` shows the command line where there is room."""
    return tuple(COMMAND_LINE if field.name == "comm" else field for field in fields)


def with_growth(fields: Sequence[Field]) -> tuple[Field, ...]:
    """Return ``fields`` with the growth before the places and names, as a live view shows them if nobody chose."""
    sizes = next(index for index, field in enumerate(fields) if field.name == "group")
    return (*fields[:sizes], find("growth"), *fields[sizes:])


def find_all(names: str) -> tuple[Field, ...]:
    """Return the fields of a comma separated list."""
    return tuple(find(name) for name in names.split(","))


def process_document(row: Row, page_size: int) -> dict[str, Any]:
    """Return the ``process`` object of the JSON contract."""
    values = {name: _BY_NAME[name].value(row, page_size) for name in OF_A_PROCESS}
    return {**values, "pod": podnames.document(row.details.cgroup)}


def victim_document(victim: Task | None) -> dict[str, Any] | None:
    """Return the few facts of a victim that stands beside the answer."""
    return None if victim is None else {"pid": pid_of(victim), "comm": victim.comm, "oom_score_adj": victim.adj}


def order_of(key: str) -> tuple[Field, bool]:
    """Return the field of ``--sort``, and whether it is to be turned round: ``-rss`` begins with the smallest."""
    return find(key.removeprefix("-")), key.startswith("-")


def empty_fields(machine: Machine, tasks: Iterable[Task]) -> tuple[str, ...]:
    """Return the names of the fields that hold nothing, and cannot, on this machine."""
    return () if machine.swap_total or any(task.swap_pages for task in tasks) else ("swap_bytes",)


def sort_rows(rows: Sequence[Row], field: Field, page_size: int, reverse: bool = False) -> list[Row]:
    """Sort by ``field``: numbers biggest first, names from a to z, or the other way round; what has no value last."""
    known = [row for row in rows if field.value(row, page_size) is not None]
    unknown = [row for row in rows if field.value(row, page_size) is None]
    known.sort(key=lambda row: field.value(row, page_size), reverse=field.biggest_first != reverse)
    return known + unknown
