"""The life of a demo on an embedded cluster, in steps between which things go wrong."""

from api.contract import FAKE
from api.invariants import NodeFiles
from api.objects import NodeName
from demo.expect import DEMOS, problems
from fsck.command import Options, inspect
from fsck.nodefiles import read_files
from tests.support.embedded import Embedded

SPLIT = DEMOS[4]


def begin_up(cluster: Embedded) -> None:
    """Create the demo's objects."""
    cluster.session.apply(cluster.demo(SPLIT.name))


def up(cluster: Embedded) -> list[str]:
    """Wait until the pods run; return what is wrong with their devices."""
    cluster.session.running(SPLIT)
    return problems(SPLIT, cluster.session.logs(SPLIT), cluster.session.states())


def begin_down(cluster: Embedded) -> None:
    """Delete the demo's objects."""
    cluster.session.delete(SPLIT)


def down(cluster: Embedded) -> list[str]:
    """Wait until nothing is held any more."""
    cluster.session.released([SPLIT])
    cluster.settled()
    return []


STEPS = ((begin_up, up), (begin_down, down))


def violations(cluster: Embedded) -> list[str]:
    """Return what fsck sees in the cluster and on its nodes."""

    def files() -> dict[NodeName, NodeFiles]:
        roots = {node: cluster.config.node_root(node) for node in cluster.nodes}
        return {
            NodeName(node): read_files(
                FAKE, root / "cdi", root / "plugins" / FAKE.driver_name, NodeName(node)
            )
            for node, root in roots.items()
        }

    found = inspect(cluster.client, "fake-system", files, Options(False, False, 2.0), FAKE)
    return [f"{each.violation.kind}: {each.violation.message}" for each in found.findings]


def said(error: BaseException) -> str:
    """Return an error in one line of a table."""
    return " ".join((str(error) or type(error).__name__).split())[:300]
