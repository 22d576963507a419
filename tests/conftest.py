"""Which cluster the tests of tests/cluster and tests/e2e run on, and what they cannot do there."""

import gc
import itertools
import os
from collections.abc import Callable, Generator, Iterator

import pytest
from hypothesis import HealthCheck, settings

from api.resources import NAMESPACES
from ops.communication import Communication
from tests.support.anycluster import Cluster, skip_before
from tests.support.choice import Choice, chosen
from tests.support.effort import tries
from tests.support.manifests import namespace
from tests.support.realcluster import RaisedCluster
from tests.support.space import Space
from tests.support.timelimits import Limits

MARKERS = (
    "embedded: needs the processes and files of the embedded cluster",
    "raised: needs the node that --k8s raises",
    "nodes(n): needs so many nodes",
    "parameters: needs parameters in objects of their own, and Immediate claims; not on 1.31",
    "nas: looks at what nodes tell of claims, which they don't with COMMUNICATION=handle",
    "since(minor, why): earlier Kubernetes cannot pass it, and why",
)
HANDLE = Communication.HANDLE.value
_numbers = itertools.count(1)

# the same examples everywhere, and no verdict about the speed of the machine
settings.register_profile(
    "steady",
    max_examples=tries(100),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cluster", "the cluster that tests run on; by default the embedded one")
    group.addoption(
        "--kubeconfig",
        metavar="FILE",
        help="a cluster of your own, with the driver in the namespace fake-system",
    )
    group.addoption(
        "--k8s",
        metavar="VERSION",
        help="raise a real one-node Kubernetes such as 1.30 on this machine, as root",
    )
    group.addoption(
        "--gates",
        metavar="NAME=BOOL,…",
        help="feature gates to switch there, such as DRAPartitionableDevices=true",
    )
    group.addoption(
        "--race",
        metavar="SECONDS",
        type=float,
        default=300.0,
        help="how long pods for parts of devices come and go; by default five minutes",
    )
    group.addoption(
        "--pictures",
        metavar="FOLDER",
        help="where to put the pictures that docs/ui.md shows; by default they are thrown away",
    )


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(Limits(float(config.getini("timeout") or 0)))


def pytest_collection() -> None:
    # what it makes lives until the end; to look for garbage in it, then and later, takes seconds
    gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    choice = Choice.of(config.option)
    _deselect_other_claims(config, items, structured=choice.is_structured)
    for item in items:
        if "shared_cluster" in getattr(item, "fixturenames", ()):
            # one cluster for all workers together, which they would disturb for each other
            item.add_marker(pytest.mark.xdist_group("cluster"))
        if item.get_closest_marker("embedded") and not choice.is_embedded:
            item.add_marker(pytest.mark.skip("only the embedded cluster has what it needs"))
        if item.get_closest_marker("raised") and not choice.is_raised:
            item.add_marker(pytest.mark.skip("needs the node that --k8s raises; give --k8s 1.30"))
        if item.get_closest_marker("nas") and os.environ.get("COMMUNICATION") == HANDLE:
            item.add_marker(pytest.mark.skip("nodes tell nothing of claims in the handle mode"))


def _deselect_other_claims(
    config: pytest.Config, items: list[pytest.Item], *, structured: bool
) -> None:
    """Leave out the tests of classic claims where kube-scheduler allocates, and the others else."""
    other = [item for item in items if _claims_of(item) not in (None, structured)]
    if other:
        config.hook.pytest_deselected(items=other)
        items[:] = [item for item in items if item not in other]


def _claims_of(item: pytest.Item) -> bool | None:
    """Tell whether a test of a cluster is about structured claims; None for other tests."""
    folders = item.path.parent.parts
    if "structured" in folders:
        return True
    return False if folders[-1] in ("cluster", "e2e") and "unit" not in folders else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(cluster, Cluster):
        for program in cluster.programs:
            report.sections.append((f"log of {program}", cluster.last_words(program)))
    return report


@pytest.fixture(scope="session")
def shared_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster of all tests."""
    with chosen(Choice.of(request.config.option)) as it:
        yield it


@pytest.fixture
def cluster(shared_cluster: Cluster, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A cluster on which nothing is allocated, before and after the test."""
    needed = request.node.get_closest_marker("nodes")
    if needed and len(shared_cluster.nodes) < needed.args[0]:
        pytest.skip(f"needs {needed.args[0]} nodes")
    if request.node.get_closest_marker("parameters") and shared_cluster.minor >= 31:
        pytest.skip("claims of Kubernetes 1.31 cannot say it")
    skip_before(request.node, shared_cluster.minor)
    shared_cluster.settled()
    yield shared_cluster
    shared_cluster.settled()


@pytest.fixture
def spaces(cluster: Cluster) -> Iterator[Callable[[], Space]]:
    """Makes namespaces; what is in them goes after the test."""
    made: list[Space] = []

    def make() -> Space:
        name = f"space{next(_numbers)}"
        cluster.client.create(NAMESPACES, namespace(name))
        made.append(Space(cluster, name))
        return made[-1]

    yield make
    for space in made:
        space.clear()


@pytest.fixture
def space(spaces: Callable[[], Space]) -> Space:
    """A namespace of its own."""
    return spaces()


@pytest.fixture
def raised(space: Space) -> RaisedCluster:
    """The cluster of a test marked `raised`, whose node it may stop and start."""
    assert isinstance(space.cluster, RaisedCluster)
    return space.cluster
