"""The kernel's process events: what its messages mean, and what is done when some are lost."""

from __future__ import annotations

import os
import socket
import struct
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oomctl.errors import ImpossibleHere
from oomctl.policy.events import Event, ProcessEvents, parse

FORK, EXEC, UID, GID, COMM, EXIT = 1, 2, 4, 0x40, 0x200, 0x80000000


def message(what: int, *data: int) -> bytes:
    """A message as the kernel sends it: nlmsghdr, cn_msg, what, cpu, time stamp and the event's own numbers."""
    event = struct.pack("=IIQ", what, 0, 123456789) + struct.pack(f"={len(data)}I", *data).ljust(24, b"\0")
    body = struct.pack("=IIIIHH", 1, 1, 7, 0, len(event), 0) + event
    return struct.pack("=IHHII", 16 + len(body), 3, 0, 0, 0) + body


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        pytest.param(message(FORK, 10, 10, 20, 20), Event("fork", 20, 10), id="fork"),
        pytest.param(message(FORK, 11, 10, 20, 20), Event("fork", 20, 10), id="fork by a thread"),
        pytest.param(message(FORK, 10, 10, 21, 10), None, id="new thread"),
        pytest.param(message(EXEC, 20, 20), Event("exec", 20), id="exec"),
        pytest.param(message(UID, 21, 20, 1000, 1000), Event("uid", 20), id="setuid"),
        pytest.param(message(GID, 20, 20, 1000, 1000), None, id="setgid"),
        pytest.param(message(COMM, 20, 20), Event("comm", 20), id="new name"),
        pytest.param(message(COMM, 21, 20), None, id="new name of a thread"),
        pytest.param(message(EXIT, 20, 20, 0, 17), Event("exit", 20), id="exit"),
        pytest.param(message(EXIT, 21, 20, 0, 17), None, id="end of a thread"),
        pytest.param(message(0, 0), None, id="an answer"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_what_a_message_means(received: bytes, expected: Event | None) -> None:
    assert parse(received) == expected


@given(st.binary(max_size=120))
def test_no_message_makes_a_traceback(received: bytes) -> None:
    parse(received)


@pytest.fixture
def events() -> Iterator[ProcessEvents]:
    try:
        opened = ProcessEvents()
    except ImpossibleHere as error:
        pytest.skip(str(error))
    yield opened
    opened.close()


@pytest.mark.live
def test_a_process_is_announced_from_its_start_to_its_end(events: ProcessEvents) -> None:
    pid = subprocess.Popen(["true"])
    pid.wait()
    own = [event for event in events.read().events if event.pid == pid.pid]
    assert [event.kind for event in own] == ["fork", "exec", "exit"]
    assert own[0].parent == os.getpid()


@pytest.mark.live
def test_events_without_room_are_told_as_lost(events: ProcessEvents) -> None:
    with socket.socket(fileno=os.dup(events.fileno())) as same:
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 0)  # the kernel makes its least of it
        for _ in range(20):
            subprocess.run(["true"], check=True)
        assert events.read().lost
        same.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    subprocess.run(["true"], check=True)
    assert not events.read().lost
