"""``out_of_memory``: one run of the OOM killer from the failed allocation to the kill, and several in a row."""

from __future__ import annotations

from collections.abc import Sequence

from oomctl.kernel.badness import ADJ_MIN, badness
from oomctl.kernel.certainty import Assessment, assess
from oomctl.kernel.doubts import doubts_of, doubts_of_rules, unseen_processes, unseen_sharers
from oomctl.kernel.execution import (
    Families,
    children_to_sacrifice,
    families,
    freed_pages,
    killed_with,
    oom_group,
    will_free_memory,
)
from oomctl.kernel.rules import Rules
from oomctl.kernel.scenario_rules import rules_of, rules_of_reading
from oomctl.kernel.selection import Scan, is_global, scan, why_not
from oomctl.kernel.whatif import with_more_left
from oomctl.model.kernel import (
    Candidate,
    Certainty,
    Constraint,
    Context,
    Decisive,
    Doubt,
    Doubtful,
    Outcome,
    Round,
    Scenario,
    Task,
    WhyEnded,
)

COSTLY_ORDER = 3  # PAGE_ALLOC_COSTLY_ORDER in include/linux/mmzone.h


def out_of_memory(scenario: Scenario, rules: Rules | None = None) -> Round:
    """Return what the kernel of ``scenario`` (or one with ``rules``) does when its memory runs out now."""
    rules = rules or rules_of(scenario)
    context = scenario.context
    if context.unlimited and context.constraint is Constraint.MEMCG:
        return Round(Outcome.NO_OOM, WhyEnded(Decisive.UNLIMITED, memcg=context.memcg))
    order = scan(scenario.tasks, context, rules)
    current = None
    if context.current is not None:
        current = next((task for task in scenario.tasks if task.pid == context.current), None)
    early = _early_exit(scenario, current, rules)
    if early is not None:
        return early._replace(ranking=order.ranking, spared=order.spared)
    chosen = _allocating_task(current, context, rules)
    if chosen is None and order.waits_for is not None:
        reason = WhyEnded(Decisive.VICTIM_IS_DYING, order.waits_for)
        return Round(Outcome.ABORT, reason, ranking=order.ranking, spared=order.spared)
    if chosen is None and not order.ranking:
        return _nobody(scenario)._replace(spared=order.spared)
    return _kill(chosen, order, scenario, rules)


def rounds(scenario: Scenario, count: int, free_pages: int = 0, rules: Rules | None = None) -> list[Round]:
    """Run the killer again and again, each time without those killed before.

    Ends after ``count`` rounds and when ``free_pages`` are freed (0: no such goal), or when nobody is killed.
    """
    results: list[Round] = []
    freed = 0
    while len(results) < count:
        result = out_of_memory(scenario, rules)
        # Of later rounds only who dies is asked, and there may be thousands of them.
        results.append(_without_survivors(result) if results and result.outcome is Outcome.KILL else result)
        freed += result.freed_pages
        if result.outcome is not Outcome.KILL or (free_pages and freed >= free_pages):
            break
        dead = {task.pid for task in result.killed}
        gone = sum(task.rss_pages + task.swap_pages + task.pgtables_pages for task in result.killed)
        scenario = with_more_left(scenario, gone)
        scenario = scenario._replace(tasks=tuple(task for task in scenario.tasks if task.pid not in dead))
    return results


def _without_survivors(result: Round) -> Round:
    dead = {task.pid for task in result.killed}
    killed = tuple(candidate for candidate in result.ranking if candidate.task.pid in dead)
    return result._replace(ranking=killed, spared=())


