"""What is seen of a memory cgroup from where not everything is to be seen, and whom the kernel kills there."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest

from oomctl.procfs import survey
from oomctl.procfs.cgroup import Memcgs
from oomctl.procfs.reader import Procfs
from tests.commands.invoke import Ran, answered, program
from tests.kernel_live.kernel_log import KernelLog
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.places import HOSTS_PROC, cgroup_namespace, hiding, inside, limits_from, survey_from
from tests.kernel_live.toys import MIB, PAGE, Nursery, Started, Toy, is_alive
from tests.kernel_live.trials import PACE, overflow
from tests.privileges import NOBODY
from tests.processes import Sleeper

pytestmark = pytest.mark.kernel

LIMIT_BYTES = 64 * MIB


def writer(cgroup: ToyCgroup, place: ToyCgroup | None = None) -> Toy:
    """Who makes it overflow without growing."""
    return Toy(place or cgroup, writes_until_kill=cgroup, name="writer")


def mount_point() -> str:
    memcgs = Memcgs.of(Procfs())
    assert memcgs is not None
    return memcgs.mount_point


def is_refused(ran: Ran, reason: str) -> bool:
    return (ran.status, ran.stdout) == (7, "") and reason in ran.stderr and ran.stderr.count("\n") == 1


def test_in_a_pid_namespace_members_outside_are_never_forgotten(nursery: Nursery, cgroup: ToyCgroup) -> None:
    cgroup.limit_bytes = LIMIT_BYTES
    outside = nursery.start(Toy(cgroup, pages=24 * MIB // PAGE))
    fills = nursery.start(writer(cgroup))
    with inside(cgroup, 4 * MIB) as toy:
        seen = survey_from(toy.place, cgroup.path)
        assert seen.pids == [1]
        assert (seen.hidden, seen.doubts) == ((0, ["unseen_members"]) if cgroup.version == 1 else (2, []))
        result = overflow(frozenset(), cgroup, [outside, Started(toy.pid, (), (), None, ()), fills])
    assert result.victim == outside.pid


def test_a_pid_namespace_with_the_hosts_proc_is_answered_with_the_hosts_numbers(
    nursery: Nursery, cgroup: ToyCgroup
) -> None:
    cgroup.limit_bytes = LIMIT_BYTES
    small = nursery.start(Toy(cgroup, pages=4 * MIB // PAGE))
    large = nursery.start(Toy(cgroup.child("deep") if cgroup.version == 1 else cgroup, pages=20 * MIB // PAGE))
    fills = nursery.start(writer(cgroup))
    with inside(cgroup, 4 * MIB) as toy:
        every = {small.pid, large.pid, fills.pid, toy.pid}
        seen = survey_from(HOSTS_PROC, cgroup.path)
        assert (set(seen.pids), seen.hidden, seen.doubts) == (every, 0, ["unseen_sharers"])
        from_there = program("simulate", "--cgroup", cgroup.path, "--json", before=HOSTS_PROC)
        result = overflow(frozenset(), cgroup, [small, large, Started(toy.pid, (), (), None, ()), fills])
    assert json.loads(from_there.stdout)["victim"]["pid"] == result.victim == large.pid


def test_whom_a_user_cannot_ask_about_may_share_the_victims_memory(nursery: Nursery, cgroup: ToyCgroup) -> None:
    cgroup.limit_bytes = LIMIT_BYTES
    toy = nursery.start(Toy(cgroup, pages=24 * MIB // PAGE, sharers=1))
    small = nursery.start(Toy(cgroup, pages=4 * MIB // PAGE))
    fills = nursery.start(writer(cgroup))
    argv = ("simulate", "--cgroup", cgroup.path, "--json")
    ours, theirs = answered(program(*argv)), answered(program(*argv, before=NOBODY))
    assert {process["pid"] for process in ours["killed"]} == {toy.pid, *toy.sharers}
    (doubt,) = theirs["doubts"]
    assert (doubt["id"], theirs["certainty"], ours["doubts"]) == ("unseen_sharers", "close", [])
    assert doubt["message"].endswith("; ask as root on the host")
    overflow(frozenset(), cgroup, [toy, small, fills])
    assert not any(map(is_alive, (toy.pid, *toy.sharers)))


def test_a_user_is_certain_where_nobody_is_like_the_victim(nursery: Nursery, cgroup: ToyCgroup) -> None:
    cgroup.limit_bytes = LIMIT_BYTES
    nursery.start(Toy(cgroup, pages=24 * MIB // PAGE))
    for _ in range(2):
        nursery.start(Toy(cgroup, pages=4 * MIB // PAGE))
    found = answered(program("simulate", "--cgroup", cgroup.path, "--json", before=NOBODY))
    assert (found["certainty"], found["doubts"]) == ("certain", [])


@pytest.mark.parametrize("how", [1, 2])
def test_members_that_proc_hides_are_counted(nursery: Nursery, cgroup: ToyCgroup, sleeper: Sleeper, how: int) -> None:
    cgroup.limit_bytes = LIMIT_BYTES
    hidden = nursery.start(Toy(cgroup, pages=24 * MIB // PAGE))
    fills = nursery.start(writer(cgroup))
    seen = survey_from(hiding(how), cgroup.path)
    assert (seen.pids, seen.hidden) == ([], 2)
    own = sleeper(*NOBODY, "sleep", "60").pid
    cgroup.procs.write_text(str(own))
    seen = survey_from(hiding(how), cgroup.path)
    assert (seen.pids, seen.hidden) == ([own], 2)
    result = overflow(frozenset(), cgroup, [hidden, Started(own, (), (), None, ()), fills])
    assert result.victim == hidden.pid


def test_the_limit_above_a_cgroup_namespace_is_in_doubt(nursery: Nursery, cgroup: ToyCgroup) -> None:
    cgroup.limit_bytes = LIMIT_BYTES
    inner = cgroup.child("inner")
    toy = nursery.start(Toy(inner, pages=24 * MIB // PAGE))
    fills = nursery.start(writer(cgroup, inner))
    assert limits_from((), toy.pid).memcgs[0] == cgroup.path
    seen = limits_from(cgroup_namespace(inner, mount_point()), toy.pid)
    assert cgroup.path not in seen.memcgs
    assert seen.doubts == ["unseen_limits"]
    assert overflow(frozenset(), cgroup, [toy, fills]).victim == toy.pid  # by the limit that was not seen


def test_a_cgroup_beside_a_namespace_is_refused(nursery: Nursery, cgroup: ToyCgroup) -> None:
    cgroup.limit_bytes = LIMIT_BYTES
    pid = str(nursery.start(Toy(cgroup.child("inner"))).pid)
    before = cgroup_namespace(cgroup.child("beside"), mount_point())
    reason = "cgroup /../inner: no such memory cgroup under "
    assert is_refused(program("simulate", "--for", pid, before=before), reason)
    for command in ("simulate", "top", "snapshot"):
        assert is_refused(program(command, "--cgroup", "/../inner", before=before), reason)
    assert program("simulate", before=before).status == 0
    assert json.loads(program("snapshot", before=before).stdout)["tasks"]


def test_where_no_cgroups_are_mounted_nothing_is_said_of_the_machine_instead(
    nursery: Nursery, cgroup: ToyCgroup
) -> None:
    cgroup.limit_bytes = LIMIT_BYTES
    toy = nursery.start(Toy(cgroup, pages=24 * MIB // PAGE))
    fills = nursery.start(writer(cgroup))
    unmount = 'mount --make-rprivate / && umount --recursive /sys/fs/cgroup && exec "$@"'
    before = ("unshare", "--mount", "sh", "-c", unmount, "sh")
    ran = program("simulate", "--for", str(toy.pid), before=before)
    assert is_refused(ran, f"{toy.pid} is in the cgroup {cgroup.path}, and no memory controller is mounted here: ")
    assert overflow(frozenset(), cgroup, [toy, fills]).victim == toy.pid


def test_a_number_is_refused_with_the_hosts_proc_in_a_pid_namespace(nursery: Nursery, cgroup: ToyCgroup) -> None:
    pid = nursery.start(Toy(cgroup)).pid
    ran = program("simulate", "--for", str(pid), before=HOSTS_PROC)
    assert is_refused(ran, "/proc is that of another PID namespace, ")


def under_oom(cgroup: ToyCgroup) -> bool:
    return "under_oom 1" in (cgroup.directory / "memory.oom_control").read_text()


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def hangs(cgroup: ToyCgroup, pid: int) -> bool:
    """Wait until a process waits for memory of the cgroup; False when it does not within a minute."""
    deadline = time.monotonic() + 60
    while not (under_oom(cgroup) and state_of(pid) == "D"):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_with_oom_kill_disable_nobody_is_killed_and_who_grows_hangs(nursery: Nursery, cgroup: ToyCgroup) -> None:
    control = cgroup.directory / "memory.oom_control"
    if cgroup.version == 2:
        assert not control.exists()
        assert not survey.memcg(Procfs(), cgroup.path)[0].context.kill_disabled
        return
    cgroup.limit_bytes = LIMIT_BYTES
    larger = nursery.start(Toy(cgroup, pages=24 * MIB // PAGE))
    grower = nursery.start(Toy(cgroup, pages=4 * MIB // PAGE, grows_pages=80 * MIB // PAGE))
    pids = frozenset({larger.pid, grower.pid})
    assert survey.memcg(Procfs(), cgroup.path)[0].context.kill_disabled is False
    control.write_text("1")
    try:
        found = program("simulate", "--cgroup", cgroup.path, "--json")
        document = json.loads(found.stdout)
        assert (found.status, document["outcome"], document["victim"]) == (1, "no_kill_disabled", None)
        text = program("simulate", "--cgroup", cgroup.path)
        assert text.status == 1
        reason = f"oom_kill_disable is set on {cgroup.path}: nobody is killed, "
        assert f"Execution  no_kill_disabled: {reason}" in text.stdout
        assert json.loads(program("simulate", "--for", str(grower.pid), "--json").stdout)["outcome"] == (
            "no_kill_disabled"
        )
        PACE.wait()
        with KernelLog() as log:
            grower.poke()
            assert hangs(cgroup, grower.pid)
            time.sleep(0.5)
            assert (log.killed_so_far(pids), *map(is_alive, pids)) == (0, True, True)
            control.write_text("0")  # whoever hangs tries again
            assert log.wait_for_kill(cgroup.path, pids).victim in pids
    finally:
        control.write_text("0")


def test_what_a_cgroup_below_disables_does_not_matter(nursery: Nursery, cgroup: ToyCgroup) -> None:
    if cgroup.version == 2:
        assert not (cgroup.directory / "memory.oom_control").exists()
        return
    cgroup.limit_bytes = LIMIT_BYTES
    below = cgroup.child("below")
    (below.directory / "memory.oom_control").write_text("1")
    toy = nursery.start(Toy(below, pages=24 * MIB // PAGE))
    fills = nursery.start(writer(cgroup, below))
    result = overflow(frozenset(), cgroup, [toy, fills])
    assert (result.prediction["victim"]["pid"], result.victim) == (toy.pid, toy.pid)


def test_where_nobody_can_be_seen_the_empty_list_is_explained() -> None:
    alone = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    ran = program("top", "--once", before=alone)
    assert (ran.status, len(ran.stdout.splitlines())) == (0, 1)
    assert re.match(r"oomctl: no process is visible from here: \d+ are hidden from you \(in other PID ", ran.stderr)
    assert "mount the host's /proc and say --proc DIR" in ran.stderr
    assert program("top", "--json", before=alone).stderr == ""
