from __future__ import annotations

import pytest

from oomctl.errors import BadInput
from oomctl.kernel.rules import Counters, Dying, Pgtables, RootDiscount, Rules, Walk, is_before_oldest, rules_for


def the(fact: str, kernel: str) -> object:
    return getattr(rules_for(kernel), fact)


# (kernel, last wins, signed, 3 % for root, sacrifices a child, spanned pages, walk of a cgroup)
QUICK_TABLE = [
    ("3.10.108", False, False, True, True, True, Walk.THREADS_NEWEST_FIRST),
    ("rhel7.7", False, False, True, True, True, Walk.THREADS_NEWEST_FIRST),
    ("4.4.121", False, False, True, True, True, Walk.THREADS),
    ("4.9.80", False, False, True, True, True, Walk.THREADS),
    ("4.14", False, False, True, True, True, Walk.THREADS),
    ("4.19", False, False, False, True, True, Walk.THREADS),
    ("rhel8.1", False, False, False, False, True, Walk.THREADS),
    ("rhel8.3", True, False, False, False, True, Walk.PROCESSES),
    ("5.0.1", False, False, False, True, True, Walk.THREADS),
    ("5.1", False, False, False, False, True, Walk.THREADS),
    ("5.2.1", False, False, False, False, True, Walk.THREADS),
    ("5.3.1", True, False, False, False, True, Walk.PROCESSES),
    ("5.4.59", True, False, False, False, False, Walk.PROCESSES),
    ("5.4.273", True, True, False, False, False, Walk.PROCESSES),
    ("5.9.2", True, True, False, False, False, Walk.PROCESSES),
    ("6.1.20", True, True, False, False, False, Walk.PROCESSES),
    ("6.18.13", True, True, False, False, False, Walk.PROCESSES),
    ("7.1.5", True, True, False, False, False, Walk.PROCESSES),
]


@pytest.mark.parametrize(("kernel", "expected"), [pytest.param(row[0], row[1:], id=row[0]) for row in QUICK_TABLE])
def test_selection_changed_in_these_versions(kernel: str, expected: tuple[object, ...]) -> None:
    rules = rules_for(kernel)
    bools = (rules.last_wins, rules.signed, rules.root_bonus, rules.sacrifices_child, rules.spanned_nodes)
    assert (*bools, rules.walk) == expected


@pytest.mark.parametrize(
    ("kernel", "counters"),
    [
        ("5.10.0-46-cloud-amd64", Counters.PER_THREAD),
        ("6.1.20", Counters.PER_THREAD),
        ("6.2.1", Counters.PER_CPU),
        ("6.6.98", Counters.PER_CPU),
        ("6.6.99", Counters.PER_CPU_EXACT_STATUS),
        ("6.12.37", Counters.PER_CPU),
        ("6.12.38", Counters.PER_CPU_EXACT_STATUS),
        ("6.12.117+deb12-cloud-amd64", Counters.PER_CPU_EXACT_STATUS),
        ("6.14.11", Counters.PER_CPU),
        ("6.15.6", Counters.PER_CPU),
        ("6.15.7", Counters.PER_CPU_EXACT_STATUS),
        ("6.16", Counters.PER_CPU_EXACT_STATUS),
        ("6.19.0", Counters.PER_CPU_EXACT_STATUS),
        ("7.0", Counters.EXACT),
        ("7.2.13", Counters.EXACT),
    ],
)
def test_counters_changed_in_these_versions(kernel: str, counters: Counters) -> None:
    assert the("counters", kernel) is counters


@pytest.mark.parametrize(
    ("kernel", "pgtables"),
    [
        ("3.10.108", Pgtables.PTE),
        ("rhel7", Pgtables.PTE),
        ("4.4", Pgtables.PTE_PMD),
        ("4.14", Pgtables.PTE_PMD),
        ("4.15", Pgtables.BYTES),
        ("rhel8.1", Pgtables.BYTES),
        ("7.1", Pgtables.BYTES),
    ],
)
def test_page_tables_were_counted_by_level_before_4_15(kernel: str, pgtables: Pgtables) -> None:
    assert the("pgtables", kernel) is pgtables


@pytest.mark.parametrize(
    ("kernel", "dying"),
    [
        ("3.10", Dying.ANY_UNTRACED_ABORTS),
        ("4.4", Dying.ANY_ABORTS),
        ("4.9", Dying.VICTIM_ABORTS),
        ("7.1", Dying.VICTIM_ABORTS),
    ],
)
def test_an_exiting_task_stopped_the_scan_until_the_reaper_came(kernel: str, dying: Dying) -> None:
    assert the("dying", kernel) is dying


