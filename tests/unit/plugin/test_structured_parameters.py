"""Opaque parameters, of which the structured fake driver takes none."""

import pytest

from api.objects import JSON
from plugin.structured.parameters import validate


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        pytest.param({"kind": "FakeClaimParameters"}, "requests[].exactly.count", id="claim"),
        pytest.param({"kind": "DeviceClassParameters"}, "spec.selectors", id="class"),
        pytest.param({"kind": "GpuConfig"}, "kind: 'GpuConfig' is not known", id="unknown"),
        pytest.param({"kind": ["FakeClaimParameters"]}, "is not known", id="kind of another type"),
        pytest.param({"count": 4}, "takes no parameters; remove this entry", id="without kind"),
    ],
)
def test_what_to_write_instead_is_said(parameters: JSON, said: str) -> None:
    (found,) = validate(parameters)
    assert said in found


def test_no_parameters_are_none() -> None:
    assert list(validate({})) == []
