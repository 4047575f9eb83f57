"""What users write for values of oom_score_adj, on the command line and in a prompt."""

from __future__ import annotations

import pytest

from oomctl.targets.words import parse_adj


@pytest.mark.parametrize(
    ("text", "adj"),
    [("0", 0), (" -900 ", -900), ("+5", 5), ("1000", 1000), ("-1000", -1000)]
    + [(text, None) for text in ("", "x", "1001", "-1001", "1.5", "1e3", "9" * 5000, "٣", "010", "1_0", "0x10")],
)
def test_what_is_typed_is_an_adj_or_nothing(text: str, adj: int | None) -> None:
    assert parse_adj(text) == adj
