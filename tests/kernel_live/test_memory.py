"""Where the memory of a real cgroup is: before its limit is hit as the files say, and after a kill as the log says."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy
from tests.kernel_live.trials import kill_at_limit

pytestmark = pytest.mark.kernel


def asked(*words: str) -> Any:
    command = [sys.executable, "-m", "oomctl", *words, "--json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)


def adds_up(memory: dict[str, Any]) -> bool:
    known = sum(memory["parts"].values()) + memory["unexplained_bytes"]
    return bool(known == memory["total_bytes"] + memory["overlap_bytes"])


def test_the_private_memory_of_a_cgroup_is_told_up_to_its_limit(cgroup: ToyCgroup, nursery: Nursery) -> None:
    cgroup.limit_bytes = 64 * MIB
    toy = nursery.start(Toy(cgroup, pages=24 * MIB // PAGE))
    for memory in (
        asked("simulate", "--cgroup", cgroup.path)["memory"],
        asked("explain", str(toy.pid), "--cgroup", cgroup.path)["memory"],
    ):
        assert adds_up(memory)
        assert (memory["of"], memory["total_bytes"]) == ("limit", 64 * MIB)
        assert 24 * MIB <= memory["parts"]["anonymous"] <= 34 * MIB
        assert memory["parts"]["left"] == 64 * MIB - cgroup.usage_bytes
        assert memory["unexplained_bytes"] + memory["overlap_bytes"] < 4 * MIB


def test_a_real_kill_of_a_cgroup_is_told_with_where_its_memory_was(cgroup: ToyCgroup, nursery: Nursery) -> None:
    toy = nursery.start(Toy(cgroup, grows_pages=64 * MIB // PAGE, name="grower"))
    kill_at_limit(cgroup, toy)
    (event,) = (one for one in asked("history", "-n", "5")["events"] if one["memcg"] == cgroup.path)
    memory = event["memory"]
    assert adds_up(memory)
    assert (memory["of"], memory["total_bytes"]) == ("limit", 32 * MIB)
    assert memory["parts"]["anonymous"] > 24 * MIB
    assert memory["unexplained_bytes"] + memory["overlap_bytes"] < 4 * MIB
    assert event["shortage"]["of_cgroup"] is True
