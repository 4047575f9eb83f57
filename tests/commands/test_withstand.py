"""What the commands must withstand: hostile names, outputs that fail, a /proc that hides, users without rights."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.invoke import OOMCTL, ROOT, Ran, ask, program
from tests.privileges import NOBODY, needs_root
from tests.proc_tree import ProcTree
from tests.processes import Sleeper, adj_of, ready

pytestmark = pytest.mark.unprivileged

HOSTILE: dict[str, tuple[bytes, str]] = {
    "markup": (b"[red]x[/red]", "[red]x[/red]"),
    "colour": (b"\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
    "title": (b"\x1b]0;title\x07", "\\x1b]0;title\\x07"),
    "end of a name": (b"foo) Z ", "foo) Z "),
    "a whole stat line": (b"foo) Z 1 (bar", "foo) Z 1 (bar"),
    "cut UTF-8": ("aaaaaaaaaaaaa\N{EURO SIGN}".encode()[:15], "aaaaaaaaaaaaa\N{REPLACEMENT CHARACTER}"),
    "newline": (b"two\nlines", "two\\nlines"),
    "controls": (b"\r\n\t\x08x", "\\r\\n\\t\\x08x"),
    "turned around": ("\N{RIGHT-TO-LEFT OVERRIDE}exe".encode(), "\\u202eexe"),
    "no UTF-8": (b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
    "C1 byte": (b"\x9b31m", "\N{REPLACEMENT CHARACTER}31m"),
    "C1 character": ("\x9b31m".encode(), "\\x9b31m"),
    "backslash": (b"a\\nb", "a\\nb"),
}
hostile = pytest.mark.parametrize(("name", "shown"), HOSTILE.values(), ids=HOSTILE)
SGR = re.compile(r"\x1b\[[0-9;]*m")
NAMED = "import sys, time; open('/proc/self/comm', 'wb').write({name!r}); print(flush=True); time.sleep(60)"


def harmless(text: str) -> bool:
    return all(char.isprintable() or char in "\n\t" for char in text)


def in_brackets(shown: str) -> str:
    """What a name becomes that would end, for a reader, before its end."""
    return shown[:-1].replace(")", r"\x29") + shown[-1:]


@hostile
def test_a_hostile_name_is_one_harmless_cell_in_every_format(proc_tree: ProcTree, name: bytes, shown: str) -> None:
    proc_tree.add(10, name, 9000, uid=0)
    proc_tree.write("10/cmdline", name + b"\0")
    columns = ("-o", "comm,cmdline,pid")
    assert ask(proc_tree, "top", "--format", "tsv", *columns).stdout.splitlines()[1:] == [f"{shown}\t{shown}\t10"]
    plain = ask(proc_tree, "top", "--format", "plain", *columns).stdout
    table = ask(proc_tree, "top", "--format", "table", *columns).stdout
    for text in (plain, table):
        assert shown in text
        assert harmless(text)
    assert plain.count("\n") == 2
    assert table.count("\n") == 3
    document = ask(proc_tree, "top", "--json").stdout
    assert document.isascii()
    assert harmless(document)
    assert json.loads(document)["processes"][0]["comm"] == name.decode(errors="replace")


@hostile
@pytest.mark.parametrize(
    "argv", [["simulate"], ["explain", "10"], ["set", "500", "10"], ["protect", "1*", "10"]], ids=" ".join
)
def test_a_hostile_name_is_harmless_in_every_sentence(
    proc_tree: ProcTree, argv: list[str], name: bytes, shown: str
) -> None:
    proc_tree.add(10, name, 9000, uid=0)
    proc_tree.add(11, name, 8000, uid=0)
    proc_tree.write("10/cmdline", name + b"\0")
    ran = ask(proc_tree, *argv)
    assert ran.status in (0, 3)
    assert f"10 ({in_brackets(shown)})" in ran.stdout
    assert harmless(ran.stdout)
    assert harmless(ran.stderr)
    document = ask(proc_tree, *argv, "--json").stdout
    assert document.isascii()
    assert harmless(document)


@hostile
def test_a_hostile_name_of_a_refused_process_is_harmless(proc_tree: ProcTree, name: bytes, shown: str) -> None:
    proc_tree.add(1, name, score=0, ppid=0)
    ran = ask(proc_tree, "protect", "1")
    assert ran.stderr.startswith(f"oomctl: 1 ({in_brackets(shown)}): PID 1: ")
    assert harmless(ran.stderr)
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("word", ["\x1b[31mx", "a\nb", "[red]x", "\x9b31m"])
def test_hostile_arguments_come_back_harmless(proc_tree: ProcTree, word: str) -> None:
    proc_tree.add(10)
    for argv in (["explain", word], ["set", word, "10"], ["top", "-o", word], ["top", "--user", word], [word]):
        ran = ask(proc_tree, *argv)
        assert ran.status in (1, 2)
        assert harmless(ran.stderr)
        assert ran.stderr.count("\n") == 1


def test_hostile_paths_in_a_cgroup_are_harmless(proc_tree: ProcTree) -> None:
    path = "/\x1b[31m[red]x\n"
    proc_tree.mount_v2()
    proc_tree.add(10, rss=10, uid=0, cgroup="0::/\x1b[31m[red]x\\012\n")
    proc_tree.cgroup(path, (10,), memory__max="40960")
    for argv in (["simulate", "--cgroup", path], ["top", "--cgroup", path], ["explain", "10", "--cgroup", path]):
        ran = ask(proc_tree, *argv)
        assert ran.status == 0
        assert harmless(ran.stdout + ran.stderr)


def named(sleeper: Sleeper, name: bytes) -> int:
    process = sleeper(sys.executable, "-c", NAMED.format(name=name), stdout=subprocess.PIPE)
    ready(process)
    return process.pid


@pytest.mark.live
def test_real_processes_with_hostile_names_are_read_and_harmless(sleeper: Sleeper) -> None:
    pids = {named(sleeper, name): (name, shown) for name, shown in HOSTILE.values()}
    words = [str(pid) for pid in pids]
    tsv = program("top", *words, "--format", "tsv", "-o", "pid,comm").stdout.splitlines()[1:]
    assert dict(line.split("\t") for line in tsv) == {str(pid): shown for pid, (_, shown) in pids.items()}
    document = json.loads(program("top", *words, "--json").stdout)
    found = {process["pid"]: process["comm"] for process in document["processes"]}
    assert found == {pid: name.decode(errors="replace") for pid, (name, _) in pids.items()}
    for argv in (["top", "--format", "plain"], ["explain"], ["set", "500"]):
        ran = program(*argv, *words)
        assert (ran.status, ran.stderr) == (0, "")
        assert harmless(ran.stdout)


def on_terminal(*argv: str, columns: int = 200, env: dict[str, str] | None = None) -> str:
    """What the program writes to a terminal, carriage returns taken away."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    whole = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    whole |= {"TERM": "xterm-256color", **(env or {})}
    how = {"stdin": slave, "stdout": slave, "stderr": slave, "cwd": ROOT, "env": whole}
    process = subprocess.Popen([*OOMCTL, *argv], **how)  # type: ignore[call-overload]
    os.close(slave)
    text = b""
    try:
        while chunk := os.read(master, 1 << 16):
            text += chunk
    except OSError:  # EIO: the last writer is gone
        pass
    os.close(master)
    assert process.wait(timeout=60) == 0
    return text.decode().replace("\r\n", "\n")