@pytest.mark.parametrize(
    ("fact", "last_without", "first_with"),
    [
        pytest.param("skips_vfork_and_reaped", "4.4.121", "4.9.80", id="vfork and reaped tasks are skipped"),
        pytest.param("sharers_stop_silent_mark", "4.7.10", "4.8", id="sharers stop the silent mark"),
        pytest.param("oom_group", "4.14", "4.19", id="memory.oom.group"),
        pytest.param("nofs_kills_in_memcg", "5.3.1", "5.4.59", id="NOFS kills in a memcg"),
        pytest.param("signed", "5.4.143", "5.4.144", id="stable 5.4 became signed"),
        pytest.param("signed", "5.8.18", "5.9", id="mainline became signed"),
    ],
)
def test_new_since(fact: str, last_without: str, first_with: str) -> None:
    assert not the(fact, last_without)
    assert the(fact, first_with)


@pytest.mark.parametrize(
    ("fact", "last_with", "first_without"),
    [
        pytest.param("origin_needs_memory", "4.4.121", "4.9.80", id="an origin without memory is passed over"),
        pytest.param("spares_protected_sharer", "4.4.121", "4.9.80", id="a sharer at -1000 is spared"),
        pytest.param("sysrq_may_panic", "3.10.108", "4.4.121", id="sysrq-f may panic"),
        pytest.param("root_bonus", "4.14", "4.19", id="3 % for root"),
        pytest.param("sacrifices_child", "5.0.1", "5.1", id="a child dies instead"),
        pytest.param("numa_test_in_memcg", "5.2.1", "5.3.1", id="NUMA test in a memcg OOM"),
        pytest.param("interleave_binds", "5.10.13", "5.14", id="interleave counts as bind"),
    ],
)
def test_gone_since(fact: str, last_with: str, first_without: str) -> None:
    assert the(fact, last_with)
    assert not the(fact, first_without)


@pytest.mark.parametrize(
    ("release", "label"),
    [
        ("3.10.0-1062.el7.x86_64", "rhel7.7"),
        ("4.18.0-147.el8.x86_64", "rhel8.1"),
        ("4.18.0-193.28.1.el8_2.x86_64", "rhel8.1"),
        ("4.18.0-240.el8.x86_64", "rhel8.3"),
        ("4.18.0-553.16.1.el8_10.x86_64", "rhel8.10"),
        ("5.14.0-427.el9.x86_64", "rhel9"),
        ("6.12.0-55.9.1.el10_0.x86_64", "rhel10"),
        ("6.18.44-fc-v657", "6.18.44"),
        ("4.19.0-rc1+", "4.19"),
    ],
)
def test_a_release_is_recognised_by_its_vendors_mark(release: str, label: str) -> None:
    assert rules_for(release) == rules_for(label)


def test_rhel_8_keeps_the_numa_test_of_its_base() -> None:
    assert the("numa_test_in_memcg", "rhel8.3")


def test_rhel_8_has_groups_before_mainline() -> None:
    assert the("oom_group", "rhel8.1")
    assert not the("oom_group", "4.18")


def test_a_label_without_minor_means_the_latest() -> None:
    assert rules_for("rhel8") == rules_for("rhel8.10") == rules_for("rhel8.3")


def test_a_later_kernel_behaves_like_the_newest_that_was_read() -> None:
    assert rules_for("9.4.2") == rules_for("7.1")


def test_every_fact_of_the_oldest_kernel_changed_since() -> None:
    oldest, newest = rules_for("3.10"), rules_for("7.1")
    assert [fact for fact in Rules._fields if getattr(oldest, fact) == getattr(newest, fact)] == []


@pytest.mark.parametrize(
    ("kernel", "forms"),
    [
        ("3.10.108", (RootDiscount.POINTS, RootDiscount.TOTALPAGES)),
        ("3.13.0-57-generic", (RootDiscount.POINTS, RootDiscount.TOTALPAGES)),
        ("3.10.0-1160.el7.x86_64", (RootDiscount.POINTS,)),
        ("3.14", (RootDiscount.POINTS,)),
        ("4.16.18", (RootDiscount.POINTS,)),
        ("4.17", ()),
    ],
)
def test_what_root_is_worth_changed_in_these_versions(kernel: str, forms: tuple[RootDiscount, ...]) -> None:
    assert rules_for(kernel).root_discounts == forms


@pytest.mark.parametrize(
    ("kernel", "older"), [("2.6.32-754.el6.x86_64", True), ("3.9.11", True), ("3.10.0", False), ("linux", False)]
)
def test_a_release_before_3_10_is_known_as_such(kernel: str, older: bool) -> None:
    assert is_before_oldest(kernel) == older


@pytest.mark.parametrize("kernel", ["", "linux", "six.one", "rhel", "6", "v6.1", "6.", "\x00", "rhel8.x"])
def test_what_is_no_kernel_is_refused_with_its_name(kernel: str) -> None:
    with pytest.raises(BadInput) as refusal:
        rules_for(kernel)
    assert repr(kernel) in str(refusal.value)


@pytest.mark.parametrize("kernel", ["2.6.32", "3.2.0", "3.9.11", "0.1"])
def test_a_kernel_before_3_10_is_refused(kernel: str) -> None:
    with pytest.raises(BadInput, match=r"3\.10"):
        rules_for(kernel)


def test_an_unknown_label_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(BadInput, match=r"rhel6.*rhel7.*rhel8\.3"):
        rules_for("rhel6")
