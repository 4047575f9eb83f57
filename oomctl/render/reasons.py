"""Reasons in words: one table for each kind of reason, from the value to its sentence."""

from __future__ import annotations

from enum import Enum
from functools import lru_cache

from oomctl.model.changes import Doubt, Follower, Refusal, Risk, WhyLeftAlone
from oomctl.model.kernel import Decisive, Task, Unkillable, WhyEnded, WhySpared

_SPARED = {
    Unkillable.GLOBAL_INIT: "global init",
    Unkillable.KTHREAD: "kernel thread",
    Unkillable.OTHER_MEMCG: "not in the cgroup {memcg}",
    Unkillable.OTHER_NODES: "its NUMA nodes are all outside {nodes}",
    Unkillable.REAPED: "its memory is already reaped",
    Unkillable.ZOMBIE: "zombie: no memory left",
    Unkillable.ADJ_MIN: "oom_score_adj is -1000",
    Unkillable.VFORK: "in vfork: runs on its parent's memory until it execs",
}

_ENDED = {
    Decisive.HIGHEST_BADNESS: "{task} has the highest badness, {margin} {unit} ahead of {other}",
    Decisive.LAST_OF_EQUALS: "{task} and {other} have equal badness; the last scanned is taken",
    Decisive.FIRST_OF_EQUALS: "{task} and {other} have equal badness; the first scanned is taken",
    Decisive.ONLY_CANDIDATE: "{task} is the only candidate",
    Decisive.ORIGIN: "{task} gives up swap or merged pages on purpose and is always taken first",
    Decisive.ALLOCATING_TASK: "vm.oom_kill_allocating_task is set: {task}, which needs the memory, dies",
    Decisive.CHILD_SACRIFICED: "{task} is chosen, its child {other} dies in its place",
    Decisive.CHOSEN_IS_DYING: "{task} would be chosen but is dying already: no signal, no log line",
    Decisive.CURRENT_IS_DYING: "{task}, which is allocating, is dying already: it gets access to memory reserves",
    Decisive.VICTIM_IS_DYING: "{task} is already dying; the kernel waits for its memory and kills nobody else",
    Decisive.COSTLY_ORDER: "an allocation of order {order} fails without an OOM kill",
    Decisive.NO_FS: "the allocation may not enter the file system (no __GFP_FS): nobody is killed",
    Decisive.UNLIMITED: "the cgroup {memcg} has no limit that it could hit",
    Decisive.PANIC_ALWAYS: "vm.panic_on_oom is 2: the kernel panics instead of killing",
    Decisive.PANIC_OF_MACHINE: "vm.panic_on_oom is 1: the kernel panics when the whole machine is out of memory",
    Decisive.DEADLOCK: "no killable process: the kernel panics, the system is deadlocked on memory",
    Decisive.NOBODY_FOR_SYSRQ: "no killable process: the request is only logged",
    Decisive.NOBODY_FOR_ALLOCATION: "no killable process: the allocation fails or is forced through",
}

_ELSEWHERE = "is in the cgroup {path}, which is not that of"
_LEFT_ALONE: dict[Enum, str] = {
    Doubt.LOGIN_USER: "belongs to {user}, and anyone can use that name",
    Doubt.COMMAND_LINE: "belongs to {user}, and a process can write any command line for itself",
    Doubt.UNSEEN: "its executable cannot be seen from here, which takes CAP_SYS_PTRACE",
    Doubt.OTHER_NAME: "belongs to {user} and only calls itself so; it runs {path}",
    Doubt.OTHER_NAMESPACE: "is in another PID or user namespace, as in a container",
    Doubt.OTHER_FILE: "its executable is not the {path} of this system, as in a container",
    Doubt.CHANGEABLE: "its executable {path} can be changed by others than root",
    Doubt.SET_USER_ID: "its executable {path} is set-user-ID: any user starts it, under any name",
    Doubt.USER_NOT_NAMED: "belongs to {user}, who was not named",
    Doubt.NOT_OF_SYSTEM_UNIT: f"{_ELSEWHERE} the system's service manager's {{unit}}; --user means your own units",
    Doubt.NOT_OF_OWN_UNIT: f"{_ELSEWHERE} your own service manager's {{unit}}",
    Follower.NOT_MAIN_PROCESS: "not the main process of {unit}",
    Follower.CHILD: "child of another match",
    Refusal.ZOMBIE: "it has already exited and only waits to be reaped",
    Refusal.KTHREAD: "kernel thread: it is never chosen, whatever its adj",
    Refusal.INIT: "PID 1: the OOM killer never takes it, and everything started later would inherit the value",
    Refusal.LOGIN_SESSION: "a login session: everything its user starts would inherit the protection",
    Risk.INIT: "PID 1: it is never killed, but everything started later would inherit the value",
    Risk.LOGIN_SESSION: "a login session: whoever works in it would be the first to be thrown out",
    Risk.SSHD: "sshd: without it nobody can log in to help",
}
_LIFTED_BY: dict[type[Enum], tuple[str, str]] = {
    Doubt: ("--any-user takes it", "force = true takes it"),
    Follower: ("--all takes it", 'scope = "all" takes it'),
    Refusal: ("--force overrides", "force = true overrides"),
    Risk: ("--force overrides", "force = true overrides"),
}
"""The option that changes a process all the same, and the key of a policy's rule."""


@lru_cache(maxsize=16)  # one text for all tasks: a path or list may be long, and the tasks many
def spared(why: WhySpared) -> str:
    """Say why a task cannot be chosen; names are not made harmless."""
    return _SPARED[why.kind].format(memcg=why.memcg, nodes=",".join(map(str, sorted(why.nodes or ()))))


def ended(why: WhyEnded, unit: str = "pages") -> str:
    """Say why a round ended so, ``unit`` being that of its margin; names are not made harmless."""
    task, other = _named(why.task), _named(why.other)
    return _ENDED[why.kind].format(
        task=task, other=other, margin=why.margin_pages, unit=unit, order=why.order, memcg=why.memcg
    )


def left_alone(why: WhyLeftAlone) -> str:
    """Say why a process is not changed, and what lifts that; names are not made harmless."""
    sentence = _LEFT_ALONE[why.kind].format(user=why.user, path=why.path, unit=why.unit)
    if why.kind is Refusal.ZOMBIE:
        return sentence
    option, key = _LIFTED_BY[type(why.kind)]
    return f"{sentence} ({key if why.by_rule else option})"


def _named(task: Task | None) -> str:
    if task is None:
        return "nobody"
    return f"{task.pid} ({task.comm})" if task.pid > 0 else f"the added process ({task.comm})"
