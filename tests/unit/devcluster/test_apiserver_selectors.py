import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.objects import JSON
from devcluster.apiserver.errors import BadRequest
from devcluster.apiserver.selectors import label_requirements, selector
from tests.support.apiserverrig import thing_kind

KIND = thing_kind(selectable={"spec.nodeName": "spec.nodeName", "on": ".spec.on"})


def obj(**labels: str) -> JSON:
    meta = {"name": "a", "namespace": "ns", "labels": labels}
    return {"metadata": meta, "spec": {"nodeName": "n,1", "on": True}}


def passes(text: str, **labels: str) -> bool:
    chosen = selector(KIND, text)
    return chosen is None or chosen(obj(**labels))


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", True),
        ("  ", True),
        ("a=1", True),
        ("a==1", True),
        (" a = 1 , b = 2 ", True),
        ("a=2", False),
        ("a!=2", True),
        ("a!=1", False),
        ("c!=1", True),
        ("a", True),
        ("c", False),
        ("!c", True),
        ("! a", False),
        ("a in (1,2)", True),
        ("a in (3, 4)", False),
        ("c in (1)", False),
        ("a notin (1)", False),
        ("c notin (1)", True),
        ("a in (0,1),b notin (5),!c", True),
        ("a>0", True),
        ("a>1", False),
        ("a<5", True),
        ("e>1", False),
        ("d=", True),
        ("a,b=2,x.io/y=z", True),
    ],
)
def test_label_selectors(text: str, *, match: bool) -> None:
    assert passes(text, a="1", b="2", d="", e="word", **{"x.io/y": "z"}) is match


@pytest.mark.parametrize(
    "text", [",", "a,", ",a", "a b", "a in 1", "a=1=2", "a>x", "=", "a in (1", "!"]
)
def test_malformed_label_selectors_are_400(text: str) -> None:
    with pytest.raises(BadRequest):
        label_requirements(text)


@given(st.text("ab=!,()<> in", max_size=12))
def test_any_label_selector_is_read_or_refused(text: str) -> None:
    try:
        found = label_requirements(text)
    except BadRequest:
        return
    assert bool(found) is bool(text.strip())


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("metadata.name=a", True),
        ("metadata.name==a,metadata.namespace=ns", True),
        ("metadata.name!=a", False),
        (r"spec.nodeName=n\,1", True),
        ("spec.nodeName=n", False),
        ("spec.nodeName=", False),
        ("spec.nodeName!=", True),
        ("on=true", True),
    ],
)
def test_field_selectors(text: str, *, match: bool) -> None:
    chosen = selector(KIND, fields=text)
    assert chosen is not None
    assert chosen(obj()) is match


def test_a_missing_field_is_empty() -> None:
    chosen = selector(KIND, fields="spec.nodeName=")
    assert chosen is not None
    assert chosen({"metadata": {"name": "a"}})


@pytest.mark.parametrize("text", ["spec.other=1", "metadata.name"])
def test_field_selectors_that_are_not_offered_are_400(text: str) -> None:
    with pytest.raises(BadRequest):
        selector(KIND, fields=text)


def test_both_selectors_have_to_match() -> None:
    chosen = selector(KIND, "a=1", "metadata.name=a")
    assert chosen is not None
    assert [chosen(obj(a="1")), chosen(obj(a="2"))] == [True, False]


def test_no_selectors_are_no_test() -> None:
    assert selector(KIND) is None
