"""Whether somebody else can grow to be first with what is left."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Started, Toy
from tests.kernel_live.trials import Result, overflow

pytestmark = pytest.mark.kernel

FIRST_PAGES = 30 * MIB // PAGE
GROWER_PAGES = 4 * MIB // PAGE


def grown(nursery: Nursery, cgroup: ToyCgroup, left_mib: int | None) -> tuple[Result, Started, Started]:
    """One process leads, and another one grows until the limit is hit; ``left_mib`` None: it can overtake the first.

    What programs of this machine have given back with MADV_FREE may be the first's, or be what is left, for as long as
    the machine runs (v1 does not tell whose it was): so the first leads by twice that more.
    """
    first_pages = FIRST_PAGES + 2 * lazily_freed_pages()
    left_pages = first_pages + 5 * MIB // PAGE if left_mib is None else left_mib * MIB // PAGE
    limit_pages = first_pages + 5 * MIB // PAGE + left_pages
    cgroup.limit_bytes = limit_pages * PAGE
    first = nursery.start(Toy(cgroup, pages=first_pages))
    grower = nursery.start(Toy(cgroup, pages=GROWER_PAGES, grows_pages=limit_pages))
    return overflow(frozenset({"growth"}), cgroup, [first, grower]), first, grower


def lazily_freed_pages() -> int:
    found = dict(re.findall(r"^(pglazyfreed?) (\d+)$", Path("/proc/vmstat").read_text(), re.MULTILINE))
    return max(int(found.get("pglazyfree", 0)) - int(found.get("pglazyfreed", 0)), 0)


@pytest.mark.parametrize("left_mib", [2, 6, 12, 18])
def test_what_is_settled_stays_so_whoever_grows(nursery: Nursery, cgroup: ToyCgroup, left_mib: int) -> None:
    result, first, _ = grown(nursery, cgroup, left_mib)
    assert result.prediction["settled"]
    assert result.prediction["left_bytes"] < result.prediction["overtaken_by_growth_bytes"]
    assert result.victim == first.pid


def test_where_more_is_left_who_takes_it_is_first(nursery: Nursery, cgroup: ToyCgroup) -> None:
    result, first, grower = grown(nursery, cgroup, None)
    assert result.prediction["victim"]["pid"] == first.pid
    assert not result.prediction["settled"]
    assert result.victim == grower.pid
