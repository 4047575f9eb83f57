"""NUMA nodes: how large they are, how full, and which of them a task may use."""

from __future__ import annotations

import re
from collections import Counter

from oomctl.errors import BadInput, ImpossibleHere
from oomctl.model.kernel import Mempolicy, NodePages, Task, Thread
from oomctl.procfs.reader import Procfs
from oomctl.procfs.reading import pids_listed_at, read_at
from oomctl.procfs.statfiles import status_text_at

_ZONE = re.compile(r"^Node (\d{1,4}), zone\s+\S+$", re.MULTILINE | re.ASCII)
_FIELD = re.compile(r"^ +(?:pages )?(free|spanned|present) +(\d{1,16})$", re.MULTILINE | re.ASCII)
_ON_LISTS = re.compile(r"^ +count: +(\d{1,10})$", re.MULTILINE | re.ASCII)
_FILE_PAGES = re.compile(r"^ +nr_(?:in)?active_file (\d{1,16})$", re.MULTILINE | re.ASCII)
_POLICY = re.compile(r"^\S+ (bind|interleave|prefer|weighted interleave)[^:\s]*:([\d,-]+)")
_ENOUGH_MAPS = 1 << 12


def nodes(procfs: Procfs) -> dict[int, NodePages]:
    """Return present and spanned pages of every node that has memory; empty where zoneinfo is hidden."""
    sizes: dict[int, NodePages] = {}
    for node, zone in _zones(procfs):
        pages = dict.fromkeys(("spanned", "present"), 0) | {name: int(number) for name, number in _FIELD.findall(zone)}
        known = sizes.get(node, NodePages(0, 0))
        sizes[node] = NodePages(known.present + pages["present"], known.spanned + pages["spanned"])
    return {node: pages for node, pages in sizes.items() if pages.present}


def room_pages(procfs: Procfs, allowed: frozenset[int]) -> int:
    """Return the pages of the nodes ``allowed`` that are free or hold only droppable cache."""
    pages = 0
    for node, zone in _zones(procfs):
        if node in allowed:
            pages += int(dict(_FIELD.findall(zone)).get("free", 0))
            pages += sum(map(int, _FILE_PAGES.findall(zone)))
    return pages


def pages_on_lists(procfs: Procfs) -> int:
    """Return the free pages that CPUs keep at hand (``pageset`` of zoneinfo), which meminfo counts as used.

    Each takes up to 2,016 at once (mm/page_alloc.c, nr_pcp_alloc), so that what is free goes down in leaps. 0 where
    zoneinfo is hidden.
    """
    return sum(int(count) for _, zone in _zones(procfs) for count in _ON_LISTS.findall(zone))


def parse_list(text: str) -> frozenset[int]:
    """Read a node list such as ``0,2-3``; BadInput when it is none."""
    numbers: set[int] = set()
    for part in text.strip().split(","):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", part.strip(), re.ASCII)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise BadInput(f"node list {text!r}: expected numbers and ranges such as 0,2-3")
        numbers.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(numbers)


def with_nodes(task: Task, procfs: Procfs, policies: bool) -> Task:
    """Return ``task`` with the nodes that its threads may use, and (``policies``) their memory policies.

    A task's policy is not shown anywhere; it is what most of its mappings have in numa_maps, which
    only the owner and root may read. What cannot be read is taken to be free to use every node.
    """
    try:
        with procfs.open_task(task.pid) as directory:
            tids = [tid for tid in pids_listed_at(directory, "task") if tid != task.pid]
            mems, policy = _allowed(directory, "", policies)
            threads = []
            for tid in sorted(tids):
                thread_mems, thread_policy = _allowed(directory, f"task/{tid}/", policies)
                threads.append(Thread(tid, task.comm, None, thread_mems, thread_policy))
    except OSError:
        return task
    return task._replace(mems=mems, mempolicy=policy, threads=tuple(threads) or task.threads)


def _allowed(directory: int, prefix: str, policies: bool) -> tuple[frozenset[int] | None, Mempolicy | None]:
    status = status_text_at(directory, prefix + "status").decode(errors="replace")
    match = re.search(r"^Mems_allowed_list:\s*(\S+)$", status, re.MULTILINE)
    mems = _listed(match[1]) if match else None
    return mems, _policy(directory, prefix) if policies else None


def _policy(directory: int, prefix: str) -> Mempolicy | None:
    try:
        maps = read_at(directory, prefix + "numa_maps", _ENOUGH_MAPS).decode(errors="replace")
    except (PermissionError, FileNotFoundError):
        return None
    whole_lines = maps.split("\n")[:-1]
    seen = Counter(match and (match[1], match[2]) for match in map(_POLICY.match, whole_lines))
    usual = max(seen, key=lambda policy: seen[policy], default=None)
    allowed = _listed(usual[1]) if usual else None
    return Mempolicy(usual[0], allowed) if usual and allowed is not None else None


def _listed(text: str) -> frozenset[int] | None:
    """Return the nodes of a list that the kernel wrote; None where it is none."""
    try:
        return parse_list(text)
    except BadInput:
        return None


def _zones(procfs: Procfs) -> list[tuple[int, str]]:
    try:
        text = procfs.machine_text("zoneinfo")
    except ImpossibleHere:
        return []
    heads = list(_ZONE.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return [(int(head[1]), text[head.end() : end]) for head, end in zip(heads, ends)]
