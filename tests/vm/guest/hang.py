"""A script that never comes to its end."""

from __future__ import annotations

import signal


def main() -> None:
    signal.pause()
