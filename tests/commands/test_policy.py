"""policy check, diff, apply and explain on a fake /proc: who is meant, what is said, what is written."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.commands.invoke import Ran, ask, program
from tests.policy.rules import rule
from tests.privileges import NOBODY, needs_root
from tests.proc_tree import LISTENER, ProcTree, adjs
from tests.processes import Sleeper, adj_of


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


SERVER = rule("postgres", -900, reason="the data") + rule("java", 300)


def test_diff_shows_what_would_change_and_why(server: ProcTree, policy: Path) -> None:
    policy.write_text(SERVER)
    assert ask(server, "policy", "diff", "-f", str(policy)) == Ran(
        1,
        "PID  COMMAND   ADJ           RULE\n"
        f" 10  postgres  -100 -> -900  {policy}:1 (the data)\n"
        f" 20  java      0 -> 300      {policy}:5\n",
        "",
    )
    assert adjs(server, 10, 11, 20) == [-100, 0, 0]


def test_apply_makes_it_so_and_diff_is_silent_then(server: ProcTree, policy: Path) -> None:
    policy.write_text(SERVER)
    assert ask(server, "policy", "apply", "-f", str(policy)) == Ran(
        0,
        "10 (postgres): oom_score_adj -100 -> -900, rank 3 -> rank 3\n"
        "20 (java): oom_score_adj 0 -> 300, rank 1 -> rank 1\n"
        'left alone: 1 process: child of another match, and still a candidate (scope = "all" takes it)\n'
        "next victim: 20 (java), as before\n",
        "",
    )
    assert adjs(server, 10, 11, 20) == [-900, 0, 300]
    assert ask(server, "policy", "diff", "-f", str(policy)) == Ran(0, "", "")


def from_stdin(proc_tree: ProcTree, tmp_path: Path, text: str, *words: str) -> Ran:
    (tmp_path / "rules").write_text(text)
    with (tmp_path / "rules").open() as stdin:
        return program("policy", *words, "-f", "-", stdin=stdin, env={"OOMCTL_PROC": str(proc_tree.root)})


def test_rules_may_come_from_stdin(server: ProcTree, tmp_path: Path) -> None:
    assert from_stdin(server, tmp_path, SERVER, "diff").stdout == (
        "PID  COMMAND   ADJ           RULE\n"
        " 10  postgres  -100 -> -900  <stdin>:1 (the data)\n"
        " 20  java      0 -> 300      <stdin>:5\n"
    )
    assert "<stdin>:5" in from_stdin(server, tmp_path, SERVER, "explain", "java").stdout
    assert from_stdin(server, tmp_path, SERVER, "apply", "-q") == Ran(0, "", "")
    assert adjs(server, 10, 20) == [-900, 300]
    assert from_stdin(server, tmp_path, SERVER, "check").status == 0


def test_a_mistake_in_stdin_has_its_line_there_and_changes_nothing(server: ProcTree, tmp_path: Path) -> None:
    wrong = SERVER + "[[rule]]\n"
    assert from_stdin(server, tmp_path, wrong, "check").stdout.startswith("<stdin>:8: ")
    ran = from_stdin(server, tmp_path, wrong, "apply")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith("oomctl: <stdin>:8: target: missing; ")
    assert adjs(server, 10, 20) == [-100, 0]


def test_stdin_is_one_of_several_files(server: ProcTree, tmp_path: Path, policy: Path) -> None:
    policy.write_text(rule("postgres", -900))
    ran = from_stdin(server, tmp_path, rule("java", 300), "diff", "-f", str(policy))
    assert [line.split()[0] for line in ran.stdout.splitlines()[1:]] == ["10", "20"]


def test_a_closed_stdin_holds_no_rules() -> None:
    ran = program("policy", "apply", "-f", "-", before=("sh", "-c", 'exec "$@" <&-', "sh"))
    assert ran == Ran(2, "", "oomctl: <stdin>: cannot be read: it is closed; nothing was changed\n")


def test_a_stdin_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    with (tmp_path / "for writing").open("w") as stdin:
        ran = program("policy", "check", "-f", "-", stdin=stdin)
    assert (ran.status, ran.stdout.splitlines()[0]) == (1, "<stdin>: cannot be read: Bad file descriptor")


def test_stdin_has_the_bound_of_a_file() -> None:
    with open("/dev/zero", "rb") as endless:
        ran = program("policy", "apply", "-f", "-", stdin=endless)
    assert (ran.status, ran.stderr) == (2, "oomctl: <stdin>: expected at most 65536 bytes; nothing was changed\n")


def test_stdin_is_followed_whoever_can_write_it(server: ProcTree, tmp_path: Path) -> None:
    rules = tmp_path / "rules"
    rules.touch()
    rules.chmod(0o666)
    assert from_stdin(server, tmp_path, SERVER, "apply").status == 0
    assert ask(server, "policy", "apply", "-f", str(rules)).status == 2


def test_the_service_needs_a_file_that_it_can_read_again() -> None:
    ran = program("policy", "watch", "-f", "-")
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr == (
        "oomctl: policy watch: -f -: stdin can be read only once, and SIGHUP has the files read again; name a file\n"
    )


def test_apply_again_changes_nothing(server: ProcTree, policy: Path) -> None:
    policy.write_text(rule("java", 300))
    ask(server, "policy", "apply", "-f", str(policy))
    assert ask(server, "policy", "apply", "-f", str(policy)) == Ran(
        0, "nothing to change: 1 process as the policy says\n", ""
    )
    document = json.loads(ask(server, "policy", "apply", "-f", str(policy), "--json").stdout)
    assert document["schema"] == "oomctl.policy-apply/1"
    assert [(change["pid"], change["status"]) for change in document["changes"]] == [(20, "unchanged")]


def test_a_dry_run_writes_nothing(server: ProcTree, policy: Path) -> None:
    policy.write_text(SERVER)
    ran = ask(server, "policy", "apply", "--dry-run", "-f", str(policy))
    assert ran.status == 0
    assert ran.stdout.startswith("10 (postgres): oom_score_adj would go -100 -> -900, ")
    assert adjs(server, 10, 20) == [-100, 0]


def test_undo_takes_an_apply_back(server: ProcTree, policy: Path) -> None:
    policy.write_text(SERVER)
    ask(server, "policy", "apply", "-f", str(policy))
    assert ask(server, "undo").stdout.startswith("undo of: policy apply (")
    assert adjs(server, 10, 20) == [-100, 0]


def test_the_first_rule_that_matches_decides(server: ProcTree, policy: Path) -> None:
    policy.write_text(rule("java", 0, reason="the one we need") + rule("user:54321", 500))
    server.add(21, "worker", uid=54321)
    ask(server, "policy", "apply", "-f", str(policy))
    assert adjs(server, 20, 21) == [0, 500]


def test_a_process_that_the_first_rule_leaves_alone_is_not_the_next_one_s(server: ProcTree, policy: Path) -> None:
    server.add(31, "cron", uid=0)
    policy.write_text(rule("postgres", -900) + rule("user:root", 700))
    ask(server, "policy", "apply", "-f", str(policy))
    assert adjs(server, 10, 11, 31) == [-900, 0, 700]


def test_scope_all_takes_every_match_and_tree_what_they_started(server: ProcTree, policy: Path) -> None:
    server.add(12, "helper", uid=0, ppid=11)
    policy.write_text(rule("postgres", -900, scope="all"))
    ask(server, "policy", "apply", "-f", str(policy))
    assert adjs(server, 10, 11, 12) == [-900, -900, 0]
    policy.write_text(rule("postgres", -800, scope="tree"))
    ask(server, "policy", "apply", "-f", str(policy))
    assert adjs(server, 10, 11, 12) == [-800, -800, -800]


def test_sessions_impostors_pid_1_and_kernel_threads_are_left_alone(server: ProcTree, policy: Path) -> None:
    server.add(50, "sshd", uid=0)
    server.write("50/cmdline", LISTENER)
    server.add(51, "sshd", uid=0, ppid=1)
    server.write("51/cmdline", "sshd: alice@pts/0")
    server.add(52, "sshd", uid=54321)
    policy.write_text(rule("sshd", -1000) + rule("systemd", 5) + rule("kworker*", 5))
    ran = ask(server, "policy", "apply", "-f", str(policy))
    assert ran.status == 0
    assert adjs(server, 50, 51, 52, 1, 40) == [-1000, 0, 0, 0, 0]
    assert "left alone: 1 process: a login session: " in ran.stdout
    assert "left alone: 1 process: belongs to 54321, and anyone can use that name (force = true takes it)" in ran.stdout
    assert "left alone: 1 process: PID 1: " in ran.stdout


def test_a_rule_with_force_takes_them(server: ProcTree, policy: Path) -> None:
    server.add(51, "sshd", uid=0, ppid=1)
    server.write("51/cmdline", "sshd: alice@pts/0")
    server.add(52, "sshd", uid=54321)
    policy.write_text(rule("sshd", -1000, force=True))
    ask(server, "policy", "apply", "-f", str(policy))
    assert adjs(server, 51, 52) == [-1000, -1000]


def test_user_unit_and_cgroup_are_targets(server: ProcTree, policy: Path) -> None:
    server.mount_v2()
    server.cgroup("/jobs")
    server.add(60, "a", uid=54322)
    server.add(61, "b", cgroup="0::/system.slice/db.service\n")
    server.add(62, "c", cgroup="0::/jobs\n")
    policy.write_text(rule("user:54322", 100) + rule("db.service", -200) + rule("cgroup:/jobs", 300))
    assert ask(server, "policy", "apply", "-f", str(policy)).status == 0
    assert adjs(server, 60, 61, 62) == [100, -200, 300]


@pytest.mark.parametrize("mounted", [False, True])
def test_what_a_rule_means_need_not_be_there_yet(server: ProcTree, policy: Path, mounted: bool) -> None:
    if mounted:
        server.mount_v2()
    policy.write_text(rule("cgroup:/later", 300) + rule("later.service", 0) + rule("java", 100))
    assert ask(server, "policy", "apply", "-f", str(policy)).status == 0
    assert adjs(server, 20) == [100]


def test_the_document_of_diff(server: ProcTree, policy: Path) -> None:
    policy.write_text(rule("java", 300, reason="can be started again"))
    ran = ask(server, "policy", "diff", "--json", "-f", str(policy))
    assert ran.status == 1
    assert json.loads(ran.stdout) == {
        "schema": "oomctl.policy-diff/1",
        "hidden_processes": 0,
        "changes": [
            {
                "pid": 20,
                "comm": "java",
                "before": 0,
                "after": 300,
                "left_alone": None,
                "rule": {
                    "file": str(policy),
                    "line": 1,
                    "target": ["java"],
                    "adj": 300,
                    "scope": "root",
                    "force": False,
                    "reason": "can be started again",
                },
                "distrusting": [],
            }
        ],
    }


def test_explain_names_the_rule(server: ProcTree, policy: Path) -> None:
    policy.write_text(SERVER)
    assert ask(server, "policy", "explain", "10", "-f", str(policy)) == Ran(
        0,
        "10 (postgres): oom_score_adj is -100, the policy says -900\n"
        f"  rule    {policy}:1, the first that matches\n"
        "  target  postgres, scope root\n"
        "  reason  the data\n",
        "",
    )


def test_explain_says_why_a_matched_process_is_left_alone(server: ProcTree, policy: Path) -> None:
    policy.write_text(SERVER)
    first = ask(server, "policy", "explain", "11", "-f", str(policy)).stdout.splitlines()[0]
    why = 'child of another match, and still a candidate (scope = "all" takes it)'
    assert first == f"11 (postgres): oom_score_adj is 0, left alone: {why}"


def test_explain_says_that_no_rule_matches(server: ProcTree, policy: Path) -> None:
    policy.write_text(SERVER)
    assert ask(server, "policy", "explain", "safe", "-f", str(policy)) == Ran(
        1, "30 (safe): oom_score_adj is -1000; no rule matches it\n", ""
    )
    ran = ask(server, "policy", "explain", "30", "--json", "-f", str(policy))
    assert json.loads(ran.stdout)["processes"][0]["rule"] is None
    assert ask(server, "policy", "explain", "99", "-f", str(policy)) == Ran(1, "", "oomctl: 99: no process matches\n")


def test_check_finds_nothing_wrong(server: ProcTree, policy: Path) -> None:
    policy.write_text(SERVER)
    assert ask(server, "policy", "check", "-f", str(policy)) == Ran(0, "2 rules, no mistakes\n", "")


def test_check_lists_mistakes_and_warnings(server: ProcTree, policy: Path) -> None:
    policy.write_text(rule("java", 3000) + rule("a*", 1000) + rule("ab", 500))
    assert ask(server, "policy", "check", "-f", str(policy)) == Ran(
        1,
        f"{policy}:3: adj: expected a whole number from -1000 to 1000, got 3000\n"
        f"{policy}:7: warning: rule ab never matches: {policy}:4 covers it\n",
        "",
    )
    assert json.loads(ask(server, "policy", "check", "--json", "-f", str(policy)).stdout) == {
        "schema": "oomctl.policy-check/1",
        "rules": 2,
        "mistakes": [
            {
                "file": str(policy),
                "line": 3,
                "severity": "error",
                "message": "adj: expected a whole number from -1000 to 1000, got 3000",
            },
            {
                "file": str(policy),
                "line": 7,
                "severity": "warning",
                "message": f"rule ab never matches: {policy}:4 covers it",
            },
        ],
    }


@pytest.mark.parametrize("command", ["diff", "apply", "explain"])
def test_nothing_is_done_by_a_file_with_a_mistake(server: ProcTree, policy: Path, command: str) -> None:
    policy.write_text(rule("java", 300) + rule("postgres", 3000))
    ran = ask(server, "policy", command, "-f", str(policy), *(["20"] if command == "explain" else []))
    assert ran == Ran(
        2,
        "",
        f"oomctl: {policy}:6: adj: expected a whole number from -1000 to 1000, got 3000; nothing was changed\n",
    )
    assert adjs(server, 20) == [0]


def test_no_policy_is_a_usage_error(server: ProcTree, tmp_path: Path) -> None:
    ran = ask(server, "policy", "apply", "-f", str(tmp_path / "policy.d"))
    assert (ran.status, ran.stdout) == (2, "")
    assert ran.stderr.startswith(f"oomctl: {tmp_path}/policy.d: cannot be read: No such file or directory")


PIECES = st.sampled_from(
    [rule("java", 300), rule("postgres", -900), "adj = 1\n", "[rule", "x = 1\n", "[[rule]]\n", "force = 3\n", '"""']
)


