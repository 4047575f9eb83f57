"""An OOM report -> our verdict beside the kernel's, made by the same selection code as ``simulate``. Pure."""

from __future__ import annotations

from itertools import takewhile
from typing import NamedTuple

from oomctl.errors import BadInput
from oomctl.kernel.invocation import out_of_memory
from oomctl.kernel.rules import rules_for
from oomctl.model.kernel import Candidate, Constraint, Outcome, Round, Scenario
from oomctl.model.oomreport import KERNEL, OomReport, Replay, TableRow
from oomctl.oomlog.anyhow import replay_anyhow
from oomctl.oomlog.hypotheses import Basis, Hypothesis, basis_of, hypotheses, score_of, size_of
from oomctl.oomlog.reconstruction import chosen_pid, rules_under, scenario_under, selected_row
from oomctl.render import reasons

_MOST_TRIED = 48  # hypotheses; more than a report can leave open in practice


class _Verdict(NamedTuple):
    hypothesis: Hypothesis
    round: Round
    """Without its lists: there are many verdicts, and a table may have many rows."""
    pid: int | None
    explains_score: bool | None
    """Whether it makes the printed score; None: none is printed, or its row is not there."""


def scenario_of(report: OomReport) -> Scenario:
    """Return the likeliest scenario behind a report, for ``simulate``; BadInput says what it lacks.

    Tasks stand in the table's order, which is the scan order except within a memory cgroup before 5.3; up to 4.3 they
    stand the other way round there, as the newest come first.
    Parents, shared memory and vfork are not in a report.
    """
    if not report.rows:
        raise BadInput("it has no task table to simulate with")
    basis = basis_of(report)
    best = _consistent(report, basis, hypotheses(report, basis))[0]
    return scenario_under(report, basis, best.hypothesis._replace(permille=False))


def replay(report: OomReport) -> Replay:
    """Choose a victim by the rules from the report's own table, and compare; never raises, ``reason`` says why not."""
    if report.elsewhere.killer != KERNEL:
        return Replay(
            None, None, "it was not the kernel that killed" if report.elsewhere.killer else "who killed is open"
        )
    anyhow = replay_anyhow(report) if report.lacks_totals_only else None
    if anyhow is not None:
        return anyhow
    if not report.complete:
        return Replay(None, None, f"the report lacks {'; '.join(report.missing)}")
    try:
        basis = basis_of(report)
        verdicts = _consistent(report, basis, hypotheses(report, basis))
    except BadInput as error:
        return Replay(None, None, f"cannot be replayed: {error}")
    first = verdicts[0]
    kernel_chose = chosen_pid(report)
    pids = {verdict.pid for verdict in verdicts}
    result = Replay(
        first.pid,
        None,
        "",
        first.hypothesis.kernel,
        first.hypothesis.totalpages,
        basis.page_size,
        None if first.hypothesis.permille else first.round.margin_pages,
    )
    if kernel_chose is None:
        return result._replace(reason="the chosen process is not in the table")
    if pids == {kernel_chose}:
        return result._replace(agrees=True, reason=_agreement(report, basis, verdicts))
    if kernel_chose in pids:
        right = next(verdict for verdict in verdicts if verdict.pid == kernel_chose)
        return _undecided(result, right, verdicts)
    return _disagreement(report, basis, result, first, kernel_chose)


def _consistent(report: OomReport, basis: Basis, all_of_them: list[Hypothesis]) -> list[_Verdict]:
    """Verdicts of the hypotheses that make the printed score; of all where none does or none is printed."""
    verdicts = [_judge(report, basis, hypothesis) for hypothesis in all_of_them[:_MOST_TRIED]]
    proven = [verdict for verdict in verdicts if verdict.explains_score]
    return proven or verdicts


def _judge(report: OomReport, basis: Basis, hypothesis: Hypothesis) -> _Verdict:
    result = _round_under(report, basis, hypothesis)
    pid = None
    if result.outcome is Outcome.KILL and result.victim is not None:
        pid = result.victim.task.pid
    selected = report.selected
    row = selected_row(report)
    explains = None
    if selected is not None and selected.score is not None and row is not None:
        explains = score_of(row, hypothesis, basis.page_size) == selected.score
    return _Verdict(hypothesis, result._replace(ranking=(), spared=(), killed=(), contenders=()), pid, explains)


