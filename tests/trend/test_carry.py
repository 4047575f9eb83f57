"""A scenario carried forward."""

from __future__ import annotations

from oomctl.model.trend import Sizes
from oomctl.trend.carry import carried
from tests.tasks import scenario, task


def test_growth_is_private_memory_in_ram() -> None:
    before = task(10, rss=500, anon=300, swap=40, pgtables=5, rss_exact_pages=510)
    (after,) = carried(scenario(before), {10: Sizes(100)}).tasks
    assert (after.rss_pages, after.anon_pages, after.rss_exact_pages) == (600, 400, 610)
    assert (after.swap_pages, after.pgtables_pages) == (40, 5)


def test_shared_memory_and_files_stay_what_reclaim_may_have() -> None:
    before = task(10, rss=500, shmem_pages=50, file_pages=20)
    (after,) = carried(scenario(before), {10: Sizes(0, shmem=30, file=-5)}).tasks
    assert (after.rss_pages, after.shmem_pages, after.file_pages) == (525, 80, 15)


def test_nothing_becomes_less_than_nothing() -> None:
    (after,) = carried(scenario(task(10, rss=5, anon=5)), {10: Sizes(-100)}).tasks
    assert (after.rss_pages, after.anon_pages) == (0, 0)


def test_who_grows_is_running_and_who_rests_is_as_before() -> None:
    resting = task(11, rss=7)
    grown, same = carried(scenario(task(10), resting), {10: Sizes(1), 11: Sizes(0)}).tasks
    assert grown.running
    assert same is resting


def test_nothing_is_left_then() -> None:
    assert carried(scenario(task(10), left_pages=900), {}).context.left_pages == 0
