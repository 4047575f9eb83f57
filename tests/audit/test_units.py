"""What units declare and what their processes have; and what of this machine is in the way of oomctl itself."""

from __future__ import annotations

import pytest

from oomctl.audit.catalogue import findings
from oomctl.audit.facts import Asked, Look, PolicyFacts
from oomctl.audit.look import look
from oomctl.model.audit import Finding, Severity
from oomctl.model.kernel import Task
from oomctl.systemd.manager import UnitState
from tests.proc_tree import ProcTree

TOY = UnitState("toy.service", True, 300, -500)
SSH = UnitState("ssh.service", True, 301, 0)


@pytest.fixture
def seen(proc_tree: ProcTree) -> Look:
    proc_tree.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    proc_tree.add(300, "toy", adj=-500, uid=0, cgroup="0::/system.slice/toy.service\n")
    proc_tree.add(301, "sshd", adj=-1000, uid=0, cgroup="0::/system.slice/ssh.service\n")
    proc_tree.write("301/cmdline", "sshd: /usr/sbin/sshd -D [listener] 0 of 10-100 startups")
    return look(proc_tree.procfs(), Asked())


def found(seen: Look, check: str, *units: UnitState, adj: int = -500, comm: str = "toy") -> list[Finding]:
    mains = {unit.id: Task(unit.main_pid, comm, adj=adj) for unit in units if unit.main_pid}
    return findings(seen._replace(units={unit.id: unit for unit in units}, mains=mains), (check,))


def test_a_main_process_with_the_value_of_its_unit_is_no_finding(seen: Look) -> None:
    assert found(seen, "unit-drift", TOY) == []


def test_a_unit_whose_value_has_no_effect_is_written_again(seen: Look) -> None:
    (finding,) = found(seen, "unit-drift", TOY, adj=0)
    assert (finding.severity, finding.unit, [*finding.pids]) == (Severity.WARNING, "toy.service", [300])
    assert finding.remedy == "oomctl set --persist -500 toy.service"


def test_a_value_that_no_unit_declares_may_be_the_program_s_own(seen: Look) -> None:
    (finding,) = found(seen, "unit-drift", TOY._replace(adj=0), adj=300)
    assert (finding.severity, finding.remedy) == (Severity.INFO, "oomctl set --persist 0 toy.service")


def test_debian_s_postgres_is_set_by_pid_for_its_starter_overrides_the_unit(seen: Look) -> None:
    (finding,) = found(seen, "unit-drift", TOY._replace(id="postgresql@15-main.service", adj=-900))
    assert finding.remedy == "oomctl set -900 300"


def test_the_sshd_that_protects_itself_does_not_drift(seen: Look) -> None:
    assert found(seen, "unit-drift", SSH, adj=-1000, comm="sshd") == []


def test_a_program_that_is_known_to_set_itself_does_not_drift(seen: Look) -> None:
    sshd = SSH._replace(id="sshd-of-ours.service")
    assert found(seen, "unit-drift", sshd, adj=-1000, comm="sshd") == []


def test_what_the_policy_rules_does_not_drift_from_its_unit(seen: Look) -> None:
    assert found(seen._replace(policy=PolicyFacts(ruled=frozenset([300]))), "unit-drift", TOY, adj=300) == []
    assert found(seen._replace(policy=PolicyFacts(ruled=frozenset([301]))), "unit-drift", TOY, adj=300) != []


def test_a_unit_without_a_process_does_not_drift(seen: Look) -> None:
    assert found(seen, "unit-drift", TOY._replace(main_pid=None)) == []


@pytest.mark.parametrize("unit", ["ssh.service", "sshd.service", "dropbear.service", "ssh@1.service"])
def test_a_negative_value_of_the_unit_of_sshd_is_critical(seen: Look, unit: str) -> None:
    (finding,) = found(seen, "ssh-unit-value", SSH._replace(id=unit, adj=-1))
    assert (finding.severity, finding.unit) == (Severity.CRITICAL, unit)
    assert found(seen, "ssh-unit-value", SSH._replace(id=unit, adj=0)) == []


@pytest.mark.parametrize(
    ("files", "remedy"),
    [
        pytest.param(
            ("/lib/systemd/system/ssh.service", "/etc/systemd/system/ssh.service.d/90-oomctl.conf"),
            "oomctl reset --persist --force ssh.service && systemctl daemon-reload"
            " && systemctl try-restart ssh.service",
            id="a drop-in of oomctl's",
        ),
        pytest.param(
            ("/etc/systemd/system/ssh.service.d/90-oomctl.conf", "/etc/systemd/system/ssh.service.d/a.conf"),
            "oomctl reset --persist --force ssh.service"
            " && sed -i '/^[[:space:]]*OOMScoreAdjust[[:space:]]*=/d' /etc/systemd/system/ssh.service.d/a.conf"
            " && systemctl daemon-reload && systemctl try-restart ssh.service",
            id="both",
        ),
        pytest.param(
            ("/lib/systemd/system/ssh.service", "/etc/systemd/system/ssh.service.d/a b.conf"),
            "sed -i '/^[[:space:]]*OOMScoreAdjust[[:space:]]*=/d' '/etc/systemd/system/ssh.service.d/a b.conf'"
            " && systemctl daemon-reload && systemctl try-restart ssh.service",
            id="a drop-in of the administrator's",
        ),
        pytest.param(
            ("/lib/systemd/system/ssh.service",),
            r"mkdir -p /etc/systemd/system/ssh.service.d && printf '[Service]\nOOMScoreAdjust=0\n' >"
            " /etc/systemd/system/ssh.service.d/zz-oom.conf && systemctl daemon-reload"
            " && systemctl try-restart ssh.service",
            id="the unit of the package",
        ),
    ],
)
def test_the_value_goes_where_it_came_from(seen: Look, files: tuple[str, ...], remedy: str) -> None:
    (finding,) = found(seen, "ssh-unit-value", SSH._replace(adj=-900, files=files))
    assert finding.remedy == remedy


