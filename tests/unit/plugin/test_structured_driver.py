"""What containers get of the structured fake driver, asked as kubelets ask."""

import itertools
import re
from collections.abc import Mapping
from unittest.mock import create_autospec

import pytest

from api.contract import FAKE
from api.objects import JSON, ClaimUID, NodeName
from dra.driver import PreparingClaim, PublishStatus, Result
from plugin.devices import FakeDeviceSource
from plugin.errors import DeviceGone
from plugin.fakes import Fakes
from plugin.structured.driver import StructuredFakeDriver
from plugin.structured.inventory import Division
from testing.kubelet import PrepareFailed, container_edits
from testing.node import Node
from tests.support.fakerig import (
    DRIVER,
    NODE,
    fake_driver,
    result,
    scheduled,
    store,
    uuid,
)
from tests.support.readme import README

COMMON = {"FAKE_NODE_NAME": NODE, "DRA_RESOURCE_DRIVER_NAME": DRIVER}
SHARE = "1a2b3c4d-0000-4000-8000-000000000001"


def env(node: Node, *claims: JSON) -> Mapping[str, str]:
    """Return what a container gets with all claims."""
    return dict(node.kubelet.prepare(*(store(node.api, each) for each in claims)).env)


@pytest.mark.parametrize("dra_minor", [32, 34, 36, 37])
def test_a_whole_device(dra_node: Node) -> None:
    with dra_node.running(fake_driver()):
        found = env(dra_node, scheduled("a", result("fake-3"), pod_claim="my-gpu"))
        assert found == {
            **COMMON,
            "FAKE_DEVICE_0": uuid("fake-3"),
            "FAKE_CLAIM_MY_GPU_0": uuid("fake-3"),
            "FAKE_CLAIMUID_UID_A_0": uuid("fake-3"),
            "FAKE_CLAIMUID_UID_A_NAME": "a",
        }


def test_the_uuid_of_a_whole_device_is_that_of_the_classic_kind() -> None:
    assert uuid("fake-0") == "FAKE-9db0f96f-cccd-53a1-8f15-b8d38c413c38"


def test_a_child_tells_its_parent(dra_node: Node) -> None:
    with dra_node.running(fake_driver()):
        found = env(dra_node, scheduled("a", result("fake-0-split4-1")))
        assert found["FAKE_DEVICE_0"] == uuid("fake-0-split4-1")
        assert found["FAKE_DEVICE_0_PARENT"] == uuid("fake-0")
        assert found["FAKE_CLAIMUID_UID_A_0_PARENT"] == uuid("fake-0")


def test_a_half_is_no_quarter() -> None:
    """Two children of a parent never have the same uuid."""
    assert uuid("fake-0-split2-0") != uuid("fake-0-split4-0")


def test_the_number_is_that_of_the_claim_also_for_a_container_with_one_request(
    dra_node: Node,
) -> None:
    results = [result("fake-5", "a"), result("fake-2", "b"), result("fake-7", "b/small")]
    with dra_node.running(fake_driver()):
        claim = store(dra_node.api, scheduled("c", *results))
        everything = dra_node.kubelet.prepare(claim).env
        names = [f"FAKE_DEVICE_{index}" for index in range(3)]
        assert [everything[x] for x in names] == [uuid(f"fake-{n}") for n in (5, 2, 7)]
        one = dra_node.kubelet.edits(claim, "b").env
        assert {name: one.get(name) for name in names} == {
            "FAKE_DEVICE_0": None,
            "FAKE_DEVICE_1": uuid("fake-2"),
            "FAKE_DEVICE_2": uuid("fake-7"),
        }
        assert one["FAKE_NODE_NAME"] == NODE


@pytest.mark.parametrize("dra_minor", [36, 37])
def test_a_share_tells_what_it_has(dra_node: Node) -> None:
    share = result("fake-1", shareID=SHARE, consumedCapacity={"memory": "4Gi"})
    with dra_node.running(fake_driver()):
        found = env(dra_node, scheduled("a", share))
        assert found["FAKE_DEVICE_0"] == uuid("fake-1")
        assert (found["FAKE_DEVICE_0_SHARE"], found["FAKE_DEVICE_0_MEMORY"]) == (SHARE, "4Gi")
        assert found["FAKE_CLAIMUID_UID_A_0_SHARE"] == SHARE


def test_two_shares_of_one_device_in_a_claim(dra_node: Node) -> None:
    other = SHARE.replace("1", "2")
    shares = [result("fake-1", name, shareID=x) for name, x in (("a", SHARE), ("b", other))]
    with dra_node.running(fake_driver()):
        found = env(dra_node, scheduled("a", *shares))
        assert [found[f"FAKE_DEVICE_{n}_SHARE"] for n in range(2)] == [SHARE, other]


