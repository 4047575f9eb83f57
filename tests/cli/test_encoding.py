"""Output in an encoding that lacks what is drawn."""

from __future__ import annotations

import pytest

from tests.commands.invoke import program
from tests.commands.terminal import terminal, without_sequences
from tests.proc_tree import ProcTree


@pytest.mark.parametrize("encoding", ["iso-8859-1", "koi8-r"])
def test_a_table_keeps_its_columns(server: ProcTree, encoding: str) -> None:
    def drawn(encoding: str) -> list[str]:
        with terminal(80) as shown:
            env = {"OOMCTL_PROC": str(server.root), "PYTHONIOENCODING": encoding}
            assert shown.ended(shown.start("top", "--once", **env)) == 0
            return without_sequences(shown.written).splitlines()

    as_ever, poorer = drawn("utf-8"), drawn(encoding)
    assert "█" in "".join(as_ever)
    assert list(map(len, poorer)) == list(map(len, as_ever))
    assert "\\u" not in "".join(poorer)


def test_what_has_no_sign_of_ascii_is_written_as_its_number() -> None:
    ran = program("explain", "→日", env={"PYTHONIOENCODING": "iso-8859-1"})
    assert (ran.status, ran.stdout) == (1, "")
    assert ">\\u65e5" in ran.stderr
