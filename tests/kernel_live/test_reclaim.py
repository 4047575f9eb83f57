"""What reclaim takes before the kernel chooses, and what it cannot take."""

from __future__ import annotations

import pytest

from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import Nursery, Toy
from tests.kernel_live.trials import overflowed

pytestmark = pytest.mark.kernel

RIVAL_PAGES = 5000
LEAD_PAGES = 2500
TAKEN_PAGES = 7000


@pytest.mark.parametrize(("file", "lazyfree"), [(TAKEN_PAGES, 0), (0, TAKEN_PAGES)], ids=["files", "MADV_FREE"])
def test_who_leads_by_pages_that_reclaim_takes_is_close_and_does_not_die(
    nursery: Nursery, cgroup: ToyCgroup, file: int, lazyfree: int
) -> None:
    private = RIVAL_PAGES + LEAD_PAGES - TAKEN_PAGES
    leads = Toy(cgroup, pages=private, file_pages=file, lazyfree_pages=lazyfree)
    result, started = overflowed(nursery, cgroup, leads, Toy(cgroup, pages=RIVAL_PAGES), limit_pages=20_000)
    first, second = (toy.pid for toy in started[:2])
    assert result.prediction["victim"]["pid"] == first
    assert result.prediction["certainty"] == "close"
    assert result.prediction["contenders"] == [first, second]
    assert result.victim == second


@pytest.mark.parametrize(
    ("file", "lazyfree"), [(0, 0), (TAKEN_PAGES, 0), (0, TAKEN_PAGES)], ids=["private", "files", "MADV_FREE"]
)
def test_who_leads_by_more_than_that_is_certain_and_dies(
    nursery: Nursery, cgroup: ToyCgroup, file: int, lazyfree: int
) -> None:
    leads = Toy(cgroup, pages=RIVAL_PAGES + LEAD_PAGES, file_pages=file, lazyfree_pages=lazyfree)
    result, started = overflowed(nursery, cgroup, leads, Toy(cgroup, pages=RIVAL_PAGES), limit_pages=24_000)
    assert result.prediction["certainty"] == "certain"
    assert result.victim == started[0].pid


def test_the_interpreters_own_files_are_charged_elsewhere_and_stay(nursery: Nursery, cgroup: ToyCgroup) -> None:
    """They are more than the lead; the machine, not the cgroup, could reclaim them."""
    result, started = overflowed(
        nursery, cgroup, Toy(cgroup, pages=RIVAL_PAGES + 100), Toy(cgroup, pages=RIVAL_PAGES), limit_pages=14_000
    )
    assert next(task for task in result.ours if task.pid == started[0].pid).file_pages > 100
    assert result.prediction["certainty"] == "certain"
    assert result.victim == started[0].pid
