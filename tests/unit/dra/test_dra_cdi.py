from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.contract import FAKE
from api.nas import PreparedDevice
from api.objects import JSON, ClaimUID, DeviceID
from dra.devicestate import cdi
from dra.devicestate.prepared import PreparedClaim
from dra.errors import InvalidCdiSpec, InvalidClaimUid
from tests.support.pluginrig import NODE


def claim(*ids: str, uid: str = "uid-1", label: str = "gpu") -> PreparedClaim:
    devices = tuple(PreparedDevice(DeviceID(i)) for i in ids)
    return PreparedClaim(ClaimUID(uid), "ns", "claim", label, devices)


def env(spec: JSON) -> list[list[str]]:
    return [device["containerEdits"]["env"] for device in spec["devices"]]


def test_spec_of_a_claim() -> None:
    assert cdi.claim_spec(FAKE, claim("FAKE-a", "FAKE-b", label="my-gpu")) == {
        "cdiVersion": "0.5.0",
        "kind": "k8s.fake.resource.3-shake.com/fake",
        "devices": [
            {
                "name": "uid-1-FAKE-a",
                "containerEdits": {
                    "env": [
                        "FAKE_DEVICE_0=FAKE-a",
                        "FAKE_CLAIM_MY_GPU_0=FAKE-a",
                        "FAKE_CLAIMUID_UID_1_0=FAKE-a",
                        "FAKE_CLAIMUID_UID_1_NAME=claim",
                    ],
                },
            },
            {
                "name": "uid-1-FAKE-b",
                "containerEdits": {
                    "env": [
                        "FAKE_DEVICE_1=FAKE-b",
                        "FAKE_CLAIM_MY_GPU_1=FAKE-b",
                        "FAKE_CLAIMUID_UID_1_1=FAKE-b",
                        "FAKE_CLAIMUID_UID_1_NAME=claim",
                    ],
                },
            },
        ],
    }


def test_claim_that_only_its_uid_is_known_of() -> None:
    bare = PreparedClaim(ClaimUID("uid-1"), "", "", "", (PreparedDevice(DeviceID("FAKE-a")),))
    assert env(cdi.claim_spec(FAKE, bare)) == [
        ["FAKE_DEVICE_0=FAKE-a", "FAKE_CLAIMUID_UID_1_0=FAKE-a"]
    ]


def test_former_spec_has_no_variables_of_the_uid() -> None:
    spec = cdi.claim_spec(FAKE, claim("FAKE-a"))
    assert env(cdi.former_spec(FAKE, spec)) == [["FAKE_DEVICE_0=FAKE-a", "FAKE_CLAIM_GPU_0=FAKE-a"]]
    assert {**cdi.former_spec(FAKE, spec), "devices": None} == {**spec, "devices": None}


def test_spec_of_the_node() -> None:
    spec = cdi.common_spec(FAKE, NODE)
    assert env(spec) == [
        ["FAKE_NODE_NAME=node-1", "DRA_RESOURCE_DRIVER_NAME=fake.resource.3-shake.com"]
    ]
    cdi.validate(spec)


def test_ids_name_the_devices_of_the_specs() -> None:
    kind = "k8s.fake.resource.3-shake.com/fake"
    assert cdi.common_id(FAKE) == f"{kind}=common"
    assert cdi.device_id(FAKE, ClaimUID("uid-1"), DeviceID("FAKE-a")) == f"{kind}=uid-1-FAKE-a"


def test_files_of_claim_and_node() -> None:
    prefix = "k8s.fake.resource.3-shake.com-fake_"
    assert cdi.claim_file(FAKE, ClaimUID("uid-1")) == f"{prefix}uid-1.json"
    assert cdi.common_file(FAKE) == f"{prefix}common.json"


@given(st.text(max_size=200))
def test_file_name_is_one_plain_name_or_an_error(uid: str) -> None:
    try:
        name = cdi.claim_file(FAKE, ClaimUID(uid))
    except InvalidClaimUid:
        return
    assert not set(name) & set("/\0\n\\ ")
    assert name != cdi.common_file(FAKE)
    assert len(name) <= 255
    cdi.validate(cdi.claim_spec(FAKE, claim("FAKE-a", uid=uid)))


@pytest.mark.parametrize(
    "uid", ["", "..", "a/b", "a\0", "common", "a" * 129, "é", "a\n", "-a", "a_"]
)
def test_uid_that_cannot_name_a_file(uid: str) -> None:
    with pytest.raises(InvalidClaimUid, match=r"metadata\.uid"):
        cdi.claim_file(FAKE, ClaimUID(uid))


@given(st.text(min_size=1, max_size=63))
def test_label_is_part_of_a_variable_name(label: str) -> None:
    made = cdi.env_label(label)
    assert made
    spec = cdi.claim_spec(FAKE, claim("FAKE-a", label=label))
    cdi.validate(spec)
    assert cdi.env_label(cdi.find_label(FAKE, spec)) == made


def test_label_of_a_spec_without_one() -> None:
    assert cdi.find_label(FAKE, cdi.claim_spec(FAKE, claim("FAKE-a", label=""))) == ""
    assert cdi.find_label(FAKE, {}) == ""


def _set(*path: Any, to: Any) -> Callable[[JSON], None]:
    def change(spec: JSON) -> None:
        place: Any = spec
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param(_set("extra", to=1), "unknown fields extra", id="field"),
        pytest.param(_set("cdiVersion", to="0.3.0"), "cdiVersion must be 0.5.0", id="version"),
        pytest.param(_set("kind", to="vendor"), "vendor/class", id="no class"),
        pytest.param(_set("kind", to="vendor.com/c.d"), "vendor/class", id="dot in class"),
        pytest.param(_set("kind", to="/fake"), "vendor/class", id="no vendor"),
        pytest.param(_set("devices", to=[]), "no devices", id="no devices"),
        pytest.param(_set("devices", 0, "name", to="uid-1-FAKE-b"), "two devices", id="twice"),
        pytest.param(_set("devices", 0, "name", to="a b"), "characters", id="name"),
        pytest.param(_set("devices", 0, "name", to=""), "characters", id="no name"),
        pytest.param(_set("devices", 0, "containerEdits", to={}), "edits nothing", id="no edits"),
        pytest.param(
            _set("devices", 0, "containerEdits", "env", 0, to="novalue"), "has env", id="env"
        ),
        pytest.param(
            _set("devices", 0, "containerEdits", "env", 0, to="A=b\0"), "has env", id="NUL"
        ),
    ],
)
def test_what_runtimes_refuse(change: Callable[[JSON], None], fault: str) -> None:
    spec = cdi.claim_spec(FAKE, claim("FAKE-a", "FAKE-b"))
    cdi.validate(spec)
    change(spec)
    with pytest.raises(InvalidCdiSpec, match=fault):
        cdi.validate(spec)
