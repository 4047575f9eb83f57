"""A terminal that goes away takes the live view with it."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from tests.commands.terminal import PATIENCE_S, Terminal


@pytest.mark.parametrize("options", [("--simple",), ()], ids=["simple", "interactive"])
@pytest.mark.parametrize("attempt", range(3))
def test_a_closed_terminal_ends_top(options: tuple[str, ...], attempt: int) -> None:
    terminal = Terminal(100, 24)
    process = terminal.start("top", *options, "-d", "0.1")
    terminal.wait_for(lambda text: "next:" in text)
    terminal.hang_up()
    assert waited_for(process) is not None, "it lives on without its terminal"


def waited_for(process: subprocess.Popen[bytes]) -> int | None:
    deadline = time.monotonic() + PATIENCE_S
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if process.returncode is None:
        os.kill(process.pid, 9)
        process.wait()
        return None
    return process.returncode
