from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oomctl.errors import BadInput
from oomctl.kernel.invocation import out_of_memory
from oomctl.model.kernel import Outcome
from oomctl.scenario.document import LARGEST_DOCUMENT, MOST_OBJECTS, MOST_VALUES, Document, parse
from oomctl.scenario.tables import MOST_TASKS
from tests.scenario.documents import a_document
from tests.worked_cases import as_document, every_case

DELETE = object()


def changed(path: str, value: object) -> dict[str, Any]:
    """``a_document`` with another value at ``path``: ``tasks.0.pid``."""
    document: Any = a_document()
    *parents, last = (int(key) if key.isdigit() and "nodes" not in path else key for key in path.split("."))
    place = document
    for key in parents:
        place = place[key]
    if value is DELETE:
        del place[last]
    else:
        place[last] = value
    return dict(document)


def refusal(text: str | bytes) -> str:
    with pytest.raises(BadInput) as refused:
        parse(text)
    return str(refused.value)


@every_case
def test_worked_case(case: dict[str, Any]) -> None:
    document = parse(as_document(case))
    result = out_of_memory(document.scenario)
    assert result.outcome is Outcome(case["outcome"])
    assert (result.victim.task.pid if result.victim else None) == case["victim"]
    assert sorted(dead.pid for dead in result.killed) == sorted(case["killed"])
    assert [dead.pid for dead in result.killed][:1] == case["killed"][:1]
    if "selected" in case:
        selected = result.selected or (result.victim and result.victim.task)
        assert selected is not None
        assert selected.pid == case["selected"]
    assert document.unknown_fields == ()


def test_a_hand_written_document_needs_only_the_basic_fields() -> None:
    context = {"constraint": "none", "totalpages": 1000}
    tasks = [{"pid": 10, "ppid": 1, "uid": 0, "comm": "a", "rss": 5, "swap": 0, "pgtables_pages": 1, "adj": 0}]
    result = out_of_memory(parse(json.dumps({"kernel": "6.18", "context": context, "tasks": tasks})).scenario)
    assert [dead.pid for dead in result.killed] == [10]


def test_a_memcg_document_without_cgroups_is_about_all_its_tasks() -> None:
    context = {"constraint": "memcg", "totalpages": 1000}
    document = {"kernel": "6.18", "context": context, "tasks": [{"pid": 10, "comm": "a", "rss": 5}]}
    assert out_of_memory(parse(json.dumps(document)).scenario).outcome is Outcome.KILL


def test_bytes_are_read_like_text() -> None:
    text = json.dumps(a_document())
    assert parse(text.encode()) == parse(text)


def test_totalpages_follows_from_limits() -> None:
    assert parse(json.dumps(changed("context.totalpages", DELETE))).scenario.context.totalpages == 1000


