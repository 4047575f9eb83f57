"""The lines above a live ranking: memory, pressure, who is next and how sure that is."""

from __future__ import annotations

from oomctl.model.kernel import Certainty, Outcome, Round
from oomctl.model.listing import Machine
from oomctl.model.look import Look
from oomctl.render import reasons
from oomctl.render.text import count, named, named_or_nobody, size, visible


def memory(machine: Machine) -> str:
    """Return what is left of memory and swap."""
    swap = f"swap {size(machine.swap_left)} left of {size(machine.swap_total)}" if machine.swap_total else "no swap"
    return f"{size(machine.memory_left)} left of {size(machine.memory_total)}, {swap}"


def pressure(look: Look, result: Round) -> str:
    """Return how much waiting for memory there is, and how many processes the ranking has."""
    told = look.pressure
    waiting = "" if told is None else f"some {told.some:.1f} %, full {told.full:.1f} % of 10 s waited for memory; "
    hidden = f", {look.scenario.hidden} hidden from you" if look.scenario.hidden else ""
    return f"{waiting}{len(result.ranking)} killable, {len(result.spared)} not{hidden}"


def next_victim(look: Look, result: Round) -> str:
    """Return whom the kernel would take, how sure that is, and what the kill would free."""
    if result.outcome is not Outcome.KILL or result.victim is None:
        return reasons.ended(result.reason)
    page = look.scenario.page_size
    name = named(result.victim.task)
    frees = f"its kill frees {size(result.freed_pages * page)}"
    others = len(result.killed) - 1
    if others:
        frees = f"its kill takes {count(others, 'other')} along and frees {size(result.freed_pages * page)}"
    return f"{name}, {certainty(look, result)}; {frees}"


def certainty(look: Look, result: Round) -> str:
    """Return ``certain`` with the lead, or ``close`` with those who may be first instead."""
    page = look.scenario.page_size
    if look.unread_near:
        return f"close: {look.unread_near} more may be first"
    if result.certainty is Certainty.CERTAIN:
        return "certain" if result.margin_pages is None else f"certain, leads by {size(result.margin_pages * page)}"
    if len(result.contenders) < 2 and result.doubts:
        return f"not certain: {visible(reasons.doubted(result.doubts[0]))}"
    rivals = [task for task in result.contenders if result.victim is None or task.pid != result.victim.task.pid]
    names = ", ".join(named(task) for task in rivals[:2]) + (", …" if len(rivals) > 2 else "")
    return f"close: or {names}"


def victim_name(result: Round) -> str:
    """Return the victim's name, or ``nobody``."""
    return named_or_nobody(result.victim.task if result.outcome is Outcome.KILL and result.victim else None)
