from __future__ import annotations

from tests.commands.conftest import sleeper

__all__ = ["sleeper"]