def test_totalpages_follows_from_nodes() -> None:
    document = changed("context.totalpages", DELETE)
    del document["context"]["limits"]
    document["context"]["swap_total"] = 7
    assert parse(json.dumps(document)).scenario.context.totalpages == 1007


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        pytest.param("kernel", DELETE, "kernel: missing", id="no kernel"),
        pytest.param("kernel", 6, "kernel: expected a string, got 6", id="kernel is a number"),
        pytest.param("kernel", None, "kernel: expected a string, got null", id="kernel is null"),
        pytest.param("kernel", "beos", "kernel: kernel 'beos'", id="unknown kernel"),
        pytest.param("kernel", "2.6.32", "kernel: kernel 2.6.32", id="ancient kernel"),
        pytest.param("schema", "other/2", "schema: expected oomctl.scenario/1, got 'other/2'", id="other schema"),
        pytest.param("page_size", 4097, "page_size: expected a power of two, got 4097", id="odd page size"),
        pytest.param("page_size", 0, "page_size: expected a whole number", id="no page size"),
        pytest.param("context", DELETE, "context: missing", id="no context"),
        pytest.param("context", [], "context: expected an object, got []", id="context is a list"),
        pytest.param("context.constraint", DELETE, "context.constraint: missing", id="no constraint"),
        pytest.param("context.constraint", "global", 'context.constraint: expected one of none, memcg, ', id="unknown"),
        pytest.param("context.totalpages", 0, "context.totalpages: expected a whole number from 1", id="no memory"),
        pytest.param("context.totalpages", "9", 'context.totalpages: expected a whole number', id="text"),
        pytest.param("context.limits.version", 3, "context.limits.version: expected", id="cgroup v3"),
        pytest.param("context.limits.memory_max", -1, "context.limits.memory_max: expected", id="negative limit"),
        pytest.param("context.nodes.0.present", DELETE, "context.nodes.0.present: missing", id="no pages of a node"),
        pytest.param("context.nodes", {"x": {}}, "context.nodes.x: expected a node number", id="node named x"),
        pytest.param("context.nodes", {"9" * 4000: {}}, "context.nodes.999", id="long node"),
        pytest.param("context.current_mems", [1 << 16], "context.current_mems: expected a list of node", id="big node"),
        pytest.param("kernel", "9" * 100 + ".1", "kernel: kernel '9999", id="a release of 100 digits"),
        pytest.param("kernel", "6" * 200, "kernel: expected at most 128 characters, got", id="long kernel"),
        pytest.param("tasks.0.comm", "x" * 4097, "tasks[0].comm: expected at most 4096 characters, got", id="comm"),
        pytest.param("context.oom_group", ["x" * 4097], "context.oom_group: expected strings of at most", id="group"),
        pytest.param("context.memcgs", {"x" * 4097: {}}, "context.memcgs: expected names of at most", id="long memcg"),
        pytest.param("context.memcgs", {"/a": 5}, "context.memcgs./a: expected an object, got 5", id="memcg is 5"),
        pytest.param("context.current_mems", "0-3", "context.current_mems: expected a list of node", id="node range"),
        pytest.param("context.current_mems", [True], "context.current_mems: expected a list of node", id="node true"),
        pytest.param("context.current_mems", [-1], "context.current_mems: expected a list of node", id="node -1"),
        pytest.param("context.oom_group", [1], "context.oom_group: expected a string or a list", id="group 1"),
        pytest.param("context.sysrq", "yes", 'context.sysrq: expected true or false, got "yes"', id="yes"),
        pytest.param("context.sysrq", 2, "context.sysrq: expected true or false, got 2", id="flag 2"),
        pytest.param("context.sysrq", 1.0, "context.sysrq: expected true or false, got 1.0", id="flag 1.0"),
        pytest.param("context.order", -2, "context.order: expected a whole number from -1", id="order -2"),
        pytest.param("context.panic_on_oom", 3, "context.panic_on_oom: expected a whole number from 0 to 2", id="3"),
        pytest.param("tasks", DELETE, "tasks: missing", id="no tasks"),
        pytest.param("tasks", {}, "tasks: expected a list, got {}", id="tasks is an object"),
        pytest.param("tasks.1", 7, "tasks[1]: expected an object, got 7", id="task is a number"),
        pytest.param("tasks.0.pid", DELETE, "tasks[0].pid: missing", id="no pid"),
        pytest.param("tasks.0.pid", None, "tasks[0].pid: expected a whole number from 1, got null", id="pid null"),
        pytest.param("tasks.0.pid", 0, "tasks[0].pid: expected a whole number from 1, got 0", id="pid 0"),
        pytest.param("tasks.0.pid", True, "tasks[0].pid: expected a whole number from 1, got true", id="pid true"),
        pytest.param("tasks.0.pid", 1.5, "tasks[0].pid: expected a whole number from 1, got 1.5", id="pid 1.5"),
        pytest.param("tasks.0.pid", 11, "tasks[1].pid: 11 appears twice", id="same pid twice"),
        pytest.param("tasks.0.rss", DELETE, "tasks[0].rss: missing", id="no rss"),
        pytest.param("tasks.0.rss", None, "tasks[0].rss: expected a whole number from 0, got null", id="rss null"),
        pytest.param("tasks.0.rss", -1, "tasks[0].rss: expected a whole number from 0, got -1", id="negative pages"),
        pytest.param("tasks.0.rss", 10**30, "tasks[0].rss: expected a whole number from 0, got 1000", id="huge"),
        pytest.param("tasks.0.rss", 1e300, "tasks[0].rss: expected a whole number from 0, got 1e+300", id="huge float"),
        pytest.param("tasks.0.adj", 1001, "tasks[0].adj: expected a whole number from -1000 to 1000", id="adj"),
        pytest.param("tasks.0.comm", 5, "tasks[0].comm: expected a string, got 5", id="comm is a number"),
        pytest.param("tasks.1.exiting", [], "tasks[1].exiting: expected true or false, got []", id="flag is a list"),
        pytest.param("tasks.1.mempolicy.mode", DELETE, "tasks[1].mempolicy.mode: missing", id="no mode"),
        pytest.param("tasks.1.threads.0.tid", "x", "tasks[1].threads[0].tid: expected a whole number", id="tid x"),
        pytest.param("tasks.1.threads", 3, "tasks[1].threads: expected a list, got 3", id="threads is a number"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_refused_by_its_path(path: str, value: object, named: str) -> None:
    assert refusal(json.dumps(changed(path, value))).startswith(named)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("", "scenario: not JSON", id="empty"),
        pytest.param("{", "scenario: not JSON", id="cut short"),
        pytest.param("pid 1", "scenario: not JSON", id="text"),
        pytest.param(b"\xff\xfe\x00", "scenario: not JSON", id="bytes of no encoding"),
        pytest.param(b'{"kernel": "\xc3("}', "scenario: not JSON", id="invalid UTF-8"),
        pytest.param("[]", "scenario: expected an object, got []", id="a list"),
        pytest.param("null", "scenario: expected an object, got null", id="null"),
        pytest.param('"6.18"', "scenario: expected an object", id="a string"),
        pytest.param('{"page_size": NaN}', "scenario: not JSON: NaN is not a number", id="NaN"),
        pytest.param('{"page_size": -Infinity}', "scenario: not JSON: -Infinity is not a number", id="Infinity"),
        pytest.param("[" * 100_000, "scenario: nested too deeply", id="deep"),
        pytest.param('{"a":' * 100_000, "scenario: nested too deeply", id="deep objects"),
        pytest.param('{"page_size": ' + "9" * 10_000 + "}", "scenario: not JSON", id="a number of 10,000 digits"),
    ],
)
def test_what_is_no_document_is_refused(text: str | bytes, named: str) -> None:
    assert refusal(text).startswith(named)


