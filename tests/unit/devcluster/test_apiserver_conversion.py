"""Between stored and served forms, and JSON that is kept as it was sent."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.claims.versions import STRUCTURED
from api.objects import JSON
from api.rawjson import RawJson, rewritten
from devcluster.apiserver.builtinkinds import builtin_kinds
from devcluster.apiserver.conversion import loads
from devcluster.apiserver.registry import Registry
from devcluster.apiserver.resourceapi import structured

REGISTRY = Registry(builtin_kinds(structured(37, *STRUCTURED)))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abc"), VALUES)
INDENTS = st.sampled_from([None, 0, 2])
PATHS = [("a",), ("b", "*", "c"), ("c", "a")]


@given(OBJECTS, INDENTS)
def test_texts_are_what_was_sent(sent: JSON, indent: int | None) -> None:
    text = json.dumps(sent, indent=indent)
    assert loads(text.encode(), ()) == sent

    def parsed(value: Any) -> Any:
        assert isinstance(value, RawJson)
        assert value in text
        return json.loads(value)

    found = loads(text.encode(), PATHS)
    for path in PATHS:
        found = rewritten(found, path, parsed)
    assert found == sent


@pytest.mark.parametrize("text", ["", "{", '{"a": }', "[1,]"])
def test_what_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|Illegal"):
        loads(text.encode(), PATHS)


CONFIG = {"opaque": {"driver": "gpu.example.com", "parameters": {"b": 1, "a": [1.5, None]}}}
EXACT = {"deviceClassName": "gpu", "count": 2}
SPEC = {
    "devices": {
        "requests": [{"name": "a", "exactly": EXACT}, {"name": "b", "firstAvailable": [EXACT]}],
        "config": [CONFIG],
    }
}
OBJECTS_OF_V1: dict[str, JSON] = {
    "ResourceClaim": {
        "spec": SPEC,
        "status": {
            "allocation": {"devices": {"config": [{"source": "FromClaim", **CONFIG}]}},
            "devices": [{"device": "d", "data": {"a": 1}}],
        },
    },
    "ResourceClaimTemplate": {"spec": {"spec": SPEC}},
    "DeviceClass": {"spec": {"config": [CONFIG]}},
    "ResourceSlice": {
        "spec": {"nodeName": "n", "devices": [{"name": "d", "attributes": {"a": {"int": 1}}}]}
    },
}


@pytest.mark.parametrize("version", STRUCTURED)
@pytest.mark.parametrize("name", OBJECTS_OF_V1)
def test_nothing_is_lost_between_versions(name: str, version: str) -> None:
    kind = REGISTRY.by_kind(f"resource.k8s.io/{version}", name)
    newest = REGISTRY.by_kind("resource.k8s.io/v1", name)
    assert kind is not None
    assert newest is not None
    sent = {"apiVersion": newest.api_version, "kind": name, **OBJECTS_OF_V1[name]}
    stored = newest.stored(sent)
    assert newest.served(stored) == sent
    assert kind.served(stored)["apiVersion"] == kind.api_version
    assert kind.stored(kind.served(stored)) == stored
