"""Files that are replaced as a whole: whoever reads one sees the old text or the new, never half of it."""

from __future__ import annotations

import os


def replace(path: str, text: bytes, mode: int) -> None:
    """Put ``text`` in place of the file ``path``, on the disk before this returns.

    The name it has until then begins with a dot and does not end as ``path`` does. (tempfile would do; to import
    it takes longer than everything else that a change needs.)
    """
    directory, name = os.path.split(path)
    temporary = os.path.join(directory, f".{name}-{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
