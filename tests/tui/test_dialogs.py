"""Dialogs on screens of any size: nothing is cut off, every one says how it closes, and no key is lost in it."""

from __future__ import annotations

import re

import pytest

from oomctl.live.simple import help_lines
from oomctl.render.palette import PLAIN, TERMINAL
from oomctl.tui import keys
from oomctl.tui.help import help_text, legend
from tests.proc_tree import ProcTree
from tests.tui.driving import Driver, drive

SIZES = [(120, 36), (80, 24), (60, 20), (40, 12)]
POD = "/kubepods.slice/kubepods-burstable.slice/" + "pod-0123456789abcdef" * 8 + ".scope"


def inside(user: Driver) -> str:
    """What stands within borders, lines put together again."""
    return " ".join(" ".join(line.partition("│")[2].rpartition("│")[0] for line in user.lines).split())


async def read_through(user: Driver) -> str:
    """Scroll down to the end; return all that could be read."""
    seen = [inside(user)]
    await user.press("down")
    while inside(user) != seen[-1]:
        seen.append(inside(user))
        await user.press("pagedown")
    return "\n".join(seen)


@pytest.mark.parametrize("size", SIZES)
def test_a_long_question_scrolls_and_its_answers_stay_on_the_screen(server: ProcTree, size: tuple[int, int]) -> None:
    for pid in range(100, 130):
        server.add(pid, "a worker", 500, score=668, uid=54321)

    async def steps(user: Driver) -> None:
        await user.press("N", *"s" * 32, "w")
        await user.sees("Esc changes nothing, ↑↓ scroll")
        assert "Write (y)" in user.text
        assert "Cancel (n)" in user.text
        text = await read_through(user)
        assert "100 (a worker)" in text
        assert "125 (a worker)" in text
        assert "Write (y)" in user.text
        await user.press("n")
        await user.sees_no("Esc changes nothing")

    drive(server, steps, size=size)


@pytest.mark.parametrize("size", SIZES)
def test_a_long_cgroup_is_folded_not_cut(server: ProcTree, size: tuple[int, int]) -> None:
    server.mount_v2()
    for end in range(1, POD.count("/") + 1):
        server.cgroup("/".join(POD.split("/")[: end + 1]), memory__current="1048576", memory__max="2097152")

    async def steps(user: Driver) -> None:
        await user.press("c", "G")
        await user.sees("Enter chooses, Esc closes")
        assert POD[-60:] in inside(user).replace(" ", "")
        await user.press("q")
        await user.sees_no("Which memory runs out?")

    drive(server, steps, size=size)


@pytest.mark.parametrize("size", SIZES)
def test_help_is_read_to_its_end_with_the_arrows(server: ProcTree, size: tuple[int, int]) -> None:
    async def steps(user: Driver) -> None:
        await user.press("f1")
        await user.sees("Esc closes")
        assert "next: PID (NAME)" in user.text
        text = await read_through(user)
        await user.press("G")
        assert "Ctrl-C" in user.text
        assert "what is only marked is forgotten" in text
        await user.press("g")
        assert "next: PID (NAME)" in user.text
        await user.press("h")
        await user.sees_no("Esc closes")

    drive(server, steps, size=size)


@pytest.mark.parametrize("width", [75, 55, 35, 15, 1])
def test_help_is_no_wider_than_the_box(width: int) -> None:
    lines = help_text(TERMINAL, width).plain.splitlines()
    assert all(len(line) <= max(width, 18) for line in lines)
    if width == 75:
        assert len(lines) == len(keys.KEYS) + len(keys.MOVING) + 9  # a line each, and the legend


def test_what_is_not_about_keys_or_colours_both_helps_say_alike() -> None:
    told = {(sample.plain, meaning) for sample, meaning in legend(TERMINAL)}
    without_keys = {tuple(re.split(r" {2,}", line.plain.strip(), maxsplit=1)) for line in help_lines((80, 24))}
    assert {sample for sample, _ in told & without_keys} >= {"GROWTH", "▁▃▅█"}


def test_the_legend_is_in_the_colours_of_the_view_and_names_none() -> None:
    drawn = help_text(TERMINAL, 75)
    styles = {str(span.style) for span in drawn.spans}
    assert {TERMINAL.headline, TERMINAL.memory, TERMINAL.added, TERMINAL.taken, TERMINAL.marked} <= styles
    assert {str(span.style) for span in help_text(PLAIN, 75).spans} <= {*PLAIN, "bold"}
    assert not {"red", "cyan", "magenta", "green"} & set(drawn.plain.split())


@pytest.mark.parametrize("opened", [("f1",), ("f6",), ("c",), ("p", "w")])
@pytest.mark.parametrize(("key", "status"), [("ctrl+q", 0), ("ctrl+c", 130)])
def test_a_dialog_keeps_nobody_from_quitting(server: ProcTree, opened: tuple[str, ...], key: str, status: int) -> None:
    async def steps(user: Driver) -> None:
        await user.press(*opened)
        await user.sees("Esc c")
        await user.press(key)

    assert drive(server, steps) == status


def test_in_a_list_keys_move_as_in_the_ranking(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("f6", "j", "j", "k", "enter")
        await user.until(lambda: user.pids() == [1, 10, 11, 20, 30, 40])

    drive(server, steps)


def test_a_pane_is_read_to_its_end_without_a_mouse(server: ProcTree) -> None:
    server.write("20/cmdline", b"java\0" + b"-Dlong=option\0" * 40 + b"the.end\0")

    async def steps(user: Driver) -> None:
        await user.press("enter")
        await user.sees("Why (Enter closes)")
        assert "the.end" not in user.text
        await user.press(*["J"] * 30)
        await user.sees("the.end")
        await user.press(*["shift+up"] * 30)
        await user.sees_no("the.end")
        assert user.selected == 20

    drive(server, steps)


def test_a_dialog_fits_a_screen_that_becomes_smaller(server: ProcTree) -> None:
    async def steps(user: Driver) -> None:
        await user.press("question_mark")
        await user.pilot.resize_terminal(40, 12)
        await user.until(lambda: len(user.lines) <= 12 and max(map(len, user.lines)) <= 40)
        assert "what is only marked is forgotten" in await read_through(user)

    drive(server, steps, size=(120, 40))
