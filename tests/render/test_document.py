"""JSON in parts is the JSON that one piece would be."""

from __future__ import annotations

import json

import pytest

from oomctl.render.document import json_line, members, with_array


def test_a_document_is_one_line() -> None:
    assert json_line({"a": [1, None], "b": "é\n"}) == '{"a": [1, null], "b": "\\u00e9\\n"}\n'


@pytest.mark.parametrize("number", [0, 1, 3])
def test_an_array_in_parts_is_the_array(number: int) -> None:
    items = [{"n": index} for index in range(number)]
    parts = with_array(f'{{{members({"first": 1})}, "items": ', items, "}\n")
    assert "".join(parts) == json_line({"first": 1, "items": items})


def test_the_first_part_comes_with_the_first_item() -> None:
    parts = with_array('{"items": ', iter([{"n": 1}, {"n": 2}]), "}")
    assert json.loads(next(parts) + "]}") == {"items": [{"n": 1}]}
