"""--persist: what is written for the next start, what changes now, and who is refused. systemd itself: tests/vm."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from oomctl.changes.journal import Journal
from oomctl.guard import programs
from oomctl.model.changes import DropIn, Recorded
from oomctl.systemd import manager
from tests.commands.invoke import Ran, ask
from tests.documents import errors_in
from tests.proc_tree import LISTENER, ProcTree, adjs
from tests.systemd.stand_in import StandIn

NGINX = "0::/system.slice/nginx.service\n"


def search(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """Let systemctl be looked for in ``path``, by root as well."""
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(programs, "SYSTEM_PATH", path)


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    stand_in = StandIn(tmp_path / "systemd")
    search(monkeypatch, f"{stand_in.bin}:{os.environ['PATH']}")
    monkeypatch.setattr(manager, "SYSTEM_DIRECTORY", str(stand_in.units))
    return stand_in


def test_a_unit_s_manager_is_asked_once(web: ProcTree, systemd: StandIn) -> None:
    """Also where it has children, which are in its cgroup and so matches themselves."""
    ran = ask(web, "set", "-500", "nginx.service")
    assert ran.status == 0
    assert "2 processes: not the main process" in ran.stdout
    assert len(systemd.calls("show")) == 1


@pytest.fixture
def web(proc_tree: ProcTree, systemd: StandIn) -> ProcTree:
    """nginx.service with 10 as its main process, 11 its child, 12 started by PID 1 in the same unit."""
    proc_tree.add(1, "systemd", ppid=0, uid=0, score=0)
    proc_tree.add(10, "nginx", 3000, uid=0, cgroup=NGINX)
    proc_tree.add(11, "nginx", 2000, uid=33, ppid=10, cgroup=NGINX)
    proc_tree.add(12, "helper", 1000, uid=0, cgroup=NGINX)
    systemd.unit("nginx.service", main_pid=10)
    return proc_tree


def drop_in(systemd: StandIn, unit: str = "nginx.service") -> Path:
    return systemd.units / f"{unit}.d" / "90-oomctl.conf"


def test_a_known_unit_that_does_not_run_keeps_the_value_and_an_unknown_one_is_missing(
    web: ProcTree, systemd: StandIn
) -> None:
    systemd.unit("backup.service")
    argv = ["set", "300", "--persist", "--missing-ok", "backup.service", "nosuch.service", "nosuch"]
    ran = ask(web, *argv)
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[:3] == [
        f"backup.service: OOMScoreAdjust=300 written to {drop_in(systemd, 'backup.service')}",
        "nosuch.service: the system's service manager knows no such unit; --user asks your own",
        "nosuch: no process matches",
    ]
    assert drop_in(systemd, "backup.service").exists()
    assert not drop_in(systemd, "nosuch.service").exists()
    assert json.loads(ask(web, *argv, "--json").stdout)["missing"] == ["nosuch.service", "nosuch"]


def test_nothing_is_written_for_any_unit_where_an_unknown_one_is_an_error(web: ProcTree, systemd: StandIn) -> None:
    assert ask(web, "set", "300", "--persist", "nginx.service", "nosuch.service").status == 1
    assert not drop_in(systemd).exists()


@pytest.mark.parametrize("target", ["nginx.service", "nginx", "10"])
def test_the_value_is_there_now_and_after_the_next_start(web: ProcTree, systemd: StandIn, target: str) -> None:
    ran = ask(web, "protect", "--level", "-500", "--persist", target)
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[:2] == [
        f"nginx.service: OOMScoreAdjust=-500 written to {drop_in(systemd)}",
        "10 (nginx): oom_score_adj 0 -> -500, rank 1 -> rank 3",
    ]
    assert (
        "left alone: 2 processes: not the main process of nginx.service, and still a candidate (--all takes them)"
        in ran.stdout
    )
    assert drop_in(systemd).read_text().endswith("[Service]\nOOMScoreAdjust=-500\n")
    assert drop_in(systemd).stat().st_mode & 0o777 == 0o644
    assert os.listdir(drop_in(systemd).parent) == ["90-oomctl.conf"]
    assert systemd.calls("daemon-reload") == ["--system --no-pager daemon-reload"]
    assert adjs(web, 10, 11, 12) == [-500, 0, 0]


def test_a_dry_run_shows_the_file_and_writes_nothing(web: ProcTree, systemd: StandIn) -> None:
    ran = ask(web, "set", "-500", "--persist", "nginx.service", "--dry-run")
    assert ran.status == 0
    assert ran.stdout.splitlines()[:5] == [
        f"nginx.service: OOMScoreAdjust=-500 would be written to {drop_in(systemd)}",
        "    # Written by oomctl; oomctl reset --persist nginx.service removes it.",
        "    [Service]",
        "    OOMScoreAdjust=-500",
        "10 (nginx): oom_score_adj would go 0 -> -500, rank 1 -> rank 3",
    ]
    assert not drop_in(systemd).parent.exists()
    assert systemd.calls("daemon-reload") == []
    assert adjs(web, 10) == [0]


def test_raising_goes_to_every_process_of_the_unit(web: ProcTree) -> None:
    assert ask(web, "sacrifice", "--persist", "nginx.service").status == 0
    assert adjs(web, 10, 11, 12) == [1000, 1000, 1000]


def test_reset_removes_it_and_gives_back_what_the_unit_declares(web: ProcTree, systemd: StandIn) -> None:
    systemd.unit("nginx.service", "[Service]\nOOMScoreAdjust=200\n", main_pid=10)
    ask(web, "set", "500", "--persist", "nginx.service")
    dry = ask(web, "reset", "--persist", "nginx.service", "--dry-run")
    assert dry.stdout.splitlines()[0] == f"nginx.service: {drop_in(systemd)} would be removed"
    assert "10 (nginx): oom_score_adj would go 500 -> 200" in dry.stdout
    assert drop_in(systemd).exists()
    ran = ask(web, "reset", "--persist", "nginx")
    assert ran.status == 0
    assert not drop_in(systemd).parent.exists()
    assert adjs(web, 10) == [200]
    again = ask(web, "reset", "--persist", "nginx.service")
    assert again.status == 0
    assert again.stdout.splitlines()[0] == f"nginx.service: no {drop_in(systemd)}, nothing to remove"


def test_a_dry_reset_knows_what_the_manager_gives_a_unit_without_a_value(web: ProcTree, systemd: StandIn) -> None:
    ask(web, "set", "500", "--persist", "nginx.service")
    for default, adj in (("", 0), ("200", 200)):
        (systemd.home / "default").write_text(default)
        ran = ask(web, "reset", "--persist", "nginx.service", "--dry-run")
        assert f"10 (nginx): oom_score_adj would go 500 -> {adj}" in ran.stdout


def test_reset_leaves_the_drop_ins_of_others(web: ProcTree, systemd: StandIn) -> None:
    ask(web, "set", "500", "--persist", "nginx.service")
    other = drop_in(systemd).with_name("50-other.conf")
    other.write_text("[Service]\nNice=5\n")
    assert ask(web, "reset", "--persist", "nginx.service").status == 0
    assert os.listdir(other.parent) == ["50-other.conf"]


def test_a_service_that_is_not_running_has_it_at_its_next_start(web: ProcTree, systemd: StandIn) -> None:
    systemd.unit("backup.service")
    ran = ask(web, "set", "300", "--persist", "backup.service")
    path = drop_in(systemd, "backup.service")
    assert ran == Ran(0, f"backup.service: OOMScoreAdjust=300 written to {path}\n", "")


def test_the_document_lists_what_is_kept(web: ProcTree, systemd: StandIn) -> None:
    document = json.loads(ask(web, "set", "-500", "--persist", "nginx.service", "--json").stdout)
    assert errors_in(document) == []
    assert document["persisted"] == [
        {
            "unit": "nginx.service",
            "user": False,
            "before": None,
            "after": -500,
            "path": str(drop_in(systemd)),
            "status": "changed",
            "reason": None,
        }
    ]
    assert [change["pid"] for change in document["changes"]] == [10]


def test_undo_takes_the_drop_in_back_as_well(web: ProcTree, systemd: StandIn) -> None:
    ask(web, "set", "300", "--persist", "nginx.service")
    ask(web, "set", "500", "--persist", "nginx.service")
    ran = ask(web, "undo")
    assert (ran.status, ran.stderr) == (0, "")
    assert ran.stdout.splitlines()[1] == f"nginx.service: OOMScoreAdjust=300 written to {drop_in(systemd)}"
    assert drop_in(systemd).read_text().endswith("OOMScoreAdjust=300\n")
    assert adjs(web, 10) == [300]
    assert ask(web, "undo", "--dry-run").stdout.splitlines()[1].endswith("90-oomctl.conf would be removed")
    assert ask(web, "undo").status == 0
    assert not drop_in(systemd).exists()
    assert len(systemd.calls("daemon-reload")) == 4


def test_undo_leaves_a_drop_in_that_was_edited_since(web: ProcTree, systemd: StandIn) -> None:
    ask(web, "set", "300", "--persist", "nginx.service")
    drop_in(systemd).write_text("[Service]\nOOMScoreAdjust=100\n")
    ran = ask(web, "undo")
    assert ran.status == 3
    assert ran.stderr == f"oomctl: {drop_in(systemd)}: something else has changed it since; it was not touched\n"
    assert drop_in(systemd).read_text() == "[Service]\nOOMScoreAdjust=100\n"


@pytest.mark.parametrize("target", ["ssh.service", "sshd.service", "sshd", "20"])
def test_ssh_is_refused_by_whatever_name(web: ProcTree, systemd: StandIn, target: str) -> None:
    web.add(20, "sshd", uid=0, cgroup="0::/system.slice/ssh.service\n")
    web.write("20/cmdline", LISTENER.encode() + b"\0")
    systemd.unit("ssh.service", main_pid=20)
    systemd.alias("sshd.service", "ssh.service")
    ran = ask(web, "protect", "--persist", target)
    assert (ran.status, ran.stdout) == (6, "")
    assert "sshd protects its own listener, and a value in its unit would be inherited by every login" in ran.stderr
    assert not drop_in(systemd, "ssh.service").exists()
    assert adjs(web, 20) == [0]


def test_one_refusal_keeps_everything_from_being_written(web: ProcTree, systemd: StandIn) -> None:
    assert ask(web, "protect", "--persist", "nginx.service", "ssh.service").status == 6
    assert not drop_in(systemd).exists()
    assert adjs(web, 10) == [0]


def test_an_alias_is_the_unit_that_it_stands_for(web: ProcTree, systemd: StandIn) -> None:
    systemd.alias("web.service", "nginx.service")
    assert ask(web, "set", "-500", "--persist", "web.service").status == 0
    assert drop_in(systemd).exists()
    assert not drop_in(systemd, "web.service").exists()
    assert ask(web, "set", "-600", "web.service").status == 0
    assert adjs(web, 10) == [-600]


def test_a_worker_does_not_stand_for_its_unit(web: ProcTree, systemd: StandIn) -> None:
    ran = ask(web, "set", "-500", "--persist", "helper")
    assert ran.status == 6
    assert ran.stderr == (
        "oomctl: 12 (helper) is not the main process of nginx.service, and all of that unit would get the value;"
        " name nginx.service if you mean that\n"
    )
    assert not drop_in(systemd).exists()


def test_an_impostor_s_service_is_left_alone(web: ProcTree, systemd: StandIn) -> None:
    own = "0::/user.slice/user-54321.slice/user@54321.service/app.slice/db.service\n"
    web.add(30, "db", uid=54321, cgroup=own)
    ran = ask(web, "protect", "--persist", "db")
    assert ran.status == 6
    assert "anyone can use that name" in ran.stdout
    ran = ask(web, "protect", "--persist", "30")
    assert ran.status == 4
    assert ran.stderr == "oomctl: db.service belongs to the service manager of uid 54321; ask as that user\n"


@pytest.mark.parametrize(
    ("pid", "cgroup", "status", "help_"),
    [
        (30, "0::/\n", 7, "30 (job) is in no unit of systemd; set the value where it is started: oomctl run -n 300"),
        (30, "0::/user.slice/user-0.slice/session-2.scope\n", 7, "session-2.scope: systemd starts no process for a"),
    ],
)
def test_what_is_no_service_is_told_what_to_do_instead(
    web: ProcTree, pid: int, cgroup: str, status: int, help_: str
) -> None:
    web.add(pid, "job", uid=0, cgroup=cgroup)
    ran = ask(web, "set", "300", "--persist", str(pid))
    assert (ran.status, ran.stdout) == (status, "")
    assert help_ in ran.stderr
    assert adjs(web, pid) == [0]


def test_a_machine_without_systemd_is_told_what_to_do_instead(
    web: ProcTree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, systemd: StandIn
) -> None:
    systemd.fail("show", "System has not been booted with systemd as init system (PID 1). Can't operate.")
    for path in (os.environ["PATH"], str(tmp_path)):
        search(monkeypatch, path)
        ran = ask(web, "set", "300", "--persist", "nginx.service")
        assert (ran.status, ran.stdout) == (7, "")
        assert ran.stderr.startswith("oomctl: --persist needs systemd, and it does not answer here (systemctl")
        assert "oomctl run -n 300 -- COMMAND" in ran.stderr
        assert ask(web, "set", "300", "nginx.service").status == 0  # without it nothing is missing
        web.write("10/oom_score_adj", "0\n")


@pytest.mark.parametrize(
    ("unit", "status", "message"),
    [
        ("nosuch.service", 1, "nosuch.service: the system's service manager knows no such unit; --user asks your own"),
        ("../x.service", 2, "is not the name of a unit"),
        ("getty@.service", 2, "is a template"),
    ],
)
def test_a_unit_that_cannot_be_given_a_value(web: ProcTree, unit: str, status: int, message: str) -> None:
    ran = ask(web, "set", "300", "--persist", unit)
    assert (ran.status, ran.stdout) == (status, "")
    assert message in ran.stderr


def test_another_drop_in_that_wins_is_named(web: ProcTree, systemd: StandIn) -> None:
    later = drop_in(systemd).with_name("99-other.conf")
    later.parent.mkdir()
    later.write_text("[Service]\nOOMScoreAdjust=100\n")
    ran = ask(web, "set", "300", "--persist", "nginx.service")
    assert ran.status == 3
    assert f"{drop_in(systemd)}: the unit still has OOMScoreAdjust=100;" in ran.stderr
    assert str(later) in ran.stderr
    assert adjs(web, 10) == [300]


def test_a_manager_that_does_not_reload_is_no_success(web: ProcTree, systemd: StandIn) -> None:
    systemd.fail("daemon-reload", "Failed to reload daemon: Connection timed out")
    ran = ask(web, "set", "300", "--persist", "nginx.service")
    assert ran.status == 3
    assert "it is written, but not in effect: systemctl daemon-reload: Failed to reload daemon" in ran.stderr


def test_a_directory_that_cannot_be_written_changes_nothing(web: ProcTree, systemd: StandIn) -> None:
    (systemd.units / "nginx.service.d").write_text("a file")
    ran = ask(web, "set", "300", "--persist", "nginx.service")
    assert (ran.status, ran.stdout) == (4, "")
    assert ran.stderr == f"oomctl: {drop_in(systemd)}: File exists\n"
    assert adjs(web, 10) == [0]


def test_what_was_written_before_a_later_unit_is_refused_can_be_undone(web: ProcTree, systemd: StandIn) -> None:
    web.add(20, "cron", 1000, uid=0, cgroup="0::/system.slice/cron.service\n")
    systemd.unit("cron.service", main_pid=20)
    (systemd.units / "cron.service.d").write_text("a file")
    assert ask(web, "set", "300", "--persist", "nginx.service", "cron.service").status == 4
    assert drop_in(systemd).exists()
    [entry] = Journal.of_user().entries()
    assert [kept.unit for kept in entry.drop_ins] == ["nginx.service"]
    assert ask(web, "undo").status == 0
    assert not drop_in(systemd).exists()


@pytest.mark.parametrize("before", [None, -100])
def test_a_drop_in_that_a_killed_change_had_not_written_yet_is_as_it_was(
    web: ProcTree, systemd: StandIn, before: int | None
) -> None:
    if before is not None:
        ask(web, "set", str(before), "--persist", "nginx.service")
    meant = DropIn("nginx.service", False, before, -500)
    boot_id = "8d3a2c7e-0000-4000-8000-000000000001"
    Journal.of_user().append(Recorded("set -500 --persist nginx.service", time.time(), boot_id, (), (meant,)))
    ran = ask(web, "undo")
    assert (ran.status, ran.stderr) == (0, "")
    is_there = "OOMScoreAdjust=-100 in" if before else "no"
    assert ran.stdout.splitlines()[1].startswith(f"nginx.service: {is_there} {drop_in(systemd)}")
    assert manager.Manager().drop_in("nginx.service") == before


def test_a_user_s_own_units_are_kept_in_the_user_s_configuration(
    web: ProcTree, systemd: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    uid = os.geteuid()
    own = f"0::/user.slice/user-{uid}.slice/user@{uid}.service/app.slice/sync.service\n"
    web.add(30, "sync", uid=uid, ppid=29, cgroup=own)
    web.add(29, "systemd", uid=uid)
    systemd.unit("sync.service", main_pid=30)
    ran = ask(web, "set", "500", "--persist", "--user", "sync.service")
    # The stand-in loads its own directory only, so the value does not take effect there.
    path = tmp_path / "config/systemd/user/sync.service.d/90-oomctl.conf"
    assert path.read_text().endswith("OOMScoreAdjust=500\n")
    assert ran.status == 3
    assert systemd.calls("daemon-reload") == ["--user --no-pager daemon-reload"]
    assert adjs(web, 30) == [500]
    path.unlink()
    assert ask(web, "set", "600", "--persist", "30").status == 3  # its cgroup says whose unit it is
    assert path.exists()


def test_a_user_s_manager_cannot_go_below_its_own_value(
    web: ProcTree, systemd: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It leaves such a service at its own value and says nothing."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    web.add(29, "systemd", adj=100)
    web.add(30, "sync", ppid=29, cgroup="0::/user.slice/user-1000.slice/user@1000.service/app.slice/sync.service\n")
    systemd.unit("sync.service", main_pid=30)
    ran = ask(web, "set", "-5", "--persist", "--user", "sync.service")
    assert (ran.status, ran.stdout) == (4, "")
    assert "your service manager has an oom_score_adj of 100 and cannot give its services less" in ran.stderr
    assert ask(web, "reset", "--persist", "--user", "sync.service", "--dry-run").status == 0


def test_explain_shows_what_the_unit_declares_where_it_differs(web: ProcTree, systemd: StandIn) -> None:
    systemd.unit("nginx.service", "[Service]\nOOMScoreAdjust=-500\n", main_pid=10)
    ran = ask(web, "explain", "10")
    assert "  nginx.service declares OOMScoreAdjust=-500, not 0: its next start has that\n" in ran.stdout
    [process] = json.loads(ask(web, "explain", "10", "--json").stdout)["processes"]
    assert process["declared"] == -500
    web.write("10/oom_score_adj", "-500\n")
    ran = ask(web, "explain", "10")
    assert "declares" not in ran.stdout
    assert "  set by: OOMScoreAdjust=-500 of nginx.service (sure; systemctl show)\n" in ran.stdout
