"""What was forecast of real leaks beside what became of them: counted, and every promise that was broken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Any, NamedTuple

MIB = 1 << 20
WAYS = (0.25, 0.5, 0.75)
"""So much of the way to the limit was gone when it was asked."""


class Forecast(NamedTuple):
    """What was said, and when."""

    way: float
    moment: float
    slack: float
    """Seconds by which the last look, from which the time was said, may have been off ``moment``."""
    limit: dict[str, Any]

    @property
    def is_certain(self) -> bool:
        """Whether it names one process that nobody else can replace."""
        return bool(self.limit["victim"]) and self.limit["certainty"] == "certain"


class Trial(NamedTuple):
    """One limit that was reached."""

    name: str
    """Who leaked."""
    kind: str
    forecasts: tuple[Forecast, ...]
    killed_at: float
    victim: int

    def errors(self, one: Forecast) -> float:
        """How far the time was off, as a part of the real one."""
        real = self.killed_at - one.moment
        return abs(float(one.limit["seconds_left"]["mid"]) - real) / max(real, 0.1)

    def width(self, one: Forecast) -> float:
        """How wide the interval is, as a part of the time that was said; an open one is infinite."""
        left = one.limit["seconds_left"]
        return float("inf") if left["high"] is None else float(left["high"] - left["low"]) / max(left["mid"], 0.1)

    def is_inside(self, one: Forecast) -> bool:
        """Whether the real time lies in the interval."""
        real, left = self.killed_at - one.moment, one.limit["seconds_left"]
        return left["low"] - one.slack <= real and (left["high"] is None or real <= left["high"] + one.slack)

    def is_wrong(self, one: Forecast) -> bool:
        """Whether somebody was certain to die and another one did."""
        return one.is_certain and one.limit["victim"]["pid"] != self.victim

    def is_running(self, one: Forecast) -> bool:
        """Whether who died was said to be in the running; where nobody was named, nothing was said."""
        return not one.limit["victim"] or self.victim in one.limit["contenders"] or one.limit["newcomer"]


def trials_of(events: Iterable[dict[str, Any]]) -> list[Trial]:
    """Return what a guest told of its leaks, without those that nobody died of."""
    return [
        Trial(
            event["name"],
            event["kind"],
            tuple(Forecast(**one) for one in event["forecasts"]),
            event["killed_at"],
            event["victim"],
        )
        for event in events
        if "victim" in event
    ]


def summary(trials: Sequence[Trial]) -> Iterator[str]:
    """Lay out a row for each kind and each way, for each kind, and for all."""
    kinds = sorted({trial.kind for trial in trials})
    wide = max((len(kind) for kind in kinds), default=0)
    yield f"{len(trials)} kills"
    yield (
        f"{'kind':{wide}} {'way':>4} asked  time said  in the interval  median error  width"
        "  certain  of them right  in the running"
    )
    for kind, way in [*((kind, way) for kind in kinds for way in WAYS), *((kind, None) for kind in (*kinds, "all"))]:
        chosen = [
            (trial, one)
            for trial in trials
            for one in trial.forecasts
            if kind in (trial.kind, "all") and way in (one.way, None)
        ]
        yield _row(f"{kind:{wide}} {'' if way is None else f'{way:.0%}':>4}", chosen)


def _row(name: str, chosen: Sequence[tuple[Trial, Forecast]]) -> str:
    timed = [(trial, one) for trial, one in chosen if one.limit["seconds_left"]]
    inside = sum(trial.is_inside(one) for trial, one in timed)
    errors = [trial.errors(one) for trial, one in timed]
    widths = [trial.width(one) for trial, one in timed]
    named = [(trial, one) for trial, one in timed if one.limit["victim"]]
    certain = [(trial, one) for trial, one in named if one.is_certain]
    right = sum(not trial.is_wrong(one) for trial, one in certain)
    running = sum(trial.is_running(one) for trial, one in named)
    off, wide = (f"{median(values):.1%}" if values else "-" for values in (errors, widths))
    return (
        f"{name} {len(chosen):5}  {len(timed):9}  {_share(inside, len(timed)):>15}  {off:>12}  {wide:>5}"
        f"  {len(certain):7}  {_share(right, len(certain)):>13}  {_share(running, len(named)):>14}"
    )


def _share(part: int, whole: int) -> str:
    return f"{part} ({100 * part / whole:.0f} %)" if whole else "-"


def misses(trials: Sequence[Trial]) -> Iterator[str]:
    """Every forecast that was wrong: the time outside of the interval, or the victim not who it was certain to be."""
    for trial in trials:
        for one in trial.forecasts:
            limit = one.limit
            if not limit["seconds_left"]:
                continue
            if trial.is_wrong(one) or not trial.is_running(one) or not trial.is_inside(one):
                victim = limit["victim"] and limit["victim"]["pid"]
                real = trial.killed_at - one.moment
                yield (
                    f"{trial.kind} at {one.way:.0%}: {limit['seconds_left']}, real {real:.1f}; {victim}"
                    f" {limit['certainty']} of {limit['contenders']}, real {trial.victim};"
                    f" {limit['left_bytes'] / MIB:.0f} MiB left, {limit['rate_bytes_per_second'] / MIB:.1f} MiB/s;"
                    f" {trial.name}"
                )
