"""What stands around ``oomctl metrics``, tried with Debian's Prometheus and node_exporter."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.commands.invoke import OOMCTL, ROOT, ask, program
from tests.monitoring.programs import Prometheus, fetched, node_exporter, programs, prometheus, promtool, wait_until
from tests.pods.kubelet import SCOPE, VarLog, cgroups_above
from tests.proc_tree import ProcTree
from tests.processes import ready, sleepers
from tests.vm.kernels import NotHere

pytestmark = pytest.mark.monitoring

EXAMPLES = ROOT / "examples" / "prometheus"
RULES = EXAMPLES / "alerts.yml"
DASHBOARD = json.loads((EXAMPLES / "dashboard.json").read_text())
_TOY = "import time; open('/proc/self/comm', 'w').write('vic\"t\\\\im'); print(flush=True); time.sleep(600)"


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    try:
        programs()
    except NotHere as reason:
        pytest.skip(f"no Prometheus: {reason}")


@pytest.fixture(scope="module")
def victim(_programs: None) -> Iterator[int]:
    """A process with a difficult name that the kernel would take first."""
    with sleepers() as start:
        pid = ready(start(sys.executable, "-c", _TOY, stdout=subprocess.PIPE))
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")
        yield pid


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, victim: int) -> Iterator[Prometheus]:
    """Prometheus, which scrapes node_exporter, which reads what ``metrics --output`` wrote."""
    directory = tmp_path_factory.mktemp("prometheus")
    textfiles = directory / "textfiles"
    textfiles.mkdir()
    written = program("metrics", "--precious", str(victim), "--output", str(textfiles / "oomctl.prom"))
    assert (written.status, written.stdout, written.stderr) == (0, "", "")
    with node_exporter(textfiles) as address:
        assert "oomctl_next_victim_info" in fetched(f"{address}/metrics")
        with prometheus(directory, address, RULES) as found:
            wait_until(lambda: found.query("oomctl_build_info") != [], "the first scrape")
            yield found


def test_promtool_has_nothing_to_say_about_the_text() -> None:
    ran = program("metrics", "--precious", "sh", "--cgroup", "/")
    checked = promtool("check", "metrics", stdin=ran.stdout)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_samples_of_a_pod_with_its_name_are_taken_beside_those_of_the_machine(
    proc_tree: ProcTree, tmp_path: Path
) -> None:
    proc_tree.mount_v2()
    proc_tree.add(1, "init", 300, uid=0, ppid=0)
    proc_tree.add(2, "backup", 700_000)
    proc_tree.add(3, "java", 300_000, cgroup=f"0::{SCOPE}\n")
    cgroups_above(proc_tree)
    proc_tree.cgroup(SCOPE, (3,), memory__max=f"{2 << 30}\n", memory__current="40960\n", memory__stat="anon 1\n")
    VarLog(proc_tree.root / "1" / "root").add()
    ran = ask(proc_tree, "metrics", "--cgroup", SCOPE, "--output", str(tmp_path / "oomctl.prom"))
    assert ran.status == 0, ran.stderr
    checked = promtool("check", "metrics", stdin=(tmp_path / "oomctl.prom").read_text())
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
    with node_exporter(tmp_path) as address:
        served = fetched(f"{address}/metrics").splitlines()
    assert "node_textfile_scrape_error 0" in served
    infos = [line for line in served if line.startswith("oomctl_next_victim_info{")]
    labels = [dict(re.findall(r'(\w+)="([^"]*)"', line)) for line in infos]
    assert {one["scope"]: (one["comm"], one["namespace"], one["pod"], one["container"]) for one in labels} == {
        "machine": ("backup", "", "", ""),
        SCOPE: ("java", "shop", "cart-7d9f", "app"),
    }


def test_a_query_returns_the_victim_that_simulate_names(server: Prometheus) -> None:
    victim: dict[str, Any] = json.loads(program("simulate", "--json").stdout)["victim"]
    assert victim["comm"] == 'vic"t\\im'
    (found,) = server.query('oomctl_next_victim_info{scope="machine"}')
    assert (found["metric"]["comm"], found["value"][1]) == (victim["comm"], "1")
    (adj,) = server.query("oomctl_next_victim_oom_score_adj")
    assert adj["value"][1] == "1000"


def test_node_exporter_takes_the_whole_text(server: Prometheus) -> None:
    assert [one["value"][1] for one in server.query("node_textfile_scrape_error")] == ["0"]
    samples = program("metrics").stdout
    names = {line.split("{")[0].split(" ")[0] for line in samples.splitlines() if not line.startswith("#")}
    for name in names - {"oomctl_policy_drift_processes"}:
        assert server.query(name) != [], name


def test_the_alert_on_something_precious_comes(server: Prometheus) -> None:
    wait_until(lambda: "PreciousProcessDiesNext" in server.firing(), "the alert")


def test_rules_are_valid_and_each_alert_fires_and_ends() -> None:
    checked = promtool("check", "rules", str(RULES))
    assert checked.returncode == 0, checked.stderr
    tried = promtool("test", "rules", str(EXAMPLES / "alerts_test.yml"))
    assert tried.returncode == 0, tried.stdout + tried.stderr
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    tests = (EXAMPLES / "alerts_test.yml").read_text()
    for alert in alerts:
        assert len(re.findall(rf"alertname: {alert}\b", tests)) == 3, "before, during and after"


def test_a_wrong_rule_would_be_found(tmp_path: Path) -> None:
    (tmp_path / "alerts.yml").write_text(RULES.read_text().replace("== 1\n        for: 5m", "== 2\n        for: 5m"))
    (tmp_path / "alerts_test.yml").write_text((EXAMPLES / "alerts_test.yml").read_text())
    assert promtool("test", "rules", str(tmp_path / "alerts_test.yml")).returncode != 0


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def test_every_query_of_the_dashboard_is_answered(server: Prometheus) -> None:
    assert len(expressions()) == len(DASHBOARD["panels"]) == 10
    for expression in expressions():
        found = server.query(expression.replace("$instance", ".*"))
        is_empty_here = "node_vmstat" in expression or 'outcome!="kill"' in expression
        assert is_empty_here or found, expression


def test_what_the_examples_ask_for_is_exported() -> None:
    own = str(os.getpid())
    exported = set(re.findall(r"^# TYPE (\w+)", program("metrics", "--precious", own).stdout, re.MULTILINE))
    asked = set(re.findall(r"\boomctl_\w+", " ".join([RULES.read_text(), *expressions()])))
    assert asked <= exported
    assert len(asked) > 8


def test_the_local_check_of_checkmk_prints_its_line(tmp_path: Path) -> None:
    script = (ROOT / "examples" / "monitoring" / "checkmk-oom").read_text()
    oomadm = tmp_path / "oomadm"
    oomadm.write_text(f'#!/bin/sh\nexec {" ".join(OOMCTL)} "$@"\n')
    oomadm.chmod(0o755)
    (tmp_path / "oom").write_text(script.replace("/usr/local/bin/oomadm", str(oomadm)))
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(["sh", str(tmp_path / "oom")], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert re.fullmatch(r"[012] OOM critical=\d+\|warning=\d+\|info=\d+ [^\n]+\n", ran.stdout)
