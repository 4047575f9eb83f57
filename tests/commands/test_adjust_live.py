"""set, protect, sacrifice and reset on real processes of our own: pinned, read back, and why the kernel refuses."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj
from tests.commands.invoke import ROOT, program
from tests.privileges import NOBODY, READ_ONLY, WITHOUT_CAPABILITY, needs_root
from tests.processes import Sleeper, adj_of, ready

pytestmark = [pytest.mark.live, pytest.mark.unprivileged, pytest.mark.usefixtures("own_value_is_0")]


def said(text: str) -> str:
    """What the one error says, of which long details stand in a second line."""
    assert text.startswith("oomctl: ")
    assert all(line.startswith("  ") for line in text.splitlines()[1:])
    assert text.count("\n") <= 2
    return text.removeprefix("oomctl: ").rstrip("\n")


def test_the_kernel_has_the_value_that_was_set(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    ran = program("set", "500", str(pid))
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.startswith(f"{pid} (sleep): oom_score_adj 0 -> 500, rank ")
    assert adj_of(pid) == 500


def test_a_dry_run_leaves_the_kernel_s_value(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    ran = program("sacrifice", str(pid), "--dry-run")
    assert ran.status == 0
    assert ran.stdout.startswith(f"{pid} (sleep): oom_score_adj would go 0 -> 1000, rank ")
    assert adj_of(pid) == 0


def test_the_document_of_a_real_change(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    [change] = json.loads(program("sacrifice", str(pid), "--json").stdout)["changes"]
    assert {name: change[name] for name in ("pid", "comm", "before", "after", "status", "reason")} == {
        "pid": pid,
        "comm": "sleep",
        "before": 0,
        "after": 1000,
        "status": "changed",
        "reason": None,
    }


def test_a_name_takes_processes_by_their_executable_too(sleeper: Sleeper, tmp_path: Path) -> None:
    name = f"oomctl-{os.getpid()}-with-a-long-name"  # nobody else's, not even another run's
    pid = sleeper(shutil.copy(shutil.which("sleep") or "", tmp_path / name), "60").pid
    assert program("set", "500", name).status == 0
    assert adj_of(pid) == 500
    assert program("reset", f"{name[:-3]}*", "--any-user", "--dry-run").status == 0


def test_the_shell_that_runs_oomctl_can_be_set_by_its_pid() -> None:
    script = f"{sys.executable} -m oomctl set 500 $$ && cat /proc/$$/oom_score_adj"
    ran = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
    assert ran.stdout.splitlines()[-1] == "500"


def test_a_process_that_has_ended_is_reported_as_vanished(sleeper: Sleeper) -> None:
    process = sleeper()
    task = Procfs().task(process.pid)
    process.kill()
    process.wait()
    change = write_adj(Procfs(), task, 500)
    assert (change.status, change.reason) == ("vanished", "it has ended")


def test_a_process_with_another_start_time_is_not_written(sleeper: Sleeper) -> None:
    procfs = Procfs()
    task = procfs.task(sleeper().pid)
    change = write_adj(procfs, task._replace(start_ticks=task.start_ticks - 1), 500)
    assert change.status == "vanished"
    assert change.reason == "its PID now belongs to another process; it was not touched"
    assert adj_of(task.pid) == 0


REUSE = """
import subprocess, time
from pathlib import Path
from oomctl.procfs.reading import read_at
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj

first = subprocess.Popen(["sleep", "60"])
procfs = Procfs()
task = procfs.task(first.pid)
with procfs.open_task(first.pid) as directory:
    first.kill()
    first.wait()
    time.sleep(0.05)  # a clock tick is 0.01 s
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(first.pid - 1))
    second = subprocess.Popen(["sleep", "60"])
    assert second.pid == first.pid, "the PID was not reused"
    try:
        read_at(directory, "stat")
    except ProcessLookupError:
        print("pinned")
print(write_adj(procfs, task, 500).status.value)
print(Path(f"/proc/{second.pid}/oom_score_adj").read_text().strip())
second.kill()
second.wait()
"""


@needs_root
def test_a_pid_that_is_really_reused_is_not_written() -> None:
    in_namespace = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", REUSE]
    ran = subprocess.run(in_namespace, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.stdout.split(), ran.stderr) == (["pinned", "vanished", "0"], "")


TAKEN_OVER = """
import subprocess, sys, time
from pathlib import Path
from oomctl.commands import adjust
from oomctl.procfs import writer

