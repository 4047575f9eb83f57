"""What ``history`` says of logs that people pasted: who killed whom at whose request, and advice that can work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from oomctl.cli.main import cli
from tests.documents import errors_in
from tests.runner import runner

PASTED = Path(__file__).parents[1] / "data" / "pasted"
LOGS = sorted(path.name for path in PASTED.glob("*.log"))
KILL = "Out of memory: Killed process 7 (java) total-vm:90000kB, anon-rss:8kB, file-rss:8kB, shmem-rss:0kB, UID:1"


def run(*args: str, document: str | None = None) -> str:
    return runner().invoke(cli, args, input=document).stdout


def full(name: str, number: int = 1) -> str:
    """What is told of the log's first, second, ... event."""
    return run("history", "--file", str(PASTED / name), str(event(name, number)["index"]))


def told(line: str) -> str:
    return run("history", "1", "--file", "-", document=line)


def event(name: str, number: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("history", "--json", "--file", str(PASTED / name)))["events"][number - 1]
    return found


@pytest.mark.parametrize("name", LOGS)
def test_what_is_said_of_a_pasted_log_is_as_the_schema_describes(name: str) -> None:
    document = run("history", "--json", "--file", str(PASTED / name))
    assert not document or errors_in(json.loads(document)) == []


# Who killed


def test_the_list_says_who_killed_where_it_was_not_always_the_kernel() -> None:
    lines = run("history", "--file", str(PASTED / "18-earlyoom-and-kernel-cyrillic.log")).splitlines()
    assert [line.split()[-1] for line in lines] == ["BY", "earlyoom", "kernel"]
    assert "BY" not in run("history", "--file", str(PASTED / "39-grep-out-of-memory-only.log"))


def test_a_kill_by_a_program_is_told_as_its_own() -> None:
    text = full("04-oomd-french.log")
    assert "Killer    systemd-oomd, not the kernel's OOM killer: memory pressure for /user.slice/" in text
    assert "tmux-spawn.scope, 12 processes" in text
    assert "Replay" not in text
    assert "the log does not say" not in text
    found = event("04-oomd-french.log")
    assert (found["killer"], found["outcome"], found["replay"]) == ("systemd-oomd", "kill", None)
    assert (found["unit"], found["processes"]) == ("tmux-spawn.scope", 12)


def test_the_kernel_is_the_killer_by_default() -> None:
    found = event("39-grep-out-of-memory-only.log")
    assert (found["killer"], found["outcome"], found["victim"]) == ("kernel", "unknown", None)
    assert found["chosen"] == {"pid": 9163, "comm": "mysqld", "score": 511}


def test_a_container_of_openvz_and_how_many_died_in_it() -> None:
    text = full("02-openvz-ub.log")
    assert "16 processes of container 1234 killed, says the kernel" in text
    assert event("02-openvz-ub.log")["container"] == "1234"


# Who was killed


def test_a_child_that_died_in_the_place_of_the_chosen_is_told() -> None:
    text = full("12-bracketed-names.log")
    assert "Chosen    4142 (python3), score 68; 4254 died in its place: a child or a thread of it" in text
    assert "Victim    4254 (python3), 8.1MiB of RSS" in text


def test_of_a_choice_without_a_kill_the_child_is_not_ruled_out() -> None:
    assert "Victim    9163 (mysqld), chosen with a score of 511, or a child of it" in full(
        "39-grep-out-of-memory-only.log"
    )


def test_a_panic_says_that_nobody_could_be_killed() -> None:
    assert "nobody could be killed, and the kernel panicked (System is deadlocked on memory)" in full(
        "16-boot-no-killable.log"
    )
    assert event("16-boot-no-killable.log")["outcome"] == "panic"


@pytest.mark.parametrize(("name", "number"), [("13-lxc-nested-grep.log", 3), ("27-pg-container-truncated.log", 2)])
def test_of_a_log_that_ends_early_the_victim_is_not_known(name: str, number: int) -> None:
    assert "Victim    not in the log" in full(name, number)
    assert event(name, number)["outcome"] == "unknown"


def test_nobody_is_not_killable_only_because_the_totals_are_missing() -> None:
    assert "Tasks     4 in the table, the largest first; cannot be ranked: the limit is missing\n" in full(
        "28-eks-no-limit-line.log"
    )


OLDER = """[  100.000001] java invoked oom-killer: gfp_mask=0x201da, order=0, oom_adj=0
[  100.000002] Pid: 5, comm: java Not tainted 2.6.32-5-amd64 #1
[  100.000003] 1048576 pages RAM
[  100.000004] 20000 pages reserved
[  100.000005] Total swap = 0kB
[  100.000006] [ pid ]   uid  tgid total_vm      rss cpu oom_adj name
[  100.000007] [ 4402]    27  4402   500000   440000   0       0 mysqld
[  100.000008] Out of memory: Kill process 4402 (mysqld) score 900 or sacrifice child
[  100.000009] Killed process 4402 (mysqld) total-vm:2000000kB, anon-rss:1760000kB, file-rss:0kB
"""


def test_a_kernel_older_than_the_rules_is_not_said_to_lack_a_limit() -> None:
    text = told(OLDER)
    assert "cannot be ranked: kernel 2.6.32-5-amd64 still weighed total_vm, CPU time and age" in text
    assert "4402    -  1.68GiB" in text


def test_of_a_machine_no_limit_is_missing_but_its_size() -> None:
    log = (PASTED.parent / "oom-logs" / "5.x-machine-table-without-totals.log").read_text()
    assert "cannot be ranked: the size of the memory that ran out is missing" in told(log)


# By hand


def test_a_kill_by_hand_is_told_without_advice_about_memory() -> None:
    text = full("25-unraid-sysrq-obsidian.log")
    assert "Trigger   machine: asked for by hand (SysRq f); memory need not have been short" in text
    assert "swap" not in text.partition("Remedy")[2]
    assert event("25-unraid-sysrq-obsidian.log")["requested"] is True


def test_simulate_says_so_as_well() -> None:
    text = run("simulate", "--from", str(PASTED / "25-unraid-sysrq-obsidian.log"))
    assert "Trigger    somebody asks for a kill by hand (SysRq f)" in text


def test_simulate_passes_over_reports_without_a_table() -> None:
    table = (PASTED / "43-kernel-memory-in-cgroup.log").read_text()
    log = (PASTED / "19-earlyoom-only.log").read_text() + table
    assert "985671 (python3)" in run("simulate", "--from", "-", document=log)


# Advice


def test_there_is_no_advice_to_simulate_without_a_table() -> None:
    assert "simulate" not in told(KILL)
    assert f"simulate --from '{PASTED}/25-unraid-sysrq-obsidian.log#1' --without 6009 " in full(
        "25-unraid-sysrq-obsidian.log"
    )


@pytest.mark.parametrize("adj", [1, 500, 984, 1000])
def test_the_dead_are_not_explained(adj: int) -> None:
    assert "explain" not in told(f"{KILL} pgtables:4kB oom_score_adj:{adj}")


def test_the_kubelets_values_are_known() -> None:
    assert "as the kubelet gives it to a Burstable pod" in told(f"{KILL} pgtables:4kB oom_score_adj:984")
    assert "counts like 20 % of the memory that ran out" in told(f"{KILL} pgtables:4kB oom_score_adj:200")


def test_total_vm_is_not_what_counts() -> None:
    assert "total-vm, 87.9MiB, is address space: it is not what counts against a limit" in told(KILL)
    assert "total-vm" not in told(KILL.replace("90000kB", "17kB"))
