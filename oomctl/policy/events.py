"""What the kernel says about processes that start, change and end: the process events connector (netlink)."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
import time
from typing import NamedTuple

from oomctl.errors import ImpossibleHere

# include/uapi/linux/netlink.h, connector.h and cn_proc.h
_NETLINK_CONNECTOR = 11
_CN_IDX_PROC = 1
_CN_VAL_PROC = 1
_PROC_CN_MCAST_LISTEN = 1
_NLMSG_DONE = 3
_SO_RCVBUFFORCE = 33

_NONE, _FORK, _EXEC, _UID, _COMM, _EXIT = 0, 1, 2, 4, 0x200, 0x80000000
_KINDS = {_EXEC: "exec", _UID: "uid", _COMM: "comm", _EXIT: "exit"}

_NLMSGHDR = struct.Struct("=IHHII")
_CN_MSG = struct.Struct("=IIIIHH")
_ACK = struct.Struct("=I")
_CN_ACK_OFFSET = 28
_WHAT = struct.Struct("=I")
_WHAT_OFFSET = 36
_DATA_OFFSET = 52  # behind what, cpu and a time stamp of 8 bytes
_TWO = struct.Struct("=II")
_FOUR = struct.Struct("=IIII")
_SMALLEST = _DATA_OFFSET + 16
_LARGEST = 512

_BUFFER_BYTES = 4 << 20
"""The kernel doubles it and counts some 800 bytes for each event: room for about 10,000 that are not read yet."""
_PATIENCE_SECONDS = 1.0


class Event(NamedTuple):
    """Something that happened to a process (``struct proc_event`` of include/uapi/linux/cn_proc.h)."""

    kind: str
    """fork, exec, uid, comm or exit."""
    pid: int
    """In the initial PID namespace; of the process, not of a thread."""
    parent: int = 0
    """Who forked it."""


class Batch(NamedTuple):
    """What one read brought."""

    events: list[Event]
    lost: bool
    """The kernel had no room for some: only looking at every process says what is true now."""


def parse(message: bytes) -> Event | None:
    """Understand one message; None for what is no news about a process: threads, and other kinds of events."""
    if len(message) < _SMALLEST:
        return None
    (what,) = _WHAT.unpack_from(message, _WHAT_OFFSET)
    if what == _FORK:
        _, parent, child, process = _FOUR.unpack_from(message, _DATA_OFFSET)
        return Event("fork", process, parent) if child == process else None
    kind = _KINDS.get(what)
    if kind is None:
        return None
    thread, process = _TWO.unpack_from(message, _DATA_OFFSET)
    # A thread's own name or end is not the process's; with exec and setuid it is the process that changes.
    if kind in ("comm", "exit") and thread != process:
        return None
    return Event(kind, process)


class ProcessEvents:
    """A subscription to the kernel's process events.

    Raises ImpossibleHere when the kernel does not give them to this process: without CAP_NET_ADMIN (or before
    v6.6 not root), in another user, PID or network namespace, or a kernel without CONFIG_PROC_EVENTS.
    """

    def __init__(self) -> None:
        try:
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, _NETLINK_CONNECTOR
            )
        except OSError as error:
            raise _unavailable(error.strerror) from None
        try:
            self._enlarge_buffer()
            self._socket.bind((0, _CN_IDX_PROC))
            self._subscribe()
        except OSError as error:
            self.close()
            raise _unavailable(error.strerror) from None
        except ImpossibleHere:
            self.close()
            raise

    def close(self) -> None:
        """End the subscription."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor that is readable when something has happened."""
        return self._socket.fileno()

    def read(self, most: int = 4096) -> Batch:
        """Return what has been said since, out of at most ``most`` messages, without waiting.

        Messages are counted, not events: a thread that renames itself all the time sends any number that are none.
        """
        events: list[Event] = []
        lost = False
        receive = self._socket.recvfrom
        for _ in range(most):
            try:
                message, (sender, _) = receive(_LARGEST)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True
                continue
            event = parse(message) if sender == 0 else None  # 0 is the kernel; others may send here, too
            if event is not None:
                events.append(event)
        return Batch(events, lost)

    def _enlarge_buffer(self) -> None:
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)

    def _subscribe(self) -> None:
        """Ask for the events and wait for the answer: where they are not for us the kernel just keeps silent."""
        token = int.from_bytes(os.urandom(3), "little")
        operation = _WHAT.pack(_PROC_CN_MCAST_LISTEN)
        body = _CN_MSG.pack(_CN_IDX_PROC, _CN_VAL_PROC, 0, token, len(operation), 0) + operation
        self._socket.send(_NLMSGHDR.pack(_NLMSGHDR.size + len(body), _NLMSG_DONE, 0, 0, 0) + body)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._socket], [], [], left)[0]:
                break
            message, (sender, _) = self._socket.recvfrom(_LARGEST)
            if sender == 0 and _is_answer(message, token):
                (refusal,) = _ACK.unpack_from(message, _DATA_OFFSET)
                if refusal:
                    raise _unavailable(os.strerror(refusal))
                return
        raise _unavailable("no answer; it takes the initial user and PID namespace")


def _is_answer(message: bytes, token: int) -> bool:
    """The kernel answers one more than the number that it was asked with (cn_proc_ack)."""
    if len(message) < _SMALLEST or _WHAT.unpack_from(message, _WHAT_OFFSET)[0] != _NONE:
        return False
    return bool(_ACK.unpack_from(message, _CN_ACK_OFFSET)[0] == token + 1)


def _unavailable(reason: str | None) -> ImpossibleHere:
    return ImpossibleHere(f"no process events from the kernel: {reason}")
