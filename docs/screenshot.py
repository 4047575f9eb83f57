"""Draw what ``oomctl top --once`` shows of a made-up desktop: python -m docs.screenshot > docs/top.svg"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path

from click.testing import CliRunner
from rich.console import Console
from rich.text import Text

from docs.live_screenshot import desktop
from oomctl.cli.main import cli
from oomctl.render import fields

ARGUMENTS = ("top", "--once", "-n", "7")
# Without users: who has which number differs from machine to machine.
COLUMNS = ",".join(name for name in fields.DEFAULT if name != "user")
WIDTH = 124


def listing() -> str:
    """Return what the command prints on a terminal of that width with 256 colours."""
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(WIDTH), "NO_COLOR": None}
    with tempfile.TemporaryDirectory() as directory:
        machine = {"OOMCTL_PROC": str(desktop(Path(directory)).root)}
        asked = [*ARGUMENTS, "-o", COLUMNS, "--format", "table"]
        result = CliRunner(env={**terminal, **machine}).invoke(cli, asked, color=True)
    if result.exit_code:
        raise SystemExit(result.output)
    return result.output


def svg(listing: str, title: str) -> str:
    """Return text with a terminal's colour sequences as a picture of that terminal."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True, color_system="256")
    console.print(Text.from_ansi(listing))
    picture = console.export_svg(title=title, unique_id="top")
    # It fetches no font from the network: whoever looks at it has a monospaced one.
    return re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL).replace("Fira Code, ", "")


if __name__ == "__main__":
    sys.stdout.write(svg(listing(), " ".join(("oomctl", *ARGUMENTS))))
