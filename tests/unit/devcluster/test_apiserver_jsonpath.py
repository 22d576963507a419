"""The JSONPath of printer columns."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devcluster.apiserver.jsonpath import BadPath, parse

OBJ: dict[str, Any] = {
    "metadata": {"labels": {"a.b/c": "dotted"}},
    "spec": {"list": [{"n": 1}, {"n": 2}], "map": {"x": 1, "y": 2}},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True", "n": 1},
            {"type": "Other", "status": "False", "n": 2},
        ]
    },
}


@pytest.mark.parametrize(
    ("path", "values"),
    [
        (".spec.list[0].n", [1]),
        ("spec.list[1].n", [2]),
        ("{.spec.list[-1].n}", [2]),
        ("$.spec.list[*].n", [1, 2]),
        (".spec.map.*", [1, 2]),
        (".spec.list[5]", []),
        (".spec.list.n", []),
        (".spec.absent.deep", []),
        (r".metadata.labels.a\.b/c", ["dotted"]),
        (".metadata.labels['a.b/c']", ["dotted"]),
        ('.status.conditions[?(@.type=="Ready")].status', ["True"]),
        (".status.conditions[?(@.type == 'Other')].status", ["False"]),
        ('.status.conditions[?(@.type!="Ready")].status', ["False"]),
        (".status.conditions[?(@.n==2)].type", ["Other"]),
        (".status.conditions[?(@.type==Ready)].status", ["True"]),
        ('.status.conditions[?(@.absent=="x")].status', []),
    ],
)
def test_values(path: str, values: list[Any]) -> None:
    assert parse(path)(OBJ) == values


@pytest.mark.parametrize("path", ["", ".", ".a..b", ".a[", ".a[?(@.b)]", ".a[0:2]", "a b"])
def test_refused(path: str) -> None:
    with pytest.raises(BadPath, match="cannot be read from column"):
        parse(path)


@given(st.text(max_size=20), st.recursive(st.none() | st.text(), lambda s: st.lists(s)))
def test_any_path_is_read_or_refused(path: str, value: Any) -> None:
    try:
        find = parse(path)
    except BadPath:
        return
    assert isinstance(find(value), list)
