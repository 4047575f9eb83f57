from __future__ import annotations

from tests.shells.conftest import shell

__all__ = ["shell"]
