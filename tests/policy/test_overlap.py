"""Rules that can never decide: said only where it is certain."""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomctl.policy.overlap import unreachable
from oomctl.policy.rule import Place, Rule
from oomctl.targets.words import parse_target


def rule(line: int, *words: str, adj: int = 1000, force: bool = False) -> Rule:
    """A rule that nobody can be lowered by, so that it distrusts nobody."""
    return Rule(Place("p.toml", line), tuple(map(parse_target, words)), adj, force=force)


def covered(earlier: str, later: str) -> bool:
    return bool(unreachable([rule(1, earlier), rule(2, later)]))


def test_the_warning_names_both_rules() -> None:
    [warning] = unreachable([rule(3, "ssh*"), rule(9, "sshd")])
    assert str(warning) == "p.toml:9: rule sshd never matches: p.toml:3 covers it"
    assert warning.severity == "warning"


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("sshd", "sshd"),
        ("ssh*", "sshd"),
        ("s??d", "sshd"),
        ("*", "s*"),
        ("*d", "s*d"),
        ("a**", "ab?"),
        ("*", "user:postgres"),
        ("*", "cmd:x"),
        ("cgroup:/a", "cgroup:/a/b"),
        ("cgroup:a/", "cgroup:/a"),
        ("user:ci", "user:ci"),
        ("cmd:^x", "cmd:^x"),
        ("a.service", "a.service"),
    ],
)
def test_a_wider_target_covers_a_narrower_one(earlier: str, later: str) -> None:
    assert covered(earlier, later)


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("sshd", "ssh*"),
        ("sshd", "sshd.service"),
        ("a?", "a"),
        ("s*d", "*d"),
        ("cgroup:/a/b", "cgroup:/a"),
        ("cgroup:/a", "cgroup:/ab"),
        ("user:a", "user:b"),
        ("user:root", "sshd"),
        ("cmd:x", "cmd:xy"),
        ("a.slice", "a.service"),
        ("[a-z]", "b"),
    ],
)
def test_others_do_not(earlier: str, later: str) -> None:
    assert not covered(earlier, later)


def test_several_rules_may_cover_one_together() -> None:
    [warning] = unreachable([rule(1, "a"), rule(2, "b"), rule(3, "b", "a")])
    assert warning.message == "rule b a never matches: p.toml:2, p.toml:1 covers it"


def test_a_rule_of_which_one_target_is_free_stays() -> None:
    assert unreachable([rule(1, "a"), rule(2, "a", "b")]) == []


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param(rule(1, "*", adj=0), rule(2, "user:ci"), id="another kind of target"),
        pytest.param(rule(1, "ssh*", adj=0), rule(2, "sshd", adj=500), id="a higher value, that lowers nobody"),
        pytest.param(rule(1, "ssh*", adj=0), rule(2, "sshd", adj=0, force=True), id="force"),
        pytest.param(rule(1, "cmd:x", adj=999), rule(2, "cmd:x"), id="command line"),
    ],
)
def test_a_rule_that_may_distrust_some_leaves_those_to_a_later_one(earlier: Rule, later: Rule) -> None:
    assert unreachable([earlier, later]) == []


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        pytest.param(rule(1, "ssh*", adj=0), rule(2, "sshd", adj=-500), id="who is distrusted by both"),
        pytest.param(rule(1, "*", adj=0, force=True), rule(2, "user:ci"), id="force distrusts nobody"),
        pytest.param(rule(1, "user:ci", adj=0), rule(2, "user:ci"), id="a user is not a name"),
    ],
)
def test_who_is_not_left_to_it_it_cannot_have(earlier: Rule, later: Rule) -> None:
    assert len(unreachable([earlier, later])) == 1


NAMES = st.text("ab", max_size=4)
PATTERNS = st.text("ab*?", min_size=1, max_size=5)


@given(PATTERNS, PATTERNS, NAMES)
def test_what_a_covered_pattern_matches_the_wider_one_matches(earlier: str, later: str, name: str) -> None:
    if covered(earlier, later):
        assert not fnmatchcase(name, later) or fnmatchcase(name, earlier)