def test_a_document_that_is_too_large_is_refused_before_it_is_read() -> None:
    message = "scenario: larger than 8 MiB, which is room for 10,000 processes"
    assert refusal(b" " * (LARGEST_DOCUMENT + 1)) == message


def test_too_many_of_anything_are_refused_before_they_are_made() -> None:
    context = '"kernel": "6.18", "context": {"constraint": "none", "totalpages": 9}'
    assert refusal('{"x": [' + "0," * MOST_VALUES + "0]}").startswith("scenario: more than 524288 values; expected at")
    assert refusal(b"[" + b"{}," * MOST_OBJECTS + b"{}]").startswith("scenario: more than 131072 objects; expected at")
    tasks = ",".join(["0"] * (MOST_TASKS + 1))
    assert refusal(f'{{{context}, "tasks": [{tasks}]}}') == "tasks: expected at most 65536 entries, got 65537"
    threads = f'{{"pid": 1, "comm": "a", "rss": 1, "threads": [{tasks}]}}'
    assert refusal(f'{{{context}, "tasks": [{threads}]}}').startswith(
        "tasks[0].threads: expected at most 65536 entries"
    )


def test_a_name_that_stands_twice_in_an_object_is_refused() -> None:
    assert refusal('{"kernel": "6.1", "kernel": "6.2"}') == "scenario: 'kernel' appears twice in one object"


def test_of_unknown_fields_a_hundred_are_kept() -> None:
    document = a_document()
    document["tasks"] = [{"pid": pid, "comm": "a", "rss": 1, f"field{pid}": 1} for pid in range(1, 500)]
    unknown = parse(json.dumps(document)).unknown_fields
    assert len(unknown) == 100
    assert unknown[0] == "tasks[0].field1"


def test_no_depth_escapes_the_refusal() -> None:
    """Between shallow and too deep to be read lies what can be read but not printed."""
    for depth in range(1, 1100):
        refusal('{"schema": ' + "[" * depth + "]" * depth + "}")


def test_a_long_value_is_shown_shortened() -> None:
    message = refusal(json.dumps(changed("tasks.0.comm", list(range(1000)))))
    assert message == "tasks[0].comm: expected a string, got [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11..."


def test_a_missing_node_is_named() -> None:
    document = {"constraint": "cpuset", "nodes": {"0": {"present": 5}}, "current_mems": [0, 3]}
    text = json.dumps({"kernel": "6.18", "context": document, "tasks": []})
    assert refusal(text) == "context.nodes.3: missing, its pages are needed for totalpages"


def test_totalpages_that_follows_from_nothing_is_missed() -> None:
    text = json.dumps({"kernel": "6.18", "context": {"constraint": "none"}, "tasks": []})
    assert refusal(text).startswith("context.totalpages: missing")


def test_unknown_fields_are_reported_by_path_and_known_extras_are_not() -> None:
    document = a_document()
    document["colour"] = 1
    document["why"] = "a note"
    document["context"]["total_pages"] = 5
    document["context"]["memcgs"]["/m"]["max"] = 5
    document["tasks"][0]["oom_score_adj"] = 5
    document["tasks"][0]["cmdline"] = "for readers"
    document["tasks"][1]["threads"][0]["rss"] = 5
    document["tasks"][1]["mempolicy"]["flags"] = 0
    assert sorted(parse(json.dumps(document)).unknown_fields) == [
        "colour",
        "context.memcgs./m.max",
        "context.total_pages",
        "tasks[0].oom_score_adj",
        "tasks[1].mempolicy.flags",
        "tasks[1].threads[0].rss",
        "why",
    ]


def parsed_or_refused(text: str | bytes) -> Document | None:
    try:
        return parse(text)
    except BadInput:
        return None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.text() | st.binary() | json_values.map(json.dumps))
def test_arbitrary_input_is_never_more_than_refused(text: str | bytes) -> None:
    parsed_or_refused(text)


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, below in inner for place in places(below, (*path, key)))][1 if not path else 0 :]


@settings(max_examples=300)
@given(st.sampled_from(places(a_document())), json_values)
def test_any_value_anywhere_is_refused_or_can_be_decided_on(place: tuple[str | int, ...], value: object) -> None:
    document: Any = a_document()
    target = document
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    read = parsed_or_refused(json.dumps(document))
    if read is not None:
        out_of_memory(read.scenario)
