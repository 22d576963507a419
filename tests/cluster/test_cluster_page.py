"""The page of the embedded cluster of both kinds, clicked through in a real Chromium.

With `--pictures docs/pictures` it renews the pictures of docs/ui.md.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from api.contract import FAKE
from api.objects import JSON
from api.resources import DRA_V1ALPHA2, NODES, PODS, STRUCTURED_VERSIONS, Resource
from demo.walks import WALKS
from devcluster.config import ClusterConfig, NodeConfig
from kube.client import Client
from testing.waiting import until
from tests.support.anycluster import ROOT
from tests.support.chromium import SIZE, Visit, chromium
from tests.support.embedded import running
from tests.support.uipage import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

V1: Final = STRUCTURED_VERSIONS["v1"]
CLASS: Final = "fake.3-shake.com"
WORKERS: Final = ("worker-1", "worker-2", "worker-3")
pytestmark = [
    pytest.mark.embedded,
    pytest.mark.timeout(400),
    pytest.mark.xdist_group("page"),
]


@dataclass(frozen=True, slots=True)
class Shown:
    """A cluster with work on it, and its page."""

    client: Client
    claims: Resource
    url: str


def wants(name: str, count: int) -> JSON:
    """Return a claim of 1.37."""
    asked = {"deviceClassName": CLASS, "count": count}
    spec = {"devices": {"requests": [{"name": "devices", "exactly": asked}]}}
    return {"metadata": {"name": name, "namespace": "default"}, "spec": spec}


def uses(**claim: object) -> JSON:
    """Return the pod `training`, which uses a claim."""
    container = {"name": "main", "image": "busybox", "resources": {"claims": [{"name": "gpus"}]}}
    meta = {"name": "training", "namespace": "default"}
    used = [{"name": "gpus", **claim}]
    return {"metadata": meta, "spec": {"containers": [container], "resourceClaims": used}}


def structured(client: Client) -> None:
    """Let a pod wait, a device be unwell, a claim be left, and a class select everything."""
    client.create(V1.classes, {"metadata": {"name": "everything"}, "spec": {}})
    client.create(V1.claims, wants("too-many", 9))
    client.create(PODS, uses(resourceClaimName="too-many"))
    health = {f"health.{FAKE.driver_name}/fake-6": "unhealthy: too hot"}
    client.patch(NODES, "worker-3", {"metadata": {"annotations": health}})
    client.create(V1.claims, wants("left", 1))
    result = {"request": "devices", "driver": FAKE.driver_name, "pool": "worker-2"}
    devices = {"results": [{**result, "device": "fake-7-split2-1"}]}
    status = {"status": {"allocation": {"devices": devices}}}
    client.patch(V1.claims, "left", status, namespace="default", subresource="status")


def classic(client: Client) -> None:
    """Let a pod wait, and a claim be allocated at once that nobody uses."""
    claims = DRA_V1ALPHA2.claims
    for name, mode in (("too-many", "WaitForFirstConsumer"), ("left", "Immediate")):
        spec = {"resourceClassName": CLASS, "allocationMode": mode}
        client.create(claims, {"metadata": {"name": name, "namespace": "default"}, "spec": spec})
    pod = uses(source={"resourceClaimName": "too-many"})
    pod["spec"]["nodeSelector"] = {"disktype": "ssd"}
    client.create(PODS, pod)


KINDS: Final = {"structured": (V1.claims, structured), "classic": (DRA_V1ALPHA2.claims, classic)}


@contextmanager
def page(kind: str, directory: Path) -> Iterator[Shown]:
    """Run a cluster with the demos and more on it, and its page."""
    claims, more = KINDS[kind]
    walk = WALKS[kind]
    named = tuple(map(NodeConfig, WORKERS))
    config = ClusterConfig(directory, nodes=0, named=named, kubernetes=walk.kubernetes)
    with running(config):
        kubeconfig = str(config.kubeconfig)
        client = Client.from_kubeconfig(kubeconfig, qps=0, burst=1, user_agent="test")
        try:
            session = walk.session(client, FAKE)
            session.nodes_ready(len(WORKERS))
            demos = [demo for wave in walk.waves for demo in wave][:6]
            for demo in demos:
                path = ROOT / "demo" / walk.folder / f"fake-{demo.name}.yaml"
                session.apply(path, in_turn=True)
            for demo in demos:
                session.running(demo)
            more(client)
            with opened(config.kubeconfig) as found:
                yield Shown(client, claims, found.url)
        finally:
            client.close()


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module", params=[*KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shown(
    browser: "Browser", kind: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shown]:
    with page(kind, tmp_path_factory.mktemp(kind)) as found:
        yield found


@pytest.fixture
def visit(browser: "Browser", shown: Shown) -> Iterator[Visit]:
    found = Visit(browser, shown.url)
    until("the claim that is left", lambda: found.page.locator(".card .part.left").count() == 1)
    yield found
    found.end(shown.url)


def test_devices_lead_to_claims_and_these_to_pods_and_back(visit: Visit, shown: Shown) -> None:
    page = visit.page
    assert page.locator(".card").count() == 8 * len(WORKERS)
    used = page.locator(".card:has(.used)").first
    used.click()
    page.wait_for_selector("#side summary")
    assert "LATEST-FAKE-MODEL" in page.text_content("#side")
    page.locator("#side a[data-k^='claim ']").first.click()
    page.wait_for_selector("#side .timeline")
    stations = page.locator("#side .timeline .done b").all_inner_texts()
    assert stations == ["created", "allocated", "prepared", "running"]
    page.locator("#side a[data-k^='pod ']").first.click()
    page.wait_for_selector("#side .verdict.yes")
    assert "it runs on worker-" in page.inner_text("#side .verdict")
    page.locator("#side a[data-k^='claim ']").first.click()
    page.locator("#side a[data-k^='card ']").first.click()
    until("the card", lambda: page.locator(".card.chosen").count() == 1)


def test_what_needs_attention(visit: Visit, kind: str) -> None:
    page = visit.page
    told = "no node has the devices" if kind == "structured" else "no node takes the pod"
    until("the cause", lambda: told in page.inner_text("#side"))
    text = page.inner_text("#side")
    assert "default/training" in text
    assert "default/left" in text
    assert ("everything" in text) is (kind == "structured")
    assert ("worker-3 fake-6" in text) is (kind == "structured")


def test_a_pod_that_waits_is_explained(visit: Visit) -> None:
    page = visit.page
    page.keyboard.press("3")
    assert visit.focused() == "default/training"
    page.keyboard.press("Enter")
    page.wait_for_selector("#side .verdict.no")
    assert "What nodes say" in page.inner_text("#side")
    assert "Kubernetes says: 0/3 nodes are available" in page.inner_text("#side")


def test_claims_come_and_go_without_a_reload(visit: Visit, shown: Shown) -> None:
    page = visit.page
    claim = wants("guest", 1)
    if shown.claims != V1.claims:
        claim["spec"] = {"resourceClassName": CLASS, "allocationMode": "Immediate"}
    page.keyboard.press("2")
    row = page.locator("[data-row='default/guest']")
    shown.client.create(shown.claims, claim)
    until("the claim", lambda: row.count() == 1)
    shown.client.delete(shown.claims, "guest", "default")
    until("its end", lambda: "released" in row.inner_text())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures(
    browser: "Browser",
    shown: Shown,
    kind: str,
    scheme: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """Each is a page that somebody sees; without --pictures they are only made."""
    folder = Path(request.config.getoption("--pictures") or tmp_path)
    visit = Visit(browser, shown.url, scheme)
    try:
        until("the claim", lambda: visit.page.locator(".card .part.left").count() == 1)
        until("causes", lambda: "no node" in visit.page.inner_text("#side"))
        views = {"devices": "#/"}
        if kind == "structured":
            views["pod"] = "#/pod/default/training"
        for name, path in views.items():
            visit.page.goto(f"{shown.url}{path}")
            if name == "pod":
                visit.page.wait_for_selector("#side .verdict.no")
            picture = visit.page.screenshot(path=folder / f"ui-{kind}-{name}-{scheme}.png")
            assert picture.startswith(b"\x89PNG")
            width = int.from_bytes(picture[16:20], "big")
            assert width == SIZE["width"]
        ground = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(ground.partition("(")[2].partition(",")[0]) < 128) is (scheme == "dark")
    finally:
        visit.end(shown.url)