@given(st.one_of(st.binary(max_size=100), st.lists(PIECES, max_size=5).map(lambda parts: "".join(parts).encode())))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_a_file_that_does_not_validate_never_writes(server: ProcTree, policy: Path, content: bytes) -> None:
    policy.write_bytes(content)
    before = adjs(server, 10, 11, 20, 30)
    wrong = '"error"' in ask(server, "policy", "check", "--json", "-f", str(policy)).stdout
    status = ask(server, "policy", "apply", "-f", str(policy)).status
    assert status == (2 if wrong else 0)
    if wrong:
        assert adjs(server, 10, 11, 20, 30) == before


@pytest.mark.live
def test_the_kernel_has_the_value_of_the_policy(sleeper: Sleeper, policy: Path) -> None:
    pid = sleeper("sleep", "61.25").pid
    policy.write_text(rule("cmd:^sleep 61\\.25", 400))
    assert program("policy", "apply", "-f", str(policy)).status == 0
    assert adj_of(pid) == 400
    assert program("policy", "diff", "-f", str(policy)) == Ran(0, "", "")


@pytest.mark.unprivileged
@pytest.mark.live
@needs_root
def test_what_is_not_permitted_is_said(sleeper: Sleeper, policy: Path) -> None:
    pid = sleeper("sleep", "61.75").pid
    policy.parent.chmod(0o755)
    for directory in list(policy.parents)[:3]:
        directory.chmod(directory.stat().st_mode | 0o055)
    policy.write_text(rule("cmd:^sleep 61\\.75", 400))
    ran = program("policy", "apply", "-f", str(policy), before=NOBODY)
    assert ran.status == 4
    assert ran.stderr.startswith(f"oomctl: {pid} (sleep): it belongs to uid 0, not to you")
    assert adj_of(pid) == 0


