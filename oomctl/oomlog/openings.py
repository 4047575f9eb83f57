"""How the kernel's lines about an OOM kill begin: behind these places, a line is the kernel's own words."""

from __future__ import annotations

import re

_COMM_CHARACTERS = 15  # TASK_COMM_LEN with its null byte
_HEADER = re.compile(r"(.{0,400}?) ?\binvoked oom-killer: ?gfp_mask=")
_OPENING = re.compile(
    r"(?:"
    r"(?:Memory cgroup o|O)ut of memory\b|Kill(?:ed)? process \d|oom-kill:constraint=|oom_reaper: |OOM killed process"
    r"|Tasks? in /|Tasks in |Tasks state \(|Memory cgroup stats for /|Memory limit reached of|Kernel panic - not"
    r"|(?:memory(?:\+swap)?|swap|kmem): usage \d|Linux version \d|Mem-Info:|Call Trace:|Hardware name: "
    r"|CPU: \d{1,5} |Pid: \d|\[ *pid *\]|\[ *\d{1,10}\](?: +-?\d{1,20}){3}"
    r"|Node \d{1,5} |(?:DMA(?:32)?|Normal|HighMem|Movable)(?: free:|: \d|: per-cpu)|lowmem_reserve\[\]:"
    r"| ?(?:active_anon|active_file|unevictable|slab_reclaimable|mapped|free|sec_pagetables|kernel_misc_reclaimable)"
    r":\d{1,20}(?![\dkK])"
    r"|\d{1,20} (?:total pagecache pages|pages )|Swap cache stats: |(?:Free|Total) swap\b"
    r")"
)
_FARTHEST = 400
_SEPARATOR = re.compile(r"(?:[\]|>}]|: |- |\"|')\s{0,8}")


_POSITION_MATTERS = ("oom-killer:", "Node ", " free:", "kB = ", "Pid: ", "lowmem_reserve")
"""At least one of these is in every line that is only understood from its first word on."""


def begins(message: str) -> bool:
    """Whether a message begins as one of the kernel's about an OOM kill."""
    return _OPENING.match(message) is not None or " invoked oom-killer: gfp_mask=" in message[:48]


def opening_in(line: str) -> int | None:
    """Return where the first known beginning of a kernel line stands in a line that is no header."""
    opening = None if "oom-killer:" in line else _OPENING.search(line)
    return None if opening is None else opening.start()


def kernels_words(text: str) -> int:
    """Return where the kernel's words begin in a line; 0: at its start, or nothing in it is known.

    A header begins with a task's name, which may hold anything, but no more than 15 characters.
    """
    if not any(word in text for word in _POSITION_MATTERS):
        return 0
    if "oom-killer:" in text:
        header = _HEADER.match(text)
        if header is not None:
            return _name_start(header[1])
    if text.startswith(" "):
        opening = _OPENING.match(text, 1)  # continued lines of Mem-Info
        if opening is not None:
            return 0
    opening = _OPENING.search(text, 0, _FARTHEST)
    return opening.start() if opening is not None else 0


def _name_start(before: str) -> int:
    """Return where the name starts in what stands before ``invoked oom-killer``."""
    tab = before.rfind("\t") + 1
    before_name = len(before) - len(before.lstrip(" \t:|>)-"))
    window = max(len(before) - _COMM_CHARACTERS, tab)
    if window <= 0 or before[:window].isspace():
        return before_name
    if window == tab:
        return tab
    # The separator and the name may both be within reach: the first one leaves the longest name.
    for separator in _SEPARATOR.finditer(before, max(window - 10, 0)):
        if window <= separator.end() < len(before):
            return separator.end()
    space = before.find(" ", window - 1)
    if 0 <= space < len(before) - 1:
        return space + 1
    return before.rfind(" ") + 1
