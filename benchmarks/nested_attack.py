"""An attack on what follows trees of processes: many nested ones of a user, all renaming themselves again and again.

    python benchmarks/nested_attack.py DEPTH NAME UID [PAUSE_SECONDS]

Needs root to become UID. Prints "up" when all are there; they end with the first of them.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time

PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15  # include/uapi/linux/prctl.h
PAUSE_SECONDS = 0.2


def main() -> None:
    depth, name, uid = int(sys.argv[1]), sys.argv[2].encode(), int(sys.argv[3])
    pause = float(sys.argv[4]) if len(sys.argv) > 4 else PAUSE_SECONDS
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    prctl = ctypes.CDLL(None).prctl
    for _ in range(depth - 1):
        if os.fork():
            break
        prctl(PR_SET_PDEATHSIG, 9)
    else:
        print("up", flush=True)
    while True:
        prctl(PR_SET_NAME, name)
        time.sleep(pause)


if __name__ == "__main__":
    main()
