import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.conversion import converted
from api.objects import JSON
from api.protobuf import envelope
from api.rawjson import RawJson, encoded
from dra.publish.status import senttexts
from tests.support.statusrig import CLAIMS, allocated_claim, others_entry

SPEC = ("spec", "devices", "config", "*", "opaque", "parameters")
ALLOCATION = ("status", "allocation", "devices", "config", "*", "opaque", "parameters")
DATA = ("status", "devices", "*", "data")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
texts = st.builds(
    lambda value, indent, separators, ascii_: json.dumps(
        value, indent=indent, separators=separators, ensure_ascii=ascii_
    ),
    st.dictionaries(st.text(max_size=4), values, max_size=4),
    st.sampled_from([None, 1, "\t"]),
    st.sampled_from([(",", ":"), (", ", ": "), (" ,", " :  ")]),
    st.booleans(),
)


def test_a_claim_of_a_real_api_server_has_the_texts_that_were_sent() -> None:
    data = Path(__file__).with_name("resourceclaim-1.37.2.pb").read_bytes()
    parameters = ['{ "b" :1,\n\t"a": 2 }']
    shown = ['{"x":  [1 ]}', '{"k":2}']
    assert senttexts.read(data) == {SPEC: parameters, ALLOCATION: parameters, DATA: shown}


@pytest.mark.parametrize(
    "data",
    [b"", b'{"kind":"ResourceClaim"}', b"k8s", b"k8s\x00\x12\xff", b"k8s\x00\x0b"],
    ids=["empty", "json", "magic", "cut", "group"],
)
def test_what_is_no_protobuf_has_none(data: bytes) -> None:
    assert senttexts.read(data) is None


@given(st.binary())
def test_any_bytes_are_read_or_not(data: bytes) -> None:
    senttexts.read(b"k8s\x00" + data)


def as_shown(text: str) -> RawJson:
    """Return a text as JSON of the API server has it."""
    return RawJson(json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False))


@given(texts, texts)
def test_an_object_is_sent_with_the_texts_of_its_creator(parameters: str, data: str) -> None:
    stored = allocated_claim(parameters, others_entry(data))
    shown: JSON = json.loads(
        encoded(allocated_claim(as_shown(parameters), others_entry(as_shown(data))))
    )
    found = senttexts.read(envelope.encoded(converted(stored, CLAIMS)))
    assert encoded(senttexts.with_texts(shown, found)) == encoded(stored)


@pytest.mark.parametrize("known", [None, {}, {SPEC: ["{}", "{}"]}], ids=["none", "no", "too-many"])
def test_without_texts_parameters_are_written_as_python_does(known: senttexts.Texts | None) -> None:
    claim = allocated_claim('{"a": [1, 2]}', others_entry('{"x": 1}'))
    shown: JSON = json.loads(encoded(claim))
    compact = allocated_claim('{"a": [1, 2]}', others_entry('{"x":1}'))
    assert encoded(senttexts.with_texts(shown, known)) == encoded(compact)
