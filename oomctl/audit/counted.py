"""How many kills there were at the last check: one small file of each user."""

from __future__ import annotations

import json
import os
from contextlib import suppress

from oomctl.guard import files, places

_MOST_BYTES = 4096


def at_last_check(boot_id: str) -> int | None:
    """Return the kills of this boot that the last check knew of; None where there was none yet."""
    try:
        content = json.loads(files.read_regular(_path(), _MOST_BYTES))
        known, number = content["boot_id"], content["kills"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    if not isinstance(number, int) or known != boot_id:
        return 0  # the machine has started since
    return number


def remember(boot_id: str, kills: int) -> None:
    """Write it down. Where that is impossible, the next check tells of the same kills again."""
    text = json.dumps({"boot_id": boot_id, "kills": kills}) + "\n"
    with suppress(OSError):
        os.makedirs(os.path.dirname(_path()), mode=0o700, exist_ok=True)
        files.replace(_path(), text.encode(), 0o600)


def _path() -> str:
    return os.path.join(places.state(), "oomctl", "check")
