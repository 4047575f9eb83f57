"""The sentences and the document of a change."""

from __future__ import annotations

import json

from oomctl.model.changes import Change, Follower, LeftAlone, Refusal, Risk, Status, WhyLeftAlone
from oomctl.render.changes import Report, document, failures, text
from tests.tasks import task

CHANGED = Change(10, "db", 0, -500, Status.CHANGED, None, 1, 3)
CHILD = WhyLeftAlone(Follower.CHILD)
DENIED = Change(11, "db", 0, 0, Status.DENIED, "the kernel refused")


def test_only_what_went_well_is_told_on_stdout() -> None:
    assert text(Report([CHANGED, DENIED], [], task(10), task(12))).splitlines() == [
        "10 (db): oom_score_adj 0 -> -500, rank 1 -> rank 3",
        "next victim: 10 (task10) -> 12 (task12)",
    ]
    assert text(Report([DENIED], [], task(10), task(10))) == ""


def test_who_was_left_alone_is_counted_by_reason() -> None:
    alone = [LeftAlone(1, "a", CHILD), LeftAlone(2, "b", CHILD), LeftAlone(3, "c", WhyLeftAlone(Risk.SSHD))]
    assert text(Report([CHANGED], alone, None, None)).splitlines()[1:] == [
        "left alone: 2 processes: child of another match, and still a candidate (--all takes them)",
        "left alone: 1 process: sshd: without it nobody can log in to help (--force overrides)",
        "next victim: nobody, as before",
    ]


def test_one_cause_is_told_once_with_all_that_it_stopped() -> None:
    cause, detail = "needs CAP_SYS_RESOURCE; this session lacks it", "write from another login " * 5
    denied = [
        DENIED._replace(pid=pid, comm=comm, reason=cause, detail=detail)
        for pid, comm in ((1, "db"), (2, "db"), (3, "web"))
    ]
    gone = DENIED._replace(pid=9, status=Status.VANISHED, reason="it has ended", detail="look again")
    assert failures([denied[0], gone, *denied[1:]]) == [
        (f"1, 2 (db), 3 (web): {cause}", detail),
        ("9 (db): it has ended", "look again"),
    ]
    many = failures([DENIED._replace(pid=pid) for pid in range(500)])
    assert [line.endswith("19 (db) and 480 more: the kernel refused") for line, _ in many] == [True]
    assert json.loads(document(Report(denied, [], None, None), "set"))["changes"][0]["reason"].startswith("needs CAP_")


def test_nothing_is_advised_that_the_kernel_refuses_as_well() -> None:
    """Where it permitted nothing, it does not permit more to be changed."""
    alone = [LeftAlone(12, "db", CHILD)]
    said = "left alone: 1 process: child of another match, and still a candidate"
    assert text(Report([DENIED], alone, None, None, children=[task(13)])).splitlines()[0] == said
    partly = text(Report([CHANGED, DENIED], alone, None, None, children=[task(13)]))
    assert f"{said} (--all takes it)\n" in partly
    assert "(--tree takes it as well)" in partly


def test_all_is_not_advised_where_it_takes_a_session_as_well() -> None:
    session = CHILD._replace(also=Refusal.LOGIN_SESSION)
    alone = [LeftAlone(11, "sshd", CHILD), LeftAlone(12, "sshd", session)]
    assert "--" not in text(Report([CHANGED], alone, None, None))


def test_no_name_among_others_passes_for_one_of_them() -> None:
    forger = DENIED._replace(comm="a), 1 (systemd")
    assert failures([forger, DENIED._replace(pid=2, comm="(sd-pam)")]) == [
        ("11 (a\\x29, 1 (systemd), 2 ((sd-pam)): the kernel refused", None)
    ]


def test_hostile_names_are_harmless_in_the_sentences() -> None:
    hostile = CHANGED._replace(comm="\x1b[31m\n")
    out = text(Report([hostile], [], task(1, comm="\x07"), None))
    assert out == ("10 (\\x1b[31m\\n): oom_score_adj 0 -> -500, rank 1 -> rank 3\nnext victim: 1 (\\x07) -> nobody\n")


def test_the_document_carries_every_field() -> None:
    found = json.loads(document(Report([CHANGED, DENIED], [LeftAlone(3, "c", CHILD)], task(10, adj=7), None), "reset"))
    assert found["schema"] == "oomctl.reset/1"
    assert [sorted(change) for change in found["changes"]] == [
        ["after", "before", "comm", "pid", "rank_after", "rank_before", "reason", "status", "warning"]
    ] * 2
    assert found["left_alone"] == [
        {"pid": 3, "comm": "c", "reason": "child of another match, and still a candidate (--all takes it)"}
    ]
    assert found["victim_before"] == {"pid": 10, "comm": "task10", "oom_score_adj": 7}
    assert found["victim_after"] is None
