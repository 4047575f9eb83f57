"""Toys in pairs: one leads, by less than reclaim may take from it in part of the kills, by far more in the others."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from tests.vm.guest import boot
from tests.vm.guest.toys import Recipe

_RANDOM = random.Random(int(boot.parameter("seed", "1")))
_BEHIND = (500, 3000)
_MOVABLE = (1500, 4000)
_SHARE_WITHIN = 0.6
"""So many of the pairs are nearer to each other than what reclaim may take."""
_PAGES_OF_A_HUGE_ONE = 512


class Pair(NamedTuple):
    """Who leads and who follows."""

    first: Recipe
    second: Recipe


def _sized(first: Callable[[int, int], Recipe], second: Callable[[int], Recipe]) -> Pair:
    """A pair by how many pages of the first may go and how many stay."""
    movable = _RANDOM.randint(*_MOVABLE)
    within = _RANDOM.random() < _SHARE_WITHIN
    lead = int(movable * (_RANDOM.uniform(0.1, 0.9) if within else _RANDOM.uniform(2.2, 3)))
    behind = movable + _RANDOM.randint(*_BEHIND)
    return Pair(first(behind + lead - movable, movable), second(behind))


def files() -> Pair:
    """Clean pages of a mapped file."""
    return _sized(lambda anon, gone: {"anon": anon, "file": gone}, lambda anon: {"anon": anon, "file": 1})


def locked_files() -> Pair:
    return _sized(
        lambda anon, gone: {"anon": anon, "file": gone, "file_locked": True},
        lambda anon: {"anon": anon, "file": 1, "file_locked": True},
    )


def library() -> Pair:
    return _sized(lambda anon, gone: {"anon": anon, "library": gone}, lambda anon: {"anon": anon, "library": 1})


def shared() -> Pair:
    return _sized(lambda anon, gone: {"anon": anon, "shmem": gone}, lambda anon: {"anon": anon})


def tmpfs() -> Pair:
    return _sized(lambda anon, gone: {"anon": anon, "tmpfs": gone}, lambda anon: {"anon": anon, "tmpfs": 1})


def lazily_freed() -> Pair:
    return _sized(
        lambda anon, gone: {"anon": anon + gone, "lazyfree": gone}, lambda anon: {"anon": anon + 1, "lazyfree": 1}
    )


def merged() -> Pair:
    """All the same, for KSM to merge."""
    return _sized(lambda anon, same: {"anon": anon, "merged": same}, lambda anon: {"anon": anon, "merged": 1})


def huge() -> Pair:
    return _huge("huge")


def huge_unused() -> Pair:
    """Huge pages with nearly nothing in them, which may be taken apart (6.12)."""
    return _huge("huge_unused")


def _huge(how: str) -> Pair:
    def first(anon: int, pages: int) -> Recipe:
        recipe: Recipe = {"anon": anon}
        recipe[how] = pages // _PAGES_OF_A_HUGE_ONE  # type: ignore[literal-required]
        return recipe

    return _sized(first, lambda anon: {"anon": anon, "huge": 1})


def busy() -> Pair:
    """Near each other, with threads that take and give back all the time behind a leader that sleeps."""
    anon = _RANDOM.randint(2000, 3000)

    def one(more: int) -> Recipe:
        return {"anon": anon + more, "threads": 6, "anon_each": 60, "adj": 500, "busy": _RANDOM.randint(5, 25)}

    return Pair(one(_RANDOM.randint(0, 300)), one(0))
