"""Policies made of anything, in directories of anything: mistakes with a line, in time, and never a traceback.

``OOMCTL_FUZZ_SECONDS`` says for how long (2), ``OOMCTL_FUZZ_CASES`` how many cases instead, ``OOMCTL_FUZZ_SEED`` which
ones. What fails is put into ``corpus/policy``, to be tried first from then on.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

from oomctl.errors import OomctlError
from oomctl.policy.document import MOST_BYTES
from oomctl.policy.loading import load
from tests.hostile.fuzzing import cases, peak_bytes

CORPUS = Path(__file__).parent / "corpus" / "policy"
EXAMPLES = Path(__file__).parents[2] / "examples" / "policy"
MOST_SECONDS = 2.0
MOST_BYTES_OF_MEMORY = 100 << 20
HANGS_SECONDS = 20
TOKENS = (
    *(
        "[[rule]]\n",
        "[rule]\n",
        "[a.b]\n",
        "rule = [",
        "{target = ",
        "}, ",
        "]\n",
        "[",
        "]",
        "{",
        "}",
        "=",
        ",",
        ".",
        "\n",
    ),
    *(
        "target",
        "adj",
        "scope",
        "force",
        "reason",
        '"root"',
        '"tree"',
        '"all"',
        "true",
        "-1000",
        "1000",
        "0x7f",
        "1e999",
    ),
    *('"', "'", '"""', "'''", "\\", "\\u0000", "\\U0010ffff", "#", "\r\n", "\0", "\x7f", "1979-05-27T07:32:00Z", "nan"),
    *(
        '"*"',
        '"a*?"',
        '"user:ci"',
        '"cgroup:/../x"',
        '"cmd:("',
        '"cmd:(a|b)*"',
        '"a.service"',
        '"812"',
        '" "',
        "\N{LATIN SMALL LETTER E WITH ACUTE}",
        "\U0001d4b3",
    ),
)
KEYS = ("target", "adj", "scope", "force", "reason", "x", "rule", "a.b")


def test_each_of_the_corpus_is_read_in_time(tmp_path: Path) -> None:
    for path in sorted(CORPUS.iterdir()):
        shutil.copy(path, tmp_path / "policy.toml")
        survive(tmp_path, path.name)


def test_no_policy_makes_a_traceback_or_takes_long(tmp_path: Path) -> None:
    seed = int(os.environ.get("OOMCTL_FUZZ_SEED", random.randrange(1 << 32)))
    print(f"OOMCTL_FUZZ_SEED={seed}")  # noqa: T201 - shown when it fails, and with -s
    source = random.Random(seed)
    seeds = [path.read_bytes() for folder in (CORPUS, EXAMPLES) for path in sorted(folder.iterdir())]
    before, slowest, done = peak_bytes(reset=True), 0.0, 0
    for number in cases():
        directory = tmp_path / str(number)
        directory.mkdir()
        fill(directory, source, seeds)
        slowest = max(slowest, survive(directory, f"case {number} of seed {seed}"))
        shutil.rmtree(directory)
        done += 1
    grown = peak_bytes() - before
    print(f"{done} policies, slowest {slowest:.2f} s, memory +{grown >> 20} MiB")  # noqa: T201
    assert grown < MOST_BYTES_OF_MEMORY


def survive(directory: Path, name: str) -> float:
    """Read what is in there; return the seconds that took. What fails is kept."""
    began = time.process_time()
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(HANGS_SECONDS)
    try:
        with contextlib.suppress(OomctlError):
            for mistake in load([str(directory)]).mistakes:
                assert str(mistake).strip()
                assert mistake.place.line is None or mistake.place.line >= 1
        took = time.process_time() - began
        assert took < MOST_SECONDS
    except BaseException as error:
        raise AssertionError(f"{name}: {error!r}; kept as {', '.join(keep(directory))}") from error
    finally:
        signal.alarm(0)
    return took


def keep(directory: Path) -> list[str]:
    kept = []
    for path in sorted(directory.glob("*.toml")):
        if path.is_file() and path.resolve().parent == directory:
            content = path.read_bytes()
            kept.append(f"crash-{hashlib.sha256(content).hexdigest()[:12]}.toml")
            (CORPUS / kept[-1]).write_bytes(content)
    return kept


def _too_long(*_: object) -> None:
    raise TimeoutError(f"more than {HANGS_SECONDS} s")


def fill(directory: Path, source: random.Random, seeds: list[bytes]) -> None:
    """Put files in there, and sometimes what is none."""
    for number in range(source.choice((1, 1, 1, 2, 4))):
        path = directory / f"{number}{source.choice(ENDS)}.toml"
        (_put_file if source.random() < 0.9 else source.choice(ODD))(path, source, seeds)
    if source.random() < 0.02:
        directory.chmod(0o777)


def _put_file(path: Path, source: random.Random, seeds: list[bytes]) -> None:
    path.write_bytes(content(source, seeds))


def _put_fifo(path: Path, _: random.Random, __: list[bytes]) -> None:
    os.mkfifo(path)


def _put_link(path: Path, source: random.Random, _: list[bytes]) -> None:
    path.symlink_to(source.choice(("nowhere", path.name, "/dev/zero", "..", "/proc/self/environ", "0.toml", "a" * 200)))


def _put_directory(path: Path, _: random.Random, __: list[bytes]) -> None:
    path.mkdir()


def _put_open_file(path: Path, source: random.Random, seeds: list[bytes]) -> None:
    _put_file(path, source, seeds)
    path.chmod(source.choice((0o666, 0o000, 0o4755, 0o620)))


Put = Callable[[Path, random.Random, list[bytes]], None]
ODD: tuple[Put, ...] = (_put_fifo, _put_link, _put_directory, _put_open_file)
ENDS = ("", "-\N{LATIN SMALL LETTER E WITH ACUTE}", " x", "\n", "'")


def content(source: random.Random, seeds: list[bytes]) -> bytes:
    made = source.choice((random_tokens, random_rules, lambda of: bytearray(of.choice(seeds))))(source)
    for _ in range(source.choice((0, 1, 1, 3, 10))):
        source.choice(MUTATIONS)(made, source)
    return bytes(made[: MOST_BYTES + 10])


def random_tokens(source: random.Random) -> bytearray:
    return bytearray("".join(source.choices(TOKENS, k=source.choice((3, 30, 300)))).encode())


def random_rules(source: random.Random) -> bytearray:
    text = ""
    for _ in range(source.choice((1, 3, 30))):
        text += "[[rule]]\n"
        for key in source.sample(KEYS, source.randrange(len(KEYS))):
            text += f"{key} = {''.join(source.choices(TOKENS, k=source.choice((1, 1, 1, 4))))}\n"
    return bytearray(text.encode())


def _flip(made: bytearray, source: random.Random) -> None:
    if made:
        made[source.randrange(len(made))] = source.randrange(256)


def _cut(made: bytearray, source: random.Random) -> None:
    start, end = sorted(source.randrange(len(made) + 1) for _ in range(2))
    del made[start:end]


def _repeat(made: bytearray, source: random.Random) -> None:
    """Many of one thing are what takes long."""
    start = source.randrange(len(made) + 1)
    part = made[start : start + source.choice((1, 2, 10, 100))]
    made[start:start] = part * source.choice((1, 10, 1000))


def _insert(made: bytearray, source: random.Random) -> None:
    start = source.randrange(len(made) + 1)
    made[start:start] = (source.choice(TOKENS) * source.choice((1, 1, 5, 2000))).encode()


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (_flip, _cut, _repeat, _insert)
