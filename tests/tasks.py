"""The ordinary task and the ordinary machine; a test names only what matters to it."""

from __future__ import annotations

from typing import Any

from oomctl.kernel.invocation import out_of_memory
from oomctl.model.kernel import Constraint, Context, Round, Scenario, Task, WhySpared

NEWEST = "7.1"


def task(pid: int, rss: int = 0, adj: int = 0, **facts: Any) -> Task:
    """A task of ``rss`` pages; ``facts`` are fields of Task, with ``swap`` and ``pgtables`` for short."""
    short = {"swap": "swap_pages", "pgtables": "pgtables_pages", "anon": "anon_pages"}
    named = {short.get(name, name): value for name, value in facts.items()}
    return Task(pid, named.pop("comm", f"task{pid}"), rss_pages=rss, adj=adj, **{"ppid": 1, **named})


def scenario(*tasks: Task, kernel: str = NEWEST, totalpages: int = 1_000_000, **context: Any) -> Scenario:
    """A machine that is out of memory; ``context`` are fields of Context."""
    constraint = context.pop("constraint", Constraint.MEMCG if "memcg" in context else Constraint.NONE)
    return Scenario(kernel, Context(constraint, totalpages, **context), tasks)


def round_of(*tasks: Task, **situation: Any) -> Round:
    return out_of_memory(scenario(*tasks, **situation))


def chosen_pid(*tasks: Task, **situation: Any) -> int | None:
    """PID of the victim; None when nobody is chosen."""
    victim = round_of(*tasks, **situation).victim
    return None if victim is None else victim.task.pid


def killed_pids(*tasks: Task, **situation: Any) -> list[int]:
    """PIDs of everyone who gets SIGKILL, the victim first."""
    return [dead.pid for dead in round_of(*tasks, **situation).killed]


def ranked_pids(*tasks: Task, **situation: Any) -> list[int]:
    return [candidate.task.pid for candidate in round_of(*tasks, **situation).ranking]


def contender_pids(*tasks: Task, **situation: Any) -> set[int]:
    return {contender.pid for contender in round_of(*tasks, **situation).contenders}


def reason_spared(spared: Task, **situation: Any) -> WhySpared | None:
    """Why ``spared`` cannot be chosen; None when it can."""
    reasons = {entry.task.pid: entry.reason for entry in round_of(spared, **situation).spared}
    return reasons.get(spared.pid)
