from __future__ import annotations

from tests.commands.conftest import server, sleeper

__all__ = ["server", "sleeper"]
