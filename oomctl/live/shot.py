"""One look at the memory with what else a screen says of it."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import NamedTuple

from oomctl.live.ask import Ask
from oomctl.live.seen import Seen, scope_of
from oomctl.model.listing import Machine
from oomctl.model.look import Look
from oomctl.model.trend import Ahead
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.machine import machine_line
from oomctl.procfs.reader import Procfs
from oomctl.procfs.rooms import room_of
from oomctl.procfs.sampler import Sampler

_FIRST = 60
"""Lines that most screens have room for."""


class Shot(NamedTuple):
    """One look with what else a screen says of it."""

    look: Look
    machine: Machine
    only: set[int] | None
    """The processes that the list is limited to; None: all."""
    procfs: Procfs
    ahead: Ahead | None = None
    """What becomes of the memory in question; None where nothing is known of that."""

    @property
    def is_partial(self) -> bool:
        """Whether only those nearest to being killed were read."""
        scenario = self.look.scenario
        return scenario.unread_candidates + scenario.unread_unkillable > 0


def first_shot(sampler: Sampler, ask: Ask) -> Shot:
    """Look for the first time, only at those nearest to being killed, so that there is a list soon.

    NothingMatched where the list is limited to processes that are not there.
    """
    if not (ask.limits or ask.sort or ask.reverse):
        found = sampler.glance(_FIRST)
        if found is not None:
            look, procfs = found
            return Shot(look, machine_line(look.scenario, procfs), None, procfs)
    shot = shoot(sampler, ask)
    if shot.only is not None and not shot.only:
        raise ask.nothing_matched()
    return shot


def shoot(
    sampler: Sampler,
    ask: Ask,
    fresh: Collection[int] = (),
    sharers_of: Collection[int] = (),
    seen: Seen | None = None,
) -> Shot:
    """Look again, and let ``seen`` remember that; the other arguments are those of ``Sampler.look``."""
    look, procfs = sampler.look(fresh, sharers_of)
    if seen is not None:
        scope = scope_of(look.scenario)
        memcgs = None if scope is None else Memcgs.of(procfs)
        seen.remember(look, room_of(procfs, memcgs, [scope]).get(scope), time.monotonic())
        look = seen.with_growth(look)
    machine, only = machine_line(look.scenario, procfs), ask.pids(look.scenario, procfs)
    return Shot(look, machine, only, procfs, None if seen is None else seen.ahead)
