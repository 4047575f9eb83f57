"""Of a log that was cut, grepped, wrapped or mixed nothing is said that it does not hold.

The short run is always the same. ``OOMCTL_FUZZ_CASES=10000`` is the long one, in which each of 20 reports is also cut
at every line; ``OOMCTL_FUZZ_SEED`` (16) says of which cases.
"""

from __future__ import annotations

import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterable

from tests.hostile.mutations import NAMES, NOT_TOLD, Mutated, cut_after, mutated, real, victims, wrongs

_CUT_REPORTS = NAMES[:: max(len(NAMES) // 20, 1)][:20]
_LEAST_FOUND = 0.95
_SEED = 16


def judged(mutants: Iterable[Mutated]) -> tuple[Counter[str], dict[str, str], Counter[str], Counter[str]]:
    """Return what was wrong how often and one example of each, and the victims found and named, by kind."""
    wrong: Counter[str] = Counter()
    example: dict[str, str] = {}
    found, named = Counter[str](), Counter[str]()
    for mutant in mutants:
        kind = mutant.kind.partition(",")[0]
        for one in wrongs(mutant):
            wrong[f"{kind}: {one}"] += 1
            text = "\n".join(mutant.lines)
            example[f"{kind}: {one}"] = min(example.get(f"{kind}: {one}", text), text, key=len)
        still, told = victims(mutant)
        found[kind] += still
        named[kind] += told
    return wrong, example, found, named


def said_right(mutants: Iterable[Mutated]) -> None:
    wrong, example, found, named = judged(mutants)
    for kind in sorted(named):
        print(f"{kind}: {found[kind]} of {named[kind]} victims found")  # noqa: T201 - the count is the point
    for one in [one for one in wrong if one.endswith(NOT_TOLD)]:
        print(f"{one}: {wrong.pop(one)}")  # noqa: T201
    shown: dict[str, str] = defaultdict(str, {one: text[-1500:] for one, text in example.items()})
    assert not wrong, "\n".join(f"{times} x {one}\n{shown[one]}" for one, times in wrong.most_common())
    assert sum(found.values()) >= _LEAST_FOUND * sum(named.values())


def test_a_report_that_is_cut_at_any_line_claims_nothing() -> None:
    step = 1 if os.environ.get("OOMCTL_FUZZ_CASES") else 12
    said_right(cut_after(name, lines) for name in _CUT_REPORTS for lines in range(0, len(real(name).lines) + 1, step))


def test_a_log_that_people_or_programs_changed_claims_nothing() -> None:
    cases = os.environ.get("OOMCTL_FUZZ_CASES")
    seed = int(os.environ.get("OOMCTL_FUZZ_SEED") or _SEED) if cases else _SEED
    count = int(cases or 300)
    said_right(mutated(random.Random(f"{seed}/{number}")) for number in range(count))
