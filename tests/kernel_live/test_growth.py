"""Whether somebody else can grow to be first with what is left."""

from __future__ import annotations

import pytest

from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Started, Toy
from tests.kernel_live.trials import Result, overflow

pytestmark = pytest.mark.kernel

FIRST_PAGES = 30 * MIB // PAGE
GROWER_PAGES = 4 * MIB // PAGE


def grown(nursery: Nursery, cgroup: ToyCgroup, limit_bytes: int) -> tuple[Result, Started, Started]:
    """One process leads, and another one grows until the limit is hit."""
    cgroup.limit_bytes = limit_bytes
    first = nursery.start(Toy(cgroup, pages=FIRST_PAGES))
    grower = nursery.start(Toy(cgroup, pages=GROWER_PAGES, grows_pages=limit_bytes // PAGE))
    return overflow(frozenset({"growth"}), cgroup, [first, grower]), first, grower


@pytest.mark.parametrize("left_mib", [2, 6, 12, 18])
def test_what_is_settled_stays_so_whoever_grows(nursery: Nursery, cgroup: ToyCgroup, left_mib: int) -> None:
    result, first, _ = grown(nursery, cgroup, (35 + left_mib) * MIB)
    assert result.prediction["settled"]
    assert result.prediction["left_bytes"] < result.prediction["overtaken_by_growth_bytes"]
    assert result.victim == first.pid


def test_where_more_is_left_who_takes_it_is_first(nursery: Nursery, cgroup: ToyCgroup) -> None:
    result, first, grower = grown(nursery, cgroup, 70 * MIB)
    assert result.prediction["victim"]["pid"] == first.pid
    assert not result.prediction["settled"]
    assert result.victim == grower.pid
