"""Random input within limits of time and memory; what breaks them is kept in the corpus and tried again for ever.

``OOMCTL_FUZZ_SECONDS`` (2) says how long each fuzzer runs, ``OOMCTL_FUZZ_CASES`` how many cases instead, and
``OOMCTL_FUZZ_SEED`` repeats a run whose seed was printed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Container, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest

from oomctl.cli.main import cli
from oomctl.render.text import visible

CORPUS = Path(__file__).parent / "corpus"
MOST_SECONDS = 2.0
MOST_BYTES = 100 << 20
SPEAKING = (0, 1, 3, 4, 5, 6, 7)
"""Statuses that go with something on stdout: of a change, what was done; of a prediction, why nobody can be named."""
Generate = Callable[[random.Random], bytes]
Exercise = Callable[[bytes], None]


class Case(NamedTuple):
    content: bytes
    cpu_seconds: float
    peak_bytes: int
    """What this process took at most since the fuzzer began."""


def corpus(kind: str) -> list[Path]:
    """The inputs that once broke something, and those that were written for a rule."""
    return sorted((CORPUS / kind).iterdir())


def fuzz(kind: str, generate: Generate, exercise: Exercise) -> None:
    """Exercise random cases until the time is over; a case that breaks a rule goes into the corpus."""
    seed = int(os.environ.get("OOMCTL_FUZZ_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"fuzzing {kind}: OOMCTL_FUZZ_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    before = peak_bytes(reset=True)
    started, done, slowest = time.monotonic(), 0, Case(b"", 0.0, 0)
    for number in cases():
        content = generate(random.Random(f"{seed}/{number}"))
        try:
            case = measured(content, exercise)
            slowest = max(slowest, case, key=lambda one: one.cpu_seconds)
            assert case.cpu_seconds < MOST_SECONDS, f"{case.cpu_seconds:.1f} s of CPU time"
            assert case.peak_bytes - before < MOST_BYTES, f"{(case.peak_bytes - before) >> 20} MiB"
        except Exception as error:
            path = CORPUS / kind / hashlib.sha256(content).hexdigest()[:12]
            path.write_bytes(content)
            raise AssertionError(f"case {number} of seed {seed}, kept as {path}: {error!r}") from error
        done += 1
    took, peak = time.monotonic() - started, (peak_bytes() - before) >> 20
    print(f"{done} cases in {took:.0f} s, the slowest {slowest.cpu_seconds * 1000:.0f} ms, {peak} MiB at most")  # noqa: T201


def cases() -> Iterator[int]:
    """Count as long as is asked for."""
    number = int(os.environ.get("OOMCTL_FUZZ_CASES") or 0)
    if number:
        yield from range(number)
        return
    end = time.monotonic() + float(os.environ.get("OOMCTL_FUZZ_SECONDS") or 2)
    count = 0
    while time.monotonic() < end:
        yield count
        count += 1


def measured(content: bytes, exercise: Exercise) -> Case:
    # CPU time: what a busy machine does to the clock is no failure.
    started = time.process_time()
    exercise(content)
    return Case(content, time.process_time() - started, peak_bytes())


def peak_bytes(reset: bool = False) -> int:
    """What this process took at most; ``reset`` begins anew with what it takes now."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


def ends_well(*argv: str, stdin: bytes, with_output: Container[int] = (0, 1, 7)) -> str:
    """Run a command and return its output: whatever the input is, it ends as the manual says and writes plain text.

    ``with_output``: the statuses that go with something on stdout.
    """
    given = io.TextIOWrapper(io.BytesIO(stdin))
    streams = redirect_stdout(_STDOUT), redirect_stderr(_STDERR), patch.object(sys, "stdin", given)
    with streams[0], streams[1], streams[2], pytest.raises(SystemExit) as ended:
        cli.main(argv, "oomctl")
    stdout, stderr = _taken_from(_STDOUT), _taken_from(_STDERR)
    assert (ended.value.code or 0) in range(8), stderr
    if not stdout.startswith('{"schema": "oomctl.error/1"'):
        assert (ended.value.code or 0) in with_output or not stdout, "a refusal says nothing on stdout"
    elif "--follow" not in argv:
        assert json.loads(stdout)["exit_status"] == ended.value.code
    separator = "\t" if "tsv" in argv else "\n"
    for line in (stdout.replace(separator, "\n") + stderr).split("\n"):
        assert visible(line) == line, "nothing that a terminal would obey"
    return stdout


# Not click's CliRunner: click keeps every stream that it has written to, which a million cases have no memory for.
_STDOUT, _STDERR = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))


def _taken_from(stream: io.TextIOWrapper) -> str:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    text = buffer.getvalue().decode()
    buffer.seek(0)
    buffer.truncate()
    return text


class Cost(NamedTuple):
    status: int
    stderr: str
    cpu_seconds: float
    peak_bytes: int


_MEASURED = """
import atexit, resource, sys
def report():
    status = open("/proc/self/status").read()
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(used.ru_utime + used.ru_stime, status.partition("VmHWM:")[2].split()[0], file=sys.stderr)
atexit.register(report)
sys.argv[0] = "oomctl"
from oomctl.cli.main import main
main()
"""


def cost_of(*argv: str, stdin: bytes = b"") -> Cost:
    """Run the program by itself and return what that took. (ru_maxrss of a child would count this process, too.)"""
    ran = subprocess.run(
        [sys.executable, "-c", _MEASURED, *argv],
        input=stdin,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=100,
        check=False,
    )
    *said, measured = ran.stderr.decode().splitlines()
    cpu_seconds, peak_kib = measured.split()
    return Cost(ran.returncode, "\n".join(said), float(cpu_seconds), int(peak_kib) << 10)
