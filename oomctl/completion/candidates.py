"""What can stand for a TARGET, a FIELD, an ADJ…: read from this machine, the likeliest first."""

from __future__ import annotations

import contextlib
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping

import click
from click.shell_completion import CompletionItem

from oomctl.cli.parameters import MINUS, unescaped
from oomctl.errors import ImpossibleHere, OomctlError
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.kernel.rules import known_kernels
from oomctl.procfs import nodes as numa
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.details import user_of
from oomctl.procfs.machine import machine_procfs
from oomctl.procfs.reader import Procfs
from oomctl.render import fields
from oomctl.render.text import count, size

Items = list["CompletionItem[str]"]

_FEW = 20
_MANY = 100
_DEEPEST_UNIT = 5  # /user.slice/user-1000.slice/user@1000.service/app.slice/some.service
_UNIT_TYPES = (".service", ".scope", ".slice")
# Words that mean something else than the process, or the unit, of that very name. Whoever names a process chooses what
# is offered: `-a`, `812` or `user:root` would be more than one process, or another one. "\ufffd" was no UTF-8.
_OTHER_THAN_UNIT = re.compile(f"[-{MINUS}]|(cgroup|user|cmd):|.*\ufffd", re.DOTALL)
_OTHER_THAN_NAME = re.compile(r"[+]?\d+$|.*[*?]|.+\.(service|scope|slice|socket|mount|swap)$|\s*$", re.DOTALL)

PREFIXES = {
    "cgroup:": "a cgroup and below",
    "user:": "a user's processes",
    "cmd:": "a regular expression for the command line",
}
ADJS = {
    ADJ_MIN: "never kill, not even when its own cgroup is full",
    -999: "nearly never, but the limit of its own cgroup keeps working",
    -900: "a system service, as systemd sets it for dbus",
    -500: "rather not",
    -100: "a little less likely",
    0: "the kernel's default",
    100: "a little more likely, as systemd's user managers",
    200: "as services that a user's systemd starts",
    300: "as a browser's tabs",
    500: "rather this one, as oomctl run",
    ADJ_MAX: "kill it first",
}
FORMATS = {
    "table": "for a terminal, with colours and bars",
    "plain": "aligned text, nothing cut off",
    "tsv": "for cut and awk: tabs, bytes",
    "json": "one document",
    "nagios": "a plug-in's line, and its status",
    "checkmk": "the line of a local check",
}
TIMES = {
    "today": "since midnight",
    "yesterday": "since the midnight before",
    "1h": "since an hour ago",
    "24h": "since this time yesterday",
    "7d": "in the last week",
}
DURATIONS = {
    "10s": "ten seconds",
    "30s": "half a minute",
    "1m": "a minute",
    "5m": "five minutes",
    "1h": "an hour",
    "24h": "a day",
    "7d": "a week",
}
_SIZES = ("128M", "256M", "512M", "1G", "2G", "4G", "8G", "16G")


def complete(param: click.Parameter, incomplete: str) -> Items:
    """Return what a value of ``param`` that begins like ``incomplete`` can be."""
    if isinstance(param.type, click.Choice):
        choices = [str(choice) for choice in param.type.choices]
        return [item(choice, FORMATS.get(choice, "")) for choice in choices if choice.startswith(incomplete)]
    kind = value_of(param)
    completer = _COMPLETERS.get(kind)
    word = unescaped(incomplete)
    if completer is None or (re.match(r"-[^\W\d]", word) and kind not in _MAY_BEGIN_WITH_MINUS):
        return []
    try:
        return completer(word)
    except (OomctlError, OSError):
        return []  # nobody wants an error message in the middle of a line


def value_of(param: click.Parameter) -> str:
    """Return the kind of a parameter's value as help names it, without what says how often: ``TARGET``."""
    kind = param.type.name if isinstance(param, click.Option) else str(param.name)
    shown = (param.metavar or kind.upper()).removesuffix("...")
    return re.sub(r"^\[(.*)\]$", r"\1", shown)


def item(value: str, about: str = "", *, goes_on: bool = False) -> CompletionItem[str]:
    """``goes_on``: more of the same word follows, so no space does."""
    return CompletionItem(value, type="prefix" if goes_on else "value", help=about)


def targets(word: str) -> Items:
    """PIDs, the likeliest victims first; names, units, and the prefixes of the other forms."""
    procfs = machine_procfs()
    prefix, colon, rest = word.partition(":")
    if colon and word.startswith(tuple(PREFIXES)):
        values = _BY_PREFIX[prefix](rest)
        return [CompletionItem(f"{prefix}:{one.value}", type=one.type, help=one.help) for one in values]
    if word.isascii() and word.isdigit():
        return _pids(procfs, word)
    prefixes = [item(name, about, goes_on=True) for name, about in PREFIXES.items() if name.startswith(word)]
    if not word:
        return _pids(procfs, "", _FEW) + prefixes
    return _names(procfs, word) + _units(procfs, word) + prefixes


