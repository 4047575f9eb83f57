"""Write the completion scripts anew, for every shell and both names of the program.

python completions/build.py
"""

from __future__ import annotations

from pathlib import Path

from oomctl.completion.shells import PROGRAMS, SHELLS, script


def files() -> dict[Path, str]:
    """Return every script with what belongs into it."""
    here = Path(__file__).parent
    return {here / f"{program}.{shell}": script(shell, program) for program in PROGRAMS for shell in SHELLS}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text)
