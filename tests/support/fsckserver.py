"""The API server as the command `fake-dra fsck` sees it."""

from api.objects import JSON
from controller.caches import STATES
from controller.wiring import VERSIONS
from kube.resources import NODES
from tests.support.memoryapi import MemoryApi

CLAIMS = VERSIONS["v1alpha2"].resources.claims


class Server(MemoryApi):
    """An API server that has some objects."""

    def __init__(self, *objects: JSON, served: str = "v1alpha2") -> None:
        super().__init__(served)
        for obj in objects:
            self.put({STATES.kind: STATES, NODES.kind: NODES}.get(obj["kind"], CLAIMS), obj)