def _pids(procfs: Procfs, beginning: str, most: int = _MANY) -> Items:
    """PIDs that can be killed, the likeliest victims first; those that cannot, too, if their number was begun."""
    scores = sorted(procfs.scores().listed, reverse=True)
    wanted = [score for score in scores if str(score.pid).startswith(beginning) and (score.oom_score or beginning)]
    # Equal scores are common, they are rounded: among them the biggest first.
    wanted = sorted(wanted[:_MANY], key=lambda score: (score.oom_score, procfs.resident_pages(score.pid)), reverse=True)
    named = [(score, procfs.comm(score.pid)) for score in wanted[:most]]
    return [
        item(str(score.pid), f"{comm}, oom_score {score.oom_score}, adj {procfs.adj(score.pid)}")
        for score, comm in named
        if comm is not None
    ]


def _names(procfs: Procfs, beginning: str) -> Items:
    """Names of processes, those of the likeliest victims first; kernel threads are nobody's target."""
    scores_by_name: dict[str, list[int]] = {}
    for score in sorted(procfs.scores().listed, reverse=True):
        comm = procfs.comm(score.pid)
        if comm is None or not comm.startswith(beginning) or not _is_name(comm):
            continue
        if score.oom_score or not _is_kthread(procfs, score.pid):
            scores_by_name.setdefault(comm, []).append(score.oom_score)
    return [
        item(comm, f"{count(len(scores), 'process', 'processes')}, oom_score {scores[0]}")
        for comm, scores in list(scores_by_name.items())[:_MANY]
    ]


def _is_name(comm: str) -> bool:
    return not _OTHER_THAN_UNIT.match(comm) and not _OTHER_THAN_NAME.match(comm)


def _is_kthread(procfs: Procfs, pid: int) -> bool:
    try:
        return procfs.task(pid).kthread
    except OSError:
        return True


def _units(procfs: Procfs, beginning: str) -> Items:
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        return []
    paths: dict[str, str] = {}
    waiting = [memcgs.root]
    while waiting:
        path = waiting.pop(0)
        for name in memcgs.children(path):
            below = f"{path.rstrip('/')}/{name}"
            if name.endswith(_UNIT_TYPES) and name.startswith(beginning) and not _OTHER_THAN_UNIT.match(name):
                paths.setdefault(name, below)
            if below.count("/") < _DEEPEST_UNIT:
                waiting.append(below)
    return [item(name, f"unit, {_limit(memcgs, path)}") for name, path in sorted(paths.items())[:_MANY]]


def cgroups(word: str) -> Items:
    """Cgroups one level below what is written so far; a unit's name where no path was begun."""
    procfs = machine_procfs()
    memcgs = Memcgs.of(procfs)
    if memcgs is None:
        return []
    if word and not word.startswith("/"):
        return _units(procfs, word)
    above, _, beginning = word.rpartition("/")
    names = [name for name in sorted(_below(memcgs, above or "/")) if name.startswith(beginning)]
    paths = [f"{above}/{name}" for name in names[:_MANY]]
    return [
        item(f"{path}/", _limit(memcgs, path), goes_on=True)
        if _below(memcgs, path)
        else item(path, _limit(memcgs, path))
        for path in paths
    ]


def _below(memcgs: Memcgs, path: str) -> list[str]:
    try:
        return memcgs.children(memcgs.resolve(path))
    except ImpossibleHere:
        return []


def _limit(memcgs: Memcgs, path: str) -> str:
    try:
        pages = memcgs.limits(memcgs.resolve(path)).memory_pages
    except ImpossibleHere:
        return "limit unknown"
    return "no limit" if pages is None else f"limit {size(pages * os.sysconf('SC_PAGE_SIZE'))}"


def users(word: str) -> Items:
    """Owners of processes."""
    procfs = machine_procfs()
    owners: Counter[int] = Counter()
    for score in procfs.scores().listed:
        with contextlib.suppress(OSError):  # it has ended
            owners[os.stat(f"{procfs.root}/{score.pid}").st_uid] += 1
    names = sorted((user_of(procfs, uid), number) for uid, number in owners.items())
    return [item(name, count(number, "process", "processes")) for name, number in names if name.startswith(word)]