def test_several_claims_in_a_container_keep_every_device_in_sight_in_any_order(
    dra_node: Node,
) -> None:
    """Kubelets from 1.36 on hand CDI ids over in random order, and the last variable wins."""
    claims = [
        scheduled("a", result("fake-0"), result("fake-1-split2-0"), pod_claim="gpu"),
        scheduled("b", result("fake-2-split4-3"), pod_claim="gpu"),
        scheduled("gpu", result("fake-3"), result("fake-4")),
    ]
    with dra_node.running(fake_driver()):
        stored = [store(dra_node.api, each) for each in claims]
        dra_node.kubelet.prepare(*stored)
        plugin = dra_node.kubelet.plugins[DRIVER]
        assert plugin is not None
        ids = [
            f"k8s.{DRIVER}/fake={each['metadata']['uid']}-{x['device']}"
            for each in claims
            for x in each["status"]["allocation"]["devices"]["results"]
        ]
        for order in itertools.permutations(ids):
            found = container_edits([dra_node.directories.cdi], order).env
            for each in claims:
                own = f"FAKE_CLAIMUID_{each['metadata']['uid'].upper().replace('-', '_')}"
                assert found[f"{own}_NAME"] == each["metadata"]["name"]
                for index, x in enumerate(each["status"]["allocation"]["devices"]["results"]):
                    assert found[f"{own}_{index}"] == uuid(x["device"])
                    parent = found.get(f"{own}_{index}_PARENT")
                    whole, split, _ = x["device"].partition("-split")
                    assert parent == (uuid(whole) if split else None)


def test_its_own_cdi_id_is_all_that_a_device_is_answered_with(dra_node: Node) -> None:
    """The kubelet names the health of a device by the first id, and drops what it has seen."""
    with dra_node.running(fake_driver()):
        env(dra_node, scheduled("a", result("fake-0"), result("fake-1")))
        assert not list(dra_node.directories.cdi.glob("*common*"))


@pytest.mark.parametrize(
    ("kind", "said"),
    [("FakeClaimParameters", "requests\\[\\].exactly.count"), ("Other", "'Other' is not known")],
)
@pytest.mark.parametrize("requests", [["r"], []], ids=["named", "all"])
def test_parameters_are_refused(dra_node: Node, kind: str, said: str, requests: list[str]) -> None:
    """From 1.37 on `requests` of what is for all requests is empty."""
    opaque = {"driver": DRIVER, "parameters": {"kind": kind, "spec": {"count": 4}}}
    given = {"source": "FromClaim", "requests": requests, "opaque": opaque}
    with dra_node.running(fake_driver()):
        with pytest.raises(PrepareFailed, match=said):
            env(dra_node, scheduled("a", result("fake-0"), config=[given]))
        strangers = {**given, "opaque": {**opaque, "driver": "other.example.com"}}
        assert env(dra_node, scheduled("b", result("fake-0"), config=[strangers]))


def test_a_device_that_never_was_is_told(dra_node: Node) -> None:
    with (
        dra_node.running(fake_driver()),
        pytest.raises(PrepareFailed, match=r"gpu-0 .* is none that .* delete the pod"),
    ):
        env(dra_node, scheduled("a", result("gpu-0")))


def test_a_name_that_never_is_a_device_is_refused_by_the_driver() -> None:
    """As when somebody else has published it under the driver's name."""
    made = PreparingClaim(
        *(ClaimUID("u"), "ns", "c", "c", (), (Result("r", NODE, "gpu-0"),)),
        publish_status=create_autospec(PublishStatus),
    )
    with pytest.raises(DeviceGone, match=re.escape("device gpu-0 is none that this driver has")):
        fake_driver().prepare(made)


def test_the_readme_shows_what_a_container_sees_of_a_mixed_split() -> None:
    node = NodeName("fake-dra-driver-cluster-worker")
    driver = StructuredFakeDriver(
        Fakes(FAKE, node), FakeDeviceSource(FAKE, node, 8, "M"), Division()
    )
    names = ("fake-0-split2-0", "fake-0-split4-0", "fake-0-split4-1")
    results = tuple(Result("r", node, name) for name in names)
    made = PreparingClaim(
        *(ClaimUID("u"), "test6", "c", "fakes", (), results),
        publish_status=create_autospec(PublishStatus),
    )
    env = {name: value for each in driver.prepare(made) for name, value in each.edits.env.items()}
    seen = sorted(name for name in env if name.startswith("FAKE_DEVICE"))
    lines = "".join(f"export {name}='{env[name]}'\n" for name in seen)
    assert f"```console\npod0 ctr0:\n{lines}```\n" in README.read_text(encoding="utf-8")
