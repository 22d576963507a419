"""The demos with a driver of another name, which is one setting."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.contract import FAKE
from api.resources import DRA_V1ALPHA2
from demo.expect import DEMOS, Demo, problems
from fsck.command import Options, inspect
from fsck.nodefiles import node_of, read_files
from tests.support.embedded import Embedded, embedded

OTHER = FAKE.renamed("other.example.com")
DEMO_IDS = [demo.name for demo in DEMOS]

pytestmark = pytest.mark.xdist_group("renamed")


@pytest.fixture(scope="module")
def renamed() -> Iterator[Embedded]:
    """A cluster whose driver has another name."""
    # pytest's own temporary directories make socket paths too long
    with (
        tempfile.TemporaryDirectory(prefix="dra-") as path,
        embedded(Path(path), nodes=1, contract=OTHER) as cluster,
    ):
        yield cluster


@pytest.mark.embedded
@pytest.mark.timeout(180)
@pytest.mark.parametrize("demo", DEMOS, ids=DEMO_IDS)
def test_a_demo_runs_with_a_driver_of_another_name(renamed: Embedded, demo: Demo) -> None:
    renamed.session.apply(renamed.demo(demo.name), in_turn=True)
    renamed.session.running(demo)
    assert problems(demo, renamed.session.logs(demo), renamed.session.states()) == []
    claims = renamed.client.list(DRA_V1ALPHA2.claims).items
    assert {claim["status"]["driverName"] for claim in claims} == {OTHER.driver_name}
    assert all(OTHER.finalizer in claim["metadata"]["finalizers"] for claim in claims)
    root = renamed.config.node_root(renamed.nodes[0])
    assert [path.name for path in (root / "plugins").iterdir()] == [OTHER.driver_name]
    assert [path.name for path in (root / "plugins_registry").iterdir()] == [
        OTHER.registration_socket
    ]
    files = [path.name for path in (root / "cdi").iterdir()]
    assert len(files) == len(claims) + 1
    assert all(name.startswith(OTHER.cdi_file_prefix) for name in files)
    renamed.session.delete(demo)
    renamed.session.released([demo])


@pytest.mark.embedded
@pytest.mark.timeout(90)
def test_fsck_finds_nothing_wrong_under_the_other_name(renamed: Embedded) -> None:
    demo = DEMOS[0]
    renamed.session.apply(renamed.demo(demo.name))
    renamed.session.running(demo)
    root = renamed.config.node_root(renamed.nodes[0])
    cdi, own = root / "cdi", root / "plugins" / OTHER.driver_name
    node = node_of(OTHER, cdi, own, "")
    look = Options(False, False, 1.0)
    found = inspect(
        renamed.client,
        "fake-system",
        lambda: {node: read_files(OTHER, cdi, own, node)},
        look,
        OTHER,
    )
    assert (node, found.findings, found.scope.ours) == (renamed.nodes[0], [], len(demo.claims))
    renamed.session.delete(demo)
    renamed.session.released([demo])
