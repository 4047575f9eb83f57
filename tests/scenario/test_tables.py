from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import oomctl
from oomctl.model.kernel import Context, Task, Thread
from oomctl.scenario import tables

SCHEMA = json.loads((Path(oomctl.__file__).parent / "schemas" / "scenario.json").read_text())["properties"]
TASK = SCHEMA["tasks"]["items"]["properties"]
NOT_OF_THE_CONTEXT = {"limits", "cgroup", "swap_total", "page_size", "nodes", "memcgs"}
"""Fields of a context in a document that belong to other values, or that others follow from."""


@pytest.mark.parametrize(
    ("table", "described", "besides"),
    [
        (tables.TASK, TASK, {"pgtables_bytes"}),
        (tables.THREAD, TASK["threads"]["items"]["properties"], set()),
        (tables.CONTEXT, SCHEMA["context"]["properties"], NOT_OF_THE_CONTEXT),
        (tables.SCENARIO, SCHEMA, {"schema", "kernel", "page_size", "context", "tasks"}),
    ],
    ids=["task", "thread", "context", "scenario"],
)
def test_the_schema_describes_the_fields_of_a_table(
    table: tables.Table, described: dict[str, Any], besides: set[str]
) -> None:
    assert {field.name for field in table.fields} == described.keys() - besides


@pytest.mark.parametrize(
    ("table", "value", "nowhere"),
    [(tables.TASK, Task, {"inode", "start_stack"}), (tables.THREAD, Thread, set()), (tables.CONTEXT, Context, set())],
    ids=["task", "thread", "context"],
)
def test_every_attribute_stands_in_its_table(table: tables.Table, value: Any, nowhere: set[str]) -> None:
    assert sorted(field.attribute for field in table.fields) == sorted({*value._fields} - nowhere)


def test_a_field_that_is_left_out_has_its_default() -> None:
    """So that what is read back is what was written."""
    for table, value in ((tables.TASK, Task), (tables.CONTEXT, Context)):
        for name, attribute, kind in table.fields:
            assert kind.left_out in (tables.NEVER, value._field_defaults.get(attribute)), name