def _early_exit(scenario: Scenario, current: Task | None, rules: Rules) -> Round | None:
    """What ends the killer before it looks at anybody (``out_of_memory``, ``check_panic_on_oom``)."""
    context = scenario.context
    if context.order > COSTLY_ORDER:
        return Round(Outcome.NO_OOM, WhyEnded(Decisive.COSTLY_ORDER, order=context.order))
    if context.kill_disabled and context.constraint is Constraint.MEMCG:  # mem_cgroup_oom
        return Round(Outcome.NO_KILL_DISABLED, WhyEnded(Decisive.KILL_DISABLED, memcg=context.memcg))
    if current is not None and will_free_memory(current, scenario.tasks, rules):
        victim = badness(current, context.totalpages, rules)
        reason = WhyEnded(Decisive.CURRENT_IS_DYING, current)
        return Round(Outcome.SILENT_MARK, reason, victim, contenders=(current,))
    if not context.gfp_fs and (is_global(context) or not rules.nofs_kills_in_memcg):
        return Round(Outcome.NO_OOM, WhyEnded(Decisive.NO_FS))
    exempt = context.sysrq and not rules.sysrq_may_panic
    if context.panic_on_oom == 2 and not exempt:
        return Round(Outcome.PANIC, WhyEnded(Decisive.PANIC_ALWAYS))
    if context.panic_on_oom and context.constraint is Constraint.NONE and not exempt:
        return Round(Outcome.PANIC, WhyEnded(Decisive.PANIC_OF_MACHINE))
    return None


def _allocating_task(current: Task | None, context: Context, rules: Rules) -> Candidate | None:
    """``vm.oom_kill_allocating_task``: the task in need dies; vfork and OOM_SKIP are not looked at."""
    if current is None or not context.oom_kill_allocating_task or not is_global(context) or context.sysrq:
        return None
    looked_at = current._replace(vfork=False, oom_skip=False, oom_victim=False)
    if current.zombie or current.adj == ADJ_MIN or why_not(looked_at, context, rules) is not None:
        return None
    return badness(current, context.totalpages, rules)


def _nobody(scenario: Scenario) -> Round:
    context = scenario.context
    unseen = unseen_processes(scenario)
    if unseen:
        return Round(Outcome.UNKNOWN, WhyEnded(Decisive.NOBODY_VISIBLE), certainty=Certainty.CLOSE, doubts=unseen)
    if is_global(context) and not context.sysrq:
        return Round(Outcome.PANIC, WhyEnded(Decisive.DEADLOCK))
    kind = Decisive.NOBODY_FOR_SYSRQ if context.sysrq else Decisive.NOBODY_FOR_ALLOCATION
    return Round(Outcome.NO_KILLABLE, WhyEnded(kind))


def _kill(allocating: Candidate | None, found: Scan, scenario: Scenario, rules: Rules) -> Round:
    chosen = allocating or found.ranking[0]
    reason = WhyEnded(Decisive.ALLOCATING_TASK, chosen.task)
    result = Round(Outcome.KILL, reason, chosen, ranking=found.ranking, spared=found.spared, contenders=(chosen.task,))
    if allocating is None:
        result = _by_badness(result, scenario, rules)
    else:
        doubts = doubts_of_rules(scenario)
        result = result._replace(doubts=doubts, certainty=Certainty.CLOSE if doubts else Certainty.CERTAIN)
    if will_free_memory(chosen.task, scenario.tasks, rules):
        result = result._replace(outcome=Outcome.SILENT_MARK, reason=WhyEnded(Decisive.CHOSEN_IS_DYING, chosen.task))
        return _in_doubt(result, unseen_sharers([chosen.task], scenario))
    if chosen.task.zombie:  # an origin
        return result._replace(outcome=Outcome.SILENT_MARK, reason=WhyEnded(Decisive.CHOSEN_IS_GONE, chosen.task))
    victim = chosen
    all_children = families(scenario, rules)
    children = children_to_sacrifice(chosen.task, all_children, scenario.context, rules)
    if children:
        victim = children[0]
        heirs = tuple(heir for task in result.contenders for heir in _heirs(task, all_children, scenario, rules))
        certain = len(heirs) == 1 and not result.doubts
        result = result._replace(
            reason=WhyEnded(Decisive.CHILD_SACRIFICED, chosen.task, victim.task),
            victim=victim,
            selected=chosen.task,
            contenders=heirs,
            certainty=Certainty.CERTAIN if certain else Certainty.CLOSE,
            # Any of its children may grow beyond the others.
            overtaken_by_growth_pages=None,
            settled=False,
        )
    killed = killed_with(victim.task, scenario, rules)
    group = oom_group(victim.task, scenario.context) if rules.oom_group else None
    result = result._replace(killed=killed, group=group, freed_pages=freed_pages(killed, scenario))
    return _in_doubt(result, unseen_sharers(killed, scenario))