def test_a_rule_that_distrusts_a_process_leaves_it_to_later_rules(server: ProcTree, policy: Path) -> None:
    server.add(31, "postgres", uid=54322)
    server.add(32, "postgres", uid=54322, ppid=31)
    server.add(33, "sh", uid=54322)
    policy.write_text(rule("postgres", -900) + rule("user:54322", 500))
    assert ask(server, "policy", "apply", "-f", str(policy)).status == 0
    assert adjs(server, 10, 31, 32, 33) == [-900, 500, 500, 500]


def test_a_job_keeps_its_value_under_the_name_of_its_runner(server: ProcTree, policy: Path) -> None:
    """It took the name, and lowered itself as far as it may."""
    server.add(31, "gitlab-runner", uid=54322, adj=300)
    policy.write_text(rule("gitlab-runner", 0) + rule("user:54322", 500, scope="tree"))
    assert ask(server, "policy", "apply", "-f", str(policy)).status == 0
    assert adjs(server, 31) == [500]


def test_a_rule_that_trusts_and_leaves_alone_still_decides(server: ProcTree, policy: Path) -> None:
    policy.write_text(rule(["postgres", "user:root"], -900) + rule("user:root", 700))
    ask(server, "policy", "apply", "-f", str(policy))
    assert adjs(server, 10, 11) == [-900, 0]


