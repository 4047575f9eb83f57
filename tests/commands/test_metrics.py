"""``oomctl metrics``: what Prometheus gets, read by its own client's parsers."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from oomctl.audit.catalogue import AT_ONCE, IDS
from oomctl.commands.metrics import MOST_CGROUPS
from oomctl.model.kernel import Outcome
from tests.commands.invoke import ask
from tests.pods.kubelet import SCOPE, VarLog, cgroups_above
from tests.proc_tree import ProcTree


@pytest.fixture
def machine(proc_tree: ProcTree, monkeypatch: pytest.MonkeyPatch) -> ProcTree:
    monkeypatch.setattr("oomctl.audit.look.has_sys_resource", lambda procfs: True)
    proc_tree.mount_v2()
    proc_tree.add(1, "systemd", 300, score=0, uid=0, ppid=0)
    proc_tree.add(10, "java", 300_000, cgroup="0::/system.slice/app.service\n")
    proc_tree.add(11, "postgres", 200_000, adj=-500, uid=0, cgroup="0::/db\n")
    proc_tree.add(12, "postgres", 1_000, uid=0, ppid=11, cgroup="0::/db\n")
    proc_tree.cgroup("/db", (11, 12), memory__max="819200000\n", memory__current="40960\n", memory__stat="anon 1\n")
    return proc_tree


Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Samples:
    """Return every sample; the older text format, which node_exporter reads, has to say the same."""
    families = [family for family in openmetrics(text) if family.samples]  # type: ignore[no-untyped-call]
    assert all(family.type == "gauge" and family.documentation for family in families)
    of_both = [
        {(one.name, tuple(sorted(one.labels.items()))): one.value for family in found for one in family.samples}
        for found in (families, list(prometheus(text)))
    ]
    assert of_both[0] == of_both[1]
    return of_both[0]


def metrics(tree: ProcTree, *words: str, status: int = 0) -> Samples:
    ran = ask(tree, "metrics", *words)
    assert ran.status == status, ran.stderr
    return read(ran.stdout)


def value(samples: Samples, family: str, /, **labels: str) -> float | None:
    return samples.get((f"oomctl_{family}", tuple(sorted(labels.items()))))


def test_the_next_victim_is_simulates(machine: ProcTree) -> None:
    import json

    simulated: dict[str, Any] = json.loads(ask(machine, "simulate", "--json").stdout)
    samples = metrics(machine)
    assert value(samples, "next_victim_info", scope="machine", comm="java", unit="app.service") == 1
    assert simulated["victim"]["comm"] == "java"
    page = simulated["page_size"]
    assert value(samples, "next_victim_badness_bytes", scope="machine") == simulated["victim"]["badness_pages"] * page
    assert value(samples, "next_victim_freed_bytes", scope="machine") == simulated["freed_bytes"]
    assert value(samples, "next_victim_oom_score_adj", scope="machine") == 0
    assert value(samples, "margin_bytes", scope="machine") == simulated["margin_pages"] * page
    assert value(samples, "prediction_certain", scope="machine") == (simulated["certainty"] == "certain")


def test_every_outcome_has_a_series_and_one_is_1(machine: ProcTree) -> None:
    samples = metrics(machine)
    outcomes = {outcome.value: value(samples, "outcome", scope="machine", outcome=outcome.value) for outcome in Outcome}
    assert outcomes == {outcome.value: float(outcome is Outcome.KILL) for outcome in Outcome}
    (machine.root / "sys/vm/panic_on_oom").write_text("2\n")
    samples = metrics(machine)
    assert value(samples, "outcome", scope="machine", outcome="panic") == 1
    assert value(samples, "next_victim_freed_bytes", scope="machine") is None
    assert value(samples, "prediction_certain", scope="machine") is None


def test_a_cgroup_is_a_scope_of_its_own(machine: ProcTree) -> None:
    samples = metrics(machine, "--cgroup", "/db")
    assert value(samples, "next_victim_info", scope="/db", comm="postgres", unit="") == 1
    assert value(samples, "limit_left_bytes", scope="/db") == 819_200_000 - 40_960
    machine.cgroup("/free", (), memory__max="max\n")
    samples = metrics(machine, "--cgroup", "/free")
    assert value(samples, "outcome", scope="/free", outcome="no_oom") == 1
    assert value(samples, "limit_left_bytes", scope="/free") is None


def test_a_cgroup_that_is_not_there_is_told_and_the_rest_is_printed(machine: ProcTree) -> None:
    ran = ask(machine, "metrics", "--cgroup", "/gone", "--cgroup", "/db")
    assert ran.status == 3
    assert ran.stderr.startswith("oomctl: cgroup /gone: no such memory cgroup")
    assert {labels for name, labels in read(ran.stdout) if name == "oomctl_limit_left_bytes"} == {
        (("scope", "machine"),),
        (("scope", "/db"),),
    }


def test_there_are_few_series(machine: ProcTree) -> None:
    ran = ask(machine, "metrics", *["--cgroup", "/db"] * (MOST_CGROUPS + 1))
    assert (ran.status, ran.stdout) == (2, "")
    assert "--cgroup: expected 20 at most, got 21" in ran.stderr
    samples = metrics(machine, "--precious", "java")
    assert len(samples) < 80
    assert not {label for _, labels in samples for label, _ in labels} & {"pid", "cgroup"}


LABELS = {"namespace": "shop", "pod": "cart-7d9f", "container": "app"}


def in_a_pod(machine: ProcTree) -> None:
    machine.add(10, "java", 300_000, cgroup=f"0::{SCOPE}\n")
    limit = {"memory__max": "1638400000\n", "memory__current": "40960\n", "memory__stat": "anon 1\n"}
    cgroups_above(machine)
    machine.cgroup(SCOPE, (10,), **limit)


def test_a_pod_has_the_labels_that_kubernetes_has(machine: ProcTree) -> None:
    in_a_pod(machine)
    VarLog(machine.root / "1" / "root").add()
    samples = metrics(machine, "--cgroup", SCOPE)
    scope = SCOPE.rpartition("/")[2]
    for name in ("machine", SCOPE):
        assert value(samples, "next_victim_info", scope=name, comm="java", unit=scope, **LABELS) == 1
    assert value(samples, "limit_left_bytes", scope=SCOPE, **LABELS) == 1_638_400_000 - 40_960
    assert value(samples, "outcome", scope=SCOPE, outcome="kill", **LABELS) == 1
    assert value(samples, "next_victim_freed_bytes", scope="machine") is not None


def test_a_pod_without_a_known_name_has_no_labels_of_it(machine: ProcTree) -> None:
    in_a_pod(machine)
    labels = {label for _, labels in metrics(machine, "--cgroup", SCOPE) for label, _ in labels}
    assert not labels & LABELS.keys()


def test_names_of_pods_make_no_more_series(machine: ProcTree) -> None:
    in_a_pod(machine)
    before = metrics(machine, "--cgroup", SCOPE)
    VarLog(machine.root / "1" / "root").add()
    assert len(metrics(machine, "--cgroup", SCOPE)) == len(before)


def test_without_names_no_pod_is_named(machine: ProcTree) -> None:
    in_a_pod(machine)
    VarLog(machine.root / "1" / "root").add()
    ran = ask(machine, "metrics", "--cgroup", SCOPE, "--no-names")
    assert "cart" not in ran.stdout
    assert "namespace" not in ran.stdout


def test_what_is_precious_has_a_place(machine: ProcTree) -> None:
    samples = metrics(machine, "--precious", "postgres", "--precious", "java", "--precious", "nobody")
    assert [value(samples, "precious_dies_next", name=name) for name in ("postgres", "java", "nobody")] == [0, 1, 0]
    assert [value(samples, "precious_rank", name=name) for name in ("postgres", "java", "nobody")] == [2, 1, None]
    assert value(samples, "check_finding", id="precious-next") == 1


def test_what_check_finds_is_told_by_severity_and_by_check(machine: ProcTree) -> None:
    (machine.root / "sys/vm/panic_on_oom").write_text("2\n")
    samples = metrics(machine)
    assert value(samples, "check_findings", severity="critical") == 1
    assert {check for check in IDS if value(samples, "check_finding", id=check)} == {"panic-on-oom"}
    assert all(value(samples, "check_finding", id=check) is not None for check in AT_ONCE)


def test_what_nobody_watched_for_has_no_number(machine: ProcTree) -> None:
    samples = metrics(machine)
    assert {check for check in IDS if value(samples, "check_finding", id=check) is None} == {"runs-out-soon"}


def test_states_of_processes_are_counted(machine: ProcTree) -> None:
    samples = metrics(machine)
    counted = {state: value(samples, "processes", state=state) for state in ("killable", "unkillable", "protected")}
    assert counted == {"killable": 3, "unkillable": 1, "protected": 1}


def test_without_names_there_is_no_name(machine: ProcTree) -> None:
    ran = ask(machine, "metrics", "--no-names")
    assert 'java"' not in ran.stdout
    assert "app.service" not in ran.stdout
    assert value(read(ran.stdout), "next_victim_freed_bytes", scope="machine") is not None


@pytest.mark.parametrize(
    ("comm", "shown"),
    [
        pytest.param(b'a"b\\c', 'a"b\\c', id="quotes"),
        pytest.param(b"a\nb 1\n# x", "a\\nb 1\\n# x", id="lines"),
        pytest.param(b"\x1b[2J", "\\x1b[2J", id="what a terminal obeys"),
        pytest.param(b"caf\xc3\xa9", "café", id="UTF-8"),
        pytest.param(b"\xff\xfe{}", "\ufffd\ufffd{}", id="no UTF-8"),
    ],
)
def test_a_name_stays_a_name(machine: ProcTree, comm: bytes, shown: str) -> None:
    machine.add(20, comm, 700_000)
    assert value(metrics(machine), "next_victim_info", scope="machine", comm=shown, unit="") == 1


def test_when_it_was_gathered_is_told(machine: ProcTree) -> None:
    before = time.time()
    samples = metrics(machine)
    told = value(samples, "last_run_timestamp_seconds")
    assert told is not None
    assert before - 1 <= told <= time.time() + 1
    assert value(samples, "build_info", version="0.1.0", kernel="7.1.5") == 1


def test_a_file_is_replaced_as_a_whole(machine: ProcTree, tmp_path: Path) -> None:
    path = tmp_path / "oomctl.prom"
    path.write_text("old\n")
    path.chmod(0o600)
    ran = ask(machine, "metrics", "--output", str(path))
    assert (ran.status, ran.stdout, ran.stderr) == (0, "", "")
    assert read(path.read_text())
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [name for name in os.listdir(tmp_path) if "prom" in name] == [path.name]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        pytest.param(["--output", "/nonexistent/x.prom"], 2, "No such file or directory", id="no directory"),
        pytest.param(["--output", "/dev/null/x.prom"], 2, "Not a directory", id="below a file"),
        pytest.param(["--output", "/"], 2, "Is a directory", id="a directory"),
        pytest.param(["--output", "/dev/null"], 2, "no regular file", id="a device"),
        pytest.param(["--output", "/proc/x.prom"], 2, "", id="where nothing can be made"),
    ],
)
def test_a_file_that_cannot_be_written_is_named(machine: ProcTree, words: list[str], status: int, message: str) -> None:
    ran = ask(machine, "metrics", *words)
    assert (ran.status, ran.stdout) == (status, "")
    assert ran.stderr.startswith(f"oomctl: {words[1]}: {message}")
    assert ran.stderr.endswith("; nothing was written\n")
    assert ran.stderr.count("\n") == 1


def test_what_was_there_stays_when_anything_fails(machine: ProcTree, tmp_path: Path) -> None:
    path = tmp_path / "oomctl.prom"
    path.write_text("old\n")
    (machine.root / "meminfo").unlink()
    assert ask(machine, "metrics", "--output", str(path)).status == 7
    assert path.read_text() == "old\n"
