"""Dialogs: all of their text can be read, on a screen of any size, and keys say how they close."""

from __future__ import annotations

import pytest

from oomctl.tui import keys
from tests.proc_tree import ProcTree
from tests.tui.driving import Driver, drive

SIZES = [(120, 36), (80, 24), (60, 20), (40, 12)]


def words(lines: list[str]) -> list[str]:
    """What stands in a box, without its frame and its scroll bar."""
    return [word for line in lines for word in line.strip().strip("│╭╮╰╯─▁▂▃▄▅▆▇█ ").split()]


async def read_to_the_end(user: Driver) -> set[str]:
    """Every word that comes into sight on the way down."""
    seen = set(words(user.lines))
    for _ in range(200):
        before = user.lines
        await user.press("down")
        if user.lines == before:
            return seen
        seen |= set(words(user.lines))
    raise AssertionError("it has no end")


@pytest.mark.parametrize("size", SIZES)
def test_every_word_of_a_question_can_be_read_and_its_answers_are_in_sight(
    proc_tree: ProcTree, size: tuple[int, int]
) -> None:
    for pid in range(100, 130):
        proc_tree.add(pid, f"worker{pid}", 1000 - pid, score=667)

    async def steps(user: Driver) -> None:
        await user.press("t", "t", "s", "w")
        await user.sees("Write (y)")
        await user.sees("Cancel (n)")
        await user.sees("Esc changes nothing")
        seen = await read_to_the_end(user)
        assert seen >= {*(f"(worker{pid}):" for pid in range(100, 130)), "before"}
        await user.sees("Write (y)")
        await user.press("home")
        await user.sees("Write oom_score_adj")

    drive(proc_tree, steps, size=size)


@pytest.mark.parametrize("size", SIZES)
def test_every_word_of_the_help_can_be_read(proc_tree: ProcTree, size: tuple[int, int]) -> None:
    async def steps(user: Driver) -> None:
        await user.press("question_mark")
        await user.sees("Esc or Enter closes")
        seen = await read_to_the_end(user)
        assert seen >= {word for key in keys.KEYS for word in key.meaning.split()}
        assert seen >= {word for _, meaning in keys.LEGEND for word in meaning.split() if word != "█"}
        await user.press("q")
        await user.sees_no("Esc or Enter closes")

    drive(proc_tree, steps, size=size)


def test_a_dialog_fits_a_screen_that_becomes_smaller(proc_tree: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("question_mark")
        await user.pilot.resize_terminal(40, 12)
        await user.until(lambda: len(user.lines) <= 12 and max(map(len, user.lines)) <= 40)
        assert "near" in await read_to_the_end(user)

    drive(proc_tree, steps, size=(120, 40))


@pytest.mark.parametrize("size", SIZES)
def test_the_whole_path_of_a_cgroup_is_offered(proc_tree: ProcTree, size: tuple[int, int]) -> None:
    path = "/kubepods.slice/" + "a-very-long-name-of-a-pod-" * 4 + "end.scope"
    proc_tree.mount_v2()
    proc_tree.cgroup("/kubepods.slice")
    proc_tree.cgroup(path, memory__current="1048576", memory__max="max")

    async def steps(user: Driver) -> None:
        await user.press("c", "down")
        await user.sees("Enter chooses, Esc closes")
        assert path in "".join(words(user.lines))

    drive(proc_tree, steps, size=size)
