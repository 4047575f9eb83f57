"""What is promised about the documents that oomctl prints: fields, and the JSON Schema files of the package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

SCHEMAS = {
    path.name: json.loads(path.read_text())
    for path in sorted((Path(__file__).parents[1] / "oomctl" / "schemas").glob("*.json"))
}
PARTS = ("process.json", "pod.json", "memory.json", "limit.json")
"""No documents of their own; documents hold them, the first with further fields."""
EVENTS = "history.json"
"""Its events are documents of their own when they are followed."""
NAMES = {
    name: [described["const"]] if "const" in described else described["enum"]
    for name, schema in SCHEMAS.items()
    if (described := schema["properties"].get("schema"))
}
"""Schema file -> what a document that it describes calls itself."""
OPTIONAL_TEXT = (str, type(None))
PROCESS = {
    "pid": int,
    "comm": str,
    "user": OPTIONAL_TEXT,
    "uid": int,
    "start_time": (int, float),
    "oom_score_adj": int,
    "oom_score": int,
    "badness_pages": int,
    "rss_bytes": int,
    "swap_bytes": int,
    "pgtables_bytes": int,
    "killable": bool,
    "reason": OPTIONAL_TEXT,
    "cgroup": OPTIONAL_TEXT,
    "unit": OPTIONAL_TEXT,
    "cmdline": OPTIONAL_TEXT,
}
"""Field of a process -> its type."""


def assert_has(found: dict[str, Any], fields: dict[str, Any]) -> None:
    for name, kind in fields.items():
        assert name in found
        assert isinstance(found[name], kind), name


def closed(schema: Any) -> Any:
    """Return ``schema`` made strict: users may meet fields that are added later, the tests must not."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {name: closed(part) for name, part in schema.items()}
    return strict | {"unevaluatedProperties": False} if "properties" in schema or "$ref" in schema else strict


def schema_of(document: dict[str, Any]) -> str:
    """Return the file that describes a document, by the name it gives itself."""
    found = [name for name, names in NAMES.items() if document["schema"] in names]
    assert found, f"no schema file describes {document['schema']}"
    return found[0]


def errors_in(document: dict[str, Any]) -> list[str]:
    events = closed(SCHEMAS[EVENTS])
    del events["properties"]["events"]["items"]["unevaluatedProperties"]
    registry: Registry[Any] = Registry().with_resource(EVENTS, Resource.from_contents(events))
    for name in PARTS:
        part = closed(SCHEMAS[name])
        del part["unevaluatedProperties"]
        registry = registry.with_resource(name, Resource.from_contents(part))
    validator = Draft202012Validator(closed(SCHEMAS[schema_of(document)]), registry=registry)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
