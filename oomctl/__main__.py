"""Where ``oomctl``, ``oomadm`` and ``python -m oomctl`` begin and end."""

from __future__ import annotations

import os
import sys

from oomctl.cli.descriptors import hold_standard
from oomctl.procfs import ahead

_AMONG_ALL = ("top", "simulate", "check", "metrics")
_NOT_AMONG_ALL = ("--cgroup", "--for", "--from", "--nodes", "--explain", "-h", "--help")


def main() -> None:
    """Run the program; what its answer needs of every process is read while its modules are imported."""
    hold_standard()
    if _asks_about_all(sys.argv[1:]):
        ahead.start()
    try:
        from oomctl.cli.main import main as run

        run()
    except SystemExit as ended:
        ahead.stop()
        _end_at_once(ended.code)
        raise
    finally:
        ahead.stop()


def _asks_about_all(words: list[str]) -> bool:
    """Guess it, from words that nobody has looked at yet; a wrong guess costs a little time."""
    if not words or words[0] not in _AMONG_ALL or any(word.partition("=")[0] in _NOT_AMONG_ALL for word in words):
        return False
    return words[0] != "top" or any(word.startswith(("-n", "-N", "--lines", "--num")) for word in words)


def _end_at_once(status: object) -> None:
    """End without taking Python apart first, object by object, which takes as long as its start."""
    from threading import active_count

    if isinstance(status, int) and active_count() == 1:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError):
            return
        os._exit(status)


if __name__ == "__main__":
    main()
