"""What the heading of a live view says of the minutes ahead, and a small picture of those behind."""

from __future__ import annotations

from collections.abc import Sequence

from oomctl.model.kernel import Certainty, Outcome, Round
from oomctl.model.trend import Ahead
from oomctl.render import reasons
from oomctl.render.forecast import duration
from oomctl.render.text import visible
from oomctl.render.verdict import name_of

_MOST_NAMES = 2
_BLOCKS = "▁▂▃▄▅▆▇█"
_LEAST_HEIGHT = 0.02
_MOST_CELLS = 40, 20
"""Of the picture, where there is room, and where there is less."""
_ROUNDED = ((7200, 600), (600, 60), (60, 10), (0, 1))
"""From so many seconds on they are told to so many."""


def roughly(seconds: float) -> str:
    """Return a time as people say it: ``45 s``, ``4 min 10 s``, ``12 min``, ``5 h 20 min``."""
    if round(seconds) < 1:
        return "1 s"
    step = next(step for least, step in _ROUNDED if seconds >= least)
    return duration(max(round(seconds / step) * step, 1)).replace(".0 s", " s")


def ahead_words(ahead: Ahead | None) -> list[Sequence[str]]:
    """Return when the memory is full and who dies then, as ``heading.fitting`` takes it; nothing where it is not."""
    if ahead is None or ahead.forecast.left is None:
        return []
    left, choice = ahead.forecast.left, ahead.forecast.choice
    may_not = [" or never", ""] if left.high is None else [""]
    full = f"at this rate full in {roughly(left.mid)}"
    then = [] if choice is None else _then(choice.result, choice.newcomer or not ahead.all_read)
    pictures = [f"  {picture(ahead.used, ahead.forecast.limit_bytes, most)}" for most in _MOST_CELLS]
    return [[full], may_not, *([then] if then else []), [*pictures, ""]]


def picture(used: Sequence[int], limit_bytes: int, most: int) -> str:
    """Draw what was ``used`` at each look, the latest last, in as many cells; where that is more than ``most``, means.

    From bottom to top it is what lies between the least and the most that was used, but 2 % of the limit at least: a
    few pages more or less are a flat line.
    """
    if not used:
        return ""
    together = -(-len(used) // most)
    first = len(used) % together  # from the end on, so that the latest is a mean of as many as the others
    groups = [used[max(end - together, 0) : end] for end in range(first or together, len(used) + 1, together)]
    levels = [sum(group) / len(group) for group in groups]
    height = max(max(levels) - min(levels), limit_bytes * _LEAST_HEIGHT, 1)
    highest = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round((level - min(levels)) * highest / height)] for level in levels)


def _then(result: Round, others_may_be: bool) -> list[str]:
    """Return who dies, in fewer and fewer words."""
    if result.outcome is not Outcome.KILL or result.victim is None:
        return [f", then nobody can be killed: {visible(reasons.ended(result.reason))}", ""]
    first = result.victim.task
    names = [name_of(first), *(name_of(task) for task in result.contenders if task.pid != first.pid)]
    if len(names) == 1:
        sure = result.certainty is Certainty.CERTAIN and not others_may_be
        return [f", then {'' if sure else 'probably '}{names[0]} dies", ""]
    if len(names) == _MOST_NAMES and not others_may_be:
        return [f", then {names[0]} or {names[1]} dies", f", then one of {len(names)} dies", ""]
    return [f", then probably {names[0]} dies, or another", f", then probably {names[0]} dies", ""]
