"""A kill that just happened shows up in ``oomctl history``."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy
from tests.kernel_live.trials import kill_at_limit


@pytest.mark.kernel
def test_a_kill_shows_up_at_once(cgroup: ToyCgroup, nursery: Nursery) -> None:
    toy = nursery.start(Toy(cgroup, grows_pages=64 * MIB // PAGE, name="grower"))
    kill_at_limit(cgroup, toy)
    command = [sys.executable, "-m", "oomctl", "history", "-n", "5", "--json"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    events = [event for event in json.loads(result.stdout)["events"] if event["memcg"] == cgroup.path]
    assert [event["victim"]["pid"] for event in events] == [toy.pid]
    assert events[0]["replay"]["agrees"] is True
    assert events[0]["kernel"] == os.uname().release
