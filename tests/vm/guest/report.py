"""The way back to the host: JSON lines on the second serial port."""

from __future__ import annotations

import json
import os
import termios
import tty
from typing import Any

PORT = "/dev/ttyS1"
"""What /init may set anew, where there is no second port."""
_fd: int | None = None


def send(event: str, **fields: Any) -> None:
    os.write(_port(), json.dumps({"event": event, **fields}).encode() + b"\n")


def drain() -> None:
    """Wait until everything is out."""
    termios.tcdrain(_port())


def _port() -> int:
    global _fd  # noqa: PLW0603 - one port, opened once /dev is there
    if _fd is None:
        _fd = os.open(PORT, os.O_WRONLY | os.O_NOCTTY)
        tty.setraw(_fd)
    return _fd