def _round_under(report: OomReport, basis: Basis, hypothesis: Hypothesis) -> Round:
    return out_of_memory(scenario_under(report, basis, hypothesis), rules_under(hypothesis))


# Why


def _agreement(report: OomReport, basis: Basis, verdicts: list[_Verdict]) -> str:
    first = verdicts[0]
    unit = "permille of totalpages" if first.hypothesis.permille else "pages"
    parts = [reasons.ended(first.round.reason, unit), basis.known_by]
    if first.explains_score:
        parts.append(f"the printed score {report.selected and report.selected.score} comes out too")
    elif first.explains_score is False:
        parts.append(f"the printed score {report.selected and report.selected.score} does not come out exactly")
    elif first.hypothesis.assumes:
        same = "any other way gives the same" if len(verdicts) > 1 else first.hypothesis.assumes
        parts.append(same)
    if not basis.page_size_known:
        parts.append(f"pages of {basis.page_size} bytes assumed")
    if _tied(first.round) and _order_unknown(report, first.hypothesis):
        parts.append("several tie, and the order within a cgroup is not in the log")
    chosen, victim = chosen_pid(report), report.victim
    if victim is not None and chosen is not None and victim.pid != chosen:
        parts.append(f"its child {victim.pid} ({victim.comm}) died in its place; the log does not name parents")
    return "; ".join(parts)


def _undecided(result: Replay, right: _Verdict, verdicts: list[_Verdict]) -> Replay:
    other = next(verdict for verdict in verdicts if verdict.pid != right.pid)
    assumed = right.hypothesis
    differs = []
    if assumed.totalpages != other.hypothesis.totalpages:
        differs.append(f"totalpages is {assumed.totalpages}, not {other.hypothesis.totalpages}")
    if assumed.root != other.hypothesis.root:
        differs.append(f"CAP_SYS_ADMIN is worth {assumed.root.value}, not {other.hypothesis.root.value}")
    if assumed.kernel != other.hypothesis.kernel:
        differs.append(f"the kernel is like {assumed.kernel}, not like {other.hypothesis.kernel}")
    reason = f"the log does not decide it: the kernel's choice is ours if {' and '.join(differs)}"
    return result._replace(agrees=None, victim_pid=right.pid, reason=reason)


def _disagreement(report: OomReport, basis: Basis, result: Replay, ours: _Verdict, theirs: int) -> Replay:
    if ours.pid is None:
        return result._replace(
            agrees=None, reason=f"by the rules nobody is killed here: {reasons.ended(ours.round.reason)}"
        )
    mine, other = report.row_of(ours.pid), report.row_of(theirs)
    if mine is None or other is None:
        return result._replace(reason="the chosen process is not in the table")
    names = f"{ours.pid} ({mine.comm}) rather than {theirs} ({other.comm})"
    ours = ours._replace(round=_round_under(report, basis, ours.hypothesis))
    explained = _without_vfork(report, basis, ours, theirs)
    if explained is None and ours.pid in report.killed_before:
        explained = _without_killed(report, basis, ours.hypothesis, theirs)
    if explained is not None:
        return explained
    unknown = _excuse(report, basis, ours, mine, other)
    if unknown is not None:
        return result._replace(agrees=None, reason=f"the rules choose {names}, but {unknown}")
    return result._replace(
        agrees=False, reason=f"the rules choose {names}; {_lead(ours.round, theirs)}; {basis.known_by}"
    )


def _excuse(report: OomReport, basis: Basis, ours: _Verdict, mine: TableRow, other: TableRow) -> str | None:
    """What the log does not say and could turn the choice; None: nothing known."""
    hypothesis = ours.hypothesis
    scores = {candidate.task.pid: candidate.badness for candidate in ours.round.ranking}
    tie = scores.get(mine.tgid) == scores.get(other.tgid) and _order_unknown(report, hypothesis)
    child = rules_for(hypothesis.kernel).sacrifices_child and report.selected is None
    size_unknown = not basis.page_size_known and _page_size_matters(mine, other)
    excuses = (
        (hypothesis.permille, "this kernel also counted swap and page tables, which its table does not show"),
        (ours.pid in report.killed_before, f"{ours.pid} was killed by an earlier report already"),
        (tie, "they tie, and the order within a cgroup is not in the log"),
        (child, "the line that names the chosen process is missing, and its child may have died in its place"),
        (report.allocating_task, "vm.oom_kill_allocating_task was set and the allocating process is not in the table"),
        (size_unknown, "the page size is not in the log"),
    )
    return next((words for applies, words in excuses if applies), None)


