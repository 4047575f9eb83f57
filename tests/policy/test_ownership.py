"""Whose files are obeyed: what root or the user who asks has written, and nobody else can change."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from oomctl.policy.loading import MOST_FILES, load
from oomctl.policy.ownership import open_trusted
from tests.commands.invoke import OOMCTL, ROOT, program
from tests.privileges import NOBODY, needs_root

RULE = '[[rule]]\ntarget = "zzpw"\nadj = 500\n'
SOMEBODY = 54321


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a policy, in a directory."""
    directory = tmp_path / "etc" / "oomctl"
    directory.mkdir(parents=True)
    (directory / "policy.toml").write_text(RULE)
    return directory


def mistakes(path: Path) -> list[str]:
    return [str(mistake) for mistake in load([str(path)]).errors]


def test_what_only_its_owner_can_change_is_read(place: Path) -> None:
    assert mistakes(place / "policy.toml") == []
    assert mistakes(place) == []


@needs_root
@pytest.mark.parametrize("steps", [0, 1, 2], ids=["file", "directory", "directory above"])
def test_it_and_what_is_above_belongs_to_nobody_else(place: Path, steps: int) -> None:
    foreign = [place / "policy.toml", place, place.parent][steps]
    os.chown(foreign, SOMEBODY, -1)
    expected = f"{foreign}: belongs to {SOMEBODY}, who could change the settings: chown root: {foreign}"
    assert mistakes(place / "policy.toml") == [expected]
    subprocess.run(["sh", "-c", expected.rpartition("settings: ")[2]], check=True)
    assert mistakes(place / "policy.toml") == []


@pytest.mark.parametrize(("mode", "who"), [(0o020, "its group"), (0o002, "everybody"), (0o022, "everybody")])
@pytest.mark.parametrize("steps", [0, 1, 2], ids=["file", "directory", "directory above"])
def test_it_and_what_is_above_is_not_writable_by_others(place: Path, steps: int, mode: int, who: str) -> None:
    open_to_all = [place / "policy.toml", place, place.parent][steps]
    open_to_all.chmod(open_to_all.stat().st_mode | mode)
    expected = f"{open_to_all}: {who} can write it, and so change the settings: chmod go-w {open_to_all}"
    assert mistakes(place / "policy.toml") == [expected]
    subprocess.run(["sh", "-c", expected.rpartition("settings: ")[2]], check=True)
    assert mistakes(place / "policy.toml") == []


def test_all_that_is_wrong_is_said_once(place: Path) -> None:
    place.parent.chmod(0o777)
    (place / "policy.toml").chmod(0o666)
    (place / "other.toml").write_text(RULE)
    assert len(mistakes(place / "policy.toml")) == 2
    assert len(mistakes(place)) == 1


def test_a_path_with_spaces_is_quoted_in_the_command(place: Path) -> None:
    odd = place / "my policy.toml"
    odd.write_text(RULE)
    odd.chmod(0o666)
    assert mistakes(odd)[0].endswith(f"chmod go-w '{odd}'")


def test_above_it_may_be_a_sticky_directory_but_none_is_listed(place: Path) -> None:
    place.chmod(0o1777)
    assert mistakes(place / "policy.toml") == []
    assert mistakes(place) == [f"{place}: everybody can write it, and so change the settings: chmod go-w {place}"]


@needs_root
def test_in_a_sticky_directory_what_somebody_else_put_there_is_refused(place: Path) -> None:
    place.chmod(0o1777)
    os.chown(place / "policy.toml", SOMEBODY, -1)
    assert mistakes(place / "policy.toml") != []


