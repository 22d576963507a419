import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.rawjson import RawJson, encoded, rewritten

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)


@given(values)
def test_json_without_texts_is_that_of_the_client(value: Any) -> None:
    assert encoded(value) == json.dumps(value, separators=(",", ":"))


@given(values, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_a_text_stands_in_its_place_as_it_is(value: Any, indent: Any, ascii_: bool) -> None:
    text = RawJson(json.dumps(value, indent=indent, ensure_ascii=ascii_))
    assert encoded({"a": [1, text], 'q"': text}) == f'{{"a":[1,{text}],"q\\"":{text}}}'


def test_what_is_no_json_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        encoded({"a": [float("inf")]})


def test_what_a_path_does_not_meet_is_shared() -> None:
    sent = {"a": {"b": [1, {"c": 2}]}}
    assert rewritten(sent, ("a", "x", "*"), str) is sent
    assert rewritten(sent, ("a", "b", "c"), str) is sent
    assert rewritten(sent, ("a", "b", "*", "c"), str) == {"a": {"b": [1, {"c": "2"}]}}
