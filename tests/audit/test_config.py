"""check.toml: what it may say, and how each mistake is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from oomctl.audit import config
from oomctl.audit.facts import Thresholds
from oomctl.errors import BadInput


def read(tmp_path: Path, text: str | bytes) -> config.Config:
    path = tmp_path / "check.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return config.load(str(path))


def test_it_may_say_what_to_ignore_what_is_precious_and_from_where_on_something_is_told(tmp_path: Path) -> None:
    text = 'ignore = ["sysrq-oom"]\nprecious = ["postgres"]\n[thresholds]\nlimit_near_percent = 80\n'
    read_config = read(tmp_path, text)
    assert read_config.ignore == {"sysrq-oom"}
    assert [target.word for target in read_config.precious] == ["postgres"]
    assert read_config.thresholds == Thresholds(limit_near_percent=80)


def test_without_a_file_nothing_is_said_otherwise(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(config, "STANDARD", str(tmp_path / "none"))
    assert config.load(None) == config.Config()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("ignore = [", "not TOML: ", id="no TOML"),
        pytest.param(b"\xff", "expected UTF-8", id="no UTF-8"),
        pytest.param("#" * 70_000, "expected at most 65536 bytes", id="too large"),
        pytest.param("x = 1", "x: no such key; expected ignore, precious, thresholds", id="a key"),
        pytest.param('ignore = "hidden"', "ignore: expected a list of strings", id="no list"),
        pytest.param(
            'ignore = ["nonsense"]',
            "ignore: no check is called 'nonsense'; oomctl check --explain all lists them",
            id="a check",
        ),
        pytest.param('precious = ["user:"]', "target 'user:': nothing behind user:", id="a target"),
        pytest.param("thresholds = 3", "thresholds: expected a table, [thresholds]", id="no table"),
        pytest.param(
            "[thresholds]\nx = 1",
            "thresholds.x: no such key; expected limit_near_percent, futile_percent, group_blast_processes",
            id="a threshold",
        ),
        pytest.param(
            "[thresholds]\nfutile_percent = 101",
            "thresholds.futile_percent: expected a whole number from 0 to 100",
            id="too much",
        ),
        pytest.param(
            "[thresholds]\nfutile_percent = true",
            "thresholds.futile_percent: expected a whole number from 0 to 100",
            id="no number",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(tmp_path, text)
    assert str(refused.value).startswith(f"{tmp_path}/check.toml: {message}")


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        config.load(str(tmp_path / "none"))


def test_what_others_may_write_is_not_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "check.toml"
    path.write_text("")
    path.chmod(0o666)
    with pytest.raises(BadInput, match="everybody can write it"):
        config.load(str(path))


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "check.toml")
    with pytest.raises(BadInput, match="FIFO"):
        config.load(str(tmp_path / "check.toml"))
