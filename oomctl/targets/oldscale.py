"""The scale of ``oom_adj``, which ``oom_score_adj`` replaced in Linux 2.6.36; old habits and files still have it."""

from __future__ import annotations

_OLD_SCALE = range(-17, 16)  # OOM_DISABLE..OOM_ADJUST_MAX


def doubt(adj: int) -> str | None:
    """Return what is doubtful about a value that may have been meant in the old scale; None: it is not that small."""
    if adj == 0 or adj not in _OLD_SCALE:
        return None
    return f"{adj} is a small step here; -17..15 was the scale of oom_adj, whose -17 is -1000 today"
