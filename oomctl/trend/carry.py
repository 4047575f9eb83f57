"""A scenario carried forward: everybody as large as they will be when the limit is reached."""

from __future__ import annotations

from collections.abc import Mapping

from oomctl.model.kernel import Scenario, Task
from oomctl.model.trend import Sizes


def carried(scenario: Scenario, growths: Mapping[int, Sizes]) -> Scenario:
    """Let each process of ``growths`` hold so many pages more, or less, and nothing be left of the memory.

    What is private goes into RSS, page tables with it, whether it will be in RAM or in swap by then: badness is the sum
    of the three, and totalpages counts all swap, full or empty. ``oom_score_adj`` and the settings are those of now.
    """
    tasks = tuple(_grown(task, growths[task.pid]) if task.pid in growths else task for task in scenario.tasks)
    return scenario._replace(tasks=tasks, context=scenario.context._replace(left_pages=0))


def _grown(task: Task, by: Sizes) -> Task:
    if not any(by):
        return task
    in_ram = max(by.private + by.shmem + by.file, -task.rss_pages)
    return task._replace(
        rss_pages=task.rss_pages + in_ram,
        rss_exact_pages=None if task.rss_exact_pages is None else max(task.rss_exact_pages + in_ram, 0),
        anon_pages=None if task.anon_pages is None else max(task.anon_pages + by.private, 0),
        shmem_pages=max(task.shmem_pages + by.shmem, 0),
        file_pages=max(task.file_pages + by.file, 0),
        running=True,  # who grows is on a CPU, and its counters are on the move
    )