def one_field(word: str) -> Items:
    """Fields by the names of JSON; another accepted name only where it was begun."""
    items = []
    for field in fields.FIELDS:
        names = [name for name in (field.name, *field.aliases) if name.startswith(word)]
        if names:
            items.append(item(names[0], fields.MEANINGS[field.name]))
    return items


def sort_key(word: str) -> Items:
    """A field, or one behind the ``-`` that turns the order round."""
    minus = "-" * word.startswith("-")
    return [item(minus + one.value, one.help or "") for one in one_field(word.removeprefix("-"))]


def field_list(word: str) -> Items:
    """The last one of a list of fields; those before it are not offered again."""
    before, comma, last = word.rpartition(",")
    given = set(before.split(","))
    return [item(before + comma + one.value, one.help or "") for one in one_field(last) if one.value not in given]


def adjs(word: str) -> Items:
    """Values of oom_score_adj that have a meaning, and what each counts for on this machine."""
    total_bytes = _total_bytes()
    return [item(str(adj), _adj_help(adj, total_bytes)) for adj in ADJS if str(adj).startswith(word.lstrip("+"))]


def _total_bytes() -> int:
    procfs = machine_procfs()
    return procfs.totalpages * procfs.page_size


def _adj_help(adj: int, total_bytes: int) -> str:
    if adj in (ADJ_MIN, 0):
        return ADJS[adj]
    return f"{ADJS[adj]}; counts as {size(abs(adj) * total_bytes // 1000)} {'more' if adj > 0 else 'less'}"


def sizes(word: str) -> Items:
    """Usual sizes; units behind a number."""
    if word.isascii() and word.isdigit():
        return [item(word + unit, f"{word} {name}") for unit, name in (("M", "MiB"), ("G", "GiB"))]
    return [item(text) for text in _SIZES] if not word else []


def names(word: str) -> Items:
    """Names of processes."""
    return _names(machine_procfs(), word)


def units(word: str) -> Items:
    """Units that have a cgroup."""
    return _units(machine_procfs(), word)


def _targets_with(complete_value: Callable[[str], Items]) -> Callable[[str], Items]:
    """``TARGET=VALUE``."""

    def completer(word: str) -> Items:
        target, equals, value = word.rpartition("=")
        if equals:
            return [item(f"{target}={one.value}", one.help or "") for one in complete_value(value)]
        begun = targets(word)
        return [item(one.value + "=" * (one.type != "prefix"), one.help or "", goes_on=True) for one in begun]

    return completer


def size_at_adj(word: str) -> Items:
    """``SIZE[@ADJ]``."""
    size_text, at, adj = word.partition("@")
    return [item(f"{size_text}@{one.value}", one.help or "") for one in adjs(adj)] if at else sizes(word)


def nodes(word: str) -> Items:
    """The last one of a list of nodes."""
    before, comma, last = word.rpartition(",")
    given = set(before.split(","))
    numbers = [str(number) for number in sorted(numa.nodes(machine_procfs()))]
    return [item(before + comma + one, f"node {one}") for one in numbers if one.startswith(last) and one not in given]


def _from(table: Mapping[str, str]) -> Callable[[str], Items]:
    return lambda word: [item(value, about) for value, about in table.items() if value.startswith(word)]


def _of_shell(kind: str) -> Callable[[str], Items]:
    """What the shell itself completes better."""
    return lambda word: [CompletionItem(word, type=kind)]


_BY_PREFIX: dict[str, Callable[[str], Items]] = {"cgroup": cgroups, "user": users, "cmd": lambda word: []}


def checks(word: str) -> Items:
    """Ids of checks, each with what it finds."""
    from oomctl.audit.catalogue import CHECKS  # which a TAB behind any other option has no time for

    return [item(check.id, check.meaning) for check in CHECKS if check.id.startswith(word)]


_COMPLETERS: dict[str, Callable[[str], Items]] = {
    "TARGET": targets,
    "TARGET=ADJ": _targets_with(adjs),
    "TARGET=SIZE": _targets_with(sizes),
    "ADJ": adjs,
    "SIZE": sizes,
    "SIZE[@ADJ]": size_at_adj,
    "PATH": cgroups,
    "LIST": nodes,
    "USER": users,
    "NAME": names,
    "UNIT": units,
    "ID": checks,
    "FIELD": sort_key,
    "FIELD,": field_list,
    "TIME": _from(TIMES),
    "DURATION": _from(DURATIONS),
    "RELEASE": _from(known_kernels()),
    "FILE": _of_shell("file"),
    "DIR": _of_shell("dir"),
    "COMMAND": _of_shell("command"),
}


_MAY_BEGIN_WITH_MINUS = ("FIELD",)


def is_known(kind: str) -> bool:
    """Whether values of ``kind`` can be completed."""
    return kind in _COMPLETERS
