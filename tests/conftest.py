from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

from oomctl.procfs.reader import Procfs
from oomctl.render import podnames
from tests.privileges import why_only_root
from tests.proc_tree import ProcTree
from tests.processes import Sleeper, adj_of, sleepers, toy
from tests.small_server import add_server

pytest_plugins = ("tests.vm.options",)

settings.register_profile("untimed", settings(), deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")
os.umask(0o022)  # a policy that its group may write is refused

REQUIRED = {
    "OOMCTL_REQUIRE_KERNEL": ("kernel", "vm", "terminal", "unprivileged"),
    "OOMCTL_REQUIRE_SHELLS": ("shells",),
    "OOMCTL_REQUIRE_MONITORING": ("monitoring",),
    "OOMCTL_REQUIRE_ANSIBLE": ("ansible",),
    "OOMCTL_REQUIRE_KUBERNETES": ("kubernetes",),
    "OOMCTL_REQUIRE_CONTAINERS": ("container",),
}
"""Variable -> markers of tests that need something of the machine: a kernel to ask, a terminal, shells to type into."""

OF_THE_MACHINE = (
    *("live", "kernel", "vm", "terminal", "unprivileged"),
    *("monitoring", "ansible", "kubernetes", "container"),
)
"""Markers of tests that have to run one after the other: all of them get the marker ``machine``, too."""


def pytest_itemcollected(item: pytest.Item) -> None:
    if any(map(item.get_closest_marker, OF_THE_MACHINE)):
        item.add_marker("machine")


def pytest_configure() -> None:
    """Undo what the tests' own processes would inherit from whoever runs them.

    A shell that starts them in the background has Ctrl-C ignored, and on a desktop a terminal has an oom_score_adj of
    100 or 200. Where lowering that is not permitted, ``own_value_is_0`` skips.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("0")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what gives up root where nobody else gets at this Python or this checkout, as in root's home."""
    if item.get_closest_marker("unprivileged"):
        reason = why_only_root()
        if reason is not None:
            pytest.skip(reason)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With OOMCTL_REQUIRE_KERNEL=1 and the like, as in CI, fail a test that would skip for want of what it needs."""
    report = yield
    for variable, markers in REQUIRED.items():
        required = os.environ.get(variable) == "1"
        if required and report.skipped and any(item.get_closest_marker(name) for name in markers):
            reason = call.excinfo.value if call.excinfo else report.longrepr
            report.outcome = "failed"
            report.longrepr = f"{variable}=1, but the test was skipped: {reason}"
    return report


@pytest.fixture(autouse=True)
def pods_without_names() -> Iterator[None]:
    """A command leaves behind where it asks for names, and tests that run at the same time come in any order."""
    yield
    podnames.ask(None)


@pytest.fixture
def proc_tree(tmp_path: Path) -> ProcTree:
    return ProcTree(tmp_path)


@pytest.fixture
def procfs(proc_tree: ProcTree) -> Procfs:
    """Reads ``proc_tree``; what is added to it later is seen too."""
    return proc_tree.procfs()


@pytest.fixture
def server(proc_tree: ProcTree) -> ProcTree:
    """A small server: one big process of a user, a database of two processes, and who can never be chosen."""
    add_server(proc_tree)
    return proc_tree


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    """Starts harmless processes of our own, and ends them."""
    with sleepers() as start:
        yield start


@pytest.fixture(scope="module")
def toys() -> Iterator[None]:
    """One harmless process of each name that README and the manual use."""
    with sleepers() as start:
        for name in ("postgres", "java", "firefox"):
            toy(start, name)
        yield


@pytest.fixture
def own_value_is_0() -> None:
    """Children inherit the value of whoever runs the tests."""
    value = adj_of(os.getpid())
    if value != 0:
        pytest.skip(f"processes start with an oom_score_adj of {value} here, and only root may lower it")


@pytest.fixture(autouse=True)
def state_home() -> Iterator[Path]:
    """A journal of this test's own, where whichever user it becomes can write."""
    # Not the test's own monkeypatch: what else that replaces must be back before the directory is removed.
    with tempfile.TemporaryDirectory(prefix="oomctl-state-") as name, pytest.MonkeyPatch.context() as patch:
        Path(name).chmod(0o1777)
        patch.setenv("XDG_STATE_HOME", name)
        yield Path(name)
