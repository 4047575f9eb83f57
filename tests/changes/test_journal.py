"""The journal of changes: bounded, replaced as a whole, readable whatever became of it, trusted only if one's own."""

from __future__ import annotations

import fcntl
import json
import multiprocessing
import os
import pwd
from pathlib import Path

import pytest

from oomctl.changes import journal as module
from oomctl.changes.journal import Journal
from oomctl.errors import NotPermitted
from oomctl.model.changes import DropIn, Recorded, Replaced
from tests.privileges import needs_root

BOOT = "8d3a2c7e"


def recorded(what: str = "set 500 db", *pids: int, boot_id: str = BOOT) -> Recorded:
    return Recorded(what, 1700000000.5, boot_id, tuple(Replaced(pid, 7, "db", 0, 500) for pid in pids or (10,)))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(str(tmp_path / "state" / "oomctl"))


def whats(journal: Journal) -> list[str]:
    return [entry.what for entry in journal.entries()]


def test_what_was_recorded_is_read_back(journal: Journal) -> None:
    assert journal.entries() == []
    for entry in (recorded("one", 10, 11), recorded("two")):
        journal.append(entry)
    assert journal.entries() == [recorded("one", 10, 11), recorded("two")]


def test_only_its_owner_can_read_it(journal: Journal) -> None:
    journal.append(recorded())
    assert [os.stat(path).st_mode & 0o777 for path in (journal.directory, journal.path)] == [0o700, 0o600]


def test_nothing_is_left_beside_it(journal: Journal) -> None:
    for _ in range(3):
        journal.append(recorded())
    assert os.listdir(journal.directory) == ["journal"]


def test_it_remembers_a_bounded_number_of_changes(journal: Journal) -> None:
    for number in range(module.MOST_ENTRIES + 3):
        journal.append(recorded(str(number)))
    assert whats(journal) == [str(number) for number in range(3, module.MOST_ENTRIES + 3)]


def test_it_has_a_bounded_size_but_always_the_newest(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    for what in ("one", "two", "three"):
        journal.append(recorded(what, 1, 2, 3, 4))
    assert whats(journal) == ["two", "three"]
    journal.append(recorded("big", *range(1, 26)))
    assert whats(journal) == ["big"]


def test_changes_before_the_last_boot_are_forgotten(journal: Journal) -> None:
    journal.append(recorded("before", boot_id="other"))
    assert whats(journal) == ["before"]
    journal.append(recorded("after"))
    assert whats(journal) == ["after"]


def test_an_entry_is_cut_down_or_taken_out(journal: Journal) -> None:
    for entry in (recorded("one"), recorded("two", 10, 11)):
        journal.append(entry)
    journal.replace(recorded("two", 10, 11), recorded("two", 11))
    assert journal.entries() == [recorded("one"), recorded("two", 11)]
    journal.replace(recorded("two", 11), None)
    assert whats(journal) == ["one"]


VALUE = {"pid": 10, "start_ticks": 7, "comm": "db", "before": 0, "after": 500}
GOOD = {"what": "x", "time": 1.0, "boot_id": BOOT, "values": [VALUE]}


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\0\xff\xfe",
        b'{"what": "cut o',
        b"[]",
        b"null",
        b"7",
        b"[" * 100_000,
        json.dumps({**GOOD, "values": []}).encode(),
        json.dumps({**GOOD, "values": 7}).encode(),
        json.dumps({**GOOD, "time": float("nan")}).encode(),
        json.dumps({**GOOD, "time": 1e300}).encode(),
        json.dumps({**GOOD, "time": None}).encode(),
        *(
            json.dumps({**GOOD, "values": [{**VALUE, **wrong}]}).encode()
            for wrong in ({"pid": -1}, {"pid": "10"}, {"pid": True}, {"before": 1001}, {"after": None}, {"before": 0.5})
        ),
    ],
)
def test_a_damaged_line_is_left_out_and_the_rest_read(journal: Journal, line: bytes) -> None:
    journal.append(recorded("one"))
    path = Path(journal.path)
    path.write_bytes(line + b"\n" + path.read_bytes() + line)
    assert whats(journal) == ["one"]
    journal.append(recorded("two"))
    assert whats(journal) == ["one", "two"]


def test_a_change_of_a_unit_is_recorded_too(journal: Journal) -> None:
    entry = recorded()._replace(values=(), drop_ins=(DropIn("nginx.service", False, None, -500),))
    journal.append(entry)
    assert journal.entries() == [entry]


def test_a_directory_that_others_can_write_is_not_trusted(journal: Journal) -> None:
    """Undo does what is written there, with root's power."""
    journal.append(recorded())
    os.chmod(journal.directory, 0o777)  # noqa: S103
    with pytest.raises(NotPermitted, match="make it yours with mode 700"):
        journal.entries()
    with pytest.raises(NotPermitted):
        journal.append(recorded())


