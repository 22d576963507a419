from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import InvalidParameters
from api.objects import JSON
from api.parameters import (
    LONGEST_MODEL,
    MAX_COUNT,
    MAX_SPLIT,
    ClaimParameters,
    ClassParameters,
    DeviceSelector,
    Policy,
    parse_claim_parameters,
    parse_class_parameters,
)


def of_claim(spec: object) -> JSON:
    return {"metadata": {"name": "few", "namespace": "shop"}, "spec": spec}


def of_class(spec: object) -> JSON:
    return {"metadata": {"name": "some"}, "spec": spec}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(None, ClaimParameters(count=1, split=0, model=None), id="defaults"),
        pytest.param({}, ClaimParameters(), id="empty"),
        pytest.param({"count": 4, "split": 2}, ClaimParameters(4, 2), id="split"),
        pytest.param({"count": MAX_COUNT}, ClaimParameters(128), id="most-devices"),
        pytest.param({"split": MAX_SPLIT}, ClaimParameters(1, 16), id="most-children"),
        pytest.param({"count": 1, "split": 0}, ClaimParameters(), id="least"),
        pytest.param({"selector": {}}, ClaimParameters(), id="empty-selector"),
        pytest.param(
            {"count": 4, "split": 2, "selector": {"model": "ULTRA_10"}},
            ClaimParameters(4, 2, "ULTRA_10"),
            id="model",
        ),
    ],
)
def test_claim_parameters_are_read(spec: object, expected: ClaimParameters) -> None:
    assert parse_claim_parameters(of_claim(spec)) == expected


