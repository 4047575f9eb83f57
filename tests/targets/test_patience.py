from __future__ import annotations

import re
import signal
import threading
import time

import pytest

from oomctl.targets import patience
from oomctl.targets.matching import matching
from oomctl.targets.patience import TooLong, finds
from oomctl.targets.words import parse_target
from tests.proc_tree import ProcTree

ENDLESS = "java" * 1024
"""A thousand places for the first part, and four thousand for what is never found behind it."""
CUBIC = ".*java.*tomcat"


def test_what_is_there_is_found() -> None:
    assert finds(re.compile("a.c"), "xxabcxx")
    assert not finds(re.compile("a.c"), "xxab")


def test_a_search_without_end_is_given_up_after_its_share_of_processor_time() -> None:
    began = time.process_time()
    with pytest.raises(TooLong):
        finds(re.compile(CUBIC), ENDLESS, 0.05)
    assert time.process_time() - began < 5  # by itself it takes minutes


def test_nothing_is_left_behind_that_would_ring_later() -> None:
    before = signal.getsignal(signal.SIGVTALRM)
    with pytest.raises(TooLong):
        finds(re.compile(CUBIC), ENDLESS, 0.01)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGVTALRM) == before


def test_another_thread_may_search_too() -> None:
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(finds(re.compile("b"), "abc")))
    thread.start()
    thread.join()
    assert answers == [True]


def test_a_command_line_that_takes_too_long_matches_nothing(proc_tree: ProcTree) -> None:
    """And costs its user's other processes their search, but nobody else's: one user cannot take all the time."""
    for pid in range(10, 40):
        proc_tree.add(pid, uid=54321)
        proc_tree.write(f"{pid}/cmdline", ENDLESS)
    for pid, uid in ((50, 54322), (51, 0), (52, 54321)):
        proc_tree.add(pid, uid=uid)
        proc_tree.write(f"{pid}/cmdline", b"java\0-Dcatalina=tomcat\0")
    procfs = proc_tree.procfs()
    began = time.process_time()
    [matched] = matching([parse_target(f"cmd:{CUBIC}")], procfs.tasks().read, procfs).values()
    assert [task.pid for task in matched] == [50, 51]
    assert time.process_time() - began < 10 * patience.SECONDS + 2
