"""``oomctl set``, ``protect``, ``sacrifice`` and ``reset``: one change, four names for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import click

from oomctl import errors
from oomctl.changes import recording
from oomctl.changes.outcome import complain_if_unrecorded, exit_status, report, statuses_of
from oomctl.changes.writing import Chosen, children_left, choose, write
from oomctl.cli.options import dry_run_option, json_option, quiet_option
from oomctl.cli.parameters import ADJ, TARGET, NumbersAsArguments
from oomctl.console import complain, this_run
from oomctl.errors import Refused
from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.model.changes import Change, LeftAlone, Persisted, Status
from oomctl.model.kernel import Task
from oomctl.procfs import survey
from oomctl.procfs.machine import machine_procfs, procfs_to_write, refuse_another_namespace
from oomctl.procfs.reach import limiting_memcg
from oomctl.procfs.reader import Procfs
from oomctl.render import refusals
from oomctl.render.changes import left_alone_lines
from oomctl.render.text import named
from oomctl.targets import oldscale
from oomctl.targets.matching import is_there, no_match
from oomctl.targets.selection import MOST_RAISED, Scope
from oomctl.targets.words import Target, TargetKind, names_cgroup

_Function = TypeVar("_Function", bound=Callable[..., Any])


class _Options(NamedTuple):
    """What stands behind any of the four, by the names of the parameters."""

    dry_run: bool
    everyone: bool
    tree: bool
    any_user: bool
    force: bool
    persist: bool
    user: bool
    missing_ok: bool
    as_json: bool

    @property
    def scope(self) -> Scope:
        return Scope(self.everyone, self.tree, self.any_user, self.force, self.user)


def _change_options(function: _Function) -> _Function:
    for option in reversed(
        (
            click.argument("targets", type=TARGET, metavar="TARGET...", nargs=-1, required=True),
            dry_run_option,
            click.option(
                "-a", "--all", "everyone", is_flag=True, help="When lowering: every match, not only its root."
            ),
            click.option("--tree", is_flag=True, help="All descendants of the matches as well."),
            click.option(
                "--any-user", is_flag=True, help="When lowering: also processes that may only call themselves so."
            ),
            click.option(
                "--force",
                is_flag=True,
                help=f"Also PID 1, login sessions, raising sshd, raising more than {MOST_RAISED} processes.",
            ),
            click.option("--persist", is_flag=True, help="Also for later starts of the service, by a systemd drop-in."),
            click.option("--user", is_flag=True, help="Units are those of your own service manager."),
            click.option(
                "--missing-ok", is_flag=True, help="A TARGET that does not run is no error, and said all the same."
            ),
            quiet_option,
            json_option,
        )
    ):
        function = option(function)
    return function


@click.command("set", cls=NumbersAsArguments)
@click.argument("adj", type=ADJ)
@_change_options
def set_(adj: int, targets: tuple[Target, ...], **options: Any) -> int:
    """Set oom_score_adj of TARGETs to ADJ (-1000..1000). Negative numbers need no --.

    A TARGET is a PID, a name (of the process or its executable, * and ? are wildcards), a unit
    (nginx.service), cgroup:PATH, user:NAME or cmd:REGEX. Lowering goes to the root of each match, because
    children inherit it at fork; raising goes to every match.

    \b
    oomctl set 500 firefox
    oomctl set -500 postgres --dry-run
    """
    return _change("set", adj, targets, _Options(**options))


@click.command(cls=NumbersAsArguments)
@click.option("--level", type=ADJ, default=ADJ_MIN, show_default=True, metavar="ADJ", help="Protect less.")
@_change_options
def protect(level: int, targets: tuple[Target, ...], **options: Any) -> int:
    """Keep the OOM killer away from TARGETs: set -1000.

    At -1000 a process is never chosen, not even when its own cgroup is full; --level -999 leaves that
    possible, and is otherwise nearly as strong.

    \b
    oomctl protect --level -999 postgres
    oomctl protect --persist nginx.service     also after its next start
    """
    return _change("protect", level, targets, _Options(**options))


@click.command(cls=NumbersAsArguments)
@click.option("--level", type=ADJ, default=ADJ_MAX, show_default=True, metavar="ADJ", help="Offer them less eagerly.")
@_change_options
def sacrifice(level: int, targets: tuple[Target, ...], **options: Any) -> int:
    """Offer TARGETs to the OOM killer before others: set 1000.

    \b
    oomctl sacrifice --level 500 firefox
    """
    return _change("sacrifice", level, targets, _Options(**options))


@click.command(cls=NumbersAsArguments)
@_change_options
def reset(targets: tuple[Target, ...], **options: Any) -> int:
    """Give TARGETs the kernel's default again: set 0.

    With --persist, remove what --persist wrote; the service gets the value that its unit has without that.

    \b
    oomctl reset postgres
    """
    return _change("reset", 0, targets, _Options(**options))


def _change(command: str, adj: int, targets: Sequence[Target], options: _Options) -> int:
    """Choose, write, read back and report; return the exit status."""
    doubt = oldscale.doubt(adj)
    if doubt is not None:
        complain(f"hint: {doubt}")
    procfs = procfs_to_write() if options.persist else machine_procfs()
    # A PID is meant as it is now, whatever takes it over before it is written.
    with procfs.held(int(target.value) for target in targets if target.kind is TargetKind.PID):
        return _change_held(command, adj, targets, procfs, options)


def _change_held(command: str, adj: int, targets: Sequence[Target], procfs: Procfs, options: _Options) -> int:
    scenario = survey.machine(procfs, cgroups=names_cgroup(targets))
    scope = options.scope
    words = [command, *([str(adj)] if command == "set" else []), *(target.word for target in targets)]
    record = recording.Record(" ".join(words), procfs, options.dry_run)
    absent = [target for target in targets if options.missing_ok and not is_there(target, procfs)]
    targets = [target for target in targets if target not in absent]
    unit_changes: list[Persisted] = []
    if options.persist:
        from oomctl.changes.persisting import persist

        setting = None if command == "reset" else adj
        chosen, unit_changes = persist(
            targets, scenario, procfs, setting, scope, options.dry_run, record, options.missing_ok
        )
    else:
        chosen = choose(targets, scenario, procfs, adj, scope)
    unmatched = {target.word: no_match(target.word, scenario.hidden) for target in absent}
    unmatched.update(chosen.unmatched)
    if not options.missing_ok:
        for sentence in unmatched.values():
            complain(sentence)
        if chosen.is_nobody and not unit_changes:
            return errors.ANSWER_IS_NO
    if chosen.meant:
        refuse_another_namespace(procfs)
    chosen = _with_a_yes(chosen, options.dry_run)
    if not scope.force and not options.persist:  # a unit's next start has the value, however many it starts
        _check_number(command, chosen, options.dry_run)

    is_told = not (options.persist or scope.tree or options.as_json)
    children = children_left(chosen, targets, scenario, procfs, adj, scope) if is_told else ()
    changes = [
        Change(entry.pid, entry.comm, None, None, Status.REFUSED, refusals.left_alone(entry.reason))
        for entry in chosen.refused
    ]
    tasks = [meant.task for meant in chosen.meant]
    changes += record.carry_out(
        lambda dry_run: [write(procfs, meant, scope, dry_run) for meant in chosen.meant], tasks, unit_changes
    )
    complain_if_unrecorded(record)
    report(
        command,
        changes,
        chosen.left_alone,
        scenario,
        procfs,
        options.as_json,
        unit_changes=unit_changes,
        children=children,
        missing=unmatched if options.missing_ok else None,
    )
    if adj == ADJ_MIN:
        _warn_of_limits(tasks, procfs)
    return _ended(statuses_of(changes, unit_changes), chosen, options)


def _ended(statuses: Sequence[Status], chosen: Chosen, options: _Options) -> int:
    """Return the exit status, and see that the reason has been given where it is not 0."""
    if options.missing_ok:
        statuses = [status for status in statuses if status is not Status.VANISHED]
    if this_run.quiet and not (options.as_json or statuses):
        for line in left_alone_lines(chosen.left_alone):
            complain(line)
    return exit_status(statuses, bool(chosen.unmatched) and not options.missing_ok, bool(chosen.left_alone))


def _with_a_yes(chosen: Chosen, dry_run: bool) -> Chosen:
    """Ask about what is risky; without anybody to ask it is refused."""
    for meant, reason in chosen.risky:
        question = f"{named(meant.task)}: {refusals.left_alone(reason)}"
        if not dry_run and _yes(f"{question}; raise it anyway?"):
            chosen.meant.append(meant)
        else:
            chosen.refused.append(LeftAlone(meant.task.pid, meant.task.comm, reason))
    return chosen


def _check_number(command: str, chosen: Chosen, dry_run: bool) -> None:
    """Raise Refused when so many would be raised that nothing at all is to be written without a yes."""
    raised = sum(meant.raises for meant in chosen.meant)
    if raised <= MOST_RAISED:
        return
    question = f"{command}: {raised} processes would be raised at once"
    if dry_run:
        complain(f"hint: {question}; without --dry-run that takes --force, or a yes on a terminal")
    elif not _yes(f"{question}; go on?"):
        raise Refused(f"{question}; name at most {MOST_RAISED}, or use --force; nothing was changed")


def _yes(question: str) -> bool:
    """Ask somebody at a terminal; no where nobody is."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr is not None and sys.stderr.isatty()):
        return False
    return click.confirm(question, err=True)


def _warn_of_limits(tasks: Sequence[Task], procfs: Procfs) -> None:
    """At -1000 a process is exempt from the kills of its own memory cgroup as well; say where that matters."""
    names_by_memcg: dict[str, list[str]] = {}
    for task in tasks:
        memcg = limiting_memcg(procfs, task)
        if memcg is not None:
            names_by_memcg.setdefault(memcg, []).append(named(task))
    for memcg, names in names_by_memcg.items():
        complain(
            f"hint: at {ADJ_MIN} the limit of cgroup {memcg} cannot take {', '.join(names)} either;"
            f" --level {ADJ_MIN + 1} is nearly as strong and keeps that limit working"
        )
