"""The driver has the rights that it needs, for its own node only."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS
from kube.errors import ApiError
from tests.support.audittrail import asked, refused, used
from tests.support.filecluster import CONTRACT, NAME, SYSTEM, FileCluster, installation
from tests.support.rbac import permissions
from tests.support.serviceaccount import As, clients_of
from tests.support.structuredcluster import NODE

V1 = STRUCTURED_VERSIONS["v1"].slices
OTHER = "another-node"
ALWAYS = {
    ("get", "/nodes"),
    ("create", "resource.k8s.io/resourceslices"),
    ("watch", "resource.k8s.io/resourceslices"),
    ("get", "resource.k8s.io/resourceclaims"),
}
"""What any run needs, so that an audit log of something else is not taken for good."""

pytestmark = [pytest.mark.raised, pytest.mark.timeout(200)]


@pytest.fixture
def driver(files: FileCluster, tmp_path: Path) -> Iterator[As]:
    """Makes clients with tokens of the driver's service account."""
    with clients_of(files.kubectl, SYSTEM, NAME, tmp_path / "kubeconfig") as make:
        yield make


def forged(node: str) -> JSON:
    return {
        "apiVersion": V1.api_version,
        "kind": V1.kind,
        "metadata": {"name": f"forged-{node}"},
        "spec": {
            "driver": CONTRACT.driver_name,
            "nodeName": node,
            "pool": {"name": node, "generation": 0, "resourceSliceCount": 1},
            "devices": [{"name": "gold"}],
        },
    }


@pytest.fixture
def others(files: FileCluster) -> Iterator[JSON]:
    """A slice of another node."""
    files.apply(forged(OTHER))
    (found,) = [each for each in files.slices() if each["spec"]["nodeName"] == OTHER]
    yield found
    files.delete(f"resourceslice/{found['metadata']['name']}")


def test_driver_writes_slices_of_its_own_node(files: FileCluster, driver: As) -> None:
    (pod,) = files.driver_pods()
    (own,) = files.slices()
    stored = driver(pod).update(files.resources.slices, files.served(own))
    assert stored["spec"]["nodeName"] == NODE


def test_driver_cannot_make_a_slice_of_another_node(files: FileCluster, driver: As) -> None:
    (pod,) = files.driver_pods()
    said = f"the driver of node {NODE} may not write ResourceSlices of node {OTHER}"
    with pytest.raises(ApiError, match=said):
        driver(pod).create(files.resources.slices, files.served(forged(OTHER)))


def test_driver_cannot_change_the_slice_of_another_node(
    files: FileCluster, driver: As, others: JSON
) -> None:
    (pod,) = files.driver_pods()
    with pytest.raises(ApiError, match=f"may not write ResourceSlices of node {OTHER}"):
        driver(pod).update(files.resources.slices, files.served(others))


def test_driver_cannot_delete_the_slice_of_another_node(
    files: FileCluster, driver: As, others: JSON
) -> None:
    (pod,) = files.driver_pods()
    with pytest.raises(ApiError, match=f"may not write ResourceSlices of node {OTHER}"):
        driver(pod).delete(files.resources.slices, others["metadata"]["name"])


def test_a_token_of_no_pod_writes_no_slice(files: FileCluster, driver: As) -> None:
    with pytest.raises(ApiError, match="the token names no node"):
        driver().create(files.resources.slices, files.served(forged(NODE)))


@pytest.mark.last
def test_every_request_of_the_driver_was_allowed(
    files: FileCluster, request: pytest.FixtureRequest
) -> None:
    """What the tests above tried is refused by admission, which is not counted here."""
    events = files.machine.audited()
    requests = asked(events, SYSTEM)
    granted = permissions(list(yaml.safe_load_all(installation())))
    needed = used(granted, requests)
    assert {(each.verb, each.resource) for each in needed} >= ALWAYS
    assert refused(events, SYSTEM) == []
    answered = [each for each in requests if each.request.resource and each.code < 400]
    assert [each for each in answered if not used(granted, [each])] == []
    terminal = request.config.get_terminal_writer()
    terminal.line(f"\n{len(requests)} requests, {len(needed)} of {len(granted)} permissions used")
    for permission in sorted(granted - needed):
        terminal.line(f"not used: {permission}")
