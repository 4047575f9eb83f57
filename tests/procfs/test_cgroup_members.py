"""Whom the kernel visits in a memory cgroup of version 1, by the files it shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs
from tests.proc_tree import pids_by_cgroup

LEADER, THREAD = 10, 11


@pytest.fixture
def memcgs(tmp_path: Path) -> Memcgs:
    """A cgroup of which ``cgroup.procs`` shows the leader and ``tasks`` only its thread."""
    (tmp_path / "memcg").mkdir()
    (tmp_path / "memcg/cgroup.procs").write_text(f"{LEADER}\n")
    (tmp_path / "memcg/tasks").write_text(f"{THREAD}\n")
    for name, text in {
        "self/mountinfo": f"30 20 0:27 / {tmp_path}/memcg rw - cgroup cgroup rw,memory\n",
        "sys/kernel/osrelease": "6.18.44\n",
        "meminfo": "MemTotal: 1000 kB\nMemFree: 1 kB\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    found = Memcgs.of(Procfs(str(tmp_path)))
    assert found is not None
    return found


def leader_in_state(root: Path, state: str) -> None:
    (root / str(LEADER)).mkdir()
    (root / str(LEADER) / "stat").write_text(f"{LEADER} (a) b) {state} 1 10 10 0 -1 0\n")


def test_a_process_whose_leader_has_exited_is_a_member(memcgs: Memcgs, tmp_path: Path) -> None:
    leader_in_state(tmp_path, "Z")
    assert pids_by_cgroup(memcgs, "/") == [("/", [LEADER])]


def test_a_process_of_which_only_a_thread_is_inside_is_not(memcgs: Memcgs, tmp_path: Path) -> None:
    leader_in_state(tmp_path, "S")
    assert pids_by_cgroup(memcgs, "/") == [("/", [])]


def test_a_process_that_ends_while_listed_is_not(memcgs: Memcgs) -> None:
    assert pids_by_cgroup(memcgs, "/") == [("/", [])]
