"""What claims say themselves of what they were given, in both versions."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given as each
from hypothesis import strategies as st

from api.claims.versions import read_claim
from api.contract import FAKE
from api.errors import MalformedHandle
from api.handles import given, with_claims
from api.nas import AllocatedClaim, AllocatedDevice, allocation_json, parse_nas
from api.objects import JSON, ClaimUID, DeviceID
from controller.versions.v1alpha2 import V1Alpha2
from controller.versions.v1alpha3 import V1Alpha3
from tests.support.build import NAMESPACE, allocated, claim, device_allocated, device_claim, nas
from tests.support.controllerrig import RESOURCES

DEVICES = st.lists(
    st.builds(
        AllocatedDevice,
        st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=40).map(
            DeviceID
        ),
        st.integers(0, 16).filter(lambda split: split != 1),
    ),
    min_size=1,
    max_size=8,
)


class Nothing:
    """Finds no class."""

    def get(self, _name: str, _namespace: str | None) -> JSON | None:
        return None


def with_handle(version: str, handle: JSON) -> JSON:
    """Return an allocated claim with a handle, as the controller writes it."""
    nothing = Nothing()
    if version == "v1alpha3":
        written = V1Alpha3(FAKE.driver_name, {"DeviceClass": nothing})
        return written.with_handle(device_allocated(device_claim()), handle)
    kinds = [RESOURCES.classes.kind, *(each.kind for each in RESOURCES.parameters)]
    return V1Alpha2(FAKE.driver_name, dict.fromkeys(kinds, nothing)).with_handle(
        allocated(claim()), handle
    )


@each(devices=DEVICES, version=st.sampled_from(["v1alpha2", "v1alpha3"]))
def test_what_is_written_is_read(devices: list[AllocatedDevice], version: str) -> None:
    raw = with_handle(version, allocation_json(devices, FAKE.device_key))
    found = given(read_claim(json.loads(json.dumps(raw))), FAKE)
    assert found == AllocatedClaim(tuple(devices), NAMESPACE, "claim")


@pytest.mark.parametrize("made", [lambda: allocated(claim()), claim], ids=["allocated", "pending"])
def test_a_claim_without_handle_says_nothing(made: Callable[[], JSON]) -> None:
    assert given(read_claim(made()), FAKE) is None


def test_the_handle_of_another_driver_is_none_of_ours() -> None:
    raw = with_handle("v1alpha2", {"fake": {"devices": [{"uuid": "d"}]}})
    assert given(read_claim(raw), FAKE.renamed("other.example.com")) is None


@pytest.mark.parametrize(
    "data",
    ["no json", "[]", "{}", '{"fake": {}}', '{"fake": {"devices": [{"split": 2}]}}'],
)
def test_a_handle_that_cannot_be_read_names_claim_and_remedy(data: str) -> None:
    raw = with_handle("v1alpha2", {})
    raw["status"]["allocation"]["resourceHandles"][0]["data"] = data
    with pytest.raises(MalformedHandle, match=r"ResourceClaim default/claim .* delete its pods"):
        given(read_claim(raw), FAKE)
    state = with_claims(parse_nas(nas(), FAKE.device_key), [read_claim(raw)], FAKE)
    assert "default/claim" in state.unreadable


def test_devices_are_used_wherever_that_is_written() -> None:
    raw = with_handle("v1alpha2", {"fake": {"devices": [{"uuid": "node-1-0"}]}})
    entry = {"fake": {"devices": [{"uuid": "node-1-1"}]}}
    state = parse_nas(nas(allocatedClaims={"other": entry}), FAKE.device_key)
    seen = with_claims(state, [read_claim(raw)], FAKE)
    assert seen.used() == {"node-1-0", "node-1-1"}
    assert seen.holders.keys() == {ClaimUID("uid-claim"), ClaimUID("other")}
    assert with_claims(state, [], FAKE) is state


def test_a_handle_that_the_api_server_would_refuse_is_left_out() -> None:
    devices = [AllocatedDevice(DeviceID("d" * 128)) for _ in range(128)]
    raw = with_handle("v1alpha2", allocation_json(devices, FAKE.device_key))
    assert "resourceHandles" not in raw["status"]["allocation"]
