"""Structured claims: devices with the parameters that apply."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.claims.versions import CLAIMS, STRUCTURED, read_claim
from api.claims.view import Config, Result
from api.objects import JSON
from tests.support import build

OURS = "ours.example.com"


def result(request: str = "r", driver: str = OURS, **fields: Any) -> JSON:
    return {"request": request, "driver": driver, "pool": "p", "device": "d", **fields}


def config(source: str, value: object, *requests: str, driver: str = OURS) -> JSON:
    opaque = {"driver": driver, "parameters": {"v": value}}
    return {"source": source, "requests": list(requests), "opaque": opaque}


def results(*entries: JSON, config: object = (), version: str = "v1") -> tuple[Result, ...]:
    devices = {"results": list(entries), "config": config}
    raw = {**build.claim(), "apiVersion": CLAIMS[version].api_version}
    return read_claim({**raw, "status": {"allocation": {"devices": devices}}}).results(OURS)


@pytest.mark.parametrize("version", STRUCTURED)
def test_the_devices_of_a_driver_keep_their_order(version: str) -> None:
    entries = [result("b", device="1"), result(driver="other"), result("a", device="0")]
    found = results(*entries, version=version)
    assert found == (Result("b", "p", "1"), Result("a", "p", "0"))


def test_all_that_a_result_says_is_read() -> None:
    capacity = {"memory": "10Gi", "cores": "2"}
    entry = result("gpu/large", shareID="s", consumedCapacity=capacity, adminAccess=True)
    (found,) = results(entry)
    assert found == Result("gpu", "p", "d", "s", capacity, admin=True)


@pytest.mark.parametrize("absent", [{}, {"adminAccess": None, "shareID": None}], ids=str)
def test_what_a_result_does_not_say_has_a_default(absent: JSON) -> None:
    assert results(result(**absent)) == (Result("r", "p", "d"),)


CLASS, CLAIM = "FromClass", "FromClaim"


@pytest.mark.parametrize(
    ("request_name", "entries", "values"),
    [
        pytest.param("r", [], [], id="none"),
        pytest.param("r", [config(CLAIM, 1)], [1], id="for-all"),
        pytest.param("r", [config(CLAIM, 1, "r")], [1], id="named"),
        pytest.param("r", [config(CLAIM, 1, "a", "b")], [], id="named-others"),
        pytest.param("r/s", [config(CLAIM, 1, "r")], [1], id="parent-covers-alternative"),
        pytest.param("r/s", [config(CLAIM, 1, "r/s")], [1], id="alternative"),
        pytest.param("r/s", [config(CLAIM, 1, "r/t")], [], id="other-alternative"),
        pytest.param("r/s", [config(CLAIM, 1, "r/t", "r/s")], [1], id="among-unchosen"),
        pytest.param("r/s", [config(CLAIM, 1, "s")], [], id="alternative-without-parent"),
        pytest.param("r", [config(CLAIM, 1, "r/s")], [], id="alternative-of-a-plain-request"),
        pytest.param("rr", [config(CLAIM, 1, "r")], [], id="no-prefix-match"),
        pytest.param("r", [config(CLASS, 1), config(CLAIM, 2)], [1, 2], id="class-then-claim"),
        pytest.param("r", [config(CLAIM, 2), config(CLASS, 1)], [1, 2], id="class-first-anyway"),
        pytest.param(
            "r", [config(CLAIM, 1, "r"), config(CLAIM, 2)], [1, 2], id="later-is-stronger"
        ),
        pytest.param(
            "r", [config(CLASS, 1, "a"), config(CLASS, 2, "r")], [2], id="class-of-another-request"
        ),
        pytest.param(
            "r", [{"source": CLAIM, "requests": ["r"]}, config(CLAIM, 1)], [1], id="nothing-opaque"
        ),
        pytest.param(
            "r", [{**config(CLAIM, 1), "requests": None}], [1], id="requests-null-is-for-all"
        ),
    ],
)
def test_the_parameters_of_a_result(
    request_name: str, entries: list[JSON], values: list[int]
) -> None:
    (found,) = results(result(request_name), config=entries)
    assert [c.parameters["v"] for c in found.config] == values


def test_parameters_are_told_with_their_place() -> None:
    entries = [config(CLAIM, 1, driver="other"), config(CLAIM, 2), config(CLASS, 3, "r")]
    (found,) = results(result(), config=entries)
    field = "status.allocation.devices.config[{}].opaque.parameters"
    assert found.config == (
        Config(CLASS, field.format(2), {"v": 3}),
        Config(CLAIM, field.format(1), {"v": 2}),
    )


@pytest.mark.parametrize("broken", ["text", None, 7, [1]], ids=repr)
def test_what_other_drivers_are_told_is_not_looked_at(broken: object) -> None:
    opaque = {"driver": "other", "parameters": broken}
    (found,) = results(result(), config=[{"source": CLAIM, "opaque": opaque}])
    assert found.config == ()


NAMES = st.sampled_from(["a", "b", "a/x", "a/y", "b/x"])
ENTRIES = st.lists(
    st.tuples(
        st.sampled_from([CLASS, CLAIM]),
        st.lists(NAMES, max_size=3),
        st.sampled_from([OURS, "other"]),
    ),
    max_size=8,
)


@given(ENTRIES, NAMES)
def test_parameters_apply_as_the_api_says(
    entries: list[tuple[str, list[str], str]], request_name: str
) -> None:
    made = [config(source, i, *on, driver=d) for i, (source, on, d) in enumerate(entries)]
    (found,) = results(result(request_name), config=made)
    applying = [
        index
        for wanted in (CLASS, CLAIM)
        for index, (source, on, driver) in enumerate(entries)
        if (source, driver) == (wanted, OURS)
        and (on == [] or request_name in on or request_name.split("/")[0] in on)
    ]
    assert [c.parameters["v"] for c in found.config] == applying
