"""Rules as they stand in a policy file."""

from __future__ import annotations

import json


def rule(target: str | list[str], adj: int, **more: object) -> str:
    return f"[[rule]]\ntarget = {json.dumps(target)}\nadj = {adj}\n" + "".join(
        f"{key} = {json.dumps(value)}\n" for key, value in more.items()
    )