def test_explain_and_diff_tell_who_distrusts_it(server: ProcTree, policy: Path) -> None:
    policy.write_text(rule("java", -900) + rule("user:54321", 500, reason="jobs"))
    reason = "belongs to 54321, and anyone can use that name (force = true takes it)"
    assert ask(server, "policy", "explain", "20", "-f", str(policy)).stdout == (
        "20 (java): oom_score_adj is 0, the policy says 500\n"
        f"  rule    {policy}:4, the first that matches and trusts it\n"
        "  target  user:54321, scope root\n"
        "  reason  jobs\n"
        f"  passed  {policy}:1 leaves it to later rules: {reason}\n"
    )
    assert ask(server, "policy", "diff", "-f", str(policy)).stdout == (
        "PID  COMMAND  ADJ       RULE\n"
        f" 20  java     0 -> 500  {policy}:4 (jobs); {policy}:1 leaves it to later rules: {reason}\n"
    )
    [change] = json.loads(ask(server, "policy", "diff", "--json", "-f", str(policy)).stdout)["changes"]
    [distrusting] = change["distrusting"]
    assert (distrusting["rule"]["line"], distrusting["reason"]) == (1, reason)


def test_what_every_rule_distrusts_is_left_alone(server: ProcTree, policy: Path) -> None:
    policy.write_text(rule("java", -900) + rule("ja*", -800))
    first = ask(server, "policy", "explain", "20", "-f", str(policy)).stdout.splitlines()[:2]
    assert first[0].endswith("left alone: belongs to 54321, and anyone can use that name (force = true takes it)")
    assert first[1] == f"  rule    {policy}:1, the first that matches"


