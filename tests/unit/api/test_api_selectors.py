import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.objects import JSON
from api.selectors import named_nodes, only_node, selects

LABELS = {"zone": "a", "cores": "8", "word": "many"}


def labelled(key: str, operator: str, *values: str) -> JSON:
    requirement = {"key": key, "operator": operator, "values": list(values)}
    return {"matchExpressions": [requirement]}


def named(operator: str, *values: str) -> JSON:
    requirement = {"key": "metadata.name", "operator": operator, "values": list(values)}
    return {"matchFields": [requirement]}


def matches(*terms: JSON) -> bool:
    return selects({"nodeSelectorTerms": list(terms)}, "node-1", LABELS)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        pytest.param(labelled("zone", "In", "b", "a"), True, id="in"),
        pytest.param(labelled("zone", "In", "b"), False, id="in-others"),
        pytest.param(labelled("none", "In", "a"), False, id="in-without-label"),
        pytest.param(labelled("zone", "NotIn", "b"), True, id="not-in"),
        pytest.param(labelled("zone", "NotIn", "a"), False, id="not-in-but-is"),
        pytest.param(labelled("none", "NotIn", "a"), True, id="not-in-without-label"),
        pytest.param(labelled("zone", "Exists"), True, id="exists"),
        pytest.param(labelled("none", "Exists"), False, id="exists-not"),
        pytest.param(labelled("none", "DoesNotExist"), True, id="does-not-exist"),
        pytest.param(labelled("zone", "DoesNotExist"), False, id="does-exist"),
        pytest.param(labelled("cores", "Gt", "7"), True, id="greater"),
        pytest.param(labelled("cores", "Gt", "8"), False, id="greater-than-equal"),
        pytest.param(labelled("cores", "Lt", "9"), True, id="less"),
        pytest.param(labelled("cores", "Lt", "8"), False, id="less-than-equal"),
        pytest.param(labelled("word", "Gt", "1"), False, id="label-is-no-number"),
        pytest.param(labelled("cores", "Gt", "x"), False, id="bound-is-no-number"),
        pytest.param(labelled("cores", "Gt"), False, id="bound-is-missing"),
        pytest.param(labelled("none", "Lt", "9"), False, id="less-without-label"),
        pytest.param(labelled("zone", "Like", "a"), False, id="unknown-operator"),
        pytest.param(named("In", "node-1"), True, id="name"),
        pytest.param(named("In", "node-2"), False, id="other-name"),
        pytest.param(named("NotIn", "node-1"), False, id="name-excluded"),
        pytest.param({}, False, id="term-without-requirements"),
        pytest.param({"matchExpressions": [], "matchFields": None}, False, id="empty-requirements"),
    ],
)
def test_a_term_matches(term: JSON, expected: bool) -> None:
    assert matches(term) is expected


def test_no_selector_matches_every_node_and_no_terms_match_none() -> None:
    assert selects(None, "node-1", {})
    assert not selects({}, "node-1", {})
    assert not matches()


def test_terms_are_alternatives_and_requirements_are_not() -> None:
    right, wrong = labelled("zone", "Exists"), labelled("none", "Exists")
    both = {"matchExpressions": [*right["matchExpressions"], *wrong["matchExpressions"]]}
    assert matches(wrong, right)
    assert not matches(both)
    assert not matches(right | named("In", "node-2"))
    assert matches(right | named("In", "node-1"))


def test_a_name_is_no_label() -> None:
    assert not matches(labelled("metadata.name", "In", "node-1"))


names = st.text(min_size=1)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        pytest.param(labelled("zone", "In", "b"), True, id="labels"),
        pytest.param({**labelled("zone", "In", "b"), **named("In", "node-1")}, True, id="name"),
        pytest.param({**labelled("zone", "In", "b"), **named("In", "node-2")}, False, id="other"),
        pytest.param({}, False, id="empty-term"),
    ],
)
def test_labels_that_are_not_known_hold(term: JSON, expected: bool) -> None:
    assert selects({"nodeSelectorTerms": [term]}, "node-1", None) is expected


def test_the_nodes_that_a_selector_names() -> None:
    terms = [named("In", "a", "b"), labelled("zone", "In", "c"), named("NotIn", "d")]
    assert list(named_nodes({"nodeSelectorTerms": terms})) == ["a", "b"]
    assert list(named_nodes(only_node("n"))) == ["n"]
    assert list(named_nodes(None)) == []


@given(names, names, st.dictionaries(names, names))
def test_only_node_matches_that_node_alone(node: str, other: str, labels: dict[str, str]) -> None:
    assert selects(only_node(node), node, labels)
    assert selects(only_node(node), other, labels) is (node == other)


values = st.lists(names)
label_maps = st.dictionaries(names, names)


def satisfied(labels: dict[str, str], *requirements: tuple[str, str, list[str]]) -> bool:
    """Tell whether a term with these requirements matches a node with these labels."""
    parts = [{"key": k, "operator": o, "values": v} for k, o, v in requirements]
    return selects({"nodeSelectorTerms": [{"matchExpressions": parts}]}, "n", labels)


@pytest.mark.parametrize("pair", [("In", "NotIn"), ("Exists", "DoesNotExist")])
@given(key=names, wanted=values, labels=label_maps)
def test_an_operator_and_its_opposite_never_agree(
    pair: tuple[str, str], key: str, wanted: list[str], labels: dict[str, str]
) -> None:
    one, other = (satisfied(labels, (key, operator, wanted)) for operator in pair)
    assert one is not other


@given(names, values, label_maps)
def test_nothing_is_greater_and_less(key: str, wanted: list[str], labels: dict[str, str]) -> None:
    assert not satisfied(labels, (key, "Gt", wanted), (key, "Lt", wanted))
