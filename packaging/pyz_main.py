"""Where ``oomadm.pyz`` begins: with this Python's byte code, else the sources. Python 3.6 can read this far."""

import sys


def _start() -> None:
    if sys.version_info < (3, 9):  # noqa: UP036 - whoever copies it to a server finds out there
        sys.exit(f"oomadm: needs Python 3.9 or later, and this is {sys.version_info[0]}.{sys.version_info[1]}")
    archive = sys.path[0]
    # Root's environment may be another user's: imported is only what was installed with this Python.
    places = tuple(place.rstrip("/") + "/" for place in {sys.prefix, sys.base_prefix})
    installed = [path for path in sys.path[1:] if path.startswith(places)]
    sys.path[:] = [f"{archive}/{sys.implementation.cache_tag}", f"{archive}/src", *installed]
    from oomctl.__main__ import main

    main()


_start()