@pytest.mark.unprivileged
@pytest.mark.live
@needs_root
def test_what_is_hidden_is_said(sleeper: Sleeper, policy: Path) -> None:
    sleeper("sleep", "61.8")
    policy.write_text(rule("cmd:^sleep 61\\.8", 400))
    mounted = (
        'mount -t proc -o hidepid=invisible proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
    )
    before = ("unshare", "--mount", "--", "sh", "-c", mounted, "sh")
    for directory in [policy.parent, *list(policy.parents)[:4]]:
        directory.chmod(directory.stat().st_mode | 0o055)
    ran = program("policy", "diff", "-f", str(policy), before=before)
    assert (ran.status, ran.stdout) == (0, "")
    said = re.fullmatch(r"oomctl: (\d+) processes are hidden from you \(hidepid\), and not counted.*\n", ran.stderr)
    assert said is not None, ran.stderr
    document = json.loads(program("policy", "diff", "--json", "-f", str(policy), before=before).stdout)
    assert document["hidden_processes"] > 1
    assert "processes are hidden from you" in program("policy", "apply", "-f", str(policy), before=before).stderr


def test_a_value_that_is_there_is_written_once_more_for_its_floor(server: ProcTree, policy: Path) -> None:
    """Who has set it himself could take it back; what apply reports is that nothing changed."""
    server.add(21, "worker", adj=300)
    server.add(22, "idle", adj=0)
    policy.write_text(rule("worker", 300) + rule("idle", 0))
    written = [server.root / f"{pid}/oom_score_adj" for pid in (21, 22)]
    for path in written:
        os.utime(path, (0, 0))
    ask(server, "policy", "apply", "--dry-run", "-f", str(policy))
    assert [path.stat().st_mtime for path in written] == [0, 0]
    assert ask(server, "policy", "apply", "-f", str(policy)).stdout == (
        "nothing to change: 2 processes as the policy says\n"
    )
    assert [path.stat().st_mtime > 0 for path in written] == [True, False]
    assert adjs(server, 21) == [300]
