"""What stands where in a scenario document: one table for each value of the model, to read it by and to write it by."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import attrgetter
from typing import Any, NamedTuple

from oomctl.kernel.badness import ADJ_MAX, ADJ_MIN
from oomctl.model.kernel import Constraint, Doubt, Doubtful, MemcgLimits, Mempolicy, NodePages, Probed, Task, Thread
from oomctl.scenario.fields import Fields

MOST_TASKS = 1 << 16
MOST_DOUBTS = 100
NEVER: Any = object()


class Kind(NamedTuple):
    """How a value stands in a document."""

    read: Callable[[Fields, str], Any]
    """Checks and returns what an object has under a name. Raises BadInput."""
    left_out: Any = NEVER
    """The value that is not written, since it is the default."""
    required: bool = False
    """It may not be missing, as the model has no default."""
    write: Callable[[Any], Any] | None = None
    """What to write for the value; None: the value itself."""


class Field(NamedTuple):
    """One attribute of a value of the model, and its place in a document."""

    name: str
    """In the document."""
    attribute: str
    """Of the model's value."""
    kind: Kind


class Table:
    """The fields of one object, in the order in which they are written."""

    def __init__(self, *fields: Field | tuple[str, str, Kind]) -> None:
        self.fields = tuple(Field(*field) for field in fields)
        self._names = tuple(field.name for field in self.fields)
        # 10,000 tasks are written one after the other: what that takes is laid out beforehand.
        self._attributes = attrgetter(*(field.attribute for field in self.fields))
        self._left_out = tuple(field.kind.left_out for field in self.fields)
        self._writers = tuple((field.name, field.kind.write) for field in self.fields if field.kind.write is not None)

    def without(self, name: str) -> Table:
        """Return the table of such objects that do not have the field ``name``."""
        return Table(*(field for field in self.fields if field.name != name))

    def read(self, fields: Fields) -> dict[str, Any]:
        """Return the attributes that an object gives, checked. Raises BadInput that names the field."""
        given = fields.ask(self._names)
        attributes = {}
        for name, attribute, kind in self.fields:
            if kind.required or given.get(name) is not None:
                attributes[attribute] = kind.read(fields, name)
        return attributes

    def written(self, value: NamedTuple) -> dict[str, Any]:
        """Return the object that ``read`` makes the attributes of ``value`` of."""
        attributes = zip(self._names, self._attributes(value), self._left_out)
        document = {name: own for name, own, left_out in attributes if own != left_out}
        for name, write in self._writers:
            if name in document:
                document[name] = write(document[name])
        return document


def _mempolicy(fields: Fields, name: str) -> Mempolicy:
    return Mempolicy(**{"nodes": frozenset()} | MEMPOLICY.read(fields.child(name)))


def _threads(fields: Fields, name: str) -> tuple[Thread, ...]:
    return tuple(Thread(**{"comm": ""} | THREAD.read(thread)) for thread in fields.children(name, MOST_TASKS))


def _constraint(fields: Fields, name: str) -> Constraint:
    return Constraint(fields.choice(name, tuple(constraint.value for constraint in Constraint)))


def _doubtful(fields: Fields, name: str) -> Doubtful:
    return Doubtful(fields.choice(name, tuple(kind.value for kind in Doubtful)))


def _doubts(fields: Fields, name: str) -> tuple[Doubt, ...]:
    return tuple(Doubt(**DOUBT.read(doubt)) for doubt in fields.children(name, MOST_DOUBTS))


def _probed(fields: Fields, name: str) -> frozenset[Probed]:
    return frozenset(map(Probed, fields.choices(name, tuple(probed.value for probed in Probed))))


