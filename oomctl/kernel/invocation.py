"""``out_of_memory``: one run of the OOM killer from the failed allocation to the kill, and several in a row."""

from __future__ import annotations

from collections.abc import Sequence

from oomctl.kernel.badness import ADJ_MIN, badness
from oomctl.kernel.certainty import Assessment, assess
from oomctl.kernel.execution import (
    Families,
    children_to_sacrifice,
    families,
    freed_pages,
    killed_with,
    will_free_memory,
)
from oomctl.kernel.rules import Rules, rules_for
from oomctl.kernel.selection import Scan, is_global, scan, why_not
from oomctl.model.kernel import Candidate, Certainty, Constraint, Context, Outcome, Round, Scenario, Task

COSTLY_ORDER = 3  # PAGE_ALLOC_COSTLY_ORDER in include/linux/mmzone.h


def out_of_memory(scenario: Scenario, rules: Rules | None = None) -> Round:
    """Return what the kernel of ``scenario`` (or one with ``rules``) does when its memory runs out now."""
    rules = rules or rules_for(scenario.kernel)
    context = scenario.context
    found = scan(scenario.tasks, context, rules)
    current = next((task for task in scenario.tasks if task.pid == context.current), None)
    early = _early_exit(scenario, current, rules)
    if early is not None:
        return early._replace(ranking=found.ranking, spared=found.spared)
    chosen = _allocating_task(current, context, rules)
    if chosen is None and found.waits_for is not None:
        name = _named(found.waits_for)
        reason = f"{name} is already dying; the kernel waits for its memory and kills nobody else"
        return Round(Outcome.ABORT, reason, ranking=found.ranking, spared=found.spared)
    if chosen is None and not found.ranking:
        return _nobody(context)._replace(spared=found.spared)
    return _kill(chosen, found, scenario, rules)


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
        return Round(Outcome.NO_OOM, f"an allocation of order {context.order} fails without an OOM kill")
    if current is not None and will_free_memory(current, scenario.tasks):
        victim = badness(current, context.totalpages, rules)
        reason = f"{_named(current)}, which is allocating, is dying already: it gets access to memory reserves"
        return Round(Outcome.SILENT_MARK, reason, victim, contenders=(current,))
    if not context.gfp_fs and (is_global(context) or not rules.nofs_kills_in_memcg):
        return Round(Outcome.NO_OOM, "the allocation may not enter the file system (no __GFP_FS): nobody is killed")
    exempt = context.sysrq and not rules.sysrq_may_panic
    if context.panic_on_oom == 2 and not exempt:
        return Round(Outcome.PANIC, "vm.panic_on_oom is 2: the kernel panics instead of killing")
    if context.panic_on_oom and context.constraint is Constraint.NONE and not exempt:
        return Round(Outcome.PANIC, "vm.panic_on_oom is 1: the kernel panics when the whole machine is out of memory")
    return None


def _allocating_task(current: Task | None, context: Context, rules: Rules) -> Candidate | None:
    """``vm.oom_kill_allocating_task``: the task in need dies; vfork and OOM_SKIP are not looked at."""
    if current is None or not context.oom_kill_allocating_task or not is_global(context) or context.sysrq:
        return None
    looked_at = current._replace(vfork=False, oom_skip=False, oom_victim=False)
    if current.zombie or current.adj == ADJ_MIN or why_not(looked_at, context, rules) is not None:
        return None
    return badness(current, context.totalpages, rules)


def _nobody(context: Context) -> Round:
    if is_global(context) and not context.sysrq:
        return Round(Outcome.PANIC, "no killable process: the kernel panics, the system is deadlocked on memory")
    consequence = "the request is only logged" if context.sysrq else "the allocation fails or is forced through"
    return Round(Outcome.NO_KILLABLE, f"no killable process: {consequence}")


def _kill(allocating: Candidate | None, found: Scan, scenario: Scenario, rules: Rules) -> Round:
    chosen = allocating or found.ranking[0]
    result = Round(Outcome.KILL, "", chosen, ranking=found.ranking, spared=found.spared, contenders=(chosen.task,))
    if allocating is None:
        doubt = _assessed(found.ranking, scenario)
        result = result._replace(
            certainty=doubt.certainty,
            margin_pages=doubt.margin_pages,
            error_bound_pages=doubt.error_bound_pages,
            contenders=doubt.contenders,
        )
    if will_free_memory(chosen.task, scenario.tasks):
        reason = f"{_named(chosen.task)} would be chosen but is dying already: no signal, no log line"
        return result._replace(outcome=Outcome.SILENT_MARK, reason=reason)
    victim = chosen
    all_children = families(scenario, rules)
    children = children_to_sacrifice(chosen.task, all_children, scenario.context, rules)
    if children:
        victim = children[0]
        heirs = tuple(heir for task in result.contenders for heir in _heirs(task, all_children, scenario, rules))
        certainty = Certainty.CERTAIN if len(heirs) == 1 else Certainty.CLOSE
        result = result._replace(victim=victim, selected=chosen.task, contenders=heirs, certainty=certainty)
    killed = killed_with(victim.task, scenario, rules)
    return result._replace(
        reason=_why(chosen, result, allocating is not None, rules),
        killed=killed,
        freed_pages=freed_pages(killed, scenario),
    )


def _assessed(ranking: Sequence[Candidate], scenario: Scenario) -> Assessment:
    """How sure the order is: by the counters of the kernel that the numbers were read on."""
    return assess(ranking, scenario.context, rules_for(scenario.read_from or scenario.kernel))


def _heirs(chosen: Task, all_children: Families, scenario: Scenario, rules: Rules) -> tuple[Task, ...]:
    """Who may die if ``chosen`` is chosen: itself, or any child that may be its worst."""
    children = children_to_sacrifice(chosen, all_children, scenario.context, rules)
    return _assessed(children, scenario).contenders if children else (chosen,)


def _why(chosen: Candidate, result: Round, allocating: bool, rules: Rules) -> str:
    name = _named(chosen.task)
    if result.selected is not None and result.victim is not None:
        return f"{name} is chosen, its child {_named(result.victim.task)} dies in its place"
    if allocating:
        return f"vm.oom_kill_allocating_task is set: {name}, which needs the memory, dies"
    if chosen.task.origin:
        return f"{name} gives up swap or merged pages on purpose and is always taken first"
    if result.margin_pages is None:
        return f"{name} is the only candidate"
    second = _named(result.ranking[1].task)
    if result.margin_pages == 0:
        return f"{name} and {second} have equal badness; the {'last' if rules.last_wins else 'first'} scanned is taken"
    return f"{name} has the highest badness, {result.margin_pages} pages ahead of {second}"


def _named(task: Task) -> str:
    return f"{task.pid} ({task.comm})" if task.pid > 0 else f"the added process ({task.comm})"
