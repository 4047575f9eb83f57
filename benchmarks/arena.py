"""Random real kills in a memory cgroup, each predicted just before by the installed command.

    python benchmarks/arena.py --trials 500 --seed 1

Needs root, a writable memory cgroup (v1 or v2) and /dev/kmsg. Prints how often the prediction was right,
for every kind of toy, and each miss with our numbers beside the kernel's own table.
"""

from __future__ import annotations

import argparse
import functools
import json
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.kernel_live.memcgs import why_impossible
from tests.kernel_live.toys import Nursery
from tests.kernel_live.trials import Result, random_line_up, run


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--trials", type=int, default=100, help="how many kills (default: 100)")
    parser.add_argument(
        "--seed", type=int, default=1, help="of the first trial; each draws its line-up from the next (default: 1)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document instead of text")
    arguments = parser.parse_args()
    reason = why_impossible()
    if reason is not None:
        print(reason, file=sys.stderr)
        return 1
    signal.signal(signal.SIGTERM, _end)  # so that cgroups and toys are cleaned up
    results: dict[int, Result] = {}
    without_kill: list[int] = []
    started = time.monotonic()
    with Nursery() as nursery:
        for seed in range(arguments.seed, arguments.seed + arguments.trials):
            try:
                results[seed] = run(functools.partial(random_line_up, random.Random(seed)), nursery)
            except TimeoutError:
                without_kill.append(seed)
            if sys.stderr.isatty():
                print(f"\r{seed - arguments.seed + 1}/{arguments.trials}", end="", file=sys.stderr)
    seconds = (time.monotonic() - started) / max(arguments.trials, 1)
    figures = summary([*results.values()])
    figures |= {"seconds_per_trial": round(seconds, 3), "seeds_without_kill": without_kill}
    misses = {seed: result for seed, result in results.items() if not (result.agrees and result.killed_agrees)}
    if arguments.json:
        print(json.dumps(figures | {"misses": [describe(seed, miss) for seed, miss in misses.items()]}, indent=2))
    else:
        print("\n".join((*text(figures), *(line for seed, miss in misses.items() for line in miss_lines(seed, miss)))))
    return 1 if any(result.wrong for result in results.values()) else 0


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Figures over all trials and for every kind; a trial counts for each kind of toy in it."""
    kinds = sorted({kind for result in results for kind in result.kinds})
    return {
        "all": counts(results),
        "kinds": {kind: counts([result for result in results if kind in result.kinds]) for kind in kinds},
        "reading_errors_pages": reading_errors(results),
    }


def counts(results: Sequence[Result]) -> dict[str, int]:
    certain = [result for result in results if result.certain]
    agreeing = [result for result in results if result.agrees]
    return {
        "trials": len(results),
        "agree": len(agreeing),
        "certain": len(certain),
        "certain_agree": sum(result.agrees for result in certain),
        "victim_contended": sum(result.contended for result in results),
        "killed_agree": sum(result.killed_agrees for result in agreeing),
        "further_kills": sum(result.further_kills for result in results),
        "table_printed": sum(bool(result.kill.rows) for result in results),
    }


def reading_errors(results: Sequence[Result]) -> dict[str, int]:
    """How many tasks' RSS in the kernel's table differs from our reading just before, by the difference."""
    differences = [kernel - ours for result in results for _, ours, kernel in _side_by_side(result) if kernel and ours]
    return {f"{pages:+d}": differences.count(pages) for pages in sorted(set(differences))}


def describe(seed: int, miss: Result) -> dict[str, Any]:
    fields = ("victim", "certainty", "margin_pages", "error_bound_pages", "contenders", "killed", "totalpages")
    return {
        "seed": seed,
        "kinds": sorted(miss.kinds),
        "kernel_victim": miss.victim,
        "dead": sorted(miss.dead),
        "further_kills": miss.further_kills,
        **{name: miss.prediction.get(name) for name in fields},
        "ours": [task._asdict() for task in miss.ours],
        "kernels": [row._asdict() for row in miss.kill.rows],
    }


def text(figures: dict[str, Any]) -> Iterator[str]:
    yield f"{'':14} trials  right       certain     right if certain  victim a contender  all killed named"
    for name, count in {"all": figures["all"], **figures["kinds"]}.items():
        trials, agree, certain = count["trials"], count["agree"], count["certain"]
        yield (
            f"{name:14} {trials:6}  {_share(agree, trials):10}  {_share(certain, trials):10}"
            f"  {_share(count['certain_agree'], certain):16}  {_share(count['victim_contended'], trials):18}"
            f"  {_share(count['killed_agree'], agree)}"
        )
    yield f"{figures['seconds_per_trial']} s a trial, the pause for the kernel's 10 reports in 5 s included"
    if figures["seeds_without_kill"]:
        yield f"nobody was killed with these seeds, which count nowhere: {figures['seeds_without_kill']}"
    errors = ", ".join(f"{pages}: {tasks}" for pages, tasks in figures["reading_errors_pages"].items())
    yield f"RSS in the kernel's table minus ours just before, in pages: tasks = {errors}"


def miss_lines(seed: int, miss: Result) -> Iterator[str]:
    """The miss in a table: ours beside the kernel's own, in the kernel's order of the scan."""
    document = describe(seed, miss)
    predicted = document["victim"] and document["victim"]["pid"]
    yield ""
    yield (
        f"--seed {seed} --trials 1 ({', '.join(document['kinds'])}): kernel {miss.victim}, predicted {predicted}"
        f" {document['certainty']}, margin {document['margin_pages']}, bound {document['error_bound_pages']},"
        f" contenders {document['contenders']}"
    )
    yield f"dead {document['dead']}, to be killed {[process['pid'] for process in document['killed']]}"
    yield f"{'pid':>8} {'adj':>5} {'rss':>7} {'kernel':>7} {'swap':>5} {'kernel':>7} {'pgtables':>8} {'kernel':>7}"
    rows = {row.tgid: row for row in miss.kill.rows}
    ours = {task.pid: task for task in miss.ours}
    for pid in [*rows, *(pid for pid in ours if pid not in rows)]:
        task, row = ours.get(pid), rows.get(pid)
        mine = (task.adj, task.rss_pages, task.swap_pages, task.pgtables_pages) if task else ("-",) * 4
        kernels = (row.rss_pages, row.swap_pages, row.pgtables_bytes // 4096) if row else ("-",) * 3
        yield (
            f"{pid:8} {mine[0]:>5} {mine[1]:>7} {kernels[0]:>7} {mine[2]:>5} {kernels[1]:>7}"
            f" {mine[3]:>8} {kernels[2]:>7}"
        )


def _side_by_side(result: Result) -> Iterator[tuple[int, int, int]]:
    """PID, our RSS, the kernel's, for tasks that only rest: not the one that makes the cgroup overflow."""
    rows = {row.tgid: row for row in result.kill.rows}
    for task in result.ours:
        if task.pid in rows and task.comm not in ("writer", "grower"):
            yield task.pid, task.rss_pages, rows[task.pid].rss_pages


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.1f} %)" if whole else "-"


def _end(_signal: int, _frame: FrameType | None) -> None:
    raise SystemExit(143)


if __name__ == "__main__":
    sys.exit(main())