second = None

def take_over():
    # End the process that was looked up, and let another one have its PID.
    global second
    first.kill()
    first.wait()
    time.sleep(0.05)  # a clock tick is 0.01 s
    Path("/proc/sys/kernel/ns_last_pid").write_text(str(first.pid - 1))
    second = subprocess.Popen(["sleep", "60"])
    assert second.pid == first.pid, "the PID was not reused"

def taking_over_before(function):
    def replacement(*args, **kwargs):
        if second is None:  # a change is asked what it would do before it is recorded and made
            take_over()
        return function(*args, **kwargs)
    return replacement

first = subprocess.Popen(["sleep", "60"])
if sys.argv[1] == "after the look-up":
    adjust.write = taking_over_before(adjust.write)
elif sys.argv[1] == "after the start time was checked":
    writer._write = taking_over_before(writer._write)

from tests.runner import runner
from oomctl.cli.main import cli
ran = runner().invoke(cli, ["set", "500", sys.argv[2].format(first.pid)])
print(ran.exit_code, ran.stderr.strip().rpartition(": ")[2], Path(f"/proc/{second.pid}/oom_score_adj").read_text())
second.kill()
second.wait()
"""


@needs_root
@pytest.mark.parametrize("target", ["{}", "sleep", "cmd:^sleep"])
@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        ("after the look-up", r"no longer what .* meant; it was not touched"),
        ("after the start time was checked", r"it has ended"),
    ],
)
def test_a_pid_that_is_taken_over_meanwhile_is_never_written(moment: str, reason: str, target: str) -> None:
    """The kernel really hands out the same PID again, to a process of the same name."""
    in_namespace = ["unshare", "--pid", "--fork", "--mount-proc", sys.executable, "-c", TAKEN_OVER, moment, target]
    ran = subprocess.run(in_namespace, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ran.stderr == ""
    if target == "{}":  # held open from the beginning, so the other process is never even looked at
        reason = r"it has ended"
    assert re.fullmatch(f"5 {reason} 0\n\n", ran.stdout)


@needs_root
def test_a_foreign_owner_is_named(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    ran = program("set", "500", str(pid), before=NOBODY)
    assert (ran.status, ran.stdout) == (4, "")
    reason = "it belongs to uid 0, not to you (uid 65534); write as that user or as root"
    assert said(ran.stderr) == f"{pid} (sleep): {reason}"
    assert adj_of(pid) == 0


@needs_root
def test_the_owner_may_raise_but_not_go_below_the_floor(sleeper: Sleeper) -> None:
    pid = sleeper(*NOBODY, "sleep", "60").pid
    assert program("set", "500", str(pid), before=NOBODY).status == 0
    assert adj_of(pid) == 500
    assert program("reset", str(pid), before=NOBODY).status == 0
    assert adj_of(pid) == 0
    ran = program("set", "-500", str(pid), before=NOBODY)
    assert (ran.status, ran.stdout) == (4, "")
    assert said(ran.stderr).startswith(
        f"{pid} (sleep): needs CAP_SYS_RESOURCE; this container or VM lacks it\n"
        "  lowering goes below its floor, the last value that a privileged writer set (0 at first); write "
    )
    assert adj_of(pid) == 0


MAY_BE_REFUSED = "the kernel may refuse it: below its floor it needs CAP_SYS_RESOURCE, and "


@needs_root
@pytest.mark.parametrize("words", [("set", "-500"), ("protect",), ("set", "-500", "--json")])
def test_a_dry_run_warns_of_what_the_kernel_then_refuses(sleeper: Sleeper, words: tuple[str, ...]) -> None:
    pid = sleeper().pid
    ran = program(*words, str(pid), "--dry-run", before=WITHOUT_CAPABILITY)
    assert (ran.status, adj_of(pid)) == (0, 0)
    assert said(ran.stderr).startswith(f"hint: {pid} (sleep): {MAY_BE_REFUSED}")
    if "--json" in words:
        (change,) = json.loads(ran.stdout)["changes"]
        assert change["warning"].startswith(MAY_BE_REFUSED)
    assert program(*words, str(pid), before=WITHOUT_CAPABILITY).status == 4


@needs_root
def test_a_dry_run_says_may_for_the_floor_can_be_lower(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    assert program("set", "500", str(pid), before=WITHOUT_CAPABILITY).status == 0
    ran = program("set", "100", str(pid), "--dry-run", before=WITHOUT_CAPABILITY)
    assert (ran.status, MAY_BE_REFUSED in ran.stderr) == (0, True)
    assert program("set", "100", str(pid), before=WITHOUT_CAPABILITY).status == 0
    back = program("undo", "--dry-run", before=WITHOUT_CAPABILITY)
    assert (back.status, back.stderr) == (0, "")


@needs_root
def test_a_dry_run_warns_in_a_user_namespace_whatever_is_had_there(sleeper: Sleeper) -> None:
    ran = program("protect", str(sleeper().pid), "--dry-run", before=("unshare", "--map-root-user"))
    assert (ran.status, f"{MAY_BE_REFUSED}this user namespace cannot give it" in ran.stderr) == (0, True)


@needs_root
def test_a_dry_run_does_not_warn_of_raising(sleeper: Sleeper) -> None:
    ran = program("set", "500", str(sleeper().pid), "--dry-run", before=WITHOUT_CAPABILITY)
    assert (ran.status, ran.stderr) == (0, "")


@needs_root
def test_a_dry_run_of_a_policy_warns_as_well(sleeper: Sleeper, tmp_path: Path) -> None:
    pid = sleeper("sleep", "61.25").pid
    policy = tmp_path / "policy.toml"
    policy.write_text('[[rule]]\ntarget = "cmd:^sleep 61.25$"\nadj = -100\nforce = true\n')
    ran = program("policy", "apply", "-f", str(policy), "--dry-run", before=WITHOUT_CAPABILITY)
    assert (ran.status, ran.stderr.startswith(f"oomctl: hint: {pid} (sleep): {MAY_BE_REFUSED}")) == (0, True)


@needs_root
@pytest.mark.parametrize("before", [NOBODY, READ_ONLY], ids=["not one's own", "read-only"])
def test_a_dry_run_says_what_would_be_refused_and_shows_the_change(sleeper: Sleeper, before: tuple[str, ...]) -> None:
    pid = sleeper().pid
    dry, earnest = (program("set", "500", str(pid), *words, before=before) for words in (("--dry-run",), ()))
    assert (dry.status, earnest.status) == (0, 4)
    assert said(dry.stderr).replace(f"hint: {pid} (sleep): it would be refused: ", f"{pid} (sleep): ") == said(
        earnest.stderr
    )
    assert f"{pid}" in dry.stdout


@needs_root
def test_a_container_without_the_capability_is_named_as_the_reason(sleeper: Sleeper) -> None:
    """Its PID 1 is bounded, so everything in it is."""
    script = 'sleep 60 & "$@" protect $!; status=$?; cat /proc/$!/oom_score_adj; kill $!; exit $status'
    before = (*WITHOUT_CAPABILITY, "unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", script, "sh")
    ran = program(before=before)
    assert (ran.status, ran.stdout) == (4, "0\n")
    assert said(ran.stderr).endswith(
        "needs CAP_SYS_RESOURCE; this container or VM lacks it\n"
        "  lowering goes below its floor, the last value that a privileged writer set (0 at first); write from the"
        " host, or start the container with --cap-add SYS_RESOURCE (Kubernetes: securityContext.capabilities.add)"
    )


@needs_root
def test_a_user_namespace_is_named_as_the_reason(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    ran = program("protect", str(pid), before=("unshare", "--map-root-user"))
    assert ran.status == 4
    assert said(ran.stderr).endswith(
        "it counts only in the initial one, which this is not (rootless container, unshare): write from the host"
    )
    assert adj_of(pid) == 0


NOT_DUMPABLE = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0); print(flush=True); time.sleep(60)"


@needs_root
def test_a_process_that_is_not_dumpable_is_told_apart_from_a_foreign_one(sleeper: Sleeper) -> None:
    process = sleeper(*NOBODY, sys.executable, "-c", NOT_DUMPABLE, stdout=subprocess.PIPE)
    ready(process)
    ran = program("set", "500", str(process.pid), before=NOBODY)
    assert ran.status == 4
    assert said(ran.stderr).endswith(
        "it gave up being inspected (not dumpable); its files belong to root: write as root"
    )
    assert program("set", "500", str(process.pid)).status == 0


@needs_root
def test_root_that_lost_its_power_over_files_is_told_so(sleeper: Sleeper) -> None:
    process = sleeper(*NOBODY, "sleep", "60")
    before = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
    ran = program("set", "500", str(process.pid), before=before)
    assert ran.status == 4
    assert said(ran.stderr).endswith(
        "it belongs to uid 65534, and root here lacks CAP_DAC_OVERRIDE; write as that user or from the host"
    )


@needs_root
def test_root_of_a_user_namespace_is_told_that_others_are_not_its_own(sleeper: Sleeper) -> None:
    process = sleeper(*NOBODY, "sleep", "60")
    ran = program("set", "500", str(process.pid), before=("unshare", "--user", "--map-root-user"))
    assert ran.status == 4
    assert said(ran.stderr).splitlines() == [
        f"{process.pid} (sleep): its user is not one of this user namespace",
        "  root here has power over those only (rootless container, --userns): write from the host",
    ]


@needs_root
def test_a_read_only_proc_is_named_as_the_reason(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    ran = program("set", "500", str(pid), before=READ_ONLY)
    assert ran.status == 4
    cause, detail = "/proc is mounted read-only", "write from outside the container, or remount it rw"
    assert said(ran.stderr) == f"{pid} (sleep): {cause}; {detail}"
    assert adj_of(pid) == 0
    ran = program("run", "-n", "500", "true", before=READ_ONLY)
    assert (ran.status, ran.stdout) == (4, "")
    assert said(ran.stderr) == f"run: {cause}; true was not started; {detail}"


HIDDEN = """
import sys
from oomctl.model.kernel import Task
from oomctl.procfs.reader import Procfs
from oomctl.procfs.writer import write_adj
change = write_adj(Procfs(), Task(int(sys.argv[1]), "sleep", start_ticks=int(sys.argv[2])), 500)
print(change.status.value, change.reason, sep=": ")
"""


@needs_root
@pytest.mark.skipif(
    tuple(map(int, os.uname().release.split(".")[:2])) < (5, 8),
    reason="before Linux 5.8 hidepid= would change every /proc of this machine",
)
@pytest.mark.parametrize("hidepid", [1, 2])
def test_a_process_that_is_hidden_has_not_vanished(sleeper: Sleeper, hidepid: int) -> None:
    task = Procfs().task(sleeper().pid)
    script = f'mount -t proc -o hidepid={hidepid} proc /proc && exec "$@"'
    argv = [*NOBODY, sys.executable, "-c", HIDDEN, str(task.pid), str(task.start_ticks)]
    ran = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *argv],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.stderr == ""
    assert ran.stdout.startswith("denied: /proc hides it from you (mounted with hidepid=)")


@needs_root
def test_what_was_changed_before_a_refusal_is_reported(sleeper: Sleeper) -> None:
    own, foreign = sleeper(*NOBODY, "sleep", "60").pid, sleeper().pid
    ran = program("set", "500", str(own), str(foreign), "--json", before=NOBODY)
    assert ran.status == 3
    changes = {change["pid"]: change for change in json.loads(ran.stdout)["changes"]}
    assert (changes[own]["status"], changes[own]["after"]) == ("changed", 500)
    assert (changes[foreign]["status"], changes[foreign]["before"], changes[foreign]["after"]) == ("denied", 0, 0)
    assert said(ran.stderr) == f"{foreign} (sleep): {changes[foreign]['reason']}"


def test_a_real_zombie_is_refused(sleeper: Sleeper) -> None:
    process = sleeper("true")
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    ran = program("set", "500", str(process.pid))
    assert ran.status == 6
    assert said(ran.stderr) == f"{process.pid} (true): it has already exited and only waits to be reaped"


def test_pid_1_of_this_machine_is_refused_for_lowering() -> None:
    before = adj_of(1)
    ran = program("protect", "1")
    assert ran.status == 6
    assert "PID 1: the OOM killer never takes it" in said(ran.stderr)
    assert adj_of(1) == before


def test_whoever_shares_the_memory_takes_the_value_along(sleeper: Sleeper) -> None:
    """Two threads are one process to oom_score_adj, whichever thread is asked."""
    source = "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); print(flush=True)"
    process = sleeper(sys.executable, "-c", source, stdout=subprocess.PIPE)
    ready(process)
    assert program("set", "500", str(process.pid)).status == 0
    values = {path.read_text() for path in Path(f"/proc/{process.pid}/task").glob("*/oom_score_adj")}
    assert values == {"500\n"}
