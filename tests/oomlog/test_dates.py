"""Which moment a date names, and how far two are apart."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest

from oomctl.oomlog.dates import apart_s, epoch_s

A_MOMENT = 1767323045.0
"""2026-01-02 03:04:05 UTC."""


@pytest.fixture
def in_tokyo() -> Iterator[None]:
    """Nine hours ahead of UTC, without summer time."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "JST-9"
    time.tzset()
    yield
    if before is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-01-02T03:04:05.500000+00:00", A_MOMENT + 0.5),
        ("2026-01-02T03:04:05,5Z", A_MOMENT + 0.5),
        ("2026-01-02T04:04:05+0100", A_MOMENT),
        ("2026-01-02 04:04:05 CET", A_MOMENT),
        ("02/Jan/2026:03:04:05 +0000", A_MOMENT),
        ("1767323045", A_MOMENT),
        ("1767323045.5", A_MOMENT + 0.5),
        ("1767323045000", A_MOMENT),
        ("1767323045000000", A_MOMENT),
    ],
)
@pytest.mark.usefixtures("in_tokyo")
def test_a_date_with_its_zone_is_the_same_moment_everywhere(text: str, seconds: float) -> None:
    assert epoch_s(text) == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T12:04:05",
        "2026-01-02 12:04:05",
        "2026/01/02 12:04:05",
        "Fri Jan  2 12:04:05 2026",
        "Jan  2 12:04:05 2026",
        "Jan  2 2026 12:04:05",
        "Jan 2, 2026 @ 12:04:05.000",
        "Fr 2. Jan 12:04:05 2026",
        "ven. janv. 2 12:04:05 2026",
        "五 1月 2 12:04:05 2026",
    ],
)
@pytest.mark.usefixtures("in_tokyo")
def test_a_full_date_without_a_zone_is_local(text: str) -> None:
    assert epoch_s(text) == A_MOMENT


@pytest.mark.parametrize(
    "text", ["2026-99-02T03:04:05Z", "Aug 10 08:07:16", "08-10 08:07:16.123", "Aug 23 11:47", "12:04:05", "", None]
)
def test_without_its_year_a_date_is_no_moment(text: str | None) -> None:
    assert epoch_s(text) is None


@pytest.mark.parametrize(
    ("one", "other", "seconds"),
    [
        ("Aug 10 08:07:16", "Aug 10 08:07:16", 0),
        ("Aug 10 08:07:16", "Aug 10 08:09:16", 120),
        ("Feb 28 23:59:00", "Feb 29 00:01:00", 120),
        ("Jun 23 10:10:34", "Sep 16 08:38:09", 85 * 86400 - 5545),
        ("2026-01-02T03:04:05Z", "2026-01-02T04:05:05+01:00", 60),
        ("2026-01-02T03:04:05Z", "2026-01-02T03:04:59Z", 0),
        ("Aug 10 08:07:16", None, None),
        ("Aug 10 08:07:16", "soon", None),
    ],
)
def test_two_dates_are_as_far_apart_as_they_say(one: str, other: str | None, seconds: float | None) -> None:
    assert apart_s(one, other) == seconds


def test_the_year_may_turn_between_two_dates() -> None:
    assert apart_s("Dec 31 23:59:30", "Jan  1 00:00:30") == 60
    assert apart_s("Jan 1 00:00:30", "Dec 31 23:59:30") == -60