def _in_doubt(result: Round, doubts: tuple[Doubt, ...]) -> Round:
    """Return ``result``, not certain if there are further doubts."""
    if not doubts:
        return result
    return result._replace(doubts=(*result.doubts, *doubts), certainty=Certainty.CLOSE, settled=False)


def certain_of_both(results: Sequence[Round], others: Sequence[Round]) -> list[Round]:
    """Return ``results``, certain only where ``others``, which are as likely, end in the same way.

    Where they do not, whom either may take is a contender.
    """
    both = zip(results, (*others, *[None] * len(results)))
    return [result if other is None else _with_doubt(result, other) for result, other in both]


def _with_doubt(result: Round, other: Round) -> Round:
    victim, another = result.victim and result.victim.task, other.victim and other.victim.task
    if (result.outcome, victim and victim.pid) == (other.outcome, another and another.pid):
        return result
    known = {task.pid for task in result.contenders}
    contenders = (*result.contenders, *(task for task in other.contenders if task.pid not in known))
    return result._replace(certainty=Certainty.CLOSE, contenders=contenders, settled=False)


def _by_badness(result: Round, scenario: Scenario, rules: Rules) -> Round:
    """Say how sure it is that the first of the ranking is the one, and what it would take to overtake it."""
    found = _assessed(result.ranking, scenario)
    doubts = doubts_of(scenario)
    contenders = found.contenders
    if any(doubt.kind is Doubtful.ALLOCATING_TASK for doubt in doubts):
        contenders = tuple(candidate.task for candidate in result.ranking)
    certain = len(contenders) == 1 and not doubts
    growth, left = found.overtaken_by_growth_pages, scenario.context.left_pages
    return result._replace(
        reason=_why_first(result.ranking, found.margin_pages, rules),
        certainty=Certainty.CERTAIN if certain else Certainty.CLOSE,
        margin_pages=found.margin_pages,
        error_bound_pages=found.error_bound_pages,
        contenders=contenders,
        doubts=doubts,
        overtaken_by_growth_pages=growth,
        settled=certain and growth is not None and left is not None and left < growth,
    )


def _assessed(ranking: Sequence[Candidate], scenario: Scenario) -> Assessment:
    """How sure the order is: by the counters of the kernel that the numbers were read on."""
    return assess(ranking, scenario.context, rules_of_reading(scenario))


def _heirs(chosen: Task, all_children: Families, scenario: Scenario, rules: Rules) -> tuple[Task, ...]:
    """Who may die if ``chosen`` is chosen: itself, or any child that may be its worst."""
    children = children_to_sacrifice(chosen, all_children, scenario.context, rules)
    return _assessed(children, scenario).contenders if children else (chosen,)


def _why_first(ranking: Sequence[Candidate], margin_pages: int | None, rules: Rules) -> WhyEnded:
    """Why the first of ``ranking`` is chosen; ``margin_pages`` is None without a second."""
    first = ranking[0].task
    if first.origin:
        return WhyEnded(Decisive.ORIGIN, first)
    if margin_pages is None:
        return WhyEnded(Decisive.ONLY_CANDIDATE, first)
    second = ranking[1].task
    if margin_pages == 0:
        return WhyEnded(Decisive.LAST_OF_EQUALS if rules.last_wins else Decisive.FIRST_OF_EQUALS, first, second)
    return WhyEnded(Decisive.HIGHEST_BADNESS, first, second, margin_pages)
