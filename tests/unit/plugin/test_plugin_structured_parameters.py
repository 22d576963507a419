"""The structured fake driver takes no parameters, and says what to write instead."""

import pytest

from api.objects import JSON
from plugin.structured.parameters import validate


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"kind": "FakeClaimParameters", "spec": {"count": 2}}, "kind: FakeClaimParameters is of"),
        ({"kind": "DeviceClassParameters"}, "choose devices by spec.selectors"),
        ({"kind": "GpuConfig"}, "kind: 'GpuConfig' is not known. The driver takes no parameters"),
        ({"kind": ["FakeClaimParameters"]}, "The driver takes no parameters"),
        ({"spec": {}}, "The driver takes no parameters"),
    ],
    ids=["of-claims", "of-classes", "of-others", "no-text", "no-kind"],
)
def test_any_is_refused(parameters: JSON, told: str) -> None:
    [problem] = validate(parameters)
    assert told in problem


def test_nothing_is_not_refused() -> None:
    assert validate({}) == []
