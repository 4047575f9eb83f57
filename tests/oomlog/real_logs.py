"""The real logs beside the tests, and what is known about each."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from oomctl.model.kernel import Constraint
from oomctl.model.oomreport import OomReport
from oomctl.oomlog.parser import parse

DATA = Path(__file__).parent.parent / "data"
LOGS = DATA / "oom-logs"
PASTED = DATA / "pasted"
INDEX: dict[str, dict[str, Any]] = {
    entry["id"]: entry for entry in map(json.loads, (LOGS / "index.jsonl").read_text().splitlines())
}
RECORDINGS = sorted(path.name for path in (DATA / "recordings").glob("*.json.gz"))
CONSTRAINTS = {
    "NONE": Constraint.NONE,
    "MEMCG": Constraint.MEMCG,
    "CPUSET": Constraint.CPUSET,
    "MEMORY_POLICY": Constraint.MEMPOLICY,
    None: None,
}


def log_lines(name: str) -> list[bytes]:
    return (LOGS / f"{name}.log").read_bytes().splitlines(keepends=True)


def reports_in(path: Path) -> list[OomReport]:
    return list(parse(path.read_bytes().splitlines(keepends=True)))


def recording(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(gzip.decompress((DATA / "recordings" / name).read_bytes()))
    return document