@pytest.mark.live
def test_a_terminal_gets_colours_but_obeys_no_name(sleeper: Sleeper) -> None:
    pids = {named(sleeper, name): shown for name, shown in HOSTILE.values()}
    assert all(f" {shown}: " in line for line, shown in listed(pids))
    assert all(line.rstrip().endswith(shown.rstrip()) for line, shown in listed(pids, "-o", "rank,pid,comm"))


def listed(pids: dict[int, str], *argv: str) -> Iterator[tuple[str, str]]:
    """Yield the line of each process on a terminal, and how its name is to be shown there."""
    text = on_terminal("top", "--once", *argv, *map(str, pids))
    assert SGR.search(text)
    assert harmless(SGR.sub("", text))
    lines = SGR.sub("", text).splitlines()
    for pid, shown in pids.items():
        [line] = [line for line in lines if f" {pid} " in line]
        yield line, shown


@pytest.mark.live
def test_no_color_is_respected(sleeper: Sleeper) -> None:
    text = on_terminal("top", "--once", str(sleeper().pid), env={"NO_COLOR": "1"})
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", text)


@pytest.mark.live
@pytest.mark.parametrize("argv", [["top"], ["top", "--json"], ["simulate"], ["explain", str(os.getppid())], ["--help"]])
def test_a_full_disk_as_stdout_is_one_line(argv: list[str]) -> None:
    with open("/dev/full", "w") as full:
        ran = program(*argv, stdout=full)
    assert ran == Ran(1, None, "oomctl: cannot write the output: No space left on device\n")  # type: ignore[arg-type]


