"""What ``check`` finds on this kernel, with real cgroups and processes, and that its remedies mend it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.commands.invoke import OOMCTL, ROOT
from tests.kernel_live.memcgs import ToyCgroup
from tests.kernel_live.places import HOSTS_PROC, OWN_PROC
from tests.kernel_live.toys import MIB, PAGE, Nursery, Toy
from tests.kernel_live.trials import kill_at_limit
from tests.privileges import NOBODY, why_only_root
from tests.processes import Sleeper, adj_of, ready

pytestmark = pytest.mark.kernel

_JAVA = "import time; open('/proc/self/comm', 'w').write('java'); print(flush=True); time.sleep(600)"


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """The environment of a shell that finds this oomctl."""
    program = tmp_path / "bin" / "oomctl"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {shlex.join(OOMCTL)} "$@"\n')
    program.chmod(0o755)
    sudo = tmp_path / "bin" / "sudo"  # root needs none
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)
    return {"PATH": f"{program.parent}:/usr/sbin:/usr/bin:/sbin:/bin"}


def run(env: dict[str, str], *words: str, before: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
    command = [*before, *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def check(env: dict[str, str], only: str, *words: str, before: Sequence[str] = ()) -> list[dict[str, Any]]:
    ran = run(env, "oomctl", "check", "--json", "--only", only, *words, before=before)
    assert ran.stderr == ""
    found: list[dict[str, Any]] = json.loads(ran.stdout)["findings"]
    assert ran.returncode == (1 if found else 0)
    return found


def mended(env: dict[str, str], finding: dict[str, Any], *words: str) -> bool:
    """Run the remedy of ``finding``, and say whether that is what was missing."""
    ran = run(env, "sh", "-c", finding["remedy"])
    assert ran.returncode == 0, ran.stderr
    return of(check(env, finding["id"], *words), finding["cgroup"]) == []


def of(found: list[dict[str, Any]], cgroup: str | None) -> list[dict[str, Any]]:
    return [one for one in found if one["cgroup"] == cgroup]


def test_a_cgroup_whose_members_would_hang_is_told(cgroup: ToyCgroup, nursery: Nursery, shell: dict[str, str]) -> None:
    toy = nursery.start(Toy(cgroup, pages=1))
    if cgroup.version == 2:  # which has no such thing
        assert of(check(shell, "v1-oom-disabled"), cgroup.path) == []
        return
    (cgroup.directory / "memory.oom_control").write_text("1")
    (finding,) = of(check(shell, "v1-oom-disabled"), cgroup.path)
    assert (finding["severity"], toy.pid in finding["pids"]) == ("critical", True)
    assert mended(shell, finding)


def test_a_cgroup_that_is_nearly_full_is_told(cgroup: ToyCgroup, nursery: Nursery, shell: dict[str, str]) -> None:
    nursery.start(Toy(cgroup, pages=20 * MIB // PAGE))
    cgroup.limit_bytes = cgroup.usage_bytes + MIB
    assert of(check(shell, "limit-near"), cgroup.path) != []
    cgroup.limit_bytes = 2 * cgroup.usage_bytes
    assert of(check(shell, "limit-near"), cgroup.path) == []
    cgroup.limit_bytes = cgroup.usage_bytes + MIB // 2
    (finding,) = of(check(shell, "limit-near"), cgroup.path)
    assert mended(shell, finding)


def test_a_heap_that_its_cgroup_has_no_room_for_is_told(
    cgroup: ToyCgroup, sleeper: Sleeper, shell: dict[str, str]
) -> None:
    cgroup.limit_bytes = 64 * MIB
    java = sleeper(sys.executable, "-c", _JAVA, "-Xmx96m", stdout=subprocess.PIPE)
    pid = ready(java)
    cgroup.procs.write_text(str(pid))
    (finding,) = of(check(shell, "java-heap", str(pid)), cgroup.path)
    assert finding["pids"] == [pid]
    assert mended(shell, finding, str(pid))


def test_a_kill_is_told_once(cgroup: ToyCgroup, nursery: Nursery, shell: dict[str, str], tmp_path: Path) -> None:
    shell["XDG_STATE_HOME"] = str(tmp_path)
    check(shell, "kills-seen")
    toy = nursery.start(Toy(cgroup, grows_pages=64 * MIB // PAGE))
    kill_at_limit(cgroup, toy)
    (finding,) = check(shell, "kills-seen")
    ran = run(shell, "sh", "-c", finding["remedy"])
    assert (ran.returncode, "was killed" in ran.stdout) == (0, True)
    assert check(shell, "kills-seen") == []


def test_a_number_of_the_old_scale_is_told(sleeper: Sleeper, shell: dict[str, str]) -> None:
    pid = sleeper().pid
    Path(f"/proc/{pid}/oom_score_adj").write_text("10")
    (finding,) = check(shell, "old-scale", str(pid))
    assert mended(shell, finding, str(pid))
    assert adj_of(pid) == 588


def test_the_proc_of_another_namespace_is_told(shell: dict[str, str]) -> None:
    (finding,) = check(shell, "foreign-proc", before=HOSTS_PROC)
    assert (finding["severity"], finding["remedy"]) == ("critical", "mount -t proc proc /proc")
    script = f"{finding['remedy']} && exec oomctl check --only foreign-proc"
    mounted = ("unshare", "--mount", *HOSTS_PROC)
    assert run(shell, "sh", "-c", script, before=mounted).returncode == 0
    assert check(shell, "foreign-proc", before=OWN_PROC) == []


@pytest.mark.unprivileged
@pytest.mark.skipif(why_only_root() is not None, reason=str(why_only_root()))
def test_hidden_processes_are_told_and_root_sees_them(shell: dict[str, str]) -> None:
    as_nobody = shlex.join([*NOBODY, *OOMCTL, "check", "--json", "--only", "hidden"])
    hiding = ("unshare", "--mount", "sh", "-c", 'mount -t proc -o hidepid=2 proc /proc && eval "$0"')
    ran = run({**shell, "PYTHONPATH": str(ROOT), "HOME": "/"}, as_nobody, before=hiding)
    (finding,) = json.loads(ran.stdout)["findings"]
    assert (finding["severity"], finding["remedy"]) == ("warning", "sudo oomctl check")
    assert run(shell, f"{finding['remedy']} --only hidden", before=hiding).returncode == 0


def test_a_policy_that_is_not_true_is_told(shell: dict[str, str], tmp_path: Path) -> None:
    """In namespaces with an /etc of their own, and with nobody else whom a name could mean."""
    script = """
        cp -a /etc "$1" && mkdir "$1/etc/oomctl" && mount --bind "$1/etc" /etc || exit 9
        echo '[[rule]]\ntarget = "cmd:^sleep 611$"\nadj = 700' > /etc/oomctl/policy.toml
        sleep 611 & oomctl check --json --only policy-drift
        oomctl policy apply >/dev/null; oomctl check --json --only policy-drift
        cat /proc/$!/oom_score_adj
        echo nonsense > /etc/oomctl/policy.toml
        oomctl check --json --only policy-drift
        kill $!
    """
    ran = run(shell, "sh", "-c", script, "sh", str(tmp_path), before=OWN_PROC)
    first, second, adj, third = ran.stdout.splitlines()
    (finding,) = json.loads(first)["findings"]
    assert finding["remedy"] == "oomctl policy apply"
    assert (json.loads(second)["findings"], adj) == ([], "700")
    (broken,) = json.loads(third)["findings"]
    assert broken["message"].startswith("nothing is done by the policy, for it is broken: /etc/oomctl/policy.toml:1:")
    assert broken["remedy"] is None


def test_root_without_the_capability_is_told(shell: dict[str, str]) -> None:
    without = ("setpriv", "--bounding-set=-sys_resource")
    (finding,) = check(shell, "no-capability", before=without)
    assert "CAP_SYS_RESOURCE" in finding["message"]
