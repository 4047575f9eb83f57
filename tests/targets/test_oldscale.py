"""Values that may have been meant in the scale of the old oom_adj."""

from __future__ import annotations

import pytest

from oomctl.targets.oldscale import doubt


@pytest.mark.parametrize("adj", [-17, -1, 1, 15])
def test_a_value_of_the_old_scale_is_doubtful(adj: int) -> None:
    assert doubt(adj) == f"{adj} is a small step here; -17..15 was the scale of oom_adj, whose -17 is -1000 today"


@pytest.mark.parametrize("adj", [-1000, -18, 0, 16, 1000])
def test_the_default_and_what_the_old_scale_did_not_have_is_not(adj: int) -> None:
    assert doubt(adj) is None