def _without_vfork(report: OomReport, basis: Basis, ours: _Verdict, theirs: int) -> Replay | None:
    """Replay without tasks that look like a child in vfork: an earlier row shows the same memory map.

    A report does not say who is in vfork, but such a child cannot be chosen (since 4.8).
    """
    hypothesis = ours.hypothesis
    if not rules_for(hypothesis.kernel).skips_vfork_and_reaped:
        return None
    seen: set[tuple[object, ...]] = set()
    twins = set()
    for row in report.rows:
        memory = row._replace(pid=0, tgid=0, uid=0, comm="", oom_score_adj=None)
        if memory in seen and row.rss_pages:
            twins.add(row.tgid)
        seen.add(memory)
    # To take one out of the running leaves the others in their order.
    ahead = [candidate.task.pid for candidate in takewhile(lambda one: one.task.pid in twins, ours.round.ranking)]
    in_vfork = ahead[: ahead.index(theirs)] if theirs in ahead else ahead
    if not 0 < len(in_vfork) <= _MOST_TRIED:
        return None
    scenario = scenario_under(report, basis, hypothesis)
    tasks = tuple(task._replace(vfork=task.pid in in_vfork) for task in scenario.tasks)
    result = out_of_memory(scenario._replace(tasks=tasks), rules_under(hypothesis))
    if result.victim is None or result.victim.task.pid != theirs:
        return None
    who = ", ".join(map(str, in_vfork))
    reason = f"{reasons.ended(result.reason)}; {who} would be ahead but shows another task's memory: it is in vfork"
    return _explained(basis, hypothesis, result, reason)


def _without_killed(report: OomReport, basis: Basis, hypothesis: Hypothesis, theirs: int) -> Replay | None:
    """Replay with the victims of earlier reports out of the running: reaped, or on their way out."""
    scenario = scenario_under(report, basis, hypothesis)
    tasks = tuple(task._replace(zombie=True) if task.pid in report.killed_before else task for task in scenario.tasks)
    result = out_of_memory(scenario._replace(tasks=tasks), rules_under(hypothesis))
    if result.victim is None or result.victim.task.pid != theirs:
        return None
    gone = ", ".join(str(pid) for pid in sorted(report.killed_before)[:5])
    reason = f"{reasons.ended(result.reason)}; {gone} had been killed by an earlier report and no longer counted"
    return _explained(basis, hypothesis, result, reason)


def _explained(basis: Basis, hypothesis: Hypothesis, result: Round, reason: str) -> Replay:
    pid = None if result.victim is None else result.victim.task.pid
    total, page_size = hypothesis.totalpages, basis.page_size
    return Replay(pid, True, reason, hypothesis.kernel, total, page_size, result.margin_pages)


def _lead(result: Round, theirs: int) -> str:
    by_pid: dict[int, Candidate] = {candidate.task.pid: candidate for candidate in result.ranking}
    if theirs not in by_pid:
        why = next((spared.reason for spared in result.spared if spared.task.pid == theirs), None)
        return f"the kernel's victim is none to us: {reasons.spared(why) if why else 'not a candidate'}"
    behind = result.ranking[0].badness - by_pid[theirs].badness
    if behind == 0:
        return "they tie"
    return f"it leads by {behind} pages; the table is printed after the choice, and sizes move"


def _tied(result: Round) -> bool:
    return result.margin_pages == 0


def _order_unknown(report: OomReport, hypothesis: Hypothesis) -> bool:
    """Before 5.3 the table of a cgroup stands in fork order, its scan in another."""
    return report.constraint is Constraint.MEMCG and not rules_for(hypothesis.kernel).last_wins


def _page_size_matters(one: TableRow, other: TableRow) -> bool:
    small, large = ((size_of(row, 4096), size_of(row, 65536)) for row in (one, other))
    return (small[0] > large[0]) != (small[1] > large[1])
