"""``oomctl policy``: rules in a file, and whether they are true."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from oomctl import errors
from oomctl.changes import recording
from oomctl.changes.outcome import complain_if_unrecorded, exit_status, report, statuses_of
from oomctl.cli.options import color_option, dry_run_option, json_option, quiet_option
from oomctl.cli.parameters import TARGET, NumbersAsArguments
from oomctl.cli.summaries import WholeSummaries
from oomctl.console import complain, emit, emit_text, this_run
from oomctl.errors import BadInput
from oomctl.model.changes import Change, LeftAlone, Status
from oomctl.model.kernel import Task
from oomctl.policy import loading
from oomctl.policy.decision import Decision, decide
from oomctl.policy.rule import Rule
from oomctl.procfs import survey
from oomctl.procfs.machine import machine_procfs, procfs_to_write
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import set_floor, write_adj
from oomctl.render import policy as render
from oomctl.render.text import count
from oomctl.targets.matching import matching, no_match, why_hidden
from oomctl.targets.words import Target, names_cgroup

_Function = TypeVar("_Function", bound=Callable[..., Any])


def file_option(also: str = "; - is stdin") -> Callable[[_Function], _Function]:
    """Add ``--file``: other files than the standard ones, as ``paths``."""
    return click.option(
        "-f",
        "--file",
        "paths",
        metavar="FILE",
        multiple=True,
        help="Read this file, or the *.toml of this directory, instead of "
        f"{' and '.join(loading.STANDARD)}{also}; repeatable.",
    )


@click.group(cls=WholeSummaries)
def policy() -> None:
    """Give processes the oom_score_adj that the rules in a file set.

    \b
    [[rule]]
    target = "postgres"
    adj = -900
    reason = "everything else can be started again"

    The first rule that matches a process decides. Other keys: scope ("root", "all", "tree") and force.

    \b
    oomctl policy diff -f my-policy.toml
    oomctl policy apply
    """


@policy.command()
@file_option()
@json_option
def check(paths: tuple[str, ...], as_json: bool) -> int:
    """List every mistake with its file and line; status 1 if there is any."""
    policy_ = loading.load(paths)
    mistakes = [
        render.MistakeLine(mistake.place.path, mistake.place.line, mistake.severity, mistake.message)
        for mistake in policy_.mistakes
    ]
    if as_json:
        emit(render.check_document(len(policy_.rules), mistakes))
    else:
        emit_text(render.check_text(len(policy_.rules), mistakes))
    return errors.ANSWER_IS_NO if mistakes else errors.DONE


@policy.command()
@file_option()
@color_option
@json_option
def diff(paths: tuple[str, ...], as_json: bool) -> int:
    """Show which processes have a value other than the policy's; status 1 if any has."""
    rules = loading.load_valid(paths).rules
    procfs = machine_procfs()
    tasks = procfs.tasks()
    decided = decide(rules, tasks.read, procfs)
    differing = [_shown(decision.task, decision) for decision in decided.values() if decision.differs]
    if as_json:
        emit(render.diff_document(differing, tasks.hidden))
    else:
        emit_text(render.diff_text(differing))
    _say_hidden(tasks.hidden)
    return errors.ANSWER_IS_NO if differing else errors.DONE


@policy.command()
@file_option()
@dry_run_option
@quiet_option
@json_option
def apply(paths: tuple[str, ...], dry_run: bool, as_json: bool) -> int:
    """Set every process that a rule matches to the value of the policy.

    A process that already has the value is left as it is. oomctl undo takes the changes back.
    """
    rules = loading.load_valid(paths).rules
    procfs = procfs_to_write()
    scenario = survey.machine(procfs, cgroups=names_cgroup(target for rule in rules for target in rule.targets))
    decided = decide(rules, scenario.tasks, procfs)
    meant = [decision for decision in decided.values() if decision.left_alone is None]
    record = recording.Record("policy apply", procfs, dry_run)
    changes = record.carry_out(
        lambda dry_run: [_applied(procfs, decision, dry_run) for decision in meant],
        [decision.task for decision in meant],
    )
    complain_if_unrecorded(record)
    changes = [change for change in changes if change.status is not Status.VANISHED]  # a policy is about who lives
    status = exit_status(statuses_of(changes), False, False)
    left_alone = list(_left_alone(decided.values()))
    to_do = [change for change in changes if change.status is not Status.UNCHANGED]
    if not (to_do or as_json or this_run.quiet):
        emit(f"nothing to change: {count(len(changes), 'process', 'processes')} as the policy says\n")
    report("policy-apply", changes if as_json else to_do, left_alone, scenario, procfs, as_json)
    if not this_run.quiet:
        _say_hidden(scenario.hidden)
    return status


