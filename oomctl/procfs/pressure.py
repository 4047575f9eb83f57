"""Pressure stall information: how much waiting for memory there is (since v4.20, where it is switched on)."""

from __future__ import annotations

import re

from oomctl.errors import ImpossibleHere
from oomctl.model.look import Pressure
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.cgroupfiles import text_in
from oomctl.procfs.reader import Procfs

_AVERAGE = re.compile(r"^(some|full) avg10=(\d{1,3}(?:\.\d{1,2})?) ", re.MULTILINE | re.ASCII)


def memory_pressure(procfs: Procfs) -> Pressure | None:
    """Return the machine's memory pressure; None where the kernel does not tell."""
    try:
        return _pressure(procfs.machine_text("pressure/memory"))
    except ImpossibleHere:  # no such file; EOPNOTSUPP with psi=0
        return None


def pressure_in(memcgs: Memcgs, path: str) -> Pressure | None:
    """Return the memory pressure in a memory cgroup; None where the kernel does not tell, as v1."""
    return _pressure(text_in(memcgs.directory(path), "memory.pressure"))


def _pressure(text: str) -> Pressure | None:
    averages = dict(_AVERAGE.findall(text))
    if "some" not in averages:
        return None
    return Pressure(float(averages["some"]), float(averages.get("full", 0)))
