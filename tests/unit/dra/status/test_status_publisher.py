from collections.abc import Callable
from typing import Any

import pytest

from api.claims.view import Result
from api.objects import JSON
from devcluster.apiserver.resourceapi import structured
from dra.errors import InvalidDeviceStatus
from dra.publish.status.told import REASON, SILENT_SECONDS
from kube.calls import Patch
from kube.errors import ConnectFailed, Forbidden, KubeError
from tests.support.statusrig import (
    CLAIMS,
    DRIVER,
    OTHER,
    SINCE,
    StatusRig,
    others_entry,
    refused,
)

READY: JSON = {"type": "Ready", "status": "True", "reason": "Up"}
COMPACT = '{"a":1,"b":2}'
UNSORTED = '{"b":1,"a":2}'
PYTHON = '{"b": 1, "a": 2}'
ODD = '{ "b" :1,\n\t"a": 2}'
PATCHED = ["patch"]
REPLACED = ["patch", "get", "update"]
FORBIDDEN = refused(("FieldValueForbidden", "status.devices"))


@pytest.fixture
def rig() -> StatusRig:
    return StatusRig()


def entry(index: int = 0, **fields: Any) -> JSON:
    return {"driver": DRIVER, "pool": "node-1", "device": f"gpu-{index}", **fields}


def failing(error: KubeError, *verbs: str) -> Callable[[str, str, Patch | None], KubeError | None]:
    return lambda verb, plural, _: (
        error if verb in verbs and plural == "resourceclaims/status" else None
    )


def test_a_device_is_shown_with_all_that_the_driver_says(rig: StatusRig) -> None:
    network = {"interfaceName": "eth0", "ips": ["10.0.0.1/24"], "hardwareAddress": "00:01"}
    rig.give()(rig.result(), conditions=[READY], data={"k": [1.0]}, network=network)
    condition = {**READY, "message": "", "lastTransitionTime": SINCE}
    assert rig.devices == [entry(conditions=[condition], data={"k": [1.0]}, networkData=network)]
    assert (rig.requests(), rig.count("written")) == (["patch"], 1.0)


def test_a_share_is_shown_by_its_id(rig: StatusRig) -> None:
    rig.give()
    claim = rig.api.find(CLAIMS, "c", "default")
    share = "11111111-1111-4111-8111-111111111111"
    claim["status"]["allocation"]["devices"]["results"][0]["shareID"] = share
    rig.api.put(CLAIMS, claim)
    publish = rig.publisher.of(rig.read())
    (shared, *_) = rig.read().results(DRIVER)
    publish(shared, data={"k": 1})
    with pytest.raises(InvalidDeviceStatus, match="is not allocated"):
        publish(rig.result(0), data={"k": 1})
    assert rig.devices == [entry(shareID=share, data={"k": 1})]


@pytest.mark.parametrize("version", ["v1", "v1beta2", "v1beta1"])
def test_every_version_shows_devices(version: str) -> None:
    rig = StatusRig(structured(34, version))
    rig.give(PYTHON)(rig.result(), data={"k": 1})
    assert rig.devices == [entry(data={"k": 1})]


@pytest.mark.parametrize(
    ("parameters", "protobuf", "first", "second"),
    [
        pytest.param(COMPACT, True, PATCHED, PATCHED, id="compact"),
        pytest.param(UNSORTED, True, PATCHED, PATCHED, id="unsorted"),
        pytest.param(PYTHON, True, REPLACED, REPLACED[1:], id="python"),
        pytest.param(ODD, True, REPLACED, REPLACED[1:], id="odd"),
        pytest.param(PYTHON, False, REPLACED, REPLACED[1:], id="python-without-protobuf"),
    ],
)
def test_a_device_is_shown_however_parameters_were_sent(
    rig: StatusRig, parameters: str, protobuf: bool, first: list[str], second: list[str]
) -> None:
    rig.api.protobuf = protobuf
    publish = rig.give(parameters)
    publish(rig.result(), data={"k": 1})
    assert (rig.requests(), rig.devices) == (first, [entry(data={"k": 1})])
    publish(rig.result(1), data={"k": 2})
    assert rig.requests() == second
    assert rig.devices == [entry(data={"k": 1}), entry(1, data={"k": 2})]
    assert rig.events.warnings == []


def test_what_a_claim_needs_is_remembered_for_the_next_prepare(rig: StatusRig) -> None:
    rig.give(ODD)(rig.result(), data={"k": 1})
    publish = rig.publisher.of(rig.read())
    rig.requests()
    publish(rig.result(), data={"k": 2})
    assert rig.requests() == REPLACED[1:]


