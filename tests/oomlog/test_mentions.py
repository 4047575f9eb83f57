"""A log without a kill may hold a word that people take for one; what that means can be said."""

from __future__ import annotations

import pytest

from oomctl.oomlog.mentions import Mentions


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("    Reason:       OOMKilled", "in the kernel log of its node"),
        ("2026-11-23T14:05:11Z container oom 00748bf4e957 (image=web, name=web)", "in the kernel log of its node"),
        ("kernel: pid 42 (java), jid 0, uid 1001, was killed: out of swap space", "FreeBSD"),
        ("java: page allocation failure: order:4, mode:0x40cc0(GFP_KERNEL|__GFP_COMP)", "nobody was killed for it"),
        ("torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB", "GPU"),
        ("java.lang.OutOfMemoryError: Java heap space", "without the kernel"),
        ("nginx.service: Main process exited, code=killed, status=9/KILL", "nothing says from whom"),
    ],
)
def test_a_known_word_is_told_with_its_meaning(line: str, meaning: str) -> None:
    log = Mentions(iter([b"something else\n", line.encode() + b"\n"]))
    assert list(log) == [b"something else\n", line.encode() + b"\n"]
    assert log.meaning is not None
    assert meaning in log.meaning


def test_nothing_is_made_of_other_words() -> None:
    log = Mentions(iter([b"Started nginx.\n"]))
    assert b"".join(log) == b"Started nginx.\n"
    assert log.meaning is None


def test_only_the_beginning_of_a_long_log_is_looked_at() -> None:
    log = Mentions(iter([b"x" * (1 << 20), b"OOMKilled\n"]))
    assert sum(map(len, log)) == (1 << 20) + 10
    assert log.meaning is None
