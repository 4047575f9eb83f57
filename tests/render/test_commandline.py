"""The command line of a process, shown so that the name the kernel logs stays in sight."""

from __future__ import annotations

import pytest

from oomctl.render.commandline import command

ROOM = 200


@pytest.mark.parametrize(
    ("comm", "cmdline", "shown"),
    [
        pytest.param("java", "/usr/lib/jvm/17/bin/java -jar a.jar", "java -jar a.jar", id="no path of the program"),
        pytest.param("postgres", "postgres: walwriter ", "postgres: walwriter ", id="a title that it gave itself"),
        pytest.param("bash", "-bash", "bash", id="a login shell"),
        pytest.param("pytest", "/usr/bin/python3 /usr/bin/pytest -q", "pytest -q", id="a script"),
        pytest.param("x.py", "/usr/bin/python3 -I ./x.py /etc", "x.py /etc", id="a script with an option in its #!"),
        pytest.param(
            "NetworkManager-", "/usr/lib/NetworkManager-dispatcher -d", "NetworkManager-dispatcher -d", id="15"
        ),
        pytest.param(
            "Web Content", "/usr/lib/firefox/firefox -c", "Web Content: /usr/lib/firefox/firefox -c", id="else"
        ),
        pytest.param("java", "/bin/javac x", "java: /bin/javac x", id="another program of a similar name"),
        pytest.param("sshd", "", "sshd", id="an empty command line"),
        pytest.param("kworker/0:1", None, "kworker/0:1", id="a kernel thread"),
        pytest.param("", "sshd -D", ": sshd -D", id="no comm at all"),
        pytest.param("evil", "sshd: root@pts/0", "evil: sshd: root@pts/0", id="somebody else's name"),
        pytest.param("a b", "a b c", "a b c", id="a comm with a space"),
    ],
)
def test_it_begins_with_what_the_kernel_logs(comm: str, cmdline: str | None, shown: str) -> None:
    assert command(comm, cmdline, ROOM) == shown
    assert shown.startswith(comm)


def test_it_is_harmless_whatever_a_process_calls_itself() -> None:
    for told in (
        command("\x1b[2J", "x\n1  sshd", ROOM),
        command("x", "x \x1b[31m\u202e\n", ROOM),
        command("\x9b", None, ROOM),
    ):
        assert told.isprintable()


def test_no_more_is_made_of_it_than_there_is_room_for() -> None:
    assert command("x", "x " + "y" * 4000, 10) == "x yyyyyyyyy"  # one more, so that it is seen to be cut
