"""Which files make the policy."""

from __future__ import annotations

from pathlib import Path

import pytest

from oomctl.errors import BadInput
from oomctl.policy.loading import load, load_valid

RULE = '[[rule]]\ntarget = "{}"\nadj = 500\n'


def words(*paths: Path) -> list[str]:
    return [rule.targets[0].word for rule in load_valid([str(path) for path in paths]).rules]


def test_files_are_asked_in_the_order_given_and_those_of_a_directory_by_name(tmp_path: Path) -> None:
    directory = tmp_path / "policy.d"
    directory.mkdir()
    for name in ("20-b.toml", "10-a.toml", ".hidden.toml", "30-c.toml~", "README"):
        (directory / name).write_text(RULE.format(name))
    (tmp_path / "policy.toml").write_text(RULE.format("first"))
    assert words(tmp_path / "policy.toml", directory) == ["first", "10-a.toml", "20-b.toml"]


def test_a_rule_may_be_covered_by_one_of_another_file(tmp_path: Path) -> None:
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(RULE.format("same"))
    policy = load([str(tmp_path)])
    assert [str(mistake) for mistake in policy.mistakes] == [
        f"{tmp_path}/b.toml:1: rule same never matches: {tmp_path}/a.toml:1 covers it"
    ]
    assert policy.errors == []


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path: Path) -> None:
    assert [str(mistake) for mistake in load([str(tmp_path / "gone.toml")]).errors] == [
        f"{tmp_path}/gone.toml: cannot be read: No such file or directory"
    ]


def test_no_file_at_all_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=f"^no policy: neither {tmp_path} holds a"):
        load([str(tmp_path)])


def test_one_mistake_makes_the_whole_policy_unusable(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(RULE.format("good"))
    (tmp_path / "b.toml").write_text("[[rule]]\n")
    with pytest.raises(BadInput) as refused:
        load_valid([str(tmp_path)])
    assert str(refused.value) == (
        f'{tmp_path}/b.toml:1: target: missing; expected one, such as "postgres"'
        " (and 1 more: oomctl policy check lists them); nothing was changed"
    )
