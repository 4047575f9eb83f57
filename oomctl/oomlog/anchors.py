"""Words by which a report is found in a log that is mostly about something else."""

from __future__ import annotations

ANCHORS = (
    b"om-kill",  # "invoked oom-killer:", "oom-kill:constraint=", "Failed with result 'oom-kill'"
    b"m_reaper",
    b"adj name",  # the end of the table's header
    b"Kill",  # "Kill process", "Killed process"
    b"ut of mem",
    b"eadlocked on mem",
    b"OOM",  # "Manual OOM execution", OpenVZ, systemd
    b"md-oomd",
    b"earlyoo",
    b"illing proc",  # an older earlyoom
    b"ending SIG",  # other killers in user space
    b"to the vict",
    b"Linux version ",
)
"""At least one of these is in every report. Plain substrings: bytes.find beats any pattern many times, and is
quickest with words whose last letters are not found everywhere."""

OPENING_WORDS = (
    *ANCHORS,
    b"badness: ",
    b"memory: usage ",
    b"as a result of limit of",
    b"oom.group set",
    b"emory cgroup stats",
    b"active_anon:",
    b"pages RAM",
    b"Total swap",
    b"total pagecache pages",
    b"ainted",
)
"""At least one of these is in every line that can begin a report or says something worth keeping before it."""

_AFTERTHOUGHTS = ("oom", "suppressed", "sharing", "kill failed: ", "dryrun, ")
"""At least one of these is in every line, besides those that may open a report, that may come after a report's end."""
_OPENING_TEXT = tuple(word.decode() for word in OPENING_WORDS)


def may_open(line: str | bytes) -> bool:
    """Whether a report can begin with this line."""
    if isinstance(line, bytes):
        return any(word in line for word in OPENING_WORDS)
    return any(word in line for word in _OPENING_TEXT)


def may_follow(line: str) -> bool:
    """Whether a line can matter to reports that already have their end, or begin the next one."""
    return any(word in line for word in _AFTERTHOUGHTS) or may_open(line)


class Finder:
    """The next anchor in a block; every anchor is searched for once over the block's length."""

    def __init__(self, block: bytes) -> None:
        """Search the whole ``block`` for the first of each anchor."""
        self._block = block
        self._next = {word: block.find(word) for word in ANCHORS}

    @property
    def first(self) -> int | None:
        """Where the first anchor stands that was not passed yet; None: there is none."""
        return min((at for at in self._next.values() if at >= 0), default=None)

    def lines(self, most: int, within: int) -> list[int]:
        """Return where the first ``most`` lines with an anchor begin, in ``within`` bytes from the first one."""
        first = self.first
        if first is None:
            return []
        end = first + within
        starts: set[int] = set()
        for word, at in self._next.items():
            place, found = at, 0
            while 0 <= place < end and found < most:
                starts.add(self._block.rfind(b"\n", 0, place) + 1)
                found += 1
                line_end = self._block.find(b"\n", place, end)
                place = self._block.find(word, line_end, end) if line_end >= 0 else -1
        return sorted(starts)[:most]

    def next_from(self, position: int) -> int | None:
        """Return where the first anchor at or behind ``position`` stands; None: there is none left.

        Positions may only grow from one call to the next.
        """
        for word, at in list(self._next.items()):
            if at < 0:
                del self._next[word]
            elif at < position:
                self._next[word] = self._block.find(word, position)
        return self.first
