"""``oom_policy`` where it cannot do what it is told: the cause is said, and so is what was changed all the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.ansible.playing import Ansible, Played, wrapper

pytestmark = pytest.mark.ansible
MODULE = "oomadm.oomadm.oom_policy"
_RULES = [{"target": "no-such-name", "adj": 5}]
# Reads what it is told as the program does, finds no mistake, and cannot apply.
_TOY = """sh -c 'case $1 in
check) cat >/dev/null; echo "{\\"schema\\": \\"oomctl.policy/1\\", \\"mistakes\\": []}" ;;
*) echo "oomctl: no /proc" >&2; exit 7 ;;
esac'"""


class Runs(NamedTuple):
    directory: Path
    check: Played
    run: Played


@pytest.fixture(scope="module")
def runs(ansible: Ansible, oomadm: Path, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """A check and a run of what cannot be done, on a host that systemd has not booted."""
    if os.path.isdir("/run/systemd/system"):
        pytest.skip("this machine was booted by systemd")
    directory = tmp_path_factory.mktemp("refused")
    os.mkfifo(directory / "fifo.toml")
    (directory / "file").touch()
    toy = wrapper(directory / "toy", _TOY)

    def task(name: str, **options: Any) -> dict[str, Any]:
        given = {"path": str(directory / f"{name}.toml"), "executable": str(oomadm), **options}
        rules = {} if "src" in given else {"rules": _RULES}
        return {"name": name, MODULE: {**rules, **given}, "ignore_errors": True}

    tasks = [
        task("from_fifo", src=str(directory / "fifo.toml")),
        task("relative", path="policy.toml"),
        task("below_file", path=str(directory / "file" / "below" / "policy.toml")),
        task("watched", watch=True),
        task("unapplied", executable=str(toy)),
    ]
    return Runs(directory, ansible.play(tasks, "--check"), ansible.play(tasks))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("from_fifo", "cannot read {0}/fifo.toml: not a regular file"),
        ("relative", "path: expected an absolute path, got policy.toml"),
        ("below_file", "cannot write {0}/file/below/policy.toml: {0}/file is not a directory"),
        ("watched", "watch needs systemd, and this host was not booted by it; start oomadm policy watch otherwise"),
    ],
)
def test_what_cannot_be_done_is_said_by_a_check_as_by_a_run_and_nothing_is_written(
    runs: Runs, name: str, said: str
) -> None:
    for played in (runs.check, runs.run):
        assert played.results[name]["failed"]
        assert played.results[name]["msg"] == said.format(runs.directory)
        assert not played.results[name]["changed"]
    assert not (runs.directory / f"{name}.toml").exists()


def test_a_file_that_was_written_and_could_not_be_applied_is_a_change(runs: Runs) -> None:
    result = runs.run.results["unapplied"]
    assert result["failed"]
    assert "no /proc" in result["msg"]
    assert result["changed"]
    assert (runs.directory / "unapplied.toml").exists()