@needs_root
def test_a_link_is_followed_under_the_same_rule(place: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.toml"
    link.symlink_to("etc/oomctl/../oomctl/policy.toml")
    assert mistakes(link) == []
    os.chown(link, SOMEBODY, -1, follow_symlinks=False)
    assert mistakes(link) == [f"{link}: belongs to {SOMEBODY}, who could change the settings: chown root: {link}"]


def test_the_directory_of_a_link_counts_too(place: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "link").symlink_to(place)
    (tmp_path / "policy.d").symlink_to(theirs / "link")
    assert mistakes(tmp_path / "policy.d") == []
    theirs.chmod(0o777)
    assert mistakes(tmp_path / "policy.d") == [
        f"{theirs}: everybody can write it, and so change the settings: chmod go-w {theirs}"
    ]


def test_a_link_of_a_directory_of_policies_is_looked_at_as_well(place: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.toml"
    elsewhere.write_text(RULE)
    elsewhere.chmod(0o646)
    (place / "20.toml").symlink_to(elsewhere)
    expected = f"{elsewhere}: everybody can write it, and so change the settings: chmod go-w {elsewhere}"
    assert mistakes(place) == [expected]


@pytest.mark.parametrize("target", ["loop.toml", "nowhere", "policy.toml/x", ""])
def test_what_a_link_does_not_lead_to_is_a_mistake(place: Path, target: str) -> None:
    link = place / "loop.toml"
    if target:
        link.symlink_to(target)
    found = mistakes(link)
    assert len(found) == 1
    assert found[0].startswith(f"{link}: cannot be read: ")


def test_a_path_may_be_relative_and_end_above(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    for path in ("policy.toml", ".", "../oomctl", "../../etc/./oomctl//policy.toml", "/../" + str(place) + "/x/.."):
        (place / "x").mkdir(exist_ok=True)
        assert [rule.adj for rule in load([path]).rules] == [500], path


def test_what_was_looked_at_is_what_is_read(place: Path) -> None:
    """Somebody puts another file there between the look and the read."""
    with open_trusted(str(place / "policy.toml")) as opened:
        os.rename(place / "policy.toml", place / "old")
        (place / "policy.toml").write_text("other")
        assert os.read(opened.descriptor, 100).decode() == RULE


def test_no_descriptor_stays_open(place: Path) -> None:
    (place / "bad.toml").symlink_to("bad.toml")
    (place / "fifo.toml").mkdir()
    before = os.listdir("/proc/self/fd")
    load([str(place)])
    assert os.listdir("/proc/self/fd") == before


@pytest.fixture
def odd(place: Path) -> Path:
    """Everything that is no file, beside a policy."""
    os.mkfifo(place / "a-fifo.toml")
    (place / "b-directory.toml").mkdir()
    (place / "c-device.toml").symlink_to("/dev/zero")
    (place / "d-dangling.toml").symlink_to("nowhere")
    (place / "e-large.toml").write_bytes(b"#" * (1 << 20))
    return place


EXPECTED = {
    "a-fifo": "cannot be read: a FIFO; expected a regular file",
    "b-directory": "cannot be read: a directory; expected a regular file",
    "c-device": "cannot be read: a device; expected a regular file",
    "d-dangling": "cannot be read: No such file or directory",
    "e-large": "expected at most 65536 bytes",
}


def test_what_is_no_file_is_a_mistake_and_nothing_is_waited_for(odd: Path) -> None:
    expected = "".join(f"{odd}/{name}.toml: {message}\n" for name, message in EXPECTED.items())
    command = [*OOMCTL, "policy", "check", "-f", str(odd)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, expected, "")


def test_a_directory_has_only_so_many_files(place: Path) -> None:
    for number in range(MOST_FILES):
        (place / f"{number}.toml").touch()
    [mistake] = mistakes(place)
    assert mistake.startswith(f"{place}: expected at most {MOST_FILES} files")


@pytest.fixture
def somebody_s(place: Path) -> Iterator[Path]:
    """A copy of the policy that belongs to another user, where that user can reach it."""
    directory = Path("/tmp") / f"oomctl-trust-{os.getpid()}"  # noqa: S108 - a sticky directory is what is wanted
    directory.mkdir()
    shutil.copy(place / "policy.toml", directory)
    for path in (directory / "policy.toml", directory):
        os.chown(path, 65534, 65534)
    yield directory / "policy.toml"
    shutil.rmtree(directory)


@pytest.mark.unprivileged
@pytest.mark.live
@needs_root
def test_a_user_s_own_policy_is_for_that_user(somebody_s: Path) -> None:
    assert program("policy", "check", "-f", str(somebody_s), before=NOBODY).stdout == "1 rule, no mistakes\n"
    refused = program("policy", "apply", "-f", str(somebody_s))
    assert refused.status == 2
    assert "who could change the settings: chown root: " in refused.stderr
