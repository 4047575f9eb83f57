"""What a log without any OOM kill says instead, in the words that people search for."""

from __future__ import annotations

from collections.abc import Iterator

_LOOKED_AT = 1 << 20  # bytes from the start: a grep, a pod's description, a program's own log are shorter

_MEANINGS = (
    (b"OOMKilled", "OOMKilled is what a runtime says of a container: the report is in the kernel log of its node"),
    (b" container oom ", "a runtime says that a container ran out: the report is in the kernel log of its node"),
    (b" was killed: ", "FreeBSD says so of a kill; oomctl knows Linux"),
    (b"page allocation failure", "an allocation failed there, and nobody was killed for it"),
    (b"CUDA out of memory", "what ran out there is the memory of a GPU"),
    (b"java.lang.OutOfMemoryError", "Java reached a limit of its own there, without the kernel"),
    (b"code=killed, status=9/KILL", "SIGKILL came there, and nothing says from whom"),
)


class Mentions:
    """Blocks of a log, and what their first ones mention."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        """Look at nothing yet."""
        self._blocks = blocks
        self.meaning: str | None = None
        """What the first word that was found means; None: there was none."""

    def __iter__(self) -> Iterator[bytes]:
        """Pass the blocks on."""
        left = _LOOKED_AT
        for block in self._blocks:
            if left > 0 and self.meaning is None:
                self.meaning = next((meaning for word, meaning in _MEANINGS if word in block), None)
            left -= len(block)
            yield block
