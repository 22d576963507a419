"""What explain says of random pods, and what the scheduler of the embedded cluster then does.

`python -m tests.explainparity` does the same at length, and on any cluster.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from api.objects import JSON
from api.resources import PODS
from explain.features import features
from explain.seen import Seen
from tests.explainparity.__main__ import compare, described, embedded, trial
from tests.explainparity.comparison import Trial
from tests.explainparity.mending import Scene
from tests.explainparity.watched import V1
from tests.explainparity.workloads import NAMESPACE

WORKLOADS = 12
pytestmark = [pytest.mark.embedded, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def it() -> Iterator[Trial]:
    with embedded() as kubeconfig, trial(kubeconfig) as found:
        yield found


def test_whoever_fits_gets_a_node_and_nobody_else_before_what_is_named_is_gone(it: Trial) -> None:
    compare(it, WORKLOADS, 1)
    found = it.result
    assert found.workloads == WORKLOADS
    assert not found.disagreements, "\n".join(map(described, found.disagreements))
    assert found.allocated > WORKLOADS
    assert found.refused["devices"] > WORKLOADS
    assert found.mended.total() > WORKLOADS / 2


def test_claim_that_nobody_takes_devices_back_from_is_made_anew(it: Trial) -> None:
    site = it.site
    site.clear()
    claim = {"metadata": {"name": "left", "namespace": NAMESPACE}, "spec": {"devices": {}}}
    old = site.client.create(V1.claims, claim)
    allocation: JSON = {"devices": {"results": []}}
    left = site.client.patch(
        V1.claims,
        "left",
        {"status": {"allocation": allocation}},
        namespace=NAMESPACE,
        subresource="status",
    )
    site.until("an allocated claim", lambda: (site.claim("left") or {}).get("status"))
    pod: JSON = {"metadata": {"name": "waiting", "namespace": NAMESPACE}, "spec": {}}
    seen = Seen(37, features(37, {}, {}), datetime.now(UTC), claims=(left,))
    site.change(Scene(pod, seen), Scene(pod, replace(seen, claims=(old,))))
    new = site.until("a new claim", lambda: site.claim("left"))
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert not new.get("status")


def test_pod_that_is_evicted_as_soon_as_it_has_a_node_had_one(it: Trial) -> None:
    site = it.site
    site.clear()
    pod = {
        "metadata": {"name": "evicted", "namespace": NAMESPACE},
        "spec": {"containers": [{"name": "main", "image": "busybox:1.36"}], "nodeName": "n0"},
    }
    site.client.create(PODS, pod)
    site.remove("evicted")
    assert site.bound("evicted")
    assert (site.pod("evicted"), site.node_of("evicted")) == (None, "n0")
