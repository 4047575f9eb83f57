"""What is forecast of leaks under real kernels, cgroup v2 and the whole machine: who is certain dies, and when it said.

The guests are emulated, and have little memory: a limit is reached after some seconds.
"""

from __future__ import annotations

import pytest

from tests.vm.conftest import Guests
from tests.vm.forecasts import misses
from tests.vm.kernels import Release

pytestmark = [pytest.mark.vm, pytest.mark.lab]
INSIDE = 0.9
"""Of the forecasts; 0.95 is what the interval is made for, of a rate that stays as it is. That of processes that share
an emulated CPU with a forecast and with each other does not."""


def test_a_time_was_said_of_each_limit(guests: Guests, release: Release) -> None:
    """On average: one that is reached first may have nobody left to speak of it, others are told three times."""
    trials = guests.trials(release)
    told = [one for trial in trials for one in trial.forecasts if one.limit["seconds_left"]]
    assert len(told) >= len(trials) > 0


def test_who_is_certain_dies(guests: Guests, release: Release) -> None:
    trials = guests.trials(release)
    wrong = [trial for trial in trials if any(map(trial.is_wrong, trial.forecasts))]
    assert not wrong, "\n".join(misses(wrong))
    assert any(one.is_certain for trial in trials for one in trial.forecasts)


def test_who_dies_was_in_the_running(guests: Guests, release: Release) -> None:
    wrong = [trial for trial in guests.trials(release) if not all(map(trial.is_running, trial.forecasts))]
    assert not wrong, "\n".join(misses(wrong))


def test_it_happens_when_it_was_said(guests: Guests, release: Release) -> None:
    trials = guests.trials(release)
    timed = [trial.is_inside(one) for trial in trials for one in trial.forecasts if one.limit["seconds_left"]]
    assert sum(timed) >= INSIDE * len(timed), "\n".join(misses(trials))
