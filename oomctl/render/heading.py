"""The lines above a live ranking: who is next and how sure that is, then memory, then who waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from oomctl.model.kernel import Certainty, Outcome, Round
from oomctl.model.listing import Machine
from oomctl.model.look import Look
from oomctl.model.trend import Ahead
from oomctl.render import reasons
from oomctl.render.ahead import ahead_words
from oomctl.render.folding import folded
from oomctl.render.gauges import Gauge, gauge_lines
from oomctl.render.lines import plain
from oomctl.render.palette import TERMINAL, Palette
from oomctl.render.text import count, named, named_or_nobody, size, visible

if TYPE_CHECKING:
    from rich.text import Text

_WORTH_A_COLOUR = 10.0
"""Percent of the time in which somebody waits."""


def heading_lines(
    machine: Machine,
    look: Look,
    result: Round,
    width: int,
    palette: Palette = TERMINAL,
    ahead: Ahead | None = None,
) -> list[Text]:
    """Return the lines above a live ranking, none of them cut where there are at least 60 columns."""
    words = fitting(ahead_words(ahead), width)
    scope = [] if machine.scope == "machine" else [plain(_scope(machine, width), width, palette.spared)]
    return [
        *scope,
        *_headline(look, result, width, palette),
        *([plain(words, width, palette.warning)] if words else []),
        *gauge_lines(gauges(machine), width, palette),
        _waiting_line(machine, look, result, width, palette),
    ]


def _scope(machine: Machine, width: int) -> str:
    """Name the memory in question; a path keeps its end, which tells more than its beginning."""
    scope = visible(machine.scope)
    room = max(width - len("scope: "), 1)
    return f"scope: {scope}" if len(scope) <= room else f"scope: …{scope[1 - room :]}"


def _headline(look: Look, result: Round, width: int, palette: Palette) -> list[Text]:
    sentence = fitting(next_victim(look, result), width)
    lines = [plain(line, width, "bold") for line in folded(sentence, width).split("\n")]
    head = len("next: ") + len(victim_name(result))
    if sentence.startswith("next: "):
        lines[0].stylize(palette.headline, 0, head)
    return lines


def _waiting_line(machine: Machine, look: Look, result: Round, width: int, palette: Palette) -> Text:
    swapless = [] if machine.swap_total else [["; no swap", ""]]
    line = plain(fitting([*pressure(look), *counts(look, result), *swapless], width), width, palette.spared)
    if look.pressure is not None and look.pressure.some >= _WORTH_A_COLOUR:
        line.stylize(palette.warning, 0, line.plain.find(";"))
    return line


def memory(machine: Machine) -> str:
    """Return what is left of memory and swap."""
    swap = f"swap {size(machine.swap_left)} left of {size(machine.swap_total)}" if machine.swap_total else "no swap"
    return f"{size(machine.memory_left)} left of {size(machine.memory_total)}, {swap}"


def gauges(machine: Machine) -> list[Gauge]:
    """Return the memories that matter: the limit in question, the machine's, and swap where there is some."""
    found = [Gauge("memory", machine.memory_left, machine.memory_total)]
    if machine.ram_total:
        found = [found[0]._replace(label="limit"), Gauge("memory", machine.ram_left, machine.ram_total)]
    if machine.swap_total:
        found.append(Gauge("swap", machine.swap_left, machine.swap_total))
    return found


Part = Sequence[str]
"""Ways to say something, the longest first; the last one may be empty."""


def fitting(parts: Sequence[Part], width: int) -> str:
    """Join ``parts``, each as long as fits; those further behind give way first."""
    from rich.cells import cell_len

    chosen = [0] * len(parts)

    def joined() -> str:
        return "".join(part[index] for part, index in zip(parts, chosen))

    for place in reversed(range(len(parts))):
        while cell_len(joined()) > width and chosen[place] + 1 < len(parts[place]):
            chosen[place] += 1
    return joined()


def pressure(look: Look) -> list[Part]:
    """Return how long somebody waited for memory; nothing where the kernel does not say."""
    told = look.pressure
    if told is None:
        return []
    if told.some <= 0:
        return [["nothing waits for memory; "]]
    some = "under 1" if told.some < 1 else f"{told.some:.0f}"
    all_of_them = f", {told.full:.0f} % everybody" if told.full >= 1 else ""
    return [[f"{some} % of the time somebody waits for memory"], [all_of_them, ""], ["; "]]


def counts(look: Look, result: Round) -> list[Part]:
    """Return how many processes the ranking has."""
    unread = look.scenario.unread_candidates
    killable, spared = len(result.ranking) + unread, len(result.spared) + look.scenario.unread_unkillable
    hidden = f", {look.scenario.hidden} hidden from you" if look.scenario.hidden else ""
    return [[f"{killable} killable"], [f", {spared} not", ""], [hidden, ""]]


def next_victim(look: Look, result: Round) -> list[Part]:
    """Return whom the kernel would take, how sure that is, and what the kill would free."""
    if result.outcome is not Outcome.KILL or result.victim is None:
        return [[f"next: nobody: {reasons.ended(result.reason)}"]]
    page = look.scenario.page_size
    frees = f"frees {size(result.freed_pages * page)}"
    others = len(result.killed) - 1
    along = [f"takes {count(others, 'other')} along and {frees}", frees] if others else [frees]
    sure = certainty(look, result)
    return [[f"next: {named(result.victim.task)}, "], sure, [f"; its kill {told}" for told in along] + [""]]


def certainty(look: Look, result: Round) -> list[str]:
    """Return how sure the answer is, the most words first: certain, with the lead, or close, with the rivals."""
    page = look.scenario.page_size
    if look.scenario.unread_candidates:
        return [f"as far as read: {count(look.scenario.unread_candidates, 'other')} to go", "reading the others"]
    if look.unread_near:
        return [f"close: {look.unread_near} more may be first"]
    if result.certainty is Certainty.CERTAIN:
        words = "certain, settled" if result.settled else "certain"
        lead = [] if result.margin_pages is None else [f"{words}, leads by {size(result.margin_pages * page)}"]
        return [*lead, words]
    if len(result.contenders) < 2 and result.doubts:
        return [f"not certain: {visible(reasons.doubted(result.doubts[0]))}"]
    rivals = [named(task) for task in result.contenders if task.pid != _victim_pid(result)]
    more = [f", {len(rivals) - told} more" if len(rivals) > told else "" for told in range(3)]
    some = [f"close: or {', '.join(rivals[:told])}{more[told]}" for told in (2, 1)]
    return [*some, f"close: {count(len(rivals), 'other')} may be first"]


def _victim_pid(result: Round) -> int | None:
    return result.victim.task.pid if result.victim else None


def victim_name(result: Round) -> str:
    """Return the victim's name, or ``nobody``."""
    return named_or_nobody(result.victim.task if result.outcome is Outcome.KILL and result.victim else None)
