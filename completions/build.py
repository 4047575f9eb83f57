"""Write what TAB needs anew: the outline of the commands, and the scripts for every shell and both names.

python completions/build.py
"""

from __future__ import annotations

import json
from pathlib import Path

from oomctl.cli.main import cli
from oomctl.completion.outline import outline_of
from oomctl.completion.shells import PROGRAMS, SHELLS, script

PROJECT = Path(__file__).parents[1]


def files() -> dict[Path, str]:
    """Return every generated file with what belongs into it."""
    outline = json.dumps(outline_of(cli), indent=1) + "\n"
    scripts = {
        PROJECT / "completions" / f"{program}.{shell}": script(shell, program)
        for program in PROGRAMS
        for shell in SHELLS
    }
    return {PROJECT / "oomctl" / "completion" / "outline.json": outline, **scripts}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
