"""What a driver shows of a claim's devices, on the API server of all tests."""

import json
from typing import Final

from prometheus_client import CollectorRegistry

from api.claims.versions import STRUCTURED
from api.claims.view import ClaimView, Result
from api.conversion import converted
from api.objects import JSON, ClaimUID
from api.rawjson import RawJson
from api.resources import STRUCTURED_VERSIONS, Resource
from devcluster.apiserver.resourceapi import ResourceApi, structured
from dra.claims import ClaimReader, ClaimRef
from dra.driver import PublishStatus
from dra.publish.status.publisher import StatusPublisher
from dra.publish.status.told import Told
from kube.errors import ApiError, api_error
from testing.apiserver import MemoryApi
from testing.clock import Clock
from tests.support.slicerig import Events

DRIVER: Final = "gpu.example.com"
OTHER: Final = "nic.example.com"
NOW: Final = 1_800_000_000.0
SINCE: Final = "2027-01-15T08:00:00Z"
CLAIMS: Final = STRUCTURED_VERSIONS["v1"].claims


class ClaimsApi(MemoryApi):
    """An API server with structured claims.

    Attributes:
        protobuf: whether it can show them in protobuf.
    """

    def __init__(self, api: ResourceApi) -> None:
        super().__init__(api=api)
        self.protobuf = True

    def get_protobuf(self, resource: Resource, name: str, namespace: str | None = None) -> bytes:
        if self.protobuf:
            return super().get_protobuf(resource, name, namespace)
        return json.dumps(self.get(resource, name, namespace)).encode()


class StatusRig:
    """A publisher, and a claim for two devices of the driver and one of another."""

    def __init__(self, api: ResourceApi | None = None) -> None:
        self.api = ClaimsApi(api or structured())
        self.claims = STRUCTURED_VERSIONS[self.api.served[0]].claims
        self.clock = Clock()
        self.start()

    def start(self) -> None:
        """Begin anew, as a process does."""
        self.events = Events()
        self.registry = CollectorRegistry()
        self.reader = ClaimReader(self.api, STRUCTURED)
        told = Told(self.events, self.registry, clock=self.clock)
        self.publisher = StatusPublisher(self.api, self.reader, DRIVER, told, now=lambda: NOW)

    def give(self, parameters: str = '{"a":1}', *shown: JSON, name: str = "c") -> PublishStatus:
        """Store an allocated claim with parameters as they were sent; return what shows it."""
        claim = allocated_claim(parameters, *shown, name=name)
        self.api.put(self.claims, converted(claim, self.claims))
        publish = self.publisher.of(self.read(name))
        self.api.calls.clear()
        return publish

    def read(self, name: str = "c") -> ClaimView:
        return self.reader.read(ClaimRef("default", name, ClaimUID("")))

    def result(self, index: int = 0) -> Result:
        return Result("r", "node-1", f"gpu-{index}")

    @property
    def devices(self) -> list[JSON]:
        """What is shown of the claim `c`, of all drivers."""
        found = self.api.find(self.claims, "c", "default")["status"].get("devices") or []
        return [{name: value for name, value in each.items() if value} for each in found]

    def requests(self) -> list[str]:
        """Return the verbs of the requests since the last time."""
        found = [verb for verb, _, _ in self.api.calls]
        self.api.calls.clear()
        return found

    def count(self, result: str) -> float:
        name = "fake_dra_plugin_device_status_writes_total"
        return self.registry.get_sample_value(name, {"result": result}) or 0.0


def allocated_claim(parameters: str, *shown: JSON, name: str = "c") -> JSON:
    config = {"opaque": {"driver": DRIVER, "parameters": RawJson(parameters)}}
    devices = [(DRIVER, "gpu-0"), (DRIVER, "gpu-1"), (OTHER, "eth-0")]
    results = [
        {"request": "r", "driver": driver, "pool": "node-1", "device": device}
        for driver, device in devices
    ]
    allocation = {"results": results, "config": [{"source": "FromClaim", **config}]}
    wish = {"deviceClassName": "gpu", "allocationMode": "ExactCount", "count": 3}
    status: JSON = {"allocation": {"devices": allocation}}
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
        "spec": {"devices": {"requests": [{"name": "r", "exactly": wish}], "config": [config]}},
        "status": {**status, "devices": list(shown)} if shown else status,
    }


def others_entry(data: str = '{"x":1}') -> JSON:
    """Return what another driver shows, with data as that was sent."""
    return {"driver": OTHER, "pool": "node-1", "device": "eth-0", "data": RawJson(data)}


def refused(*causes: tuple[str, str]) -> ApiError:
    """Return a 422 with reasons and fields."""
    named = [{"reason": reason, "message": "m", "field": field} for reason, field in causes]
    status = {"reason": "Invalid", "message": "m", "details": {"causes": named}}
    return api_error(422, status, call="patch")
