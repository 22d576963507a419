"""Claims that say themselves what they have (`--communication handle`), with the real programs.

On clusters of their own, since all programs have to be told. A cluster is also changed to it and
back, with pods that run on.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.claims.versions import read_claim
from api.contract import FAKE
from api.handles import given
from api.resources import NAMESPACES
from demo.expect import DEMOS, problems
from ops.communication import Communication
from testing.waiting import until
from tests.support.demolife import violations
from tests.support.embedded import Embedded, communicating
from tests.support.manifests import ClaimRequest, namespace
from tests.support.outage import driven
from tests.support.space import Space

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(300)]

NAS, HANDLE = Communication.NAS, Communication.HANDLE


@contextmanager
def driving(cluster: Embedded, how: Communication) -> Iterator[None]:
    """Let the programs run that are told how."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COMMUNICATION", how)
        with driven(cluster, cluster.config.kubeconfig):
            yield


def in_states(cluster: Embedded) -> int:
    """Return how many entries of claims there are in NodeAllocationStates."""
    return sum(len(s.allocated) + len(s.prepared) for s in cluster.session.states())


def in_claims(cluster: Embedded) -> int:
    """Return how many claims say themselves what they have."""
    claims = map(read_claim, cluster.session.claim_objects())
    return sum(given(claim, FAKE) is not None for claim in claims)


@pytest.mark.parametrize("kubernetes", ["1.28", "1.30", "1.31"])
def test_demos_run_with_claims_that_say_what_they_have(kubernetes: str) -> None:
    with communicating(HANDLE, nodes=2, kubernetes=kubernetes) as cluster:
        claims = 0
        for demo in DEMOS:
            cluster.session.apply(cluster.demo(demo.name))
            claims += len(demo.claims)
        for demo in DEMOS:
            cluster.session.running(demo)
            logs = cluster.session.logs(demo)
            assert problems(demo, logs, cluster.session.states()) == []
        assert in_claims(cluster) == len(cluster.cdi_files()) == claims
        until("nothing of claims in node states", lambda: in_states(cluster) == 0)
        assert violations(cluster) == []
        for demo in DEMOS:
            cluster.session.delete(demo)
        cluster.session.released(DEMOS)
        cluster.settled()


def test_a_cluster_changes_to_handles_and_back_with_pods_that_run_on() -> None:
    with communicating(NAS, nodes=2, driver=False) as cluster:
        space = _space(cluster)
        with driving(cluster, NAS):
            space.apply(*space.claim("first", ClaimRequest(split=2)), space.pod("p1", "first"))
            space.ready("p1")
            before = cluster.cdi_files()
        with driving(cluster, HANDLE):
            space.apply(*space.claim("second"), space.pod("p2", "second"))
            space.ready("p2")
            assert (in_claims(cluster), set(before) < set(cluster.cdi_files())) == (1, True)
            until("the entry of the first claim only", lambda: in_states(cluster) == 1)
            assert violations(cluster) == []
        with driving(cluster, NAS):
            space.apply(*space.claim("third"), space.pod("p3", "third"))
            space.ready("p3")
            assert space.given() == space.prepared()
            held = [d for s in space.states() for c in s.holders.values() for d in c.devices]
            assert len({device.id for device in held}) == len(held) == 3
            assert violations(cluster) == []
            for number, name in enumerate(("first", "second", "third"), 1):
                space.delete(f"pod/p{number}", f"resourceclaim/{name}")
            cluster.settled()


def _space(cluster: Embedded) -> Space:
    cluster.client.create(NAMESPACES, namespace("handles"))
    return Space(cluster, "handles")