def test_where_no_text_is_known_it_is_told_once_and_left(rig: StatusRig) -> None:
    rig.api.protobuf = False
    publish = rig.give(ODD)
    for number in range(3):
        publish(rig.result(), data={"k": number})
    assert rig.requests() == REPLACED
    ((reason, message),) = rig.events.warnings
    assert (reason, rig.count("unpublishable")) == (REASON, 1.0)
    assert "create the claim with parameters without white space" in message
    rig.give(COMPACT, name="d")(rig.result(), data={"k": 1})
    assert rig.requests() == PATCHED


@pytest.mark.parametrize("data", ['{"x":1}', '{"x" :  1}'], ids=["compact", "spaced"])
@pytest.mark.parametrize("parameters", [COMPACT, ODD], ids=["patched", "replaced"])
def test_entries_of_other_drivers_stay_as_they_are(
    rig: StatusRig, parameters: str, data: str
) -> None:
    publish = rig.give(parameters, others_entry(data))
    publish(rig.result(), data={"k": 1})
    publish(rig.result(1), data={"k": 2})
    publish(rig.result())
    others, own = rig.devices
    assert (others["driver"], own) == (OTHER, entry(1, data={"k": 2}))
    stored = rig.api.peek(CLAIMS)[0]["status"]["devices"][0]["data"]
    # a patch shows the server its own text, without white space
    assert stored == (data if parameters == ODD else '{"x":1}')


def test_data_of_others_that_a_patch_would_alter_is_sent_as_it_was(rig: StatusRig) -> None:
    publish = rig.give(COMPACT, others_entry('{"x" :  1}'))
    rig.api.fault = failing(FORBIDDEN, "patch")
    publish(rig.result(), data={"k": 1})
    assert rig.requests() == REPLACED
    assert rig.api.peek(CLAIMS)[0]["status"]["devices"][0]["data"] == '{"x" :  1}'
    assert rig.devices[1] == entry(data={"k": 1})


def test_what_is_shown_already_causes_no_request(rig: StatusRig) -> None:
    publish = rig.give()
    for _ in range(3):
        publish(rig.result(), conditions=[READY], data={"k": 1})
        publish(rig.result(1))
    rig.publisher.of(rig.read())(rig.result(), conditions=[READY], data={"k": 1})
    assert rig.requests() == ["patch", "get"]


def test_an_entry_that_the_server_shows_with_empty_fields_is_no_other(rig: StatusRig) -> None:
    shown = {**entry(data={"k": 1}), "conditions": None}
    rig.give(COMPACT, shown)(rig.result(), data={"k": 1})
    assert rig.requests() == []


def test_a_condition_keeps_its_time_until_its_status_changes(rig: StatusRig) -> None:
    old = {**READY, "message": "m", "lastTransitionTime": "2020-01-01T00:00:00Z"}
    publish = rig.give(COMPACT, entry(conditions=[old]))
    publish(rig.result(), conditions=[{**READY, "reason": "Other"}])
    (kept,) = rig.devices[0]["conditions"]
    publish(rig.result(), conditions=[{**READY, "status": "False"}])
    (changed,) = rig.devices[0]["conditions"]
    times = (kept["lastTransitionTime"], changed["lastTransitionTime"])
    assert times == ("2020-01-01T00:00:00Z", SINCE)


@pytest.mark.parametrize("parameters", [COMPACT, ODD], ids=["patched", "replaced"])
def test_nothing_to_show_removes_the_entry(rig: StatusRig, parameters: str) -> None:
    publish = rig.give(parameters, others_entry(), entry(data={"k": 1}))
    publish(rig.result())
    assert [each["driver"] for each in rig.devices] == [OTHER]


@pytest.mark.parametrize("parameters", [COMPACT, ODD], ids=["patched", "replaced"])
def test_what_others_wrote_meanwhile_is_kept(rig: StatusRig, parameters: str) -> None:
    publish = rig.give(parameters)
    claim = rig.api.objects["resourceclaims", (rig.api.calls and "") or "default/c"]
    claim["metadata"]["labels"] = {"a": "b"}
    claim["status"]["devices"] = [others_entry()]
    rig.api.rewrite(claim)
    publish(rig.result(), data={"k": 1})
    publish(rig.result(1), data={"k": 2})
    assert [each["driver"] for each in rig.devices] == [OTHER, DRIVER, DRIVER]
    assert rig.api.find(CLAIMS, "c", "default")["metadata"]["labels"] == {"a": "b"}
    assert rig.events.warnings == []


