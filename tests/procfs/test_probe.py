"""What a kernel is seen to do, whatever its release says: trees of real text, and this machine's own kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from oomctl.kernel.rules import Counters, known, rules_for
from oomctl.kernel.scenario_rules import guessed_rules
from oomctl.model.kernel import Doubt, Doubtful, Probed
from oomctl.procfs import survey
from oomctl.procfs.probe import probe
from oomctl.procfs.reader import Procfs
from oomctl.procfs.truememory import memory_beyond
from tests.privileges import needs_root
from tests.proc_tree import ProcTree
from tests.procfs.recorded import AT_REST, laid_out, load

UEK_6 = "5.4.17-2136.302.7.2.1.el8uek.x86_64"
SPLIT, EXACT = "5.10.0-46", "6.12.117"
"""Kernels of the recordings."""


def recorded(kernel: str) -> str:
    return next(name for name in AT_REST if name.startswith(f"{kernel}-select-1"))


def probed_as(tree: ProcTree, release: str, kernel: str) -> frozenset[Probed]:
    """What is seen of the real text of ``kernel`` under another release."""
    laid_out(load(recorded(kernel)), tree)
    return tree.procfs(release).probed


@pytest.mark.parametrize("name", AT_REST)
def test_real_text_agrees_with_the_name_of_its_kernel(proc_tree: ProcTree, name: str) -> None:
    found = laid_out(load(name), proc_tree)
    assert (found.probed, found.doubts) == (frozenset(), ())


@pytest.mark.parametrize("release", ["5.4.0-26-generic", "5.4.100", "4.18.0-553.el8_10.x86_64"])
def test_scores_of_666_and_up_tell_that_negative_badness_keeps_its_order(proc_tree: ProcTree, release: str) -> None:
    assert not rules_for(release).signed
    assert probed_as(proc_tree, release, SPLIT) == {Probed.SIGNED}


@pytest.mark.parametrize("release", ["6.8.1", "6.6.57.1-2.azl3", "5.15.0-101-generic"])
def test_a_statm_unlike_stat_tells_that_status_sums_exactly(proc_tree: ProcTree, release: str) -> None:
    assert probed_as(proc_tree, release, EXACT) == {Probed.EXACT_STATUS}
    assert proc_tree.procfs(release).rules.counters is Counters.PER_CPU_EXACT_STATUS


def test_small_scores_tell_that_negative_badness_is_cut_off(proc_tree: ProcTree) -> None:
    proc_tree.add(100, rss=90_000, score=90)
    procfs = proc_tree.procfs(UEK_6)
    assert procfs.probed == {Probed.UNSIGNED}
    assert not procfs.rules.signed


@pytest.mark.parametrize(
    ("score", "adj", "rss", "seen"),
    [
        (666, 0, 100, Probed.SIGNED),
        (1, 0, 1_500, Probed.UNSIGNED),
        (1000, 500, 100, Probed.SIGNED),
        (500, 500, 100, Probed.UNSIGNED),
        (1333, 1000, 100, Probed.SIGNED),
        (1000, 1000, 100, Probed.UNSIGNED),
        (66, -900, 100, Probed.SIGNED),
        (866, 0, 300_000, Probed.SIGNED),
        (300, 0, 300_000, Probed.UNSIGNED),
    ],
)
def test_the_form_of_a_score_is_told_for_any_adj(
    proc_tree: ProcTree, score: int, adj: int, rss: int, seen: Probed
) -> None:
    proc_tree.add(100, rss=rss, adj=adj, score=score)
    assert probe(str(proc_tree.root), 1_000_000, known(UEK_6)) == {seen}


@pytest.mark.parametrize(
    ("score", "adj", "rss"),
    [
        pytest.param(0, 0, 100, id="0 is of who cannot be chosen, or has too little"),
        pytest.param(0, -1000, 100, id="protected"),
        pytest.param(4000, 0, 100, id="no kernel shows that"),
    ],
)
def test_a_score_that_says_nothing_leaves_the_name_its_say(proc_tree: ProcTree, score: int, adj: int, rss: int) -> None:
    proc_tree.add(100, rss=rss, adj=adj, score=score)
    assert probe(str(proc_tree.root), 1_000_000, known(UEK_6)) == frozenset()


def test_in_a_container_whose_memory_seems_small_scores_still_tell(proc_tree: ProcTree) -> None:
    proc_tree.meminfo(400_000)
    proc_tree.add(100, rss=8_000, score=671)  # 0.8 % of the machine, 8 % of what is shown
    assert proc_tree.procfs(UEK_6).probed == {Probed.SIGNED}


def test_page_tables_of_the_second_level_are_counted_where_status_has_them(proc_tree: ProcTree) -> None:
    proc_tree.add(100, pgtables_kb=48, pmd_kb=8)
    procfs = proc_tree.procfs("4.18.20")
    assert procfs.probed == {Probed.PMD_TABLES}
    assert procfs.task(100).pgtables_pages == 14


def test_a_guess_about_the_sign_ends_with_the_probe(proc_tree: ProcTree) -> None:
    proc_tree.procfs(UEK_6)
    proc_tree.add(100, rss=5_000)
    assert guessed_rules(survey.machine(proc_tree.procfs())) == ()
    (proc_tree.root / "100/oom_score").write_text("0\n")
    assert guessed_rules(survey.machine(proc_tree.procfs())) == (Doubt(Doubtful.GUESSED_RULES, detail=UEK_6),)


def test_the_probe_of_this_kernel_agrees_with_its_name() -> None:
    procfs = Procfs()
    assert procfs.probed == frozenset()
    assert procfs.rules == rules_for(procfs.kernel)


def test_this_kernel_is_seen_through_a_wrong_name() -> None:
    rules = rules_for(Procfs().kernel)
    seen = {Probed.SIGNED} if rules.signed else set()
    if rules.counters in (Counters.PER_CPU_EXACT_STATUS, Counters.EXACT):
        seen.add(Probed.EXACT_STATUS)
    assert probe("/proc", Procfs().totalpages, known("5.4.0-26-generic")) == seen


def test_this_machines_memory_is_what_meminfo_says() -> None:
    assert memory_beyond(Procfs().meminfo.mem_total) is None


def test_where_meminfo_says_less_the_kernel_tells_its_memory_and_swap() -> None:
    meminfo = Procfs().meminfo
    assert memory_beyond(meminfo.mem_total // 2) == meminfo.mem_total + meminfo.swap_total


def test_what_another_meminfo_says_bounds_nothing(proc_tree: ProcTree) -> None:
    proc_tree.write("vmstat", "pswpout 0\n")
    proc_tree.add(10, rss=100)
    (proc_tree.root / "self").rename(proc_tree.root / str(os.getpid()))
    (proc_tree.root / "self").symlink_to(str(os.getpid()))
    found = survey.machine(proc_tree.procfs())
    assert found.doubts[0] == Doubt(Doubtful.OTHER_TOTALPAGES)
    assert (found.context.left_pages, found.context.file_lru_pages) == (None, None)
    assert found.context.totalpages == Procfs().totalpages


@needs_root
def test_in_a_container_with_another_meminfo_nothing_is_certain(tmp_path: Path) -> None:
    lines = Path("/proc/meminfo").read_text().splitlines(keepends=True)
    small = [f"{line.split()[0]} {int(line.split()[1]) // 16} kB\n" for line in lines if line.split()[-1] == "kB"]
    (tmp_path / "meminfo").write_text("".join(small))
    mounted = 'mount --bind "$0" /proc/meminfo && exec "$@"'
    asked = [sys.executable, "-m", "oomctl", "simulate", "--json"]
    inside = ["unshare", "--mount", "sh", "-c", mounted, str(tmp_path / "meminfo"), *asked]
    answer = json.loads(subprocess.run(inside, capture_output=True, text=True, timeout=60, check=True).stdout)
    pages = os.sysconf("SC_PHYS_PAGES") + Procfs().meminfo.swap_total // os.sysconf("SC_PAGE_SIZE")
    assert answer["totalpages"] == pages
    assert answer["certainty"] != "certain"
    assert "other_totalpages" in {doubt["id"] for doubt in answer["doubts"]}
