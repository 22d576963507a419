"""What a driver hands over, of the types of the port."""

from pathlib import Path
from typing import Any

import pytest

from api.objects import ClaimUID
from dra.devicestate.prepared import checked
from dra.driver import Edits, Mount, PreparedClaim, PreparedDevice
from dra.errors import InvalidCdiSpec
from dra.inventory import Effect

MOUNT = Mount("/host", "/container")


def claim(edits: Edits) -> PreparedClaim:
    devices = (PreparedDevice("pool", "a", edits),)
    return PreparedClaim(ClaimUID("uid"), "ns", "claim", "gpu", devices)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        pytest.param({"env": ["A=b"]}, r"edits\.env must be dict", id="env"),
        pytest.param({"env": {"A": 1}}, r"env\.A must be str, is int", id="value"),
        pytest.param({"env": {"A": Path("/x")}}, "Path is not JSON", id="path"),
        pytest.param({"mounts": MOUNT}, "mounts must be list", id="mounts"),
        pytest.param({"mounts": ["/x"]}, r"mounts\[0\] must be dict", id="mount"),
        pytest.param({"additional_gids": (True,)}, "must be int, is bool", id="group"),
        pytest.param({"hooks": (None,)}, "must be dict, is NoneType", id="hook"),
    ],
)
def test_values_of_types_that_the_port_does_not_allow(given: dict[str, Any], fault: str) -> None:
    with pytest.raises(InvalidCdiSpec, match=fault):
        checked(claim(Edits(**given)))


def test_lists_and_enums_of_a_driver_are_as_good_as_tuples_and_texts() -> None:
    given: Any = [MOUNT]
    found = checked(claim(Edits({"A": Effect.NONE}, given)))
    assert found == claim(Edits({"A": "None"}, (MOUNT,)))
    assert type(found.devices[0].edits.env["A"]) is str
