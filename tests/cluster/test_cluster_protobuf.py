"""A driver that speaks protobuf over HTTP, as client-go does by itself for built-in kinds."""

import http.client
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from api.conditions import holds
from api.objects import JSON
from api.protobuf.envelope import MEDIA_TYPE, decoded, encoded
from api.resources import PODS, STRUCTURED_VERSIONS
from devcluster.config import ClusterConfig
from kube.client import Client
from kube.errors import NotFound
from testing.waiting import until
from tests.support.embedded import running
from tests.support.wirebytes import enveloped

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(120)]
DRIVER, SPACE = "peer.example.com", "default"
KNOWN = STRUCTURED_VERSIONS["v1"]
GROUP = KNOWN.claims.api_version
SLICES, CLAIMS = KNOWN.slices.path(), KNOWN.claims.path(SPACE)


class Peer:
    """A client without any code of this project but the codec."""

    def __init__(self, config: ClusterConfig) -> None:
        cluster = yaml.safe_load(config.kubeconfig.read_text())["clusters"][0]["cluster"]
        self._host = urlsplit(cluster["server"]).netloc

    def __call__(self, method: str, path: str, data: bytes = b"") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host, timeout=30)
        headers = {"Accept": f"{MEDIA_TYPE},application/json", "Content-Type": MEDIA_TYPE}
        try:
            connection.request(method, path, data or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def config() -> Iterator[ClusterConfig]:
    # pytest's own temporary directories make socket paths too long
    with tempfile.TemporaryDirectory(prefix="dra-") as path:
        config = ClusterConfig(Path(path), kubernetes="1.37", driver=False)
        with running(config):
            yield config


@pytest.fixture
def client(config: ClusterConfig) -> Iterator[Client]:
    client = Client.from_kubeconfig(
        str(config.kubeconfig), qps=1000, burst=1000, user_agent="tests"
    )
    yield client
    client.close()


def published(node: str) -> JSON:
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": DRIVER, "nodeName": node, "pool": pool, "devices": [{"name": "d0"}]}
    meta = {"generateName": f"{node}-"}
    return {"apiVersion": GROUP, "kind": "ResourceSlice", "metadata": meta, "spec": spec}


def wanted() -> JSON:
    opaque = {"driver": DRIVER, "parameters": {"speed": 1}}
    request = {"name": "r", "exactly": {"deviceClassName": "peer"}}
    devices = {"requests": [request], "config": [{"opaque": opaque}]}
    meta, spec = {"name": "c"}, {"devices": devices}
    return {"apiVersion": GROUP, "kind": "ResourceClaim", "metadata": meta, "spec": spec}


def pod() -> JSON:
    container = {"name": "c", "image": "i", "resources": {"claims": [{"name": "it"}]}}
    claims = [{"name": "it", "resourceClaimName": "c"}]
    return {
        "metadata": {"name": "p"},
        "spec": {"containers": [container], "resourceClaims": claims},
    }


def test_publishes_is_allocated_shows_status_and_goes(
    config: ClusterConfig, client: Client
) -> None:
    peer = Peer(config)
    code, answer = peer("POST", SLICES, encoded(published(config.node_names[0])))
    assert code == 201
    made = decoded(answer)["metadata"]
    expression = f'device.driver == "{DRIVER}"'
    selectors = [{"cel": {"expression": expression}}]
    client.create(KNOWN.classes, {"metadata": {"name": "peer"}, "spec": {"selectors": selectors}})
    assert peer("POST", CLAIMS, encoded(wanted()))[0] == 201
    client.create(PODS, pod(), SPACE)
    until(
        "the pod is scheduled",
        lambda: holds(client.get(PODS, "p", SPACE), "PodScheduled"),
    )

    claim = decoded(peer("GET", f"{CLAIMS}/c")[1])
    (result,) = claim["status"]["allocation"]["devices"]["results"]
    assert (result["driver"], result["device"]) == (DRIVER, "d0")
    device = {name: result[name] for name in ("driver", "pool", "device")}
    claim["status"]["devices"] = [{**device, "data": {"temperature": 20}}]
    code, answer = peer("PUT", f"{CLAIMS}/c/status", encoded(claim))
    assert code == 200, answer
    (shown,) = client.get(KNOWN.claims, "c", SPACE)["status"]["devices"]
    assert shown == {**device, "data": {"temperature": 20}}

    client.delete(PODS, "p", SPACE, grace_seconds=0)
    stale = enveloped(GROUP, "DeleteOptions", (2, [(1, "of another slice")]))
    assert peer("DELETE", f"{SLICES}/{made['name']}", stale)[0] == 409
    ours = enveloped(GROUP, "DeleteOptions", (2, [(1, made["uid"])]))
    assert peer("DELETE", f"{SLICES}/{made['name']}", ours)[0] == 200
    with pytest.raises(NotFound):
        client.get(KNOWN.slices, made["name"])
