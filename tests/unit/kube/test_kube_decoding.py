"""Objects of any depth are read, and what lies too deep for Python is left out."""

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.objects import JSON
from kube.decoding import LEVELS, decode_json
from kube.watch import decode
from tests.support.tables import cases

DEEPEST = 10_000
"""That the API server takes."""

LEAVES = st.none() | st.booleans() | st.integers() | st.text('ab[]{}"\\', max_size=8)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text('a[{"}]\\'), inner)
)


def nested(levels: int, opening: str = '{"a":', closing: str = "}") -> bytes:
    return (opening * levels + "0" + closing * levels).encode()


def levels_of(value: object) -> int:
    found = 0
    while isinstance(value, dict):
        value, found = value["a"], found + 1
    return found


@given(VALUES)
def test_shallow_values_are_what_they_are(value: object) -> None:
    assert decode_json(json.dumps(value).encode()) == value


@given(VALUES, st.integers(0, 3))
@example([{}], 1)
def test_values_at_the_limit_are_cut_where_lists_and_objects_go_on(
    value: object, spare: int
) -> None:
    opening, closing = '{"a":' * (LEVELS - spare), "}" * (LEVELS - spare)
    found = decode_json((opening + json.dumps(value) + closing).encode())
    for _ in range(LEVELS - spare):
        found = found["a"]
    assert found == cut(value, spare)


def cut(value: object, spare: int) -> object:
    """Return what is left of a value that may have so many levels."""
    if isinstance(value, list):
        return [cut(each, spare - 1) for each in value] if spare else None
    if isinstance(value, dict):
        return {key: cut(each, spare - 1) for key, each in value.items()} if spare else None
    return value


@pytest.mark.parametrize(
    ("levels", "left"), [(LEVELS, LEVELS), (LEVELS + 1, LEVELS), (DEEPEST, LEVELS)]
)
def test_the_deepest_levels_are_null(levels: int, left: int) -> None:
    assert levels_of(decode_json(nested(levels))) == left


@cases(
    "opening,closing",
    {
        "plain": ('{"b":"}","a":', ',"c":"{"}'),
        "beside a quotation mark": (r'{"b":"}\"","a":', r',"c":"\"{"}'),
        "beside a backslash": (r'{"b":"}\\","a":', r',"c":"\\{"}'),
        "other brackets": ('{"b":"]","a":', ',"c":"["}'),
    },
)
def test_brackets_in_strings_hide_no_levels(opening: str, closing: str) -> None:
    assert levels_of(decode_json(nested(DEEPEST, opening, closing))) == LEVELS


def test_what_stands_beside_deep_parts_is_kept() -> None:
    text = b'{"first":1,"deep":[' + nested(DEEPEST, "[", "]") + b',"]"],"last":"}"}'
    found = decode_json(text)
    assert (found["first"], found["deep"][1], found["last"]) == (1, "]", "}")


@cases(
    "text",
    {
        "open objects": b'{"a":' * DEEPEST,
        "open lists": b"[" * DEEPEST,
        "closed too often": nested(DEEPEST) + b"}",
        "open string": b"[" * DEEPEST + b'"',
        "closed": b"]",
        "empty": b"",
    },
)
def test_what_is_no_json_is_refused_however_deep(text: bytes) -> None:
    with pytest.raises(ValueError, match="line 1 column"):
        decode_json(text)


def test_a_watch_goes_on_after_an_object_of_any_depth() -> None:
    line = b'{"type":"ADDED","object":{"metadata":{"name":"x"},"spec":' + nested(DEEPEST) + b"}}"
    obj: JSON = decode(line, call="watch resourceclaims").object
    assert obj["metadata"]["name"] == "x"