BRACKETS = "GA102 [GeForce RTX 3090]"
CLAIM_REFUSED = "FakeClaimParameters shop/few is invalid: spec"
CLASS_REFUSED = "DeviceClassParameters some is invalid: spec"
COUNT = "the number of devices must be 1 to 128."
SPLIT = "the number of children of each device must be 0 to 16."


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        pytest.param({"count": 0}, f"spec.count: 0 is out of bounds, {COUNT}", id="no-device"),
        pytest.param({"count": 129}, f"spec.count: 129 is out of bounds, {COUNT}", id="too-many"),
        pytest.param({"split": -1}, f"spec.split: -1 is out of bounds, {SPLIT}", id="below-0"),
        pytest.param({"split": 17}, f"spec.split: 17 is out of bounds, {SPLIT}", id="too-small"),
        pytest.param({"count": "2"}, "spec.count: Not a valid integer.", id="text"),
        pytest.param({"count": 1.5}, "spec.count: Not a valid integer.", id="fraction"),
        pytest.param({"count": True}, "spec.count: Not a valid integer.", id="bool"),
        pytest.param({"count": None}, "spec.count: Field may not be null.", id="null"),
        pytest.param({"cuont": 2}, "spec.cuont: Unknown field.", id="typing-error"),
        pytest.param(
            {"selector": {"modle": "x"}}, "spec.selector.modle: Unknown field.", id="nested-typo"
        ),
        pytest.param(
            {"selector": {"model": ""}}, "spec.selector.model: Length must be", id="empty-model"
        ),
        pytest.param({"selector": "x"}, "spec.selector: Invalid input type.", id="no-object"),
        pytest.param([1], "spec: Invalid input type.", id="list"),
        pytest.param("x", "spec: Invalid input type.", id="word"),
    ],
)
def test_wrong_claim_parameters_are_named(spec: object, found: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        parse_claim_parameters(of_claim(spec))
    assert str(caught.value).startswith(f"FakeClaimParameters shop/few is invalid: {found}")


def test_every_wrong_field_is_named_at_once() -> None:
    with pytest.raises(InvalidParameters, match=r"spec\.count: .*; spec\.split: .*; spec\.x: "):
        parse_claim_parameters(of_claim({"x": 1, "split": 99, "count": 0}))


@pytest.mark.parametrize(
    ("spec", "selectors"),
    [
        pytest.param(None, [DeviceSelector("fake", "*")], id="defaults"),
        pytest.param({}, [DeviceSelector()], id="empty"),
        pytest.param(
            {"deviceSelector": [{"type": "fake", "name": "*"}]}, [DeviceSelector()], id="seed"
        ),
        pytest.param(
            {"deviceSelector": [{"type": "fake", "name": "A"}, {"type": "fake", "name": "B-*"}]},
            [DeviceSelector(name="A"), DeviceSelector(name="B-*")],
            id="several",
        ),
    ],
)
def test_class_parameters_are_read(spec: object, selectors: list[DeviceSelector]) -> None:
    assert parse_class_parameters(of_class(spec)) == ClassParameters(tuple(selectors))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"sharing": "Exclusive"}, ClassParameters(), id="exclusive"),
        pytest.param(
            {"sharing": "TimeSliced", "maxClients": 1}, ClassParameters(max_clients=1), id="least"
        ),
        pytest.param(
            {"sharing": "TimeSliced", "maxClients": 64}, ClassParameters(max_clients=64), id="most"
        ),
        pytest.param(
            {"allocationPolicy": "Packed"}, ClassParameters(policy=Policy.PACKED), id="packed"
        ),
        pytest.param(
            {"allocationPolicy": "Spread"}, ClassParameters(policy=Policy.SPREAD), id="spread"
        ),
    ],
)
def test_sharing_and_policy_of_a_class_are_read(spec: object, expected: ClassParameters) -> None:
    assert parse_class_parameters(of_class(spec)) == expected


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        pytest.param({"deviceSelector": []}, "spec.deviceSelector: ", id="no-selector"),
        pytest.param({"deviceSelector": {}}, "spec.deviceSelector: Not a valid list.", id="object"),
        pytest.param(
            {"deviceSelector": [{"type": "gpu", "name": "*"}]},
            "spec.deviceSelector.0.type: Must be equal to fake.",
            id="other-type",
        ),
        pytest.param(
            {"deviceSelector": [{"type": "fake", "name": "*"}, {"type": "fake"}]},
            "spec.deviceSelector.1.name: Missing data for required field.",
            id="no-name",
        ),
        pytest.param({"selectors": []}, "spec.selectors: Unknown field.", id="attribute-name"),
        pytest.param(
            {"sharing": "Shared"},
            "spec.sharing: Must be one of: Exclusive, TimeSliced.",
            id="no-such-sharing",
        ),
        pytest.param(
            {"sharing": "TimeSliced"},
            "spec.maxClients: It is missing, TimeSliced devices have a largest number of clients.",
            id="time-sliced-for-how-many",
        ),
        pytest.param(
            {"maxClients": 2},
            "spec.maxClients: It has a meaning only with sharing TimeSliced.",
            id="clients-of-exclusive-devices",
        ),
        pytest.param(
            {"sharing": "TimeSliced", "maxClients": 65},
            "spec.maxClients: 65 is out of bounds, the number of claims that share a device must "
            "be 1 to 64.",
            id="too-many-clients",
        ),
        pytest.param(
            {"allocationPolicy": "packed"},
            "spec.allocationPolicy: Must be one of: Packed, Spread.",
            id="no-such-policy",
        ),
    ],
)
def test_wrong_class_parameters_are_named(spec: object, found: str) -> None:
    with pytest.raises(InvalidParameters) as caught:
        parse_class_parameters(of_class(spec))
    assert str(caught.value).startswith(f"DeviceClassParameters some is invalid: {found}")


