"""Asks the installed oomctl, lets the kernel choose, and reports both answers to the host."""

from __future__ import annotations

import contextlib
import functools
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from tests.vm.guest import report, verdict
from tests.vm.guest.kernel_log import KernelLog, Kill
from tests.vm.guest.memory import left_pages
from tests.vm.guest.toys import PAGE, UNHURRIED_SECONDS, Nursery, Recipe, Toy

_SHOWN = 6
_ATTEMPTS = 3


class Reading(NamedTuple):
    """What /proc said about a process just before the kill, in pages; read here, not by oomctl."""

    comm: str
    adj: int
    stat_rss: int
    status_rss: int
    swap: int
    pgtables: int
    file: int
    shmem: int


class Answer(NamedTuple):
    status: int
    document: dict[str, Any]
    stderr: str


def ask(*arguments: str) -> Answer:
    """Run an oomctl command in this interpreter, which has it imported already."""
    from oomctl.cli.main import cli

    raw = io.BytesIO()
    stdout, stderr = io.TextIOWrapper(raw, encoding="utf-8", write_through=True), io.StringIO()
    status = 0
    with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        try:
            cli(list(arguments), prog_name="oomctl")
        except SystemExit as end:
            status = int(end.code or 0)
    text = raw.getvalue().decode()
    return Answer(status, json.loads(text) if text.startswith("{") else {}, stderr.getvalue())


def ask_afresh(*arguments: str) -> Answer:
    """Run an oomctl command as its users do, in a process of its own."""
    command = [sys.executable, "-m", "oomctl", *arguments]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=UNHURRIED_SECONDS, env=_ENVIRONMENT
    )
    return Answer(done.returncode, json.loads(done.stdout) if done.stdout.startswith("{") else {}, done.stderr)


