"""A home in which a shell completes oomctl as `completion --install` leaves it: start-up files, and the programs."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.shells.empty import where_nothing_is
from tests.shells.terminal import PROMPT, Terminal

PROJECT = Path(__file__).parents[2]
SHELLS = ("bash", "zsh", "fish")
BASH_COMPLETION = Path("/usr/share/bash-completion/bash_completion")
RC = {
    "bash": (".bashrc", f"PS1='{PROMPT} '\nbind 'set enable-bracketed-paste off'\n. {BASH_COMPLETION}\n"),
    "zsh": (".zshrc", f"PS1='{PROMPT} '\nsetopt no_list_beep\n"),
    "fish": (
        ".config/fish/config.fish",
        f"set -g fish_greeting\nset -g fish_autosuggestion_enabled 0\nfunction fish_prompt; echo -n '{PROMPT} '; end\n",
    ),
}
COMMAND = {"bash": ["bash", "--noprofile", "-i"], "zsh": ["zsh", "-i"], "fish": ["fish", "-i"]}
PROGRAM = f"#!{sys.executable}\nfrom oomctl.__main__ import main\nmain()\n"


def require(shell: str) -> None:
    """Skip where ``shell``, or what it completes with, is not installed."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    if shell == "bash" and not BASH_COMPLETION.exists():
        pytest.skip("bash-completion is not installed")


def start(
    shell: str, directory: Path, env: Mapping[str, str], program: str = PROGRAM, rc: str = "", for_all: bool = False
) -> Terminal:
    """Start ``shell`` in ``directory/home`` with ``directory/bin`` in its PATH, both names of the program in it.

    ``program`` is their text; ``rc`` is for the end of the shell's start-up file. ``for_all`` (root): completion is
    installed for all users, and for this shell only.
    """
    home, programs = directory / "home", directory / "bin"
    programs.mkdir(exist_ok=True)
    # Else the first fish of a home reads all manual pages in the background, and outlives the test.
    (home / ".local/share/fish/generated_completions").mkdir(parents=True)
    env = {
        "HOME": str(home),
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(PROJECT),
        "TERM": "xterm",
        "LANG": "C.UTF-8",
        **env,
    }
    for name in ("oomctl", "oomadm"):
        executable(programs / name, program)
    install = [sys.executable, "-m", "oomctl", "completion", "--install", shell]
    how = ["--system", "--dry-run"] if for_all else []
    said = subprocess.run([*install, *how], env=env, check=True, stdout=subprocess.PIPE, text=True).stdout
    name, text = RC[shell]
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(text + said.partition("~/.zshrc has: ")[2] + rc)
    if not for_all:
        return Terminal(COMMAND[shell], env, home)
    both = f"{shlex.join(install)} --system >/dev/null && exec {shlex.join(COMMAND[shell])}"
    return Terminal([*where_nothing_is(shell), "sh", "-c", both], env, home)


def executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)
