"""Who took CAP_SYS_RESOURCE away: user namespace, container, unit, session, or nobody but being no root."""

from __future__ import annotations

import os

import pytest

from oomctl.procfs.privilege import may_lower, without_sys_resource
from tests.proc_tree import ProcTree

ALL, WITHOUT = "000001ffffffffff", "000001fffeffffff"
HOST = "         0          0 4294967295\n"
SERVICE = "0::/system.slice/backup.service\n"


@pytest.mark.parametrize(
    ("uid", "own", "first", "uid_map", "cgroup", "no_new_privs", "expected"),
    [
        pytest.param(
            0,
            ALL,
            ALL,
            "0 1000 1\n",
            "0::/\n",
            0,
            "this user namespace cannot give it; it counts only in the initial",
            id="userns",
        ),
        pytest.param(
            0, WITHOUT, WITHOUT, HOST, SERVICE, 0, "this container or VM lacks it; write from the host", id="all"
        ),
        pytest.param(
            0, WITHOUT, ALL, HOST, SERVICE, 0, "backup.service lacks it; its CapabilityBoundingSet=", id="unit"
        ),
        pytest.param(
            0,
            WITHOUT,
            ALL,
            HOST,
            "0::/user.slice/session-2.scope\n",
            0,
            "this session lacks it; it was taken",
            id="session",
        ),
        pytest.param(0, WITHOUT, None, HOST, SERVICE, 0, "backup.service lacks it", id="PID 1 is hidden"),
        pytest.param(
            1000,
            WITHOUT,
            WITHOUT,
            HOST,
            SERVICE,
            0,
            "this container or VM lacks it",
            id="sudo would not help",
        ),
        pytest.param(1000, ALL, ALL, HOST, SERVICE, 0, "you are not root; use sudo", id="plain user"),
        pytest.param(1000, ALL, ALL, HOST, SERVICE, 1, "sudo cannot give it here; NoNewPrivs", id="no new"),
        pytest.param(0, ALL, ALL, HOST, SERVICE, 0, "this process lacks it although it is root", id="dropped"),
        pytest.param(0, ALL, ALL, "", SERVICE, 0, "this process lacks it although", id="no user namespaces"),
    ],
)
def test_who_took_it(
    proc_tree: ProcTree,
    monkeypatch: pytest.MonkeyPatch,
    uid: int,
    own: str,
    first: str | None,
    uid_map: str,
    cgroup: str,
    no_new_privs: int,
    expected: str,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    proc_tree.write("self/status", f"Name:\toomctl\nCapBnd:\t{own}\nNoNewPrivs:\t{no_new_privs}\n")
    if first is not None:
        proc_tree.write("1/status", f"Name:\tsystemd\nCapBnd:\t{first}\n")
    proc_tree.write("self/uid_map", uid_map)
    proc_tree.write("self/cgroup", cgroup)
    assert "; ".join(without_sys_resource(proc_tree.procfs())).startswith(expected)


@pytest.mark.parametrize(
    ("effective", "uid_map", "expected"),
    [
        pytest.param(ALL, HOST, True, id="it is there"),
        pytest.param(WITHOUT, HOST, False, id="it is not"),
        pytest.param(ALL, "0 1000 1\n", False, id="in a user namespace it does not count"),
    ],
)
def test_who_may_write_any_value(proc_tree: ProcTree, effective: str, uid_map: str, expected: bool) -> None:
    proc_tree.write("self/status", f"Name:\toomctl\nCapEff:\t{effective}\n")
    proc_tree.write("self/uid_map", uid_map)
    assert may_lower(proc_tree.procfs()) is expected
