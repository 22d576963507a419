"""A pod that gets a node once kube-scheduler has seen all that was made and deleted before it.

Its watches are behind, so that it may give a pod devices that are gone, or of a class as it was.
"""

from typing import Final, NamedTuple

from api.objects import JSON
from tests.allocatorparity.generator import NODES
from tests.explainparity.workloads import NAMESPACE

CANARY: Final = "canary-"
DRIVER: Final = "canary.example.com"
"""Its devices are selected by no workload."""


class Canary(NamedTuple):
    """A pod with a claim for the one device of a class, by kind."""

    slices: JSON
    classes: JSON
    claims: JSON
    pods: JSON


def canary(number: int) -> Canary:
    """Return one that no other number has, for the nodes of workloads whatever their taints are."""
    name = f"{CANARY}{number}"
    meta = {"name": name}
    selector = f'device.driver == "{DRIVER}" && device.attributes["{DRIVER}"].number == {number}'
    fields = [{"key": "metadata.name", "operator": "In", "values": list(NODES)}]
    terms = {"nodeSelectorTerms": [{"matchFields": fields}]}
    device = {"name": "device", "attributes": {"number": {"int": number}}}
    pool = {"name": name, "generation": 1, "resourceSliceCount": 1}
    request = {"name": "device", "exactly": {"deviceClassName": name}}
    return Canary(
        {
            "metadata": meta,
            "spec": {"driver": DRIVER, "pool": pool, "allNodes": True, "devices": [device]},
        },
        {"metadata": meta, "spec": {"selectors": [{"cel": {"expression": selector}}]}},
        {"metadata": meta, "spec": {"devices": {"requests": [request]}}},
        {
            "metadata": {**meta, "namespace": NAMESPACE},
            "spec": {
                "containers": [{"name": "main", "image": "busybox:1.36"}],
                "resourceClaims": [{"name": "device", "resourceClaimName": name}],
                "tolerations": [{"operator": "Exists"}],
                "affinity": {
                    "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": terms}
                },
            },
        },
    )
