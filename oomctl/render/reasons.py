"""The kernel's reasons in words: one table for each kind, from the value to its sentence."""

from __future__ import annotations

from functools import lru_cache

from oomctl.model.kernel import Decisive, Doubt, Doubtful, Probed, Task, Unkillable, WhyEnded, WhySpared
from oomctl.render.text import count

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
    Decisive.CHOSEN_IS_GONE: "{task} gives up swap or merged pages on purpose and is chosen, but has no memory left:"
    " nobody is killed",
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
    Decisive.NOBODY_VISIBLE: "nobody who could be killed is visible from here",
    Decisive.KILL_DISABLED: "oom_kill_disable is set on {memcg}: nobody is killed, who needs memory hangs until some is"
    " freed",
}

_DOUBTED = {
    Doubtful.HIDDEN_PROCESSES: "{number} hidden and not judged; root of the host sees all",
    Doubtful.UNSEEN_MEMBERS: "the cgroup may have members outside this PID namespace; ask on the host",
    Doubtful.UNSEEN_LIMITS: "limits above {detail}, which cannot be seen from here, may be nearer; ask on the host",
    Doubtful.ALLOCATING_TASK: "vm.oom_kill_allocating_task is set, so whoever asks for memory dies; --allocating TARGET"
    " says who that is",
    Doubtful.UNKNOWN_FIELDS: "{number} of the document may decide and are not understood, such as {detail}; correct"
    " or drop them",
    Doubtful.GUESSED_RULES: "nobody has verified the rules of kernel {detail}; --kernel RELEASE asks by known ones",
    Doubtful.OTHER_COUNTERS: "the numbers were read on kernel {detail}, which counts memory in another way; ask without"
    " --kernel, or with numbers of that kernel",
    Doubtful.OTHER_TOTALPAGES: "the kernel's own scores contradict the size of memory that is shown here; ask on the"
    " host",
    Doubtful.UNSEEN_SHARERS: "{number} of the same size may share its memory and die as well, which cannot be asked"
    " from here; ask as root on the host",
}
_DOUBTED_SHORTLY = {
    Doubtful.HIDDEN_PROCESSES: "{number} hidden",
    Doubtful.UNSEEN_MEMBERS: "members of the cgroup may be unseen",
    Doubtful.UNSEEN_LIMITS: "limits may be unseen",
    Doubtful.ALLOCATING_TASK: "whoever asks for memory dies",
    Doubtful.UNKNOWN_FIELDS: "{number} not understood",
    Doubtful.GUESSED_RULES: "the kernel's rules are guessed",
    Doubtful.OTHER_COUNTERS: "another kernel counts otherwise",
    Doubtful.OTHER_TOTALPAGES: "the size of memory is in doubt",
    Doubtful.UNSEEN_SHARERS: "{number} may share its memory",
}
_PROBED = {
    Probed.SIGNED: "oom_score shows that negative badness keeps its order",
    Probed.UNSIGNED: "oom_score shows that negative badness counts as 1",
    Probed.EXACT_STATUS: "statm and stat differ: RSS is summed exactly in one, and not in the other",
    Probed.PMD_TABLES: "status shows that page tables of the second level are counted one by one",
}
_COUNTED = {
    Doubtful.HIDDEN_PROCESSES: ("process is", "processes are"),
    Doubtful.UNKNOWN_FIELDS: ("field", "fields"),
    Doubtful.UNSEEN_SHARERS: ("process", "processes"),
}


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


def doubted(doubt: Doubt) -> str:
    """Say why nothing is certain, and what would change that; names are not made harmless."""
    number = count(doubt.number, *_COUNTED.get(doubt.kind, ("",)))
    return _DOUBTED[doubt.kind].format(number=number, detail=doubt.detail)


def doubted_shortly(doubt: Doubt) -> str:
    """Say the same in a few words, beside the answer."""
    return _DOUBTED_SHORTLY[doubt.kind].format(number=count(doubt.number, *_COUNTED.get(doubt.kind, ("",))))


def probed(seen: Probed) -> str:
    """Say what the kernel was seen to do that its release does not say."""
    return _PROBED[seen]


def _named(task: Task | None) -> str:
    if task is None:
        return "nobody"
    return f"{task.pid} ({task.comm})" if task.pid > 0 else f"the added process ({task.comm})"
