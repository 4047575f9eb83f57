"""``oomctl set``, ``protect``, ``sacrifice`` and ``reset``: one change, four names for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import click

from oomctl import errors
from oomctl import targets as target_words
from oomctl.cli import complain
from oomctl.commands import changing, persisting
from oomctl.commands.options import ADJ, NumbersAsArguments, dry_run_option, json_option, machine_procfs, unescaped
from oomctl.commands.unit_targets import resolved
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.model import Change, LeftAlone, Persisted, Scenario, Task
from oomctl.procfs import survey
from oomctl.procfs.reach import limiting_memcg
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj

_Function = TypeVar("_Function", bound=Callable[..., Any])
_OLD_SCALE = range(-17, 16)  # OOM_DISABLE..OOM_ADJUST_MAX of the oom_adj that 2.6.36 replaced


def _change_options(function: _Function) -> _Function:
    for option in reversed(
        (
            click.argument("words", metavar="TARGET...", nargs=-1, required=True),
            dry_run_option,
            click.option(
                "-a", "--all", "everyone", is_flag=True, help="When lowering: every match, not only its root."
            ),
            click.option("--tree", is_flag=True, help="All descendants of the matches as well."),
            click.option("--any-user", is_flag=True, help="When lowering by name: processes of any user."),
            click.option("--force", is_flag=True, help="Also PID 1 and login sessions."),
            click.option(
                "--persist", is_flag=True, help="Also for the next start of the service, by a drop-in of systemd."
            ),
            click.option("--user", is_flag=True, help="Units are those of your own service manager."),
            json_option,
        )
    ):
        function = option(function)
    return function


@click.command("set", cls=NumbersAsArguments)
@click.argument("adj", type=ADJ)
@_change_options
def set_(adj: int, words: tuple[str, ...], **options: Any) -> int:
    """Set oom_score_adj of TARGETs to ADJ (-1000..1000; negative numbers need no --).

    A TARGET is a PID, a name (of the process or its executable, * and ? are wildcards), a unit
    (nginx.service), cgroup:PATH, user:NAME or cmd:REGEX. Lowering goes to the root of each match, because
    children inherit it at fork; raising goes to every match.

    \b
    oomctl set 500 firefox
    oomctl set -500 postgres --dry-run
    """
    return _change("set", adj, words, options)


@click.command(cls=NumbersAsArguments)
@click.option("--level", type=ADJ, default=ADJ_MIN, show_default=True, metavar="ADJ", help="Protect less.")
@_change_options
def protect(level: int, words: tuple[str, ...], **options: Any) -> int:
    """Keep the OOM killer away from TARGETs: set -1000.

    At -1000 a process is never chosen, not even when its own cgroup is full; --level -999 leaves that
    possible and is otherwise nearly as strong.

    \b
    oomctl protect --level -999 postgres
    oomctl protect --persist nginx.service     also after its next start
    """
    return _change("protect", level, words, options)


@click.command(cls=NumbersAsArguments)
@click.option("--level", type=ADJ, default=ADJ_MAX, show_default=True, metavar="ADJ", help="Offer them less eagerly.")
@_change_options
def sacrifice(level: int, words: tuple[str, ...], **options: Any) -> int:
    """Offer TARGETs to the OOM killer before others: set 1000.

    \b
    oomctl sacrifice --level 500 firefox
    """
    return _change("sacrifice", level, words, options)


@click.command(cls=NumbersAsArguments)
@_change_options
def reset(words: tuple[str, ...], **options: Any) -> int:
    """Give TARGETs the kernel's default again: set 0.

    With --persist, remove what --persist wrote; the service gets the value that its unit has without that.

    \b
    oomctl reset postgres
    """
    return _change("reset", 0, words, options)


class Chosen(NamedTuple):
    """Who gets which value."""

    meant: list[tuple[Task, int]]
    left_alone: list[LeftAlone]
    refused: list[LeftAlone]
    unmatched: list[target_words.Target]


def _change(command: str, adj: int, words: Sequence[str], options: dict[str, Any]) -> int:
    """Choose, write, read back and report; return the exit status."""
    targets = [target_words.parse(word) for word in unescaped(words)]
    if adj in _OLD_SCALE and adj != 0:
        complain(f"hint: {adj} is a small step here; -17..15 was the scale of oom_adj, whose -17 is -1000 today")
    procfs = machine_procfs()
    scenario = survey.machine(procfs)
    scope = target_words.Scope(options["everyone"], options["tree"], options["any_user"], options["force"])
    said = [command, *([str(adj)] if command == "set" else []), *unescaped(words)]
    record = changing.Record(" ".join(said), procfs, options["dry_run"])
    kept: list[Persisted] = []
    if options["persist"]:
        chosen, kept = _persist(command, adj, targets, scenario, procfs, scope, options, record)
    else:
        chosen = _choose(targets, scenario, procfs, adj, scope, options["user"])
    for target in chosen.unmatched:
        complain(target_words.no_match(target.word, scenario.hidden))
    if len(chosen.unmatched) == len(targets):
        return errors.ANSWER_IS_NO

    changes = [Change(entry.pid, entry.comm, None, None, "refused", entry.reason) for entry in chosen.refused]
    tasks = [task for task, _ in chosen.meant]

    def write(dry_run: bool) -> list[Change]:
        return [write_adj(procfs, task, value, dry_run) for task, value in chosen.meant]

    changes += record.carry_out(write, tasks, kept)
    record.complain()
    changing.report(command, changes, chosen.left_alone, scenario, procfs, options["as_json"], kept=kept)
    if adj == ADJ_MIN:
        _warn_of_limits(tasks, procfs)
    statuses = [change.status for change in changes] + [persisted.status for persisted in kept]
    return changing.exit_status(statuses, bool(chosen.unmatched), bool(chosen.left_alone))


def _choose(
    targets: Sequence[target_words.Target],
    scenario: Scenario,
    procfs: Procfs,
    adj: int,
    scope: target_words.Scope,
    user: bool,
) -> Chosen:
    named, main_pids = resolved(targets, user)
    found = target_words.select(named, scenario.tasks, procfs, adj, scope, main_pids)
    return Chosen([(task, adj) for task in found.meant], found.left_alone, found.refused, found.unmatched)


def _persist(
    command: str,
    adj: int,
    targets: Sequence[target_words.Target],
    scenario: Scenario,
    procfs: Procfs,
    scope: target_words.Scope,
    options: dict[str, Any],
    record: changing.Record,
) -> tuple[Chosen, list[Persisted]]:
    """Let the units that are meant keep the value, and choose their processes that have to get it now."""
    setting = None if command == "reset" else adj
    wanted = persisting.wanted(targets, scenario, procfs, setting, scope, options["user"])
    kept = _keep(wanted.units, setting, options["dry_run"], record)
    chosen = Chosen([], wanted.left_alone, wanted.refused, wanted.unmatched)
    for unit in wanted.units:
        target = target_words.Target(unit.state.id, "unit", unit.state.id)
        value = persisting.next_value(unit, setting, options["dry_run"])
        found = _choose([target], scenario, procfs, value, scope, unit.manager.user)
        chosen.meant.extend(found.meant)
        chosen.left_alone.extend(found.left_alone)
        chosen.refused.extend(found.refused)
    return chosen, kept


def _keep(
    units: Sequence[persisting.Unit], setting: int | None, dry_run: bool, record: changing.Record
) -> list[Persisted]:
    """Write the drop-ins, each of which may be refused when others are written already."""
    record.note([], [], [persisting.keep(unit, setting, dry_run=True) for unit in units])
    kept: list[Persisted] = []
    try:
        for unit in units:
            kept.append(persisting.keep(unit, setting, dry_run))
    except errors.OomctlError:
        record.note([], [], kept)
        record.complain()
        raise
    return kept


def _warn_of_limits(tasks: Sequence[Task], procfs: Procfs) -> None:
    """At -1000 a process is exempt from the kills of its own memory cgroup as well; say where that matters."""
    found: dict[str, list[str]] = {}
    for task in tasks:
        memcg = limiting_memcg(procfs, task)
        if memcg is not None:
            found.setdefault(memcg, []).append(f"{task.pid} ({task.comm})")
    for memcg, names in found.items():
        complain(
            f"hint: at {ADJ_MIN} the limit of cgroup {memcg} cannot take {', '.join(names)} either;"
            f" --level {ADJ_MIN + 1} is nearly as strong and keeps that limit working"
        )
