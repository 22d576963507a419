"""The structured fake driver on a node of tests, and claims as kube-scheduler leaves them."""

from collections.abc import Sequence
from typing import Any, Final

from api.contract import FAKE
from api.objects import JSON, NodeName
from api.resources import STRUCTURED_VERSIONS
from plugin.devices import FakeDeviceSource
from plugin.fakes import Fakes
from plugin.structured.driver import StructuredFakeDriver
from plugin.structured.inventory import Division, identity, part_of
from testing.apiserver import MemoryApi

NODE: Final = NodeName("node-1")
DRIVER: Final = FAKE.driver_name
CLAIMS: Final = STRUCTURED_VERSIONS["v1"].claims
SOURCE: Final = FakeDeviceSource(FAKE, NODE, 8, "M")


def fake_driver(devices: int = 8, division: Division | None = None) -> StructuredFakeDriver:
    """Return the driver with so many devices."""
    source = FakeDeviceSource(FAKE, NODE, devices, "M")
    return StructuredFakeDriver(Fakes(FAKE, NODE), source, division or Division())


def uuid(device: str) -> str:
    """Return the uuid of a device by its name."""
    part = part_of(FAKE.device_key, device)
    assert part is not None
    return identity(SOURCE, part)


def result(device: str, request: str = "r", **fields: Any) -> JSON:
    """Return one device of an allocation."""
    return {"request": request, "driver": DRIVER, "pool": NODE, "device": device, **fields}


def scheduled(
    name: str, *results: JSON, config: Sequence[JSON] = (), pod_claim: str = "", pod: str = "pod"
) -> JSON:
    """Return a claim that was given devices and is reserved for a pod.

    Args:
        name: of the claim, and of its uid.
        results: of the allocation, in order.
        config: of the allocation.
        pod_claim: what the pod calls it, if it was made from a template.
        pod: that it is reserved for.
    """
    requests = dict.fromkeys(each["request"].partition("/")[0] for each in results)
    wish = {"deviceClassName": "fake.3-shake.com", "allocationMode": "ExactCount", "count": 1}
    terms = [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": [NODE]}]}]
    devices: JSON = {"results": list(results), **({"config": list(config)} if config else {})}
    meta: JSON = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
    if pod_claim:
        meta["annotations"] = {"resource.kubernetes.io/pod-claim-name": pod_claim}
    return {
        "apiVersion": CLAIMS.api_version,
        "kind": CLAIMS.kind,
        "metadata": meta,
        "spec": {"devices": {"requests": [{"name": r, "exactly": wish} for r in requests]}},
        "status": {
            "allocation": {"devices": devices, "nodeSelector": {"nodeSelectorTerms": terms}},
            "reservedFor": [{"resource": "pods", "name": pod, "uid": f"uid-{pod}"}],
        },
    }


def store(api: MemoryApi, claim: JSON) -> JSON:
    """Store a claim, and return it."""
    return api.put(CLAIMS, claim)
