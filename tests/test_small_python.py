"""A Python without the optional modules, as minimal systems have it: what is missing is missed by those who need it."""

from __future__ import annotations

import lzma
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import two_on_one_map

PROJECT = Path(__file__).parents[1]
MISSING = ("_ctypes", "_lzma", "_bz2", "_zstd", "zlib", "readline", "_curses", "_sqlite3", "_ssl", "_uuid")
"""Extension modules whose libraries are left out first."""
LOG = (Path(__file__).parent / "data/oom-logs/6.8-memcg-order-3.log").read_bytes()


def oomctl(*arguments: str, stdin: bytes = b"", missing: tuple[str, ...] = MISSING) -> subprocess.CompletedProcess[str]:
    """Run oomctl where the imports of ``missing`` fail as they do without their libraries."""
    program = (
        f"import sys\nsys.modules.update(dict.fromkeys({missing!r}))\n"
        "from oomctl.__main__ import main\nsys.argv[0] = 'oomctl'\nmain()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], cwd=PROJECT, input=stdin, capture_output=True, check=False
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


@pytest.mark.live
@pytest.mark.parametrize("arguments", [("simulate",), ("top", "--once"), ("explain", "1"), ("snapshot",)], ids=str)
def test_a_live_question_is_answered(arguments: tuple[str, ...]) -> None:
    """Although two have one memory map, so that the kernel would be asked who shares."""
    with two_on_one_map():
        done = oomctl(*arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    assert done.stdout


@pytest.mark.live
@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        pytest.param(("top", "--once"), 0, id="top"),
        pytest.param(("simulate", "--json"), 0, id="simulate"),
        pytest.param(("explain", "1"), 0, id="explain"),
        pytest.param(("set", "500", "cmd:a-word-of-oomctl-s-own-line", "--dry-run"), 1, id="only those above have it"),
    ],
)
def test_psutil_is_not_needed(arguments: tuple[str, ...], status: int) -> None:
    done = oomctl(*arguments, missing=("psutil",))
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr


def test_a_plain_log_is_read(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(LOG)
    done = oomctl("history", "--file", str(tmp_path / "log"))
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("beginning", "kind", "program"),
    [(lzma.compress(LOG), "xz", "xzcat"), (b"\x1f\x8b\x08", "gzip", "zcat")],
    ids=["xz", "gzip"],
)
def test_a_log_that_cannot_be_unpacked_is_refused_in_words(
    tmp_path: Path, beginning: bytes, kind: str, program: str
) -> None:
    (tmp_path / "log").write_bytes(beginning)
    done = oomctl("history", "--file", str(tmp_path / "log"))
    assert done.returncode == 2
    expected = f"compressed with {kind}, which this Python was built without; unpack it first ({program})"
    assert expected in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