@functools.cache
def _knows_sudden() -> bool:
    done = subprocess.run(
        [sys.executable, "-m", "oomctl", "simulate", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=UNHURRIED_SECONDS,
        env=_ENVIRONMENT,
    )
    return "--sudden" in done.stdout


_ENVIRONMENT = {"PYTHONPATH": sys.path[0], "PYTHONDONTWRITEBYTECODE": "1", "LANG": "C.UTF-8"}


class Judge:
    """Keeps the toys that are alive, and compares one kill after another."""

    def __init__(self) -> None:
        self.nursery = Nursery()
        self.log = KernelLog()
        self.toys: list[Toy] = []

    def make(self, recipe: Recipe) -> Toy:
        toy = self.nursery.toy(recipe)
        self.toys.append(toy)
        return toy

    def clear(self) -> None:
        for toy in self.toys:
            toy.dismiss()
        self.toys.clear()

    def compare(
        self,
        kind: str,
        question: Iterable[str],
        trigger: Callable[[], object],
        constraint: str = "none",
        at_rest: bool = False,
        sudden: bool = False,
        grower: Toy | None = None,
        level: str | None = None,
        place: Callable[..., Answer] = ask,
    ) -> None:
        """Predict, let ``trigger`` make the kernel choose, report, and forget the dead.

        Judged is the first kill: whoever asked for memory may ask again, and have another victim killed, before
        the first one's memory is given back. Such further kills are counted.

        ``at_rest``: nobody's memory changes in between, so that differences between /proc and the kernel's
        table are those of the counters. ``sudden``: nothing is reclaimed before it. ``grower`` alone takes what is
        left, and may so become the victim itself. ``level`` is reported. ``place`` asks from elsewhere, and gives the
        answer with the numbers that processes have here.
        """
        words = [*question, *(["--sudden"] if sudden and _knows_sudden() else [])]
        for _ in range(_ATTEMPTS):
            self._settle()
            self.log.await_room_for_a_report()
            began = time.monotonic()
            answer = place("simulate", "--json", *words)
            asked = time.monotonic() - began
            readings = {toy.pid: reading for toy in self.toys if (reading := _read(toy)) is not None}
            left = left_pages()
            if not self.log.killed_since():
                break
        else:
            # Memory ran out before it was meant to, each time: every answer is about what was before.
            report.send("void", kind=kind)
            return
        trigger()
        kill = self.log.kill(UNHURRIED_SECONDS, groups=len(answer.document.get("killed", [])) > 1)
        found = verdict.Found(self._leader(kill.pids[0]), kill.constraint) if kill else None
        predicted = verdict.Predicted(answer.status, answer.document, answer.stderr)
        elsewhere = place is not ask
        judged = verdict.verdict(predicted, found, constraint, grower.pid if grower else None, elsewhere)
        if kill is not None and judged["agrees"]:
            judged["misses"] += self._wrong_dead([dead["pid"] for dead in answer.document.get("killed", [])], kill)
        if judged["misses"] or not judged["agrees"]:
            judged["evidence"] = _evidence(answer, kill, readings)
        first = readings.get(judged["predicted"])
        errors = _errors(kill, readings) if at_rest else {}
        further = len({*kill.later} | self.log.killed_since()) if kill else 0
        report.send(
            "kill",
            kind=kind,
            seconds=round(asked, 2),
            further=further,
            errors=errors,
            left=left,
            level=level,
            file=first.file if first and not elsewhere else None,
            **judged,
        )
        self.toys = [toy for toy in self.toys if toy.alive or not toy.await_end(0.1)]

    def _settle(self) -> None:
        """Wait for the end of those whom the kernel killed before it was meant to, and forget them."""
        killed = self.log.killed_since()
        for toy in self.toys:
            if killed & {*toy.tids}:
                toy.await_end()
        self.toys = [toy for toy in self.toys if toy.alive]
        self.log.skip()

    def _leader(self, pid: int) -> int:
        """The thread group of ``pid``, which the log may name by a thread when its report is cut short."""
        return next((toy.pid for toy in self.toys if pid in toy.tids), pid)

    def _wrong_dead(self, expected: list[int], kill: Kill) -> list[str]:
        """Compare who is gone with who was said to die, but for those whom the kernel killed next."""
        deadline = time.monotonic() + UNHURRIED_SECONDS
        while (living := [pid for pid in expected if _lives(pid)]) and time.monotonic() < deadline:
            time.sleep(0.02)
        misses = [f"{living} were said to die and live"] if living else []
        dead = [toy for toy in self.toys if toy.pid not in expected and not _lives(toy.pid)]
        dead = [toy for toy in dead if not toy.recipe.get("ended_by_others")]
        next_victims = {*kill.later} | self.log.killed_since()
        dead = [toy for toy in dead if not next_victims & {*toy.tids}]
        return misses + [f"{toy.pid} died without having been announced" for toy in dead]


def _lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[0] != "Z" or int(fields[17]) > 1


def _read(toy: Toy) -> Reading | None:
    # A leader that has exited shows nothing; any other thread shows the same memory map.
    tid = toy.tids[-1] if toy.recipe.get("leader_exits") else toy.pid
    try:
        with open(f"/proc/{toy.pid}/task/{tid}/stat", encoding="utf-8", errors="replace") as file:
            comm, _, rest = file.read().partition("(")[2].rpartition(")")
        with open(f"/proc/{toy.pid}/task/{tid}/status", encoding="utf-8", errors="replace") as file:
            status = dict(line.partition(":")[::2] for line in file)
        with open(f"/proc/{toy.pid}/oom_score_adj", encoding="ascii") as file:
            adj = int(file.read())
    except OSError:
        return None
    sizes = [int(status.get(name, "0").split()[0]) * 1024 // PAGE for name in _SIZES]
    return Reading(comm, adj, int(rest.split()[21]), *sizes)


_SIZES = ("VmRSS", "VmSwap", "VmPTE", "RssFile", "RssShmem")


def _errors(kill: Kill | None, readings: dict[int, Reading]) -> dict[str, list[int]]:
    """How far the kernel's table is from what /proc said: the least and the greatest difference in pages."""
    if kill is None or not kill.rows:
        return {}
    differences: dict[str, list[int]] = {"stat_rss": [], "status_rss": [], "swap": [], "pgtables": []}
    for pid, reading in readings.items():
        row = dict(zip(kill.columns, kill.rows.get(pid, [])))
        if row:
            differences["stat_rss"].append(row["rss"] - reading.stat_rss)
            differences["status_rss"].append(row["rss"] - reading.status_rss)
            differences["swap"].append(row["swapents"] - reading.swap)
            differences["pgtables"].append(row["pgtables_bytes"] // PAGE - reading.pgtables)
    return {name: [min(values), max(values)] for name, values in differences.items() if values}


def _evidence(answer: Answer, kill: Kill | None, readings: dict[int, Reading]) -> dict[str, Any]:
    """The terms of those near the first, and the kernel's own report."""
    total = int(answer.document.get("totalpages", 0))
    victims = set(answer.document.get("contenders", [])) | set(kill.pids if kill else ())
    terms: list[str] = []

    def badness(pid: int) -> int:
        reading = readings[pid]
        return reading.status_rss + reading.swap + reading.pgtables + reading.adj * (total // 1000)

    for rank, pid in enumerate(sorted(readings, key=badness, reverse=True)):
        if rank < _SHOWN or pid in victims:
            row = dict(zip(kill.columns, kill.rows.get(pid, []))) if kill else {}
            terms.append(f"{pid} badness~{badness(pid)} {readings[pid]} kernel's table: {row}")
    oomctl = {name: answer.document.get(name) for name in ("victim", "reason", "totalpages", "constraint", "memcg")}
    return {"terms": terms, "oomctl": oomctl, "kernel_report": _brief(kill.text) if kill else []}


def _brief(lines: list[str]) -> list[str]:
    """The report without stack and memory statistics."""
    words = ("oom", "Out of memory", "Killed process", "pgtables_bytes", "limit ", "Total swap", "pages R", "reserved")
    rows = [line for line in lines if line.startswith("[") or any(word in line for word in words)]
    return rows[:80]
