"""Names of pods come from the names of the kubelet's log directories, and from nothing that only looks like them."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from oomctl.pods import Named
from oomctl.procfs import podnames
from oomctl.procfs.podnames import PodNames
from tests.pods.kubelet import ID, STATIC, UID, VarLog

OTHER = "cd" * 32
CART = Named("shop", "cart-7d9f", "app")


@pytest.fixture
def var_log(tmp_path: Path) -> VarLog:
    return VarLog(tmp_path)


def names_below(root: Path) -> PodNames:
    return PodNames((str(root),))


def test_a_pod_and_its_container_have_their_names(tmp_path: Path, var_log: VarLog) -> None:
    var_log.add()
    var_log.add("etcd-node1.example.org", STATIC, "etcd", OTHER)
    names = names_below(tmp_path)
    assert names(UID, ID) == CART
    assert names(UID, None) == Named("shop", "cart-7d9f")
    assert names(STATIC, OTHER) == Named("shop", "etcd-node1.example.org", "etcd")


def test_a_container_of_another_pod_lends_no_name(tmp_path: Path, var_log: VarLog) -> None:
    var_log.add()
    var_log.add("other", STATIC, "db", OTHER)
    assert names_below(tmp_path)(UID, OTHER) == Named("shop", "cart-7d9f")


def test_where_only_containers_can_be_listed_their_names_are_enough(tmp_path: Path, var_log: VarLog) -> None:
    var_log.add()
    (var_log.pods / f"shop_cart-7d9f_{UID}").rename(tmp_path / "gone")
    assert names_below(tmp_path)(UID, ID) == CART
    assert names_below(tmp_path)(UID, None) is None


def test_a_pod_that_is_gone_and_a_machine_without_kubelet_have_no_names(tmp_path: Path) -> None:
    assert names_below(tmp_path)(UID, ID) is None
    assert names_below(tmp_path / "missing")(UID, ID) is None


@pytest.mark.parametrize(
    "entry",
    [
        f"shop_cart_{UID}\n",
        f"shop_\x1b[31mcart_{UID}",
        f"shop_Cart_{UID}",
        f"{'a' * 64}_cart_{UID}",
        f"shop_[red]_{UID}",
        f"shop_..._{UID}",
        f"_cart_{UID}",
        f"shop_a_b_{UID}",
        f"shop_cart_{UID.upper()}",
        f"shop_cärt_{UID}",
        UID,
    ],
)
def test_what_is_no_name_of_kubernetes_is_none(tmp_path: Path, var_log: VarLog, entry: str) -> None:
    (var_log.pods / entry).mkdir()
    assert names_below(tmp_path)(UID, None) is None


def test_bytes_that_are_no_text_are_passed_over(tmp_path: Path, var_log: VarLog) -> None:
    os.mkdir(os.fsencode(var_log.pods) + b"/shop_\xff_" + UID.encode())
    var_log.add()
    assert names_below(tmp_path)(UID, ID) == CART


def test_of_two_names_for_one_uid_neither_is_believed(tmp_path: Path, var_log: VarLog) -> None:
    var_log.add()
    var_log.add("another", UID, "app", OTHER)
    assert names_below(tmp_path)(UID, ID) is None


def test_below_a_mounted_root_no_link_is_followed(tmp_path: Path) -> None:
    elsewhere = VarLog(tmp_path / "elsewhere")
    elsewhere.add()
    (tmp_path / "root" / "var" / "log").mkdir(parents=True)
    (tmp_path / "root" / "var" / "log" / "pods").symlink_to(elsewhere.pods)
    assert names_below(tmp_path / "root")(UID, None) is None


def test_nothing_is_read_before_the_first_question_and_seldom_again(
    tmp_path: Path, var_log: VarLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    names = names_below(tmp_path)
    var_log.add()
    assert names(UID, ID) == CART
    var_log.add("new", STATIC, "app", OTHER)
    assert names(STATIC, OTHER) is None
    now[0] += 5
    assert names(STATIC, OTHER) == Named("shop", "new", "app")


def test_more_entries_than_any_node_has_are_cut(
    tmp_path: Path, var_log: VarLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(podnames, "_MOST_ENTRIES", 3)
    for number in range(10):
        var_log.add(f"pod{number}", f"{UID[:-1]}{number}", "app", f"{number}{ID[1:]}")
    names = names_below(tmp_path)
    assert sum(names(f"{UID[:-1]}{number}", None) is not None for number in range(10)) == 3


def test_a_thousand_pods_are_named_in_a_moment(tmp_path: Path, var_log: VarLog) -> None:
    pods = [(f"{number:08x}{UID[8:]}", f"{number:064x}") for number in range(1000)]
    for number, (uid, container_id) in enumerate(pods):
        var_log.add(f"web-{number}", uid, "app", container_id)
    names = names_below(tmp_path)
    began = time.process_time()
    assert [names(*pod) for pod in pods] == [Named("shop", f"web-{number}", "app") for number in range(1000)]
    assert time.process_time() - began < 0.5
