"""The API server as the command `fake-dra fsck` sees it."""

from api.objects import JSON
from api.resources import DRA_V1ALPHA2, NODES, STATES
from testing.apiserver import MemoryApi


class Server(MemoryApi):
    """An API server that has some objects."""

    def __init__(self, *objects: JSON, served: str = "v1alpha2") -> None:
        super().__init__(served)
        for obj in objects:
            self.put(
                {STATES.kind: STATES, NODES.kind: NODES}.get(obj["kind"], DRA_V1ALPHA2.claims), obj
            )
