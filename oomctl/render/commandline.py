"""What a process runs, for people: its command line, by the name that the kernel logs."""

from __future__ import annotations

from collections.abc import Iterator

from oomctl.render.text import visible

_LONGEST_COMM = 15  # TASK_COMM_LEN in include/linux/sched.h, without the zero at its end

_WORDS_OF_A_SCRIPT = 3
"""``#!`` has an interpreter and at most one argument; the script follows (fs/binfmt_script.c)."""


def command(comm: str, cmdline: str | None, room: int) -> str:
    """Return ``java -jar app.jar``, ``postgres: walwriter``: in about ``room`` characters, and harmless.

    It begins with ``comm``, which is what the kernel logs and what a target matches: paths, and the interpreter of a
    script, are left out; where none of it is called so, comm stands before it. A kernel thread has no command line.
    """
    if not cmdline:
        return visible(comm)
    beginnings = (cmdline, *_without_directories(cmdline))
    told = next((text for text in beginnings if _begins_with(text, comm)), f"{comm}: {cmdline}")
    return visible(told[: room + 1])  # one more: it is seen then that it was cut


def _without_directories(cmdline: str) -> Iterator[str]:
    """Yield it from each word on that may be the program: its name, not its path, and no minus of a login shell."""
    for _ in range(_WORDS_OF_A_SCRIPT):
        program, space, cmdline = cmdline.partition(" ")
        yield program.rpartition("/")[2].removeprefix("-") + space + cmdline


def _begins_with(told: str, comm: str) -> bool:
    if not (comm and told.startswith(comm)):
        return False
    return told[len(comm) : len(comm) + 1] in ("", " ", ":") or len(comm.encode(errors="replace")) >= _LONGEST_COMM
