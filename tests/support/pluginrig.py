"""The node's side of the plugin on a FakeApi and real directories; it can be killed and restarted.

`Tripwire` counts every write to a file or to the API server, just before and just after it, and
raises `Killed` at one of these moments, as if the process had got SIGKILL there.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any, NoReturn, Self
from unittest.mock import create_autospec

import pytest
from prometheus_client import CollectorRegistry

import plugin.cdi_directory
import plugin.checkpoint
from api.nas import Device
from api.objects import JSON, ClaimUID, Key, NodeName, object_key
from kube.client import ListPage
from kube.errors import AlreadyExists
from kube.events import EventRecorder
from kube.resources import NODES, Resource
from kube.store import Store
from plugin import cdi
from plugin.cdi_directory import CdiDirectory
from plugin.checkpoint import Checkpoint
from plugin.claims import ClaimReader, ClaimRef
from plugin.devices import FakeDeviceSource
from plugin.driver import NodeDriver
from plugin.garbage import Collector
from plugin.metrics import PluginMetrics
from plugin.nodestate import NODE_STATES, NodeState
from plugin.repairs import Repair
from plugin.state import State
from tests.support.build import NAMESPACE, SYSTEM, allocated, claim
from tests.support.fakeapi import FakeApi

NODE = NodeName("node-1")
CLAIMS = Resource("resource.k8s.io", "v1alpha2", "resourceclaims", "ResourceClaim")


class Killed(BaseException):
    """The process died; not an Exception, so that nothing catches it."""


class Tripwire:
    """Raises at the n-th moment before or after a write; disarmed at first."""

    def __init__(self) -> None:
        self.left: int | None = None

    def arm(self, moment: int) -> None:
        self.left = moment

    def disarm(self) -> bool:
        """Let all writes pass again; tell whether it was still waiting for its moment."""
        waiting, self.left = self.left is not None, None
        return waiting

    def moment(self) -> None:
        if self.left is None:
            return
        self.left -= 1
        if self.left == 0:
            self.left = None
            raise Killed

    @contextmanager
    def around(self) -> Iterator[None]:
        self.moment()
        yield
        self.moment()

    def wrap(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with self.around():
                return write(*args, **kwargs)

        return wrapped

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """Count the writes of files."""
        for module in (plugin.cdi_directory, plugin.checkpoint):
            patch.setattr(module, "write_atomically", self.wrap(module.write_atomically))
        patch.setattr(Path, "unlink", self.wrap(Path.unlink))


class SilentWatch:
    """A watch without events, open until it is closed."""

    def __init__(self) -> None:
        self._closed = Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[NoReturn]:
        assert self._closed.wait(30)
        return iter(())

    def close(self) -> None:
        self._closed.set()


class NodeApi(FakeApi):
    """A FakeApi that also creates, says what it serves, and passes a tripwire."""

    def __init__(self, tripwire: Tripwire, *versions: str) -> None:
        super().__init__()
        self.served = list(versions or ("v1alpha2",))
        self._tripwire = tripwire

    def versions(self, group: str) -> list[str]:
        return list(self.served)

    def create(self, resource: Resource, body: JSON, namespace: str | None = None) -> JSON:
        key = self._seen("create", resource.plural, _key(body, namespace), body)
        if (resource.plural, key) in self.objects:
            raise AlreadyExists(409, "AlreadyExists", f"{resource.plural} {key}", {})
        with self._tripwire.around():
            return self.put(resource, {**body, "metadata": {**body["metadata"], "uid": "uid"}})

    def patch(self, *args: Any, **kwargs: Any) -> JSON:
        with self._tripwire.around():
            return super().patch(*args, **kwargs)

    def list(self, resource: Resource, **_: object) -> ListPage:
        return ListPage(self.all(resource), self.now())

    def watch(self, resource: Resource, **_: object) -> "SilentWatch":
        return SilentWatch()

    def now(self) -> str:
        """Return a resourceVersion above that of all objects."""
        return str(next(self._versions))

    def close(self) -> None:
        """Do nothing, as there are no connections."""

    def remove(self, resource: Resource, name: str, namespace: str | None = None) -> None:
        """Delete an object as others would."""
        del self.objects[resource.plural, object_key(namespace, name)]


class PluginRig:
    """One node with its plugin; `restart` replaces the process, files and API server stay.

    The watch cache sees allocations while `watching` is set, and else only when told to `see`.
    """

    def __init__(self, root: Path, *, devices: int = 8, versions: tuple[str, ...] = ()) -> None:
        self.tripwire = Tripwire()
        self.api = NodeApi(self.tripwire, *versions)
        self.api.put(NODES, node_object())
        self.cdi_root = root / "cdi"
        self.directory = root / "plugin"
        self.directory.mkdir()
        self.source = FakeDeviceSource(NODE, devices, "M")
        self.warnings: list[str] = []
        self.repairs: list[Repair] = []
        self.watching = False
        self.restart()

    def restart(self) -> None:
        """Start a new process, up to the point where it serves."""
        self.boot()
        self.recover()

    def boot(self) -> None:
        """Make the parts of a new process, with nothing done yet."""
        self.registry = CollectorRegistry()
        self.metrics = PluginMetrics(self.registry)
        self.events = create_autospec(EventRecorder, instance=True, spec_set=True)
        self.cache = Store()
        client: Any = self.api
        self.node_state = NodeState(client, self.cache, NODE, SYSTEM, self.source.devices())
        cdi_directory = CdiDirectory(self.cdi_root, NODE)
        checkpoint = Checkpoint(self.directory)
        self.state = State(cdi_directory, checkpoint, self.node_state, report=self.report)
        self.claims = ClaimReader(client)
        self.collector = Collector(self.state, self.claims, NODE, self.metrics, self.report)
        self.driver = NodeDriver(
            NODE,
            self.claims,
            self.node_state,
            self.source,
            self.state,
            metrics=self.metrics,
            events=self.events,
        )

    def report(self, kind: Repair, text: str) -> None:
        self.repairs.append(kind)
        self.warnings.append(text)

    def recover(self) -> None:
        self.node_state.ensure()
        self.state.recover()

    def allocate(self, name: str, *indexes: int, split: int = 0) -> ClaimRef:
        """Allocate devices to a claim, as the controller does; return how the kubelet names it."""
        stored = self.api.put(CLAIMS, allocated(claim(name)))
        uid = stored["metadata"]["uid"]
        devices = [{"uuid": self.device(i).id, "split": split} for i in indexes]
        self.edit_nas(
            {
                "allocatedClaims": {
                    uid: {
                        "claimInfo": {"namespace": NAMESPACE, "name": name},
                        "fake": {"devices": devices},
                    }
                }
            }
        )
        if self.watching:
            self.see()
        return ClaimRef(NAMESPACE, name, ClaimUID(uid))

    def edit_nas(self, spec: JSON) -> None:
        """Merge into the spec of the NAS, as others would."""
        waiting, self.tripwire.left = self.tripwire.left, None
        self.api.patch(NODE_STATES, NODE, {"spec": spec}, namespace=SYSTEM)
        self.tripwire.left = waiting

    def see(self) -> None:
        """Let the watch cache see what the API server has."""
        self.cache.replace(self.api.all(NODE_STATES), self.api.now())

    def device(self, index: int) -> Device:
        return self.source.devices()[index]

    def nas(self) -> JSON:
        return self.api.find(NODE_STATES, NODE, SYSTEM)

    def shown(self) -> dict[str, list[str]]:
        """Return the prepared device ids by claim uid, as the NAS shows them."""
        prepared = self.nas()["spec"].get("preparedDevices") or {}
        return {uid: [d["uuid"] for d in c["fake"]["devices"]] for uid, c in prepared.items()}

    def saved(self) -> dict[str, list[str]]:
        """Return the prepared device ids by claim uid, as the checkpoint has them."""
        claims = Checkpoint(self.directory).load()
        return {uid: [d.id for d in c.devices] for uid, c in claims.items()}

    def injected(self) -> dict[str, list[str]]:
        """Return the device ids by claim uid, as a container runtime would inject them."""
        found = {}
        for path in sorted(self.cdi_root.iterdir()):
            uid = path.name.removeprefix(cdi.FILE_PREFIX).removesuffix(cdi.FILE_SUFFIX)
            if uid != "common":
                found[uid] = [_first_value(d) for d in json.loads(path.read_text())["devices"]]
        return found

    def assert_agreed(self) -> None:
        """Files, checkpoint and NAS name the same claims with the same devices."""
        assert self.injected() == self.saved() == self.shown()


def node_object(version: str = "v1.30.14") -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "uid": "uid-node"},
        "status": {"nodeInfo": {"kubeletVersion": version}},
    }


def _first_value(device: JSON) -> str:
    value: str = device["containerEdits"]["env"][0].partition("=")[2]
    return value


def _key(body: JSON, namespace: str | None) -> Key:
    return object_key(namespace, body["metadata"]["name"])