@policy.command(cls=NumbersAsArguments)
@click.argument("targets", type=TARGET, metavar="TARGET...", nargs=-1, required=True)
@file_option()
@json_option
def explain(targets: tuple[Target, ...], paths: tuple[str, ...], as_json: bool) -> int:
    """Say which rule decides about TARGETs, and what it says; status 1 if none does."""
    rules = loading.load_valid(paths).rules
    procfs = machine_procfs()
    tasks = procfs.tasks()
    matches = matching(targets, tasks.read, procfs)
    for target, matched in matches.items():
        if not matched:
            complain(no_match(target.word, tasks.hidden))
    decided = decide(rules, tasks.read, procfs)
    asked = {task.pid: task for matched in matches.values() for task in matched}
    entries = [_shown(task, decided.get(pid)) for pid, task in asked.items()]
    if entries:
        if as_json:
            emit(render.explain_document(entries))
        else:
            emit_text(render.explain_text(entries))
    return errors.DONE if any(entry.rule for entry in entries) else errors.ANSWER_IS_NO


@policy.command()
@file_option(also="")
@click.option("--poll", "only_poll", is_flag=True, help="Look at every process at intervals; use no process events.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look when polling.",
)
def watch(paths: tuple[str, ...], only_poll: bool, interval: float) -> None:
    """Keep applying the policy, also to processes that start, execute a program or change their user.

    It uses the kernel's process events where there are any, and polls elsewhere; the first line says which.
    SIGHUP reads the files again (a broken one changes nothing), SIGTERM and Ctrl-C end it.
    """
    if loading.STDIN in paths:
        raise BadInput(
            "policy watch: -f -: stdin can be read only once, and SIGHUP has the files read again; name a file"
        )
    from oomctl.policy.service import Service  # sockets and more, which a TAB behind policy has no time for

    Service(procfs_to_write(), paths, interval, only_poll).run()


def _applied(procfs: Procfs, decision: Decision, dry_run: bool) -> Change:
    change = write_adj(procfs, decision.task, decision.rule.adj, dry_run)
    if change.status is Status.UNCHANGED and not dry_run and decision.sets_floor:
        set_floor(procfs, decision.task, decision.rule.adj)
    return change


def _say_hidden(hidden: int) -> None:
    """Say that the answer is not about all: a rule may match some of those, too."""
    if hidden:
        are = "process is" if hidden == 1 else "processes are"
        why, where = why_hidden()
        complain(f"{hidden} {are} hidden from you ({why}), and not counted here: {where}")


def _left_alone(decisions: Iterable[Decision]) -> Iterable[LeftAlone]:
    for decision in decisions:
        if decision.left_alone is not None:
            yield LeftAlone(decision.task.pid, decision.task.comm, decision.left_alone)


def _shown(task: Task, decision: Decision | None) -> render.Decided:
    if decision is None:
        return render.Decided(task.pid, task.comm, task.adj, None)
    distrusting = tuple(render.DistrustLine(_rule(rule), reason) for rule, reason in decision.distrusting)
    return render.Decided(task.pid, task.comm, task.adj, _rule(decision.rule), decision.left_alone, distrusting)


def _rule(rule: Rule) -> render.RuleLine:
    words = tuple(target.word for target in rule.targets)
    return render.RuleLine(rule.place.path, rule.place.line, words, rule.adj, rule.scope.value, rule.force, rule.reason)
