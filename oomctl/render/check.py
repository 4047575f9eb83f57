"""What ``check`` has found: for people, for scripts, for Nagios and Checkmk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from oomctl.model.audit import Finding, Severity
from oomctl.model.listing import Row
from oomctl.render import podnames
from oomctl.render.document import json_line
from oomctl.render.fields import process_document
from oomctl.render.text import count, visible

_NAGIOS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}
_STATES = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
UNKNOWN = 3
"""Status of a plug-in that could not look."""
_MOST_TOLD = 3
_LONGEST = 300


def document(findings: Sequence[Finding], rows: Mapping[int, Row], page_size: int) -> str:
    """Return the JSON document; ``rows`` has the processes by PID, as far as they are still there."""
    entries = [_entry(finding, rows, page_size) for finding in findings]
    return json_line({"schema": "oomctl.check/1", "findings": entries})


def _entry(finding: Finding, rows: Mapping[int, Row], page_size: int) -> dict[str, Any]:
    process = finding.process
    known = rows.get(process.pid, Row(process)) if process else None
    return {
        "id": finding.id,
        "severity": finding.severity.value,
        "process": known and process_document(known, page_size),
        "unit": finding.unit,
        "cgroup": finding.cgroup,
        "pod": podnames.document(finding.cgroup),
        "pids": sorted(finding.pids),
        "message": finding.message,
        "remedy": finding.remedy,
        "forecast": _forecast(finding, known, page_size),
    }


def _forecast(finding: Finding, victim: Row | None, page_size: int) -> dict[str, Any] | None:
    if finding.forecast is None:
        return None
    from oomctl.render.forecast import Told, limit_document

    return limit_document(Told(finding.forecast, victim), page_size)


def text(findings: Sequence[Finding], passed: int) -> str:
    """Return the same for people: each with its remedy below it; ``passed`` checks found nothing."""
    if not findings:
        return f"{count(passed, 'check')}, nothing found\n"
    return "".join(_told(finding) for finding in findings)


def _told(finding: Finding) -> str:
    head = f"{finding.severity.value.upper():8}  {finding.id}: {visible(finding.message)}\n"
    return head + (f"{'':10}{visible(finding.remedy)}\n" if finding.remedy else "")


def nagios(findings: Sequence[Finding]) -> tuple[str, int]:
    """Return one line with performance data, and the plug-in's status: 0, 1 or 2."""
    status = _status(findings)
    return f"OOM {_STATES[status]} - {_summary(findings)} | {_counts(findings, ' ')}\n", status


def checkmk(findings: Sequence[Finding]) -> str:
    """Return the line of a Checkmk local check, which has the status in it."""
    return f"{_status(findings)} OOM {_counts(findings, '|')} {_summary(findings)}\n"


def nagios_failure(reason: str) -> str:
    """Return the line of a plug-in that could not look."""
    return f"OOM {_STATES[UNKNOWN]} - {_harmless(reason)}\n"


def checkmk_failure(reason: str) -> str:
    """Return the line of a local check that could not look."""
    return f"{UNKNOWN} OOM - {_harmless(reason)}\n"


def _status(findings: Sequence[Finding]) -> int:
    return max((_NAGIOS[finding.severity] for finding in findings), default=0)


def _counts(findings: Sequence[Finding], separator: str) -> str:
    found = [finding.severity for finding in findings]
    return separator.join(f"{severity.value}={found.count(severity)}" for severity in reversed(Severity))


def _summary(findings: Sequence[Finding]) -> str:
    told = [finding for finding in findings if finding.severity is not Severity.INFO]
    if not told:
        return "nothing found" if not findings else f"{count(len(findings), 'remark')}, nothing to worry about"
    shown = "; ".join(f"{finding.id}: {finding.message}" for finding in told[:_MOST_TOLD])
    rest = len(told) - _MOST_TOLD
    return _harmless(shown) + (f"; and {rest} more" if rest > 0 else "")


def _harmless(words: str) -> str:
    """One line in which nothing passes for performance data; a name may hold anything."""
    line = visible(" ".join(words.split())).replace("|", "/")
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def explanation(check_id: str, meaning: str, harm: str, met: str) -> str:
    """Return what one check is about."""
    return f"{check_id}: {meaning}\n  why   {harm}\n  seen  {met}\n"
