"""How often the OOM killer killed: for 80 columns, or the JSON document."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

from oomctl.model.oomtally import Share, Shares, Tally, When
from oomctl.render.text import count, visible

_COLUMNS = 80
_MOST_ROWS = 10
_MOST_DAYS = 14


def document(tally: Tally) -> str:
    """Return the JSON document of ``history --summary``."""
    whole = {
        "schema": "oomctl.history-summary/1",
        "events": tally.events,
        "kills": tally.kills,
        "first": _iso(tally.first),
        "last": _iso(tally.last),
        "by_victim": _shares("comm", tally.by_victim),
        "by_cgroup": _shares("cgroup", tally.by_cgroup),
        "by_day": [{"day": share.name, "kills": share.kills} for share in tally.by_day.listed],
        "not_listed": {
            "by_victim": tally.by_victim.not_listed,
            "by_cgroup": tally.by_cgroup.not_listed,
            "by_day": tally.by_day.not_listed,
        },
    }
    return json.dumps(whole) + "\n"


def _shares(key: str, shares: Shares) -> list[dict[str, Any]]:
    return [{key: share.name, "kills": share.kills, "last": _iso(share.last)} for share in shares.listed]


def text(tally: Tally) -> str:
    """Return the same for people, each line of at most 80 columns."""
    spared = tally.events - tally.kills
    without = f", {count(spared, 'more event')} without a known victim" if spared else ""
    lines = [f"{count(tally.kills, 'OOM kill')}{without}"]
    lines.append(f"first {_when(tally.first)}, last {_when(tally.last)}")
    lines += _listed("By victim", tally.by_victim, _MOST_ROWS)
    lines += _listed("By cgroup", tally.by_cgroup, _MOST_ROWS)
    days = tally.by_day.listed
    recent = Shares(days[-_MOST_DAYS:], tally.by_day.not_listed + sum(share.kills for share in days[:-_MOST_DAYS]))
    lines += _listed("By day", recent, _MOST_DAYS)
    return "\n".join(lines) + "\n"


def _listed(title: str, shares: Shares, most: int) -> list[str]:
    if not shares.listed:
        return []
    shown, rest = shares.listed[:most], shares.listed[most:]
    left = sum(share.kills for share in rest) + shares.not_listed
    with_last = title != "By day"
    lines = ["", title + (" (last time)" if with_last else "")]
    lines += [_row(share, with_last) for share in shown]
    if left:
        lines.append(f"{left:>7}  of {'earlier days' if not with_last else 'others'}")
    return lines


def _row(share: Share, with_last: bool) -> str:
    last = f"  ({_when(share.last)})" if with_last else ""
    name = "?" if share.name is None else visible(share.name) or '""'
    return f"{share.kills:>7}  {_fitting(name, _COLUMNS - 9 - len(last))}{last}"


def _fitting(name: str, most: int) -> str:
    """Return a name, of a long path the end, which tells most."""
    return name if len(name) <= most else "..." + name[3 - most :]


def _when(when: When | None) -> str:
    moment = _moment(when)
    if moment is not None:
        return f"{moment:%Y-%m-%d %H:%M:%S}"
    if when is None:
        return "?"
    if when.text:
        return _fitting(visible(when.text), 32)
    return "?" if when.uptime_s is None else f"{when.uptime_s:.0f} s after boot"


def _iso(when: When | None) -> str | None:
    moment = _moment(when)
    if moment is not None:
        return moment.astimezone(timezone.utc).isoformat(timespec="seconds")
    return None if when is None else when.text


def _moment(when: When | None) -> datetime | None:
    """Return the local time; None also for one that no calendar here has."""
    if when is None or when.epoch_s is None:
        return None
    try:
        return datetime.fromtimestamp(when.epoch_s, timezone.utc).astimezone()
    except (ValueError, OverflowError, OSError):
        return None
