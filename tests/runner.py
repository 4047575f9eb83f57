"""click's runner with stderr kept apart, which click before 8.2 has to be asked for."""

from __future__ import annotations

import inspect
from typing import Any

from click.testing import CliRunner


def runner() -> CliRunner:
    """Return a runner whose results have ``stdout`` and ``stderr``, each by itself."""
    wanted: dict[str, Any] = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}
    return CliRunner(**wanted)
