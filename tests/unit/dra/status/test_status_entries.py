import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.claims.view import Result, device_of
from api.objects import JSON
from devcluster.apiserver.patch import json_patch
from dra.errors import InvalidDeviceStatus
from dra.publish.status import entries

DEVICE = Result("r", "pool", "gpu-0")
READY: JSON = {"type": "Ready", "status": "True", "reason": "Up"}
DRIVER = "gpu.example.com"


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"data": []}, "data must be an object"),
        ({"data": {"k": float("nan")}}, "data is not JSON: "),
        ({"data": {"k": object()}}, "data is not JSON: "),
        ({"data": {"k": "x" * 10240}}, "data has 10248 bytes, at most 10240 are allowed"),
        ({"conditions": [{**READY, "type": str(i)} for i in range(9)]}, "conditions has 9 entries"),
        ({"conditions": [READY, READY]}, "two conditions of type Ready"),
        ({"conditions": [{**READY, "status": "Yes"}]}, "must be one of True, False, Unknown"),
        ({"conditions": [{"type": "Ready", "status": "True"}]}, "conditions[0].reason is required"),
        ({"network": {"ips": ["10.0.0.1/8"] * 17}}, "networkData.ips has 17 entries"),
        ({"network": {"interfaceName": "x" * 257}}, "networkData.interfaceName has more than 256"),
        ({"network": {"hardwareAddress": "x" * 129}}, "hardwareAddress has more than 128"),
    ],
)
def test_what_the_api_does_not_allow_is_named(fields: JSON, wrong: str) -> None:
    given_fields: JSON = {"conditions": (), "data": None, "network": None, **fields}
    with pytest.raises(InvalidDeviceStatus, match="device pool/gpu-0 cannot be shown") as error:
        entries.shown(DRIVER, DEVICE, **given_fields)
    assert wrong in str(error.value)


def test_the_largest_data_is_allowed() -> None:
    data = {"k": "x" * (10240 - len('{"k":""}'))}
    assert entries.shown(DRIVER, DEVICE, (), data, None).data == data


others = st.sampled_from(["a.example.com", "b.example.com", DRIVER])
listed = st.lists(
    st.builds(
        lambda driver, device, share, data: {
            "driver": driver,
            "pool": "pool",
            "device": f"gpu-{device}",
            **({"shareID": share} if share else {}),
            "data": {"k": data},
        },
        others,
        st.integers(0, 2),
        st.sampled_from([None, "s"]),
        st.integers(0, 1),
    ),
    max_size=5,
    unique_by=lambda each: str(device_of(each)),
)


@given(listed, st.sampled_from([None, {"k": 0}, {"k": 1}]))
def test_patch_and_list_say_the_same_and_leave_all_others(
    devices: list[JSON], data: JSON | None
) -> None:
    claim: Any = {"metadata": {"resourceVersion": "7"}, "status": {"devices": devices}}
    wanted = entries.shown(DRIVER, DEVICE, (), data, None)
    edit = entries.edit(claim, wanted, "now")
    own = [each for each in devices if device_of(each) == device_of(wanted.device)]
    if edit is None:
        assert own == ([{**wanted.device, "data": data}] if data else [])
        return
    patched = json_patch(copy.deepcopy(claim), edit.patch(claim))
    assert patched["status"]["devices"] == edit.applied(devices)
    kept = [each for each in devices if each not in own]
    assert [x for x in edit.applied(devices) if device_of(x) != device_of(wanted.device)] == kept
    assert entries.edit(patched, wanted, "later") is None
