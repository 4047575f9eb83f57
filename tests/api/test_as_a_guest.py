"""The API is a guest in another program: it loads little, forks nothing, prints nothing and keeps nothing."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import threading
from typing import NoReturn

import pytest

from oomctl import api
from oomctl.procfs import workers
from oomctl.procfs.reader import Procfs
from tests.oomlog.real_logs import LOGS
from tests.proc_tree import ProcTree
from tests.processes import Sleeper

ONE = LOGS / "6.8-memcg-order-3.log"
HEAVY = {"click", "rich", "psutil", "textual", "oomctl.console", "oomctl.cli"}
STARTING = {"os.fork", "os.forkpty", "os.exec", "os.posix_spawn", "os.system", "subprocess.Popen"}
"""What Python itself tells whoever audits it (PEP 578)."""
USED = f"""
import sys
sys.addaudithook(lambda event, _: print(event) if event in {STARTING!r} else None)
from oomctl import api
heavy = {HEAVY | {"subprocess", "oomctl.oomlog"}!r}
print(sorted(heavy & set(sys.modules)))
api.rank(api.snapshot(), 5)
api.simulate(adjs={{1: 5}})
api.simulate(target="python*")
print(sorted(heavy & set(sys.modules)))
list(api.history({str(ONE)!r}))
heavy = {HEAVY!r}
print(sorted(heavy & set(sys.modules)))
"""
WRITTEN = f"""
import os, sys
sys.addaudithook(lambda event, _: print(event) if event in {STARTING!r} else None)
from oomctl import api
api.set_adj(os.getpid(), 1000, record=True)
print(sorted({HEAVY!r} & set(sys.modules)))
"""


@pytest.mark.live
@pytest.mark.parametrize("script", [USED, WRITTEN], ids=["asked", "written"])
def test_neither_importing_nor_calling_it_loads_what_commands_are_made_of_or_starts_a_program(script: str) -> None:
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stderr == ""
    assert set(ran.stdout.splitlines()) == {"[]"}


def no_fork() -> NoReturn:
    raise AssertionError("the host was forked")


def test_the_host_is_not_forked(proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch) -> None:
    for pid in range(100, 100 + 2 * workers.WORTH_A_WORKER):
        proc_tree.add(pid, rss=pid)
    root = str(proc_tree.root)
    monkeypatch.setattr(os, "fork", no_fork)
    monkeypatch.setattr(workers, "_cpus_allowed", lambda: 64)
    with pytest.raises(AssertionError, match="the host was forked"):
        Procfs(root, cpus=2).tasks()
    assert len(api.snapshot(root=root).tasks) == 2 * workers.WORTH_A_WORKER
    assert len(api.rank(root=root)) == 2 * workers.WORTH_A_WORKER
    assert api.simulate(root=root).victim == api.simulate(root=root, without=100).victim
    assert api.set_adj(100, 5, root=root) == 0


@pytest.mark.live
def test_nothing_is_printed(sleeper: Sleeper, capfd: pytest.CaptureFixture[str]) -> None:
    pid = sleeper().pid
    api.simulate(api.snapshot(), adjs={pid: 17})
    api.rank()
    list(api.history(ONE))
    api.set_adj(pid, 15)
    assert capfd.readouterr() == ("", "")


@pytest.mark.live
def test_no_descriptor_stays_open(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    before = len(os.listdir("/proc/self/fd"))
    api.simulate(target=pid)
    api.set_adj(pid, 5)
    next(api.history(ONE))
    assert len(os.listdir("/proc/self/fd")) == before


def test_threads_do_not_disturb_each_other(server: ProcTree) -> None:
    expected = api.simulate(root=str(server.root)), api.snapshot(root=str(server.root)), list(api.history(ONE))
    found = []

    def work() -> None:
        for _ in range(3):
            root = str(server.root)
            found.append((api.simulate(root=root), api.snapshot(root=root), list(api.history(ONE))))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 12


@pytest.mark.parametrize("name", api.__all__)
def test_every_function_is_documented_and_typed(name: str) -> None:
    function = getattr(api, name)
    signature = inspect.signature(function)
    text = inspect.getdoc(function) or ""
    assert "Raises" in text
    assert all(parameter.annotation is not inspect.Parameter.empty for parameter in signature.parameters.values())
    shared = {"root", "scenario"}  # what they mean is said once, in the first place
    missing = [one for one in signature.parameters if one not in shared and f"``{one}" not in text]
    assert set(missing) <= {"log", "pid", "adj", "cgroup", "target"}
