"""What the driver asked of the API server during all the other tests, and that it was allowed to.

That nothing could be taken from its rights is for tests/unit/deploy/test_deploy_permissions.py:
whether the rarer ones are needed here depends on who comes first.
"""

import pytest

from demo.session import SYSTEM
from tests.support.anycluster import ROOT, Cluster
from tests.support.audittrail import asked, refused, used
from tests.support.choice import CHART
from tests.support.helm import Helm
from tests.support.rbac import Permission, permissions
from tests.support.realcluster import RaisedCluster

ALWAYS = {
    ("controller", "list", "resource.k8s.io/resourceclaims"),
    ("controller", "watch", "resource.k8s.io/podschedulingcontexts"),
    ("controller", "update", "coordination.k8s.io/leases"),
    ("kubeletplugin", "watch", "nas.fake.resource.3-shake.com/nodeallocationstates"),
    ("kubeletplugin", "patch", "nas.fake.resource.3-shake.com/nodeallocationstates"),
}
"""What any run needs, so that an audit log of something else is not taken for good."""

pytestmark = [pytest.mark.raised, pytest.mark.last, pytest.mark.timeout(120)]


@pytest.fixture
def granted() -> set[Permission]:
    """What the chart gives."""
    return permissions(Helm(ROOT / ".bin" / "helm", CHART).template())


def test_every_request_of_the_driver_was_allowed(
    shared_cluster: Cluster, granted: set[Permission], request: pytest.FixtureRequest
) -> None:
    assert isinstance(shared_cluster, RaisedCluster)
    events = shared_cluster.machine.audited()
    requests = asked(events, SYSTEM)
    needed = used(granted, requests)
    assert {(each.component, each.verb, each.resource) for each in needed} >= ALWAYS
    assert refused(events, SYSTEM) == []
    terminal = request.config.get_terminal_writer()
    terminal.line(f"\n{len(requests)} requests, {len(needed)} of {len(granted)} permissions used")
    for permission in sorted(granted - needed):
        terminal.line(f"not used: {permission}")


def test_no_request_was_allowed_by_other_rights_than_the_chart_s(
    shared_cluster: Cluster, granted: set[Permission]
) -> None:
    """Discovery is left out, which every service account may do."""
    assert isinstance(shared_cluster, RaisedCluster)
    requests = asked(shared_cluster.machine.audited(), SYSTEM)
    answered = [each for each in requests if each.request.resource and each.code < 400]
    assert [each for each in answered if not used(granted, [each])] == []