_ID = Kind(partial(Fields.whole, least=1), required=True)
_SIZE = Kind(Fields.whole, required=True)
_COUNT = Kind(Fields.whole)
_COUNT_IF_ANY = Kind(Fields.whole, left_out=0)
_COUNT_IF_KNOWN = Kind(Fields.whole, left_out=None)
_FLAG = Kind(Fields.flag, left_out=False)
_NAME = Kind(Fields.text, required=True)
_TEXT = Kind(Fields.text)
_TEXT_IF_KNOWN = Kind(Fields.text, left_out=None)
_NODES = Kind(Fields.node_set, left_out=None, write=sorted)
_ADJ = Kind(partial(Fields.whole, least=ADJ_MIN, most=ADJ_MAX))

MEMPOLICY = Table(
    ("mode", "mode", _NAME),
    ("nodes", "nodes", Kind(Fields.node_set, write=sorted)),
)
_POLICY = Kind(_mempolicy, left_out=None, write=MEMPOLICY.written)

THREAD = Table(
    ("tid", "tid", _ID),
    ("comm", "comm", _TEXT),
    ("memcg", "memcg", _TEXT_IF_KNOWN),
    ("mems", "mems", _NODES),
    ("mempolicy", "mempolicy", _POLICY),
)

TASK = Table(
    ("pid", "pid", _ID),
    ("ppid", "ppid", _COUNT),
    ("uid", "uid", _COUNT),
    ("comm", "comm", _NAME),
    ("rss", "rss_pages", _SIZE),
    ("rss_exact", "rss_exact_pages", _COUNT_IF_KNOWN),
    ("swap", "swap_pages", _COUNT),
    ("pgtables_pages", "pgtables_pages", _COUNT),
    ("adj", "adj", _ADJ),
    ("rss_anon", "anon_pages", _COUNT_IF_KNOWN),
    ("rss_file", "file_pages", _COUNT_IF_ANY),
    ("rss_shmem", "shmem_pages", _COUNT_IF_ANY),
    ("droppable", "droppable_pages", _COUNT_IF_KNOWN),
    ("evictable", "evictable_pages", _COUNT_IF_KNOWN),
    ("vsize_bytes", "vsize_bytes", _COUNT_IF_ANY),
    ("start_ticks", "start_ticks", _COUNT_IF_ANY),
    ("oom_score", "oom_score", _COUNT_IF_KNOWN),
    ("memcg", "memcg", _TEXT_IF_KNOWN),
    ("mm", "mm", _TEXT_IF_KNOWN),
    ("mems", "mems", _NODES),
    ("mempolicy", "mempolicy", _POLICY),
    ("threads", "threads", Kind(_threads, left_out=(), write=lambda threads: list(map(THREAD.written, threads)))),
    ("leader_zombie", "zombie_leader", _FLAG),
    # Whose memory map it runs on: its parent's PID is written, and of what is read only that there is one.
    ("vfork_of", "vfork", Kind(lambda fields, name: fields.whole(name) is not None, left_out=False)),
    ("init", "init", _FLAG),
    ("kthread", "kthread", _FLAG),
    ("zombie", "zombie", _FLAG),
    ("running", "running", _FLAG),
    ("oom_victim", "oom_victim", _FLAG),
    ("oom_skip", "oom_skip", _FLAG),
    ("exiting", "exiting", _FLAG),
    ("ptraced_exit", "ptraced_exit", _FLAG),
    ("origin", "origin", _FLAG),
    ("cap_sys_admin", "cap_sys_admin", _FLAG),
)