def gone(rig: StatusRig) -> None:
    rig.api.remove(CLAIMS, "c", "default")


def made_anew(rig: StatusRig) -> None:
    gone(rig)
    rig.give()
    claim = rig.api.find(CLAIMS, "c", "default")
    claim["metadata"]["uid"] = "uid-other"
    rig.api.put(CLAIMS, claim)


def deallocated(rig: StatusRig) -> None:
    claim = rig.api.find(CLAIMS, "c", "default")
    claim["status"] = {}
    rig.api.put(CLAIMS, claim)


@pytest.mark.parametrize("fate", [gone, made_anew, deallocated])
def test_a_claim_that_is_not_ours_any_more_gets_nothing(
    rig: StatusRig, fate: Callable[[StatusRig], None]
) -> None:
    publish = rig.give()
    fate(rig)
    rig.requests()
    publish(rig.result(), data={"k": 1})
    looked = rig.requests()
    publish(rig.result(), data={"k": 2})
    assert (looked, rig.requests()) == (["patch", "get"], [])
    assert [each["status"].get("devices") for each in rig.api.all(CLAIMS)] in ([], [None])
    assert rig.events.warnings == []


@pytest.mark.parametrize(
    ("error", "result", "advice", "others"),
    [
        pytest.param(
            Forbidden(403, "Forbidden"), "forbidden", "resourceclaims/status", [], id="403"
        ),
        pytest.param(FORBIDDEN, "forbidden_device", "associated-node:patch", PATCHED, id="422"),
    ],
)
def test_without_permission_it_is_told_once(
    rig: StatusRig, error: KubeError, result: str, advice: str, others: list[str]
) -> None:
    publish = rig.give()
    rig.api.fault = failing(error, "patch", "update")
    for number in range(3):
        publish(rig.result(), data={"k": number})
    assert rig.requests() == PATCHED
    other = rig.give(COMPACT, name="d")
    other(rig.result(), data={"k": 1})
    assert rig.requests() == others
    ((reason, message),) = rig.events.warnings
    assert (reason, rig.count(result)) == (REASON, 1.0 + len(others))
    assert advice in message


def test_a_permission_that_came_later_is_found(rig: StatusRig) -> None:
    publish = rig.give()
    rig.api.fault = failing(Forbidden(403, "Forbidden"), "patch")
    publish(rig.result(), data={"k": 1})
    rig.api.fault = failing(Forbidden(403, "Forbidden"))
    publish(rig.result(), data={"k": 1})
    assert rig.devices == []
    rig.clock.advance(SILENT_SECONDS)
    publish(rig.result(), data={"k": 1})
    assert rig.devices == [entry(data={"k": 1})]


def test_a_server_that_drops_the_field_is_told_once() -> None:
    rig = StatusRig(structured(32, "v1beta1"))
    publish = rig.give()
    for number in range(3):
        publish(rig.result(), data={"k": number})
    assert rig.requests() == PATCHED
    ((reason, message),) = rig.events.warnings
    assert (reason, rig.count("not_stored")) == (REASON, 1.0)
    assert "DRAResourceClaimDeviceStatus" in message


def test_what_the_server_finds_wrong_is_told_and_the_next_is_tried(rig: StatusRig) -> None:
    publish = rig.give()
    for address in ("10.0.0.1", "10.0.0.1", "10.0.0.1/8"):
        publish(rig.result(), network={"ips": [address]})
    assert rig.requests() == ["patch"] * 3
    assert rig.devices == [entry(networkData={"ips": ["10.0.0.1/8"]})]
    ((_, message),) = rig.events.warnings
    assert "must be a valid address in CIDR form" in message


def test_a_failure_that_passes_is_not_the_drivers(rig: StatusRig) -> None:
    publish = rig.give()
    rig.api.fault = failing(ConnectFailed("refused"), "patch")
    publish(rig.result(), data={"k": 1})
    rig.api.fault = failing(ConnectFailed("refused"))
    assert (rig.count("failed"), rig.devices) == (1.0, [])
    publish(rig.result(), data={"k": 1})
    assert rig.devices == [entry(data={"k": 1})]


def test_a_device_of_no_result_is_refused(rig: StatusRig) -> None:
    with pytest.raises(InvalidDeviceStatus, match="device node-1/gpu-9 is not allocated to"):
        rig.give()(Result("r", "node-1", "gpu-9"), data={"k": 1})
    assert rig.requests() == []
