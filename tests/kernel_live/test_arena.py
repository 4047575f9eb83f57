"""Random line-ups: what is called certain is right, and nobody outside the contenders dies."""

from __future__ import annotations

import functools
import random

import pytest

from tests.kernel_live.toys import Nursery
from tests.kernel_live.trials import random_line_up, run

TRIALS = 30
SEED = 6_18

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("trial", range(TRIALS))
def test_the_victim_is_a_contender_and_what_is_certain_is_right(nursery: Nursery, trial: int) -> None:
    rng = random.Random(SEED + trial)
    result = run(functools.partial(random_line_up, rng), nursery)
    assert not result.wrong, (result.victim, result.prediction)
    assert result.killed_agrees or not result.agrees, (result.dead, result.prediction["killed"])
