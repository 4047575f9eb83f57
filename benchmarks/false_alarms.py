"""Real loads that never reach their limit: how often ``oomctl forecast`` says that they will.

    python -m benchmarks.false_alarms --minutes 10 --record FILE
    python -m benchmarks.false_alarms --replay FILE --over 3 30

PostgreSQL under pgbench, a JVM with two garbage collectors, ``make -j`` and page cache run side by side, each in a
memory cgroup of its own. What is left under each limit is read ten times a second, as ``forecast`` reads it; then the
same functions are asked again and again, as if the command had been started at each time. So watches of several
lengths, and the code before and after a change, are judged by the same memory. Needs root and a writable memory cgroup.

A time said has passed when the run went on for longer; who spoke of a later one cannot be judged, only whether a later
forecast of the same run took it back.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks.innocent import LOADS, Load, running, why_impossible
from oomctl.model.limits import Limit, LimitKind
from oomctl.model.trend import LimitForecast
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs
from oomctl.procfs.rooms import room_of
from oomctl.trend.forecast import of_limit
from tests.kernel_live.memcgs import toy_cgroup

_EVERY = 0.1
_LOOKS = 30
"""As many as the command takes in its 30 seconds."""
_DAY = 86400.0
_WITHIN = {"<5 min": 300.0, "<1 h": 3600.0, "<24 h": _DAY}


class Trace(NamedTuple):
    """What was left under one limit, in bytes, at each moment."""

    limit_bytes: int
    moments: list[float]
    left: list[int]


class Said(NamedTuple):
    """One forecast, of the moment at which its watching ended."""

    moment: float
    forecast: LimitForecast


def record(loads: Mapping[str, Load], seconds: float) -> dict[str, Trace]:
    """Run all of them side by side. A load that ends early is told of on stderr; its trace ends there."""
    procfs = Procfs()
    traces = {name: Trace(load.limit_bytes, [], []) for name, load in loads.items()}
    with ExitStack() as stack:
        cgroups = {name: stack.enter_context(toy_cgroup()) for name in loads}
        processes = {name: stack.enter_context(running(name, cgroups[name])) for name in loads}
        begun = time.monotonic()
        while (now := time.monotonic() - begun) < seconds:
            found = room_of(procfs, Memcgs.of(procfs), [cgroup.path for cgroup in cgroups.values()])
            for name, trace in traces.items():
                if processes[name].poll() is None:
                    trace.moments.append(round(now, 3))
                    trace.left.append(found[cgroups[name].path].left_bytes)
            time.sleep(max(begun + now + _EVERY - time.monotonic(), 0))
        for name, cgroup in cgroups.items():
            if any("oom_kill " in text and not text.endswith("oom_kill 0") for text in _events(cgroup.kill_counters())):
                raise SystemExit(f"{name} reached its limit: it is not innocent")
    return traces


def _events(files: Sequence[Path]) -> Iterator[str]:
    for file in files:
        yield from file.read_text().splitlines()


def ask(trace: Trace, over: float) -> list[Said]:
    """Ask at the end of every watch of ``over`` seconds; one begins in the middle of the one before."""
    said = []
    moment = over
    while moment <= trace.moments[-1]:
        chosen = _looks(trace.moments, moment, over)
        left = [trace.left[index] for index in chosen]
        limit = Limit(LimitKind.MEMCG, left[-1], "/")
        forecast = of_limit(limit, trace.limit_bytes, [trace.moments[index] for index in chosen], left, _DAY)
        said.append(Said(moment, forecast))
        moment += over / 2
    return said


def _looks(moments: Sequence[float], end: float, over: float) -> list[int]:
    """Return which of ``moments`` are those of the looks of one watch."""
    wanted = [end - over + over * number / _LOOKS for number in range(_LOOKS + 1)]
    found: list[int] = []
    index = 0
    for moment in wanted:
        while index + 1 < len(moments) and moments[index + 1] <= moment:
            index += 1
        if not found or index > found[-1]:
            found.append(index)
    return found


def summary(traces: Mapping[str, Trace], overs: Sequence[float]) -> Iterator[str]:
    yield (
        f"{'load':9} {'over':>5} forecasts  alarms  {'  '.join(f'{name:>6}' for name in _WITHIN)}"
        "  or never  time passed  reached  taken back  at once  first quarter"
    )
    for name, trace in traces.items():
        for over in overs:
            yield row(f"{name:9} {over:4g}s", ask(trace, over), trace)


def row(name: str, said: Sequence[Said], trace: Trace) -> str:
    alarms = [(index, one) for index, one in enumerate(said) if one.forecast.left is not None]
    times = [one.forecast.left.mid for _, one in alarms if one.forecast.left is not None]
    within, least = [], 0.0
    for most in _WITHIN.values():
        within.append(f"{sum(least <= number < most for number in times):6}")
        least = most
    never = sum(one.forecast.left is not None and one.forecast.left.high is None for _, one in alarms)
    end = trace.moments[-1]
    passed = sum(one.moment + number <= end for (_, one), number in zip(alarms, times))
    reached = sum(_reached(trace, one.moment, number) for (_, one), number in zip(alarms, times))
    later = [said[index + 1 :] for index, _ in alarms]
    withdrawn = sum(any(one.forecast.left is None for one in after) for after in later)
    at_once = sum(bool(after) and after[0].forecast.left is None for after in later)
    early = sum(one.moment <= end / 4 for _, one in alarms)
    return (
        f"{name} {len(said):9}  {len(alarms):6}  {'  '.join(within)}  {never:8}  {passed:11}  {reached:7}"
        f"  {withdrawn:10}  {at_once:7}  {early:13}"
    )


def _reached(trace: Trace, begin: float, seconds: float) -> bool:
    during = zip(trace.moments, trace.left)
    return any(left <= 0 for moment, left in during if begin <= moment <= begin + seconds)


def details(traces: Mapping[str, Trace], overs: Sequence[float]) -> Iterator[str]:
    """Every alarm."""
    for name, trace in traces.items():
        for over in overs:
            for one in ask(trace, over):
                left, rate = one.forecast.left, one.forecast.rate
                if left is not None and rate is not None:
                    high = "never" if left.high is None else f"{left.high:.0f}"
                    yield (
                        f"{name} {over:g}s at {one.moment:.0f} s: in {left.mid:.0f} s ({left.low:.0f} to {high}),"
                        f" {rate.mid / 1024:.1f} KiB/s, {one.forecast.limit.left_bytes >> 20} MiB left"
                    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=10, help="each load runs so long (default: 10)")
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=[*LOADS], help="(default: all)")
    parser.add_argument("--over", nargs="+", type=float, default=[3, 10, 30], help="seconds of watches (3 10 30)")
    parser.add_argument("--record", type=Path, help="keep what was seen in this file")
    parser.add_argument("--replay", type=Path, help="run nothing; ask about what that file has")
    parser.add_argument("--details", action="store_true", help="list every alarm, too")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the loads end, too
    if arguments.replay is not None:
        traces = {name: Trace(*rest) for name, rest in json.loads(arguments.replay.read_text()).items()}
    else:
        loads = {name: LOADS[name] for name in arguments.loads}
        reasons = {name: why_impossible(load) for name, load in loads.items()}
        for name, reason in reasons.items():
            if reason is not None:
                print(f"{name}: {reason}", file=sys.stderr)
        traces = record({name: load for name, load in loads.items() if reasons[name] is None}, arguments.minutes * 60)
    if arguments.record is not None:
        arguments.record.write_text(json.dumps(traces))
    print("\n".join(summary(traces, arguments.over)))
    if arguments.details:
        print("\n".join(details(traces, arguments.over)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
