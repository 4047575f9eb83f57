"""What is written where the encoding of the output lacks a sign: no reason to die, nor to shift columns."""

from __future__ import annotations

import codecs
import sys

_INSTEAD = str.maketrans("█▒░·▁▂▃▄▅▆▇…—→", "#+..__-=*##~->")
"""Of what is drawn, signs of ASCII as wide."""
_NAME = "oomctl.instead"


def spare_the_encoding() -> None:
    """Have stdout and stderr replace what their encoding lacks."""
    codecs.register_error(_NAME, _instead)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_NAME)


def _instead(error: UnicodeError) -> tuple[str, int]:
    """Return what is written for the signs that ``error`` is about, and where to go on: an error handler of codecs."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    drawn = error.object[error.start : error.end].translate(_INSTEAD)
    return drawn.encode("ascii", "backslashreplace").decode(), error.end
