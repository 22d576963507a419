"""What the kernel says that the driver's programs may do, whatever their pods ask for."""

import pytest

from demo.session import SYSTEM
from tests.support.anycluster import CONTROLLER, plugin_of
from tests.support.kubectl import KubectlFailed
from tests.support.realcluster import RaisedCluster

USERS = {CONTROLLER: "65532", "plugin": "0"}

pytestmark = [pytest.mark.raised, pytest.mark.timeout(120)]


def inside(raised: RaisedCluster, program: str, *command: str) -> str:
    """Run a command in the pod of a program; return what it writes."""
    name = str(raised.pod(program)["metadata"]["name"])
    return raised.kubectl.run("exec", "-n", SYSTEM, name, "--", *command)


@pytest.fixture(params=sorted(USERS))
def program(request: pytest.FixtureRequest, raised: RaisedCluster) -> str:
    """Name of a program of the driver."""
    return CONTROLLER if request.param == CONTROLLER else plugin_of(raised.nodes[0])


def test_program_has_no_capability_and_gains_none(raised: RaisedCluster, program: str) -> None:
    lines = inside(raised, program, "cat", "/proc/1/status").splitlines()
    status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
    kinds = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    assert {kind: int(status[kind][0], 16) for kind in kinds} == dict.fromkeys(kinds, 0)
    assert status["NoNewPrivs"] == ["1"]
    user = USERS[program.partition("-")[0]]
    assert set(status["Uid"] + status["Gid"]) == {user}


def test_program_cannot_write_to_its_image(raised: RaisedCluster, program: str) -> None:
    for path in ("/new", "/usr/new", "/tmp/new"):
        with pytest.raises(KubectlFailed, match="Read-only file system"):
            inside(raised, program, "touch", path)
