"""Situations with what the kernel does in them, worked out by hand: ``tests/data/selection-cases.json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

_ANSWERS = {"name", "why", "victim", "outcome", "killed", "selected", "log_pid"}
_NOT_LOOKED_AT = {"ns_pid", "hugetlb_pages"}
"""Facts that the kernel does not look at, nor does oomctl: a document has no field for them."""

CASES = json.loads((Path(__file__).parent / "data/selection-cases.json").read_text())["cases"]
every_case = pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])


def as_document(case: dict[str, Any]) -> str:
    """Return the scenario document that a case is the answer to."""
    tasks = [{name: task[name] for name in task if name not in _NOT_LOOKED_AT} for task in case["tasks"]]
    return json.dumps({name: case[name] for name in case if name not in _ANSWERS} | {"tasks": tasks})