def test_hidden_processes_are_told(seen: Look) -> None:
    hidden = seen._replace(scenario=seen.scenario._replace(hidden=3), hidden_why="hidepid")
    (finding,) = findings(hidden, ("hidden",))
    assert (finding.severity, finding.remedy) == (Severity.WARNING, "sudo oomctl check")
    assert finding.message.startswith("3 processes are hidden from here (hidepid)")


def test_root_without_the_capability_is_told_who_took_it(seen: Look) -> None:
    (finding,) = findings(seen._replace(capability=("this container lacks it", "ask the host")), ("no-capability",))
    assert (finding.severity, finding.remedy) == (Severity.INFO, None)
    assert finding.message.endswith("CAP_SYS_RESOURCE: this container lacks it; ask the host")


def test_the_other_program_of_this_name_is_told(seen: Look) -> None:
    asked = Asked(other_oomctl="sudo oomctl starts systemd's /usr/bin/oomctl; use sudo oomadm")
    (finding,) = findings(seen._replace(asked=asked), ("other-oomctl",))
    assert (finding.severity, finding.message) == (Severity.INFO, asked.other_oomctl)


def test_a_limit_of_a_unit_is_raised_by_systemd(seen: Look, proc_tree: ProcTree) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/system.slice")
    proc_tree.cgroup(
        "/system.slice/a b.service", (300,), memory__max="819200000\n", memory__current="819200000\n", memory__stat=""
    )
    with_limit = look(proc_tree.procfs(), Asked())._replace(runs_systemd=True)
    (finding,) = findings(with_limit, ("limit-near",))
    assert finding.remedy == "systemctl set-property 'a b.service' MemoryMax=1024458752"


@pytest.mark.parametrize(
    ("unit", "remedy"),
    [
        (
            TOY._replace(adj=-1000),
            "oomctl protect --level -999 --persist toy.service && oomctl protect --level -999 302",
        ),
        (TOY._replace(adj=0), "oomctl protect --level -999 300 302"),
        (TOY._replace(id="ssh.service", adj=-1000), "oomctl protect --level -999 300 302"),
        (TOY._replace(main_pid=303, adj=-1000), "oomctl protect --level -999 300 302"),
    ],
)
def test_whom_its_unit_exempts_from_its_limit_is_told_to_the_unit(
    seen: Look, proc_tree: ProcTree, unit: UnitState, remedy: str
) -> None:
    proc_tree.mount_v2()
    proc_tree.cgroup("/system.slice")
    for pid in (300, 302):
        proc_tree.add(pid, "toy", adj=-1000, uid=0, cgroup="0::/system.slice/toy.service\n")
    proc_tree.cgroup("/system.slice/toy.service", (300, 302), memory__max="819200000\n", memory__stat="")
    (finding,) = found(look(proc_tree.procfs(), Asked()), "memcg-unkillable", unit, adj=-1000)
    assert finding.remedy == remedy


def test_of_two_killers_the_services_of_systemd_count(seen: Look, proc_tree: ProcTree) -> None:
    proc_tree.add(70, "systemd-oomd", uid=0)
    proc_tree.add(71, "earlyoom", uid=0)
    mains = {f"{comm}.service": Task(pid, comm) for pid, comm in ((70, "systemd-oomd"), (71, "earlyoom"))}
    machine = look(proc_tree.procfs(), Asked())._replace(runs_systemd=True)
    (finding,) = findings(machine._replace(mains=mains), ("other-killer",))
    assert (finding.severity, finding.remedy) == (Severity.WARNING, "systemctl mask --now systemd-oomd.service")


def test_who_calls_himself_a_killer_has_no_real_one_stopped(seen: Look, proc_tree: ProcTree) -> None:
    proc_tree.add(60, "earlyoom", uid=54321)
    proc_tree.add(70, "systemd-oomd", uid=0)
    machine = look(proc_tree.procfs(), Asked())._replace(runs_systemd=True)
    (finding,) = findings(machine._replace(mains={"systemd-oomd.service": Task(70, "systemd-oomd")}), ("other-killer",))
    assert (finding.severity, finding.remedy) == (Severity.INFO, None)


@pytest.mark.parametrize(
    "above", ["/machine.slice/libpod-4f2a.scope", "/system.slice/runner.service", "/user.slice/user@1000.service"]
)
def test_a_cgroup_that_only_has_the_name_of_a_unit_is_told_to_no_unit(
    seen: Look, proc_tree: ProcTree, above: str
) -> None:
    proc_tree.mount_v2()
    for path in (above.rpartition("/")[0], above):
        proc_tree.cgroup(path)
    full = {"memory__max": "819200000\n", "memory__current": "819200000\n", "memory__stat": ""}
    proc_tree.cgroup(f"{above}/ssh.service", (300,), **full)
    (finding,) = findings(look(proc_tree.procfs(), Asked())._replace(runs_systemd=True), ("limit-near",))
    assert finding.remedy is not None
    assert finding.remedy.startswith("echo ")
