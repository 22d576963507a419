"""Devices that pods ask for as extended resources: which claim is made, and who gets what."""

from typing import Any

import pytest

from api.objects import JSON
from api.pods import Pod, PodClaim
from devcluster.extendedresources import (
    IMPLICIT,
    extended_claim,
    recorded,
    requests_of,
    with_extended_claim,
)
from kube.errors import Invalid
from tests.support.build import node, pod
from tests.support.controlplanerig import ControlRig, scheduler_rig
from tests.support.structuredobjects import device
from tests.support.structuredworld import CLASS, STRUCTURED, published
from tests.support.tables import cases


def a_class(name: str, resource: str = "", created: str = "2026-01-01T00:00:00Z") -> JSON:
    spec = {"extendedResourceName": resource} if resource else {}
    return {**CLASS, "metadata": {"name": name, "creationTimestamp": created}, "spec": spec}


def container(name: str, **requests: Any) -> JSON:
    return {
        "name": name,
        "resources": {"requests": {k.replace("_", "/"): v for k, v in requests.items()}},
    }


def asking(*containers: JSON, **spec: Any) -> Pod:
    return Pod({**pod(), "spec": {"containers": list(containers), **spec}})


def classes(*made: JSON) -> dict[str, JSON]:
    return {each["metadata"]["name"]: each for each in made}


GPU = a_class("gpu", "example.com/gpu")


@cases(
    ("raw", "requests"),
    {
        "one": (
            asking(container("c", **{"example.com_gpu": "2"})),
            [("container-0-request-0", "gpu", 2)],
        ),
        "implicit": (
            asking(container("c", **{f"{IMPLICIT}gpu": "1"})),
            [("container-0-request-0", "gpu", 1)],
        ),
        "none": (asking(container("c", cpu="1")), None),
        "nothing-of-it": (asking(container("c", **{"example.com_gpu": "0"})), None),
        "of-no-class": (asking(container("c", **{"example.com_fpga": "1"})), None),
        "several": (
            asking(
                container("c"),
                container("d", **{"example.com_nic": "1", "example.com_gpu": "3", "cpu": "1"}),
                initContainers=[container("i", **{"example.com_gpu": "1"})],
            ),
            [
                ("container-0-request-0", "gpu", 1),
                ("container-2-request-0", "gpu", 3),
                ("container-2-request-1", "nic", 1),
            ],
        ),
    },
)
def test_requests(raw: Pod, requests: list[tuple[str, str, int]] | None) -> None:
    found = extended_claim(raw, classes(GPU, a_class("nic", "example.com/nic")))
    asked = found.raw["spec"]["devices"]["requests"] if found else None
    shown = asked and [
        (each["name"], each["exactly"]["deviceClassName"], each["exactly"]["count"])
        for each in asked
    ]
    assert shown == requests


@pytest.mark.parametrize("days", [("01", "02"), ("02", "01")])
def test_the_younger_of_two_classes_is_taken(days: tuple[str, str]) -> None:
    made = [a_class(f"of-{day}", "example.com/gpu", f"2026-01-{day}T00:00:00Z") for day in days]
    found = extended_claim(asking(container("c", **{"example.com_gpu": "1"})), classes(*made))
    assert found is not None
    (asked,) = found.raw["spec"]["devices"]["requests"]
    assert asked["exactly"]["deviceClassName"] == "of-02"


def test_the_status_says_which_container_has_what() -> None:
    raw = asking(container("c", **{"example.com_gpu": "1"}), container("d"))
    claim = extended_claim(raw, classes(GPU))
    assert claim is not None
    told = Pod({**raw.raw, "status": with_extended_claim(claim, "made")})
    assert recorded(told) == PodClaim("", "made", from_template=True)
    assert (requests_of(told, "c"), requests_of(told, "d")) == (["container-0-request-0"], [])
    assert recorded(raw) is None


def rig_with(*devices: JSON) -> ControlRig:
    user = asking(container("c", **{"example.com_gpu": "2"})).raw
    return scheduler_rig(node(), GPU, published(*devices), user, known=STRUCTURED)


def test_the_scheduler_makes_allocates_and_records_the_claim() -> None:
    rig = rig_with(device("gpu-0"), device("gpu-1"))
    rig.settle()
    (claim,) = rig.api.all(STRUCTURED.claims)
    meta = claim["metadata"]
    assert rig.node_of() == "node-1"
    assert meta["name"].startswith("pod-extended-resources-")
    assert meta["annotations"] == {"resource.kubernetes.io/extended-resource-claim": "true"}
    assert meta["ownerReferences"][0]["uid"] == "uid-pod"
    assert claim["status"]["reservedFor"][0]["uid"] == "uid-pod"
    results = claim["status"]["allocation"]["devices"]["results"]
    assert [each["device"] for each in results] == ["gpu-0", "gpu-1"]
    assert rig.pod()["status"]["extendedResourceClaimStatus"] == {
        "resourceClaimName": meta["name"],
        "requestMappings": [
            {
                "containerName": "c",
                "resourceName": "example.com/gpu",
                "requestName": "container-0-request-0",
            }
        ],
    }


def test_without_devices_no_claim_is_made_until_there_are_some() -> None:
    rig = rig_with(device("gpu-0"))
    rig.settle()
    assert rig.node_of() is None
    assert not rig.has(STRUCTURED.claims)
    assert "cannot allocate all claims" in rig.told()[0][1]
    rig.time += 20
    rig.put(published(device("gpu-0"), device("gpu-1")))
    rig.sync()
    rig.settle()
    assert rig.node_of() == "node-1"


def test_a_claim_that_was_made_is_used_when_binding_is_tried_again() -> None:
    rig = rig_with(device("gpu-0"), device("gpu-1"))
    failures = iter([Invalid(422, "Invalid", "no", {})])
    rig.api.fault = lambda _verb, plural, _body: (
        next(failures, None) if plural == "pods/pod/binding" else None
    )
    rig.settle()
    rig.time += 20
    rig.settle()
    assert rig.node_of() == "node-1"
    assert len(rig.api.all(STRUCTURED.claims)) == 1