CONTEXT = Table(
    ("constraint", "constraint", Kind(_constraint, required=True, write=lambda constraint: constraint.value)),
    ("totalpages", "totalpages", Kind(partial(Fields.whole, least=1))),
    ("memcg", "memcg", _TEXT_IF_KNOWN),
    ("current", "current", _COUNT_IF_KNOWN),
    ("current_mems", "current_mems", _NODES),
    ("nodemask", "nodemask", _NODES),
    ("order", "order", Kind(partial(Fields.whole, least=-1), left_out=0)),
    ("gfp_fs", "gfp_fs", Kind(Fields.flag, left_out=True)),
    ("sysrq", "sysrq", _FLAG),
    ("panic_on_oom", "panic_on_oom", Kind(partial(Fields.whole, most=2), left_out=0)),
    ("oom_kill_allocating_task", "oom_kill_allocating_task", Kind(Fields.flag, left_out=False, write=int)),
    ("oom_group", "oom_groups", Kind(Fields.texts, left_out=frozenset(), write=sorted)),
    ("cpus", "cpus", Kind(partial(Fields.whole, least=1), left_out=None)),
    ("swap_used", "swap_used", Kind(Fields.flag)),
    ("sudden", "sudden", _FLAG),
    ("file_lru", "file_lru_pages", _COUNT_IF_KNOWN),
    ("swappable_shmem", "swappable_shmem_pages", _COUNT_IF_KNOWN),
    ("droppable", "droppable_pages", _COUNT_IF_ANY),
    ("left", "left_pages", _COUNT_IF_KNOWN),
    ("oom_kill_disable", "kill_disabled", _FLAG),
    ("unlimited", "unlimited", _FLAG),
)

DOUBT = Table(
    ("id", "kind", Kind(_doubtful, required=True, write=lambda kind: kind.value)),
    ("number", "number", _COUNT_IF_ANY),
    ("detail", "detail", Kind(Fields.text, left_out="")),
)

SCENARIO = Table(
    ("hidden_processes", "hidden", _COUNT),
    ("unread_candidates", "unread_candidates", _COUNT),
    ("unread_unkillable", "unread_unkillable", _COUNT),
    ("doubts", "doubts", Kind(_doubts, left_out=(), write=lambda doubts: list(map(DOUBT.written, doubts)))),
    ("probed", "probed", Kind(_probed, left_out=frozenset(), write=lambda probed: sorted(one.value for one in probed))),
)

_LIMITS = {
    1: Table(
        ("version", "version", _COUNT),
        ("memory_limit", "memory_pages", _COUNT),
        ("memsw_limit", "memsw_pages", _COUNT),
        ("swap_total", "swap_total_pages", _COUNT),
        ("swappiness", "swappiness", _COUNT),
        ("use_hierarchy", "use_hierarchy", Kind(Fields.flag, left_out=True)),
    ),
    2: Table(
        ("version", "version", _COUNT),
        ("memory_max", "memory_pages", _COUNT),
        ("swap_max", "swap_pages", _COUNT),
        ("swap_total", "swap_total_pages", _COUNT),
        ("swappiness", "swappiness", _COUNT),
    ),
}

_NODE = Table(
    ("present", "present", _SIZE),
    ("spanned", "spanned", _COUNT),
)


def read_task(fields: Fields, page_size: int) -> Task:
    """Return a task. Raises BadInput that names the field."""
    pgtables_bytes = fields.whole("pgtables_bytes", None)
    task = Task(**TASK.read(fields))
    return task if pgtables_bytes is None else task._replace(pgtables_pages=pgtables_bytes // page_size)


def task_document(task: Task) -> dict[str, Any]:
    """Return what ``read_task`` reads."""
    document = TASK.written(task)
    if task.vfork:
        document["vfork_of"] = task.ppid
    return document


def read_limits(fields: Fields) -> MemcgLimits:
    """Return the limits of a cgroup, in pages. Raises BadInput that names the field."""
    version = fields.whole("version", 2, least=1, most=2)
    return MemcgLimits(**{"version": version, "memory_pages": None} | _LIMITS[version].read(fields))


def limits_document(limits: MemcgLimits) -> dict[str, Any]:
    """Return what ``read_limits`` reads; null is unlimited."""
    return _LIMITS[limits.version].written(limits)


def read_node(fields: Fields) -> NodePages:
    """Return the pages of a NUMA node; where only those present are given, it spans no others. Raises BadInput."""
    pages = _NODE.read(fields)
    return NodePages(**{"spanned": pages["present"]} | pages)


def node_document(pages: NodePages) -> dict[str, Any]:
    """Return what ``read_node`` reads."""
    return _NODE.written(pages)
