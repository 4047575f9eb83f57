"""Which kills are meant: those of a victim, a cgroup or a unit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from oomctl.kernel.constraint import below
from oomctl.model.oomreport import OomReport


class Wanted(NamedTuple):
    """What a report has to be about; None: whatever."""

    victim: re.Pattern[str] | None = None
    """The whole name of somebody who was killed."""
    cgroup: str | None = None
    """A path: the limit's or the victim's cgroup is it, or lies below it."""
    unit: re.Pattern[str] | None = None
    """The whole name of a unit in whose cgroup the victim was, or that had the limit."""

    def __call__(self, report: OomReport) -> bool:
        """Whether a report is meant."""
        return self._victim(report) and self._cgroup(report) and self._unit(report)

    def _victim(self, report: OomReport) -> bool:
        pattern = self.victim
        if pattern is None:
            return True
        names = {kill.comm for kill in (report.victim, report.selected, *report.killed) if kill is not None}
        return any(pattern.fullmatch(name or "") for name in names)

    def _cgroup(self, report: OomReport) -> bool:
        wanted = self.cgroup
        return wanted is None or any(below(path, wanted) for path in cgroups_of(report))

    def _unit(self, report: OomReport) -> bool:
        pattern = self.unit
        if pattern is None:
            return True
        names = {name for path in cgroups_of(report) for name in path.split("/")} | {report.elsewhere.unit or ""}
        return any(pattern.fullmatch(name) for name in names if name)


def cgroups_of(report: OomReport) -> list[str]:
    """Return the cgroups that a report is about, the victim's first, then the one that was full."""
    paths = (report.victim_memcg, report.elsewhere.cgroup, report.oom_memcg)
    return list(dict.fromkeys(path for path in paths if path))


def epoch_of(report: OomReport, boot_time: float | None) -> float | None:
    """Seconds since 1970; from this boot's clock where only the uptime is known and the log is this boot's."""
    if report.epoch_s is None and boot_time is not None and report.uptime_s is not None:
        return boot_time + report.uptime_s
    return report.epoch_s


def known_kernel(reports: Iterable[OomReport], release: str | None) -> Iterator[OomReport]:
    """Give reports that do not tell their kernel that one: for a log that only the running kernel can have written."""
    for report in reports:
        yield report._replace(kernel=release) if release and report.kernel is None else report
