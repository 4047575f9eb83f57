"""The answer of ``forecast``: a paragraph for each limit that is reached, one document for scripts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from oomctl.model.kernel import Outcome
from oomctl.model.limits import LimitKind
from oomctl.model.listing import Row
from oomctl.model.look import Pressure
from oomctl.model.trend import Choice, LimitForecast, Motion, Rate, Seconds
from oomctl.render import podnames, reasons
from oomctl.render.fields import pid_of, process_document
from oomctl.render.text import count, size, visible
from oomctl.render.verdict import limit_name, name_of, of_round

_MOST_NAMES = 5
_LONGER = 4
_LENGTHS = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
_TWO_DAYS = 2 * 86400
_MOTIONS = {
    Motion.GROWING: "grows",
    Motion.STEADY: "does not move",
    Motion.SHRINKING: "becomes less",
    Motion.SLOWING: "grows ever more slowly",
    Motion.UNCLEAR: "does not grow steadily",
    Motion.TOO_FEW: "was looked at too seldom",
}


class Told(NamedTuple):
    """One limit, with all that is said of it."""

    forecast: LimitForecast
    victim: Row | None = None
    """As it is now."""


class Answer(NamedTuple):
    """What ``forecast`` was asked, and what came out."""

    kernel: str
    page_size: int
    over_seconds: float
    looks: int
    horizon_seconds: float
    hidden: int
    limits: Sequence[Told]
    """Those that are reached, the first one first; then the others, the nearest first."""


def document(answer: Answer) -> dict[str, Any]:
    """Return the JSON document."""
    return {
        "schema": "oomctl.forecast/1",
        "kernel": answer.kernel,
        "page_size": answer.page_size,
        "over_seconds": round(answer.over_seconds, 3),
        "looks": answer.looks,
        "horizon_seconds": answer.horizon_seconds,
        "hidden_processes": answer.hidden,
        "limits": [limit_document(one, answer.page_size) for one in answer.limits],
    }


def limit_document(told: Told, page_size: int) -> dict[str, Any]:
    """Return what a document has of one limit."""
    one = told.forecast
    result = one.choice and one.choice.result
    victim = result and result.victim
    rate, left, pressure = one.rate, one.left, one.pressure
    return {
        "scope": one.limit.memcg or "machine",
        "pod": podnames.document(one.limit.memcg),
        "limit_bytes": one.limit_bytes,
        "left_bytes": one.limit.left_bytes,
        "motion": one.motion.value,
        "rate_bytes_per_second": rate and round(rate.mid),
        "rate_interval_bytes_per_second": rate and {"low": round(rate.low), "high": round(rate.high)},
        "seconds_left": left and {name: value and round(value, 1) for name, value in left._asdict().items()},
        "growing": [
            {"pid": pid_of(grower.task), "comm": grower.task.comm, "rate_bytes_per_second": round(grower.rate)}
            for grower in one.growing
        ],
        "outcome": result and result.outcome.value,
        "reason": result and reasons.ended(result.reason),
        "victim": told.victim and process_document(told.victim, page_size),
        "certainty": result.certainty.value if result and victim else None,
        "contenders": [pid_of(task) for task in result.contenders] if result else [],
        "newcomer": one.choice.newcomer if one.choice else False,
        "doubts": [{"id": doubt.kind.value, "message": reasons.doubted(doubt)} for doubt in result.doubts]
        if result
        else [],
        "pressure": pressure and {"some": pressure.some, "full": pressure.full},
    }


def text(answer: Answer) -> str:
    """Return a paragraph for each limit that is reached, its answer in the first line; then what there is else."""
    reached = [told for told in answer.limits if told.forecast.left is not None]
    others = [told.forecast for told in answer.limits if told.forecast.left is None]
    paragraphs = [_paragraph(told, answer.page_size) for told in reached]
    if not reached:
        watched = f"watched for {duration(answer.over_seconds)}, {count(answer.looks, 'look')}"
        within = duration(answer.horizon_seconds)
        lead = "" if any(one.motion is Motion.GROWING for one in others) else "nothing grows: "
        paragraphs.append([f"{lead}no limit is reached within {within} ({watched})"])
    rest = _others(others, answer, shown=_MOST_NAMES if not reached else 0)
    return "\n\n".join("\n".join(lines) for lines in (*paragraphs, rest) if lines) + "\n"


def _paragraph(told: Told, page: int) -> list[str]:
    one = told.forecast
    result = one.choice and one.choice.result
    first = f"{_when(one)}; {of_round(result, page)}" if result else _when(one)
    left = f"{size(one.limit.left_bytes)} of {size(one.limit_bytes)} left"
    lines = [first, _labelled("Growth", f"{_rate(one.rate)}; {left}")]
    if one.growing:
        lines.append(_labelled("", _growers(one)))
    if one.choice and result and result.outcome is Outcome.KILL:
        lines += _why(one.choice, page)
    if one.pressure is not None:
        lines.append(_labelled("Pressure", _waiting(one.pressure)))
    return lines


def sentence(one: LimitForecast, page_size: int) -> str:
    """Return in one line when a limit is reached, whom the kernel takes then, and who grows; it is reached."""
    parts = [_when(one) + (f" at {size(round(one.rate.mid))}/s" if one.rate else "")]
    if one.choice:
        parts.append(of_round(one.choice.result, page_size))
    if one.growing:
        parts.append(f"growth: {_growers(one)}")
    return "; ".join(parts)


def _when(one: LimitForecast) -> str:
    reached = "used up" if one.limit.kind is LimitKind.MACHINE else "reached"
    return f"{limit_name(one.limit)} is {reached} {_in(one.left)}" if one.left else ""


def _in(left: Seconds) -> str:
    low, high = duration(left.low), None if left.high is None else duration(left.high)
    between = f"{low} at the earliest, or never" if high is None else f"{low} to {high}"
    return f"in {duration(left.mid)} ({between})"


def _rate(rate: Rate | None) -> str:
    if rate is None:
        return "not known"
    return f"{size(round(rate.mid))}/s ({size(round(rate.low))} to {size(round(rate.high))})"


def _growers(one: LimitForecast) -> str:
    named = [f"{name_of(grower.task)} {size(round(grower.rate))}/s" for grower in one.growing[:_MOST_NAMES]]
    more = len(one.growing) - len(named)
    return ", ".join(named) + (f", and {more} more" if more else "")


def _why(choice: Choice, page: int) -> list[str]:
    result, lines = choice.result, []
    why = result.reason
    if why.task and why.other and why.margin_pages is not None:
        lines.append(f"{name_of(why.task)} would lead {name_of(why.other)} by {size(why.margin_pages * page)} then")
    if len(result.contenders) > 1:
        names = ", ".join(name_of(task) for task in result.contenders[:_MOST_NAMES])
        more = len(result.contenders) - _MOST_NAMES
        lines.append(f"what each grows by until then decides between {names}{f' and {more} more' if more > 0 else ''}")
    if choice.newcomer:
        lines.append("one that begins meanwhile may be the first: not all growth is of those who were there all along")
    lines += [visible(reasons.doubted(doubt)) for doubt in result.doubts]
    return [_labelled("" if index else "Why", line) for index, line in enumerate(lines)]


def _waiting(pressure: Pressure) -> str:
    return f"in {pressure.some:g} % of the last 10 s a task waited for memory, in {pressure.full:g} % all did"


def _others(others: Sequence[LimitForecast], answer: Answer, shown: int) -> list[str]:
    """Say what is known of limits that are not reached; those that might be come first, and are told in any case."""
    unclear = [one for one in others if _may_be_reached(one, answer.horizon_seconds)]
    named = [*unclear, *(one for one in others if one not in unclear)][: max(shown, min(len(unclear), _MOST_NAMES))]
    lines = [_labelled("" if index else "Else", _motion(one)) for index, one in enumerate(named)]
    if len(others) > len(named):
        more = count(len(others) - len(named), "more limit is", "more limits are")
        lines.append(_labelled("" if named else "Else", f"{more} not reached"))
    if unclear:
        longer = f"--over {math.ceil(answer.over_seconds * _LONGER)}s"
        lines.append(_labelled("", f"{longer} tells more about what does not grow steadily"))
    if answer.hidden:
        hidden = count(answer.hidden, "process is hidden", "processes are hidden")
        lines.append(_labelled("" if lines else "Else", f"{hidden} from here, and not counted"))
    return lines


def _may_be_reached(one: LimitForecast, horizon: float) -> bool:
    growing = one.motion in (Motion.UNCLEAR, Motion.SLOWING) and one.rate is not None and one.rate.mid > 0
    return growing and one.rate is not None and one.limit.left_bytes <= one.rate.mid * horizon


def _motion(one: LimitForecast) -> str:
    at = f" by {_rate(one.rate)}" if one.motion is Motion.GROWING else ""
    return f"{limit_name(one.limit)}: {size(one.limit.left_bytes)} left; what is used {_MOTIONS[one.motion]}{at}"


def duration(seconds: float) -> str:
    """Return a time in the two units that matter: ``45 s``, ``4 min 10 s``, ``24 h``, ``2 d 5 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    numbers, left = [], round(seconds)
    for unit, length in _LENGTHS[1:] if left < _TWO_DAYS else _LENGTHS:
        number, left = divmod(left, length)
        numbers.append((number, unit))
    first = next(index for index, (number, _) in enumerate(numbers) if number)
    return " ".join(f"{number} {unit}" for number, unit in numbers[first : first + 2] if number)


def _labelled(label: str, line: str) -> str:
    return f"{label:<11}{line}"