@pytest.mark.parametrize(
    ("pattern", "model", "admitted"),
    [
        pytest.param("ULTRA_10", "ULTRA_10", True, id="equal"),
        pytest.param("ULTRA_1", "ULTRA_10", False, id="prefix-is-no-match"),
        pytest.param("ULTRA_*", "ULTRA_100", True, id="star"),
        pytest.param("ULTRA_1?", "ULTRA_10", True, id="question-mark"),
        pytest.param("[AB]", "B", True, id="set"),
        pytest.param("ultra_10", "ULTRA_10", False, id="case-counts"),
        pytest.param("*", "", True, id="anything"),
        pytest.param(BRACKETS, BRACKETS, True, id="equal-with-brackets"),
        pytest.param("a[b", "a[b", True, id="equal-with-one-bracket"),
        pytest.param("a[!b]", "a[!b]", True, id="equal-with-all-that-is-special"),
        pytest.param("GA102 [[]GeForce*", BRACKETS, True, id="bracket-in-a-glob"),
        pytest.param(BRACKETS, "GA102 G", True, id="still-a-glob"),
        pytest.param(BRACKETS, "GA102 [GeForce RTX 3080]", False, id="other-in-brackets"),
    ],
)
def test_a_model_is_matched_as_itself_or_as_a_glob(
    pattern: str, model: str, admitted: bool
) -> None:
    assert ClaimParameters(model=pattern).admits(model) is admitted
    assert ClassParameters((DeviceSelector(name=pattern),)).admits(model) is admitted


@given(st.text("*?[]!-aB", min_size=1, max_size=LONGEST_MODEL) | st.text(min_size=1, max_size=63))
def test_every_model_is_selected_by_its_own_name(model: str) -> None:
    claim = parse_claim_parameters(of_claim({"selector": {"model": model}}))
    entry = {"type": "fake", "name": model}
    assert claim.admits(model)
    assert parse_class_parameters(of_class({"deviceSelector": [entry]})).admits(model)


def test_without_a_selector_every_model_will_do() -> None:
    assert ClaimParameters().admits("anything")
    assert ClassParameters().admits("anything")


def test_a_class_offers_what_any_selector_matches() -> None:
    offered = ClassParameters((DeviceSelector(name="A"), DeviceSelector(name="B")))
    assert [offered.admits(model) for model in "ABC"] == [True, True, False]


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
likely = st.sampled_from(["count", "split", "selector", "model", "deviceSelector", "type", "name"])
objects = st.dictionaries(likely, json_values | st.dictionaries(likely, json_values))
lists = st.dictionaries(likely, st.lists(objects, max_size=2))


def refusal(parse: Callable[[JSON], object], obj: JSON) -> str | None:
    try:
        parse(obj)
    except InvalidParameters as error:
        return str(error)
    return None


@given(json_values | objects | lists)
def test_any_object_is_valid_or_refused_with_its_name(spec: object) -> None:
    of_claims = refusal(parse_claim_parameters, of_claim(spec))
    of_classes = refusal(parse_class_parameters, of_class(spec))
    assert (of_claims or CLAIM_REFUSED).startswith(CLAIM_REFUSED)
    assert (of_classes or CLASS_REFUSED).startswith(CLASS_REFUSED)
    assert of_claims or of_classes or not spec


@given(
    st.integers(1, MAX_COUNT),
    st.integers(0, MAX_SPLIT),
    st.none() | st.text("*?[]!-aB", min_size=1),
)
def test_whatever_is_in_bounds_is_accepted(count: int, split: int, model: str | None) -> None:
    spec: JSON = {"count": count, "split": split}
    if model is not None:
        spec["selector"] = {"model": model[:63]}
    found = parse_claim_parameters(of_claim(spec))
    assert (found.count, found.split) == (count, split)
    assert isinstance(found.admits("aB-"), bool)


@pytest.mark.parametrize(
    ("parse", "told"),
    [
        (parse_claim_parameters, "FakeClaimParameters in its claim is invalid: spec.x"),
        (parse_class_parameters, "DeviceClassParameters in its claim is invalid: spec.x"),
    ],
)
def test_parameters_that_are_no_object_of_their_own_are_named_by_their_place(
    parse: Callable[[JSON, str], object], told: str
) -> None:
    with pytest.raises(InvalidParameters, match=told):
        parse({"spec": {"x": 1}}, "in its claim")
