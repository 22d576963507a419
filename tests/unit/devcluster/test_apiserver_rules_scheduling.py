import pytest

from api.objects import JSON
from devcluster.apiserver.errors import Invalid
from devcluster.apiserver.patch import MERGE, Patch
from devcluster.apiserver.writes import WriteOptions
from tests.support.apiserverrig import Rig
from tests.support.tables import cases


def context(**spec: object) -> JSON:
    return {"metadata": {"name": "p"}, "spec": spec}


def nodes(count: int) -> list[str]:
    return [f"n{number}" for number in range(count)]


@pytest.fixture
def rig() -> Rig:
    rig = Rig()
    rig.create("PodSchedulingContext", context(potentialNodes=nodes(128), selectedNode="n1"))
    return rig


def patched(rig: Rig, body: JSON, subresource: str = "") -> JSON:
    kind = rig.kind("PodSchedulingContext")
    return rig.store.patch(
        kind, "default", "p", Patch(MERGE, body), options=WriteOptions(subresource=subresource)
    )


def test_scheduler_and_drivers_write_their_parts(rig: Rig) -> None:
    claims = [{"name": "a", "unsuitableNodes": nodes(128)}, {"name": "b"}]
    obj = patched(rig, {"spec": {}, "status": {"resourceClaims": claims}}, "status")
    assert obj["status"]["resourceClaims"] == claims
    obj = patched(rig, {"spec": {"selectedNode": "n2"}, "status": {}})
    assert (obj["spec"]["selectedNode"], obj["status"]["resourceClaims"]) == ("n2", claims)


@pytest.mark.parametrize(
    ("potential", "said"),
    [
        (nodes(129), "spec.potentialNodes: Too long: may not be longer than 128"),
        (["a", "a"], r'spec.potentialNodes\[1\]: Duplicate value: "a"'),
    ],
)
def test_potential_nodes(rig: Rig, potential: list[str], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        patched(rig, {"spec": {"potentialNodes": potential}})
    rig.delete("PodSchedulingContext", "p")
    with pytest.raises(Invalid, match=said):
        rig.create("PodSchedulingContext", context(potentialNodes=potential))


@cases(
    "claims",
    {
        "too many": [{"name": "a", "unsuitableNodes": nodes(129)}],
        "same node": [{"name": "a", "unsuitableNodes": ["x", "x"]}],
        "same claim": [{"name": "a"}, {"name": "a"}],
        "no name": [{"name": ""}],
    },
)
def test_answers_of_drivers(rig: Rig, claims: list[JSON]) -> None:
    with pytest.raises(Invalid):
        patched(rig, {"status": {"resourceClaims": claims}}, "status")
