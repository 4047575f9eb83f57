"""After ``oomctl completion --install``, and what it says is still to be done, a new shell completes oomctl."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.privileges import needs_root
from tests.shells import home
from tests.shells.terminal import PROMPT, TAB

pytestmark = pytest.mark.shells


@pytest.mark.parametrize("for_all", [False, pytest.param(True, marks=needs_root)], ids=["for one", "for all"])
def test_a_new_shell_completes_what_was_installed(shell: str, tmp_path: Path, for_all: bool) -> None:
    with home.start(shell, tmp_path, {}, for_all=for_all) as terminal:
        terminal.wait_for(PROMPT)
        terminal.type("oomctl sim" + TAB)
        terminal.wait_for_line("oomctl simulate ")
        terminal.type("\x15oomadm completion --ins" + TAB)
        terminal.wait_for_line("oomadm completion --install ")
        terminal.type("f" + TAB)
        terminal.wait_for_line("oomadm completion --install fish ")