@pytest.mark.live
@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_a_change_that_cannot_be_reported_was_still_made(sleeper: Sleeper, options: list[str]) -> None:
    pid = sleeper().pid
    with open("/dev/full", "w") as full:
        ran = program("set", "500", str(pid), *options, stdout=full)
    assert ran.status == 0
    assert ran.stderr == "oomctl: the change was made, but it cannot be reported: No space left on device\n"
    assert adj_of(pid) == 500


@pytest.mark.live
@pytest.mark.parametrize("argv", [["set", "500", "--dry-run"], ["reset"]], ids=["dry run", "unchanged"])
def test_where_nothing_was_changed_a_full_disk_is_a_failure(sleeper: Sleeper, argv: list[str]) -> None:
    pid = sleeper().pid
    with open("/dev/full", "w") as full:
        ran = program(*argv, str(pid), stdout=full)
    assert (ran.status, ran.stderr) == (1, "oomctl: cannot write the output: No space left on device\n")
    assert adj_of(pid) == 0


def closed_pipe() -> int:
    """The write end of a pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


@pytest.mark.live
@pytest.mark.parametrize("argv", [["top"], ["top", "--json"], ["simulate"], ["explain", str(os.getppid())]])
def test_a_closed_pipe_ends_quietly(argv: list[str]) -> None:
    writer = closed_pipe()
    ran = program(*argv, stdout=writer)
    os.close(writer)
    assert (ran.status, ran.stderr) == (141, "")


@pytest.mark.live
def test_a_closed_pipe_does_not_turn_a_change_into_a_failure(sleeper: Sleeper) -> None:
    pid = sleeper().pid
    writer = closed_pipe()
    ran = program("set", "500", str(pid), stdout=writer)
    os.close(writer)
    assert (ran.status, ran.stderr) == (0, "")
    assert adj_of(pid) == 500


@pytest.mark.live
def test_top_piped_into_head_is_quiet() -> None:
    script = f"{sys.executable} -m oomctl top | head -1"
    ran = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("RANK ")


@pytest.mark.live
@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_end_without_a_traceback(sleeper: Sleeper, redirection: str) -> None:
    pid = sleeper().pid
    for argv in ("top -n 1", f"explain {pid}", f"set 500 {pid}"):
        script = f"{sys.executable} -m oomctl {argv} {redirection}"
        ran = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
        assert "Traceback" not in ran.stderr
        assert ran.returncode in (0, 1)
    assert adj_of(pid) == 500


@pytest.mark.live
def test_a_document_from_a_closed_stdin_is_refused() -> None:
    script = f"{sys.executable} -m oomctl simulate --from - <&-"
    ran = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (2, "", "oomctl: stdin: it is closed\n")


@pytest.mark.live
def test_ctrl_c_is_quiet() -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    # Whoever runs the tests in the background may have SIGINT ignored, and children inherit that.
    argv = ["env", "--default-signal=INT", *OOMCTL, "simulate", "--from", "-"]
    with subprocess.Popen(argv, cwd=ROOT, **pipes) as process:  # type: ignore[call-overload]
        process.stdin.write(b" ")
        process.stdin.flush()
        deadline = time.monotonic() + 60
        while unread(process.stdin.fileno()) and time.monotonic() < deadline:
            time.sleep(0.02)
        time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
        assert (process.stdout.read(), process.stderr.read()) == (b"", b"")


def unread(pipe: int) -> int:
    """Bytes in a pipe that nobody has read yet."""
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0])


@needs_root
@pytest.mark.live
def test_nobody_can_ask_everything() -> None:
    for argv in (["top"], ["top", "--json"], ["simulate"], ["simulate", "--json"], ["explain", "1"]):
        ran = program(*argv, before=NOBODY)
        assert (ran.status, ran.stderr) == (0, "")


def hiding(how: str) -> tuple[str, ...]:
    """Start a command as nobody, with a /proc that hides other users' processes."""
    mount = f'mount -t proc -o hidepid={how} proc /proc && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", mount, "sh", *NOBODY)


