"""What the judge of the guests says of an answer and a kill."""

from __future__ import annotations

from typing import Any

from tests.vm.agreement import agreement
from tests.vm.guest.verdict import Found, Predicted, verdict

CERTAIN: dict[str, Any] = {
    "outcome": "kill",
    "constraint": "none",
    "victim": {"pid": 2},
    "certainty": "certain",
    "contenders": [2],
    "margin_pages": 500,
    "settled": False,
    "doubts": [],
}
CLOSE = {**CERTAIN, "certainty": "close", "contenders": [2, 3]}


HIDDEN = [{"id": "hidden_processes", "message": ""}]


def judged(document: dict[str, Any], victim: int, grower: int | None = None) -> dict[str, Any]:
    return verdict(Predicted(0, document), Found(victim, "none"), "none", grower)


def judged_elsewhere(document: dict[str, Any], victim: int, status: int = 0) -> dict[str, Any]:
    return verdict(Predicted(status, document), Found(victim, "none"), "none", elsewhere=True)


def test_who_was_named_and_died_breaks_no_promise() -> None:
    assert judged(CERTAIN, 2)["misses"] == []


def test_certain_of_somebody_else_is_a_miss() -> None:
    assert "certain of 2, the kernel took 3" in judged(CERTAIN, 3)["misses"]


def test_another_contender_is_no_miss() -> None:
    assert judged(CLOSE, 3)["misses"] == []


def test_a_victim_that_was_no_contender_is_a_miss() -> None:
    assert judged(CLOSE, 4)["misses"] == ["the kernel took 4, not one of the contenders [2, 3]"]


def test_where_processes_are_hidden_the_victim_may_be_one_of_them() -> None:
    assert judged_elsewhere({**CLOSE, "doubts": HIDDEN}, 4)["misses"] == []


def test_nobody_is_hidden_from_root_of_the_machine() -> None:
    assert judged({**CLOSE, "doubts": HIDDEN}, 2)["misses"] == ["said hidden_processes to root of the machine"]


def test_another_doubt_hides_nobody() -> None:
    doubted = {**CLOSE, "doubts": [{"id": "guessed_rules", "message": ""}]}
    assert judged(doubted, 4)["misses"] != []


def test_hidden_processes_excuse_no_certainty() -> None:
    assert judged_elsewhere({**CERTAIN, "doubts": HIDDEN}, 4)["misses"] == ["certain of 2, the kernel took 4"]


def test_nobody_visible_is_an_answer() -> None:
    unknown = {"outcome": "unknown", "contenders": [], "doubts": HIDDEN}
    assert judged_elsewhere(unknown, 4, status=7)["misses"] == []


def test_a_command_that_failed_is_a_miss() -> None:
    assert judged_elsewhere({}, 4, status=1)["misses"] != []


def test_a_refusal_is_an_answer_only_where_it_may_be_one() -> None:
    refused = Predicted(7, {}, "oomctl: no such memory cgroup here")
    assert verdict(refused, Found(4, "none"), "none", elsewhere=True)["misses"] == []
    assert verdict(refused, Found(4, "none"), "none")["misses"] != []
    assert verdict(Predicted(1, {}, ""), Found(4, "none"), "none", elsewhere=True)["misses"] != []


def test_who_grew_may_be_first_where_nothing_was_settled() -> None:
    judgement = judged(CERTAIN, 9, grower=9)
    assert judgement["misses"] == []
    assert judgement["outgrown"]


def test_a_settled_answer_holds_although_somebody_grew() -> None:
    settled = {**CERTAIN, "settled": True}
    assert judged(settled, 2, grower=9)["misses"] == []
    assert judged(settled, 9, grower=9)["misses"] == ["settled on 2, the kernel took 9"]


def test_that_somebody_grew_excuses_no_third() -> None:
    assert "certain of 2, the kernel took 3" in judged(CERTAIN, 3, grower=9)["misses"]


def counted(document: dict[str, Any], victim: int, file: int = 0, grower: int | None = None) -> Any:
    return agreement([{**judged(document, victim, grower), "further": 0, "file": file}])


def test_a_lead_of_more_than_twice_the_files_is_counted_apart() -> None:
    assert counted(CERTAIN, 2, file=249).clear_certain == 1
    assert counted(CERTAIN, 2, file=250).clear == 0
    assert counted(CLOSE, 2, file=249)[8:10] == (1, 0)
    assert counted(CERTAIN, 2, file=1).clear == 0


def test_settled_answers_are_counted() -> None:
    found = counted({**CERTAIN, "settled": True}, 2)
    assert (found.settled, found.settled_right) == (1, 1)
    assert str(found) == "1/1 certain, 0/0 close, 1/1 settled"


def test_what_was_certain_of_now_is_neither_right_nor_wrong_once_outgrown() -> None:
    found = counted(CERTAIN, 9, grower=9)
    assert (found.certain, found.certain_right, found.outgrown) == (0, 0, 1)