@needs_root
def test_another_user_s_directory_is_not_trusted(journal: Journal) -> None:
    journal.append(recorded())
    os.chown(journal.directory, 65534, 65534)
    with pytest.raises(NotPermitted, match=r"others than you \(uid 0\) can write there"):
        journal.entries()


@needs_root
def test_a_file_of_another_user_in_one_s_own_directory_is_not_trusted(journal: Journal) -> None:
    journal.append(recorded())
    os.chown(journal.path, 65534, 65534)
    for use in (journal.entries, lambda: journal.append(recorded())):
        with pytest.raises(NotPermitted, match=r"journal: others than you \(uid 0\) can write there.*; remove it$"):
            use()


def test_a_file_that_others_can_write_is_not_trusted(journal: Journal) -> None:
    journal.append(recorded())
    os.chmod(journal.path, 0o666)  # noqa: S103
    with pytest.raises(NotPermitted, match="so what it says is not trusted"):
        journal.entries()


def test_a_link_in_place_of_the_directory_is_not_followed(journal: Journal, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    os.mkdir(tmp_path / "state")
    os.symlink(elsewhere, journal.directory)
    for use in (journal.entries, lambda: journal.append(recorded())):
        with pytest.raises(NotPermitted, match="its directory is a symbolic link; expected a directory of your own"):
            use()
    assert os.listdir(elsewhere) == []


def test_a_link_in_place_of_the_file_is_not_followed(journal: Journal, tmp_path: Path) -> None:
    journal.append(recorded())
    os.rename(journal.path, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", journal.path)
    with pytest.raises(NotPermitted, match="symbolic links"):
        journal.entries()


def test_a_fifo_or_device_is_refused_at_once(journal: Journal) -> None:
    journal.append(recorded())
    os.unlink(journal.path)
    os.mkfifo(journal.path)
    for use in (journal.entries, lambda: journal.append(recorded())):
        with pytest.raises(NotPermitted, match="journal: a FIFO; expected a regular file"):
            use()


def test_a_file_without_an_end_is_read_to_the_bound(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    journal.append(recorded("one"))
    with open(journal.path, "ab") as file:
        file.truncate(1 << 40)
    assert whats(journal) == ["one"]


def test_a_lock_that_somebody_keeps_is_not_waited_for_for_ever(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ATTEMPTS", 3)
    monkeypatch.setattr(module, "_PAUSE_SECONDS", 0.001)
    journal.append(recorded())
    held = os.open(journal.directory, os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    with pytest.raises(NotPermitted, match="another process has locked it"):
        journal.append(recorded())
    os.close(held)
    journal.append(recorded())


def test_a_place_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(NotPermitted, match="state/oomctl/journal: Not a directory"):
        Journal(str(tmp_path / "state" / "oomctl")).append(recorded())


def test_the_home_is_the_effective_user_s_and_not_what_sudo_left_in_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    for unset in ("", "relative/path"):
        monkeypatch.setenv("XDG_STATE_HOME", unset)
        assert Journal.of_user().directory == IN_HOME
    monkeypatch.setenv("XDG_STATE_HOME", "/var/lib/x")
    assert Journal.of_user().path == "/var/lib/x/oomctl/journal"


IN_HOME = os.path.join(pwd.getpwuid(os.geteuid()).pw_dir, ".local/state/oomctl")


@needs_root
@pytest.mark.parametrize("theirs", ["directory", "above", "link", "open to all"])
def test_a_place_that_somebody_else_had_a_hand_in_is_not_taken_for_root_s_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, theirs: str
) -> None:
    """The user's XDG_STATE_HOME, kept by sudo -E or su."""
    state = tmp_path / "home" / "state"
    state.mkdir(parents=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    assert Journal.of_user().directory == f"{state}/oomctl"
    if theirs == "directory":
        os.chown(state, 1000, 1000)
    elif theirs == "above":
        os.chown(tmp_path / "home", 1000, 1000)
    elif theirs == "link":
        os.symlink(state, tmp_path / "link")
        os.chown(tmp_path / "link", 1000, 1000, follow_symlinks=False)
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "link"))
    else:
        os.chmod(tmp_path / "home", 0o777)  # noqa: S103
    assert Journal.of_user().directory == IN_HOME


def _append(directory: str, what: str) -> None:
    Journal(directory).append(recorded(what))


def test_two_commands_at_once_are_both_recorded(journal: Journal) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_append, args=(journal.directory, str(number))) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(whats(journal)) == ["0", "1", "2", "3"]