@needs_root
@pytest.mark.live
@pytest.mark.parametrize("how", ["1", "2", "4"])
def test_a_proc_that_hides_processes_is_counted_not_fatal(sleeper: Sleeper, how: str) -> None:
    own = sleeper(*NOBODY, "sleep", "60").pid
    ran = program("top", "--json", before=hiding(how))
    assert (ran.status, ran.stderr) == (0, "")
    document = json.loads(ran.stdout)
    assert own in [process["pid"] for process in document["processes"]]
    assert 1 not in [process["pid"] for process in document["processes"]]
    assert document["hidden_processes"] >= 1
    ran = program("simulate", before=hiding(how))
    assert ran.status == 0
    assert re.search(r" hidden process(es)? not judged", ran.stdout)
    for argv in (["explain", str(own)], ["set", "500", "cmd:sleep 60", "--dry-run"], ["set", "500", str(own)]):
        ran = program(*argv, before=hiding(how))
        assert (ran.status, ran.stderr) == (0, "")
    assert adj_of(own) == 500


@needs_root
@pytest.mark.live
def test_root_in_a_container_is_not_told_to_ask_as_root() -> None:
    """/proc counts the processes of the whole machine in its links, and shows those of its namespace."""
    ran = program("explain", "nosuch", before=("unshare", "--pid", "--fork", "--mount-proc"))
    assert ran.status == 1
    pattern = (
        r"oomctl: nosuch: no process matches; \d+ (is|are) hidden from you"
        r" \(in other PID namespaces, or by hidepid\): ask on the host\n"
    )
    assert re.fullmatch(pattern, ran.stderr)


@needs_root
@pytest.mark.live
@pytest.mark.parametrize("how", ["1", "2"])
def test_a_target_that_is_hidden_is_not_called_missing(sleeper: Sleeper, how: str) -> None:
    pid = sleeper().pid
    for argv in (["set", "500", str(pid)], ["explain", str(pid)]):
        ran = program(*argv, before=hiding(how))
        assert ran.status == 1
        pattern = rf"oomctl: {pid}: no process matches; \d+ are hidden from you \(hidepid\): ask as root\n"
        assert re.fullmatch(pattern, ran.stderr)
    assert adj_of(pid) == 0


@needs_root
@pytest.mark.live
def test_an_empty_proc_is_impossible_here() -> None:
    empty = ("unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh")
    ran = program("top", before=empty)
    assert (ran.status, ran.stdout) == (7, "")
    assert ran.stderr == (
        "oomctl: /proc/sys/kernel/osrelease: No such file or directory;"
        " oomctl needs Linux with its whole /proc mounted there\n"
    )


@pytest.mark.parametrize("vanishing", ["stat", "status", "oom_score", "oom_score_adj"])
def test_processes_that_end_while_they_are_read_are_left_out(server: ProcTree, vanishing: str) -> None:
    (Path(server.root) / "20" / vanishing).unlink()
    for argv in (["top"], ["simulate"], ["top", "-n", "1"], ["simulate", "--set", "10=5"]):
        ran = ask(server, *argv)
        assert (ran.status, ran.stderr) == (0, "")
        assert "java" not in ran.stdout
