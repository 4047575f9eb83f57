"""Swap areas: making, switching on and off, without the programs that do so elsewhere."""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Any

_PAGE = 4096
DISK = "/dev/vda"


def empty_area(size_bytes: int) -> bytes:
    """The first page of a swap area, as mkswap writes it (union swap_header in include/linux/swap.h)."""
    info = struct.pack("<III", 1, size_bytes // _PAGE - 1, 0)
    return bytes(1024) + info + bytes(_PAGE - 1024 - len(info) - 10) + b"SWAPSPACE2"


def shrink(size_bytes: int, device: str = DISK) -> None:
    """Use only so much of a device from now on."""
    with open(device, "r+b") as area:
        area.write(empty_area(size_bytes))


def on(device: str = DISK) -> None:
    libc = _libc()
    if libc.swapon(device.encode(), 0):
        raise _failure(f"swapon {device}")


def off(device: str = DISK) -> None:
    libc = _libc()
    if libc.swapoff(device.encode()):
        raise _failure(f"swapoff {device}")


def zram(size_bytes: int) -> str:
    """Make compressed swap in memory and return its device."""
    with open("/sys/block/zram0/disksize", "w", encoding="ascii") as file:
        file.write(str(size_bytes))
    with open("/dev/zram0", "wb") as device:
        device.write(empty_area(size_bytes))
    return "/dev/zram0"


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


def _failure(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{what}: {os.strerror(number)}")
