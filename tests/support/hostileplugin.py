"""The plugin of one node as a target: its state, its files, and the calls of its kubelet."""

import json
import os
import shutil
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import grpc

from api.contract import FAKE
from api.objects import JSON, ClaimUID
from api.resources import DRA_V1ALPHA2, NODES, STATES
from dra.claims import ClaimRef
from dra.devicestate import cdi
from dra.devicestate.checkpoint import FILE_NAME, checksum
from dra.kubelet.protocol import dra_v1_pb2 as devices
from dra.kubelet.protocol import dra_v1alpha2_pb2 as single
from dra.kubelet.protocol import dra_v1alpha3_pb2 as batch
from dra.kubelet.protocol import pluginregistration_pb2 as registration
from testing.apiserver import MemoryApi
from testing.kubeletcalls import KubeletCalls
from tests.support.build import NAMESPACE, SYSTEM, allocated, claim
from tests.support.hostile import Canaries, Wrong, survives
from tests.support.mutation import damaged, mutated, text
from tests.support.nodeprogram import NodeProgram
from tests.support.pluginrig import NODE, node_object

_DEVICES = 8
_SPARE = 7
"""A device that no input names, for the claim that has to be served."""


class Node:
    """A node with two prepared claims, one of them split, and files around its directories."""

    def __init__(self, root: Path) -> None:
        self.api = MemoryApi()
        self.api.put(NODES, node_object())
        self.program = NodeProgram(self.api, root, NODE, _DEVICES)
        self.directories = (self.program.cdi_root, self.program.directory)
        self.canaries = Canaries(root, *self.directories)
        self.refs = [self.allocate("a", 0, 1), self.allocate("b", 2, split=3)]
        self.spare = self.allocate("spare", _SPARE)
        for ref in self.refs:
            self.program.driver.prepare(ref)
        self.given = self.api.find(STATES, NODE, SYSTEM)
        self.checkpoint = self.program.directory / FILE_NAME

    def allocate(self, name: str, *indexes: int, split: int = 0) -> ClaimRef:
        """Allocate devices to a claim, as the controller does."""
        uid = ClaimUID(self.api.put(DRA_V1ALPHA2.claims, allocated(claim(name)))["metadata"]["uid"])
        chosen = [self.program.source.devices()[index].id for index in indexes]
        entry = {"fake": {"devices": [{"uuid": device, "split": split} for device in chosen]}}
        spec = {"allocatedClaims": {uid: entry}}
        self.api.patch(STATES, NODE, {"spec": spec}, namespace=SYSTEM)
        return ClaimRef(NAMESPACE, name, uid)

    def show(self, spec: Any, status: Any) -> None:
        """Let the API server and the watch cache hold another NAS."""
        stored = {**self.given, "spec": spec, "status": status}
        version = {"resourceVersion": self.api.version()}
        self.api.put(STATES, {**stored, "metadata": {**stored["metadata"], **version}})
        self.program.see()

    def work(self) -> None:
        """Do what the kubelet and the clock ask for; each may be refused."""
        for act in (self.program.keep, *(self._preparing(ref) for ref in self.refs)):
            survives(act)

    def restart(self) -> bool:
        """Start another process; tell whether it came to serve."""
        return survives(self.program.start)

    def serves(self) -> None:
        """Prepare and unprepare a claim, and compare the files with the NAS.

        Raises:
            Exception: one of these failed.
        """
        self.program.driver.prepare(self.spare)
        self.program.driver.unprepare(self.spare)
        self.canaries.check()

    def recovers(self) -> None:
        """Show the NAS of the beginning and compare everything.

        Raises:
            Exception: the claims are not what they were.
        """
        self.show(self.given["spec"], self.given["status"])
        self.program.start()
        self.program.keep()
        for ref in self.refs:
            self.program.driver.prepare(ref)
        self.serves()
        self.agree()

    def agree(self) -> None:
        """Compare the NAS with the beginning, and with the files.

        Raises:
            Wrong: they differ.
        """
        stored = self.api.find(STATES, NODE, SYSTEM)
        prepared = stored["spec"].get("preparedDevices")
        if prepared != self.given["spec"]["preparedDevices"]:
            raise Wrong(f"claims have other devices than before: {prepared}")
        violations = self.program.violations(self.program.node_state.current())
        if violations:
            raise Wrong("; ".join(v.message for v in violations))

    def _preparing(self, ref: ClaimRef) -> Callable[[], object]:
        return lambda: self.program.driver.prepare(ref)


class PluginStates:
    """A plugin that reads a hostile state of its node, running or starting."""

    what = "hostile NodeAllocationState"
    how = "controller and plugin read mutated ones; another node's claims are served meanwhile"

    def __init__(self, root: Path) -> None:
        self._node = Node(root)

    def feed(self, chance: Random) -> None:
        given = {name: self._node.given[name] for name in ("spec", "status")}
        found = {"spec": {}, "status": ""} | mutated(chance, given)
        self._node.show(found["spec"], found["status"])
        if chance.random() < 0.25:
            # what a start makes of it when the checkpoint does not help
            self._node.checkpoint.write_bytes(b"{")
            started = self._node.restart()
            _forget_copies(self._node)
            if not started:
                return self._node.recovers()
        return self._node.work()

    def check(self) -> None:
        _forget_files(self._node)
        self._node.recovers()


class Checkpoints:
    """A plugin that finds a hostile checkpoint when it starts."""

    what = "hostile checkpoint"
    how = "plugin starts with damaged bytes, and with mutated content whose checksum is right"

    def __init__(self, root: Path) -> None:
        self._node = Node(root)
        self._content = self._node.checkpoint.read_bytes()

    def feed(self, chance: Random) -> None:
        self._node.checkpoint.write_bytes(self._damaged(chance))
        self._node.program.start()
        self._node.work()
        self._node.serves()
        _forget_copies(self._node)

    def check(self) -> None:
        _forget_files(self._node)
        self._node.recovers()

    def _damaged(self, chance: Random) -> bytes:
        if chance.random() < 0.5:
            return damaged(chance, self._content)
        document = json.loads(self._content)
        document = mutated(chance, document)
        if isinstance(document.get("data"), dict) and chance.random() < 0.8:
            document["checksum"] = checksum(document["data"])
        return json.dumps(document).encode()


class CdiFiles:
    """A plugin that finds hostile files in its CDI directory, running or starting."""

    what = "hostile CDI files"
    how = "damaged bytes, links, directories and pipes of any name; plugin running or restarted"

    def __init__(self, root: Path) -> None:
        self._node = Node(root)
        self._root = self._node.program.cdi_root
        self._names = [
            cdi.common_file(FAKE),
            *(cdi.claim_file(FAKE, r.uid) for r in self._node.refs),
        ]
        self._content = {n: (self._root / n).read_bytes() for n in self._names}

    def feed(self, chance: Random) -> None:
        path = self._root / self._name(chance)
        self._put(chance, path)
        if chance.random() > 0.3 or self._node.restart():
            self._node.work()
            self._node.canaries.check()
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        self._node.program.start()
        self._node.program.keep()
        self._node.serves()
        self._node.agree()

    def check(self) -> None:
        self._node.recovers()

    def _name(self, chance: Random) -> str:
        if chance.random() < 0.5:
            return chance.choice(self._names)
        middle = text(chance).replace("/", "_").replace("\0", "_")[:40]
        suffix = chance.choice((".json", ".yaml", ".json.x.tmp", ""))
        return f"{FAKE.cdi_file_prefix}{middle}{suffix}"

    def _put(self, chance: Random, path: Path) -> None:
        path.unlink(missing_ok=True)
        chance.choice(_FILES)(self, chance, path)

    def _bytes(self, chance: Random, path: Path) -> None:
        path.write_bytes(damaged(chance, self._some(chance)))

    def _tree(self, chance: Random, path: Path) -> None:
        path.write_text(json.dumps(mutated(chance, json.loads(self._some(chance)))))

    def _link(self, chance: Random, path: Path) -> None:
        canary = self._node.canaries.file
        path.symlink_to(chance.choice((canary, canary.parent, "none", path.name, "/dev/null")))

    def _pipe(self, chance: Random, path: Path) -> None:
        os.mkfifo(path)

    def _directory(self, chance: Random, path: Path) -> None:
        path.mkdir()
        (path / "file").touch()

    def _some(self, chance: Random) -> bytes:
        return self._content[chance.choice(self._names)]


_FILES: tuple[Callable[[CdiFiles, Random, Path], None], ...] = (
    CdiFiles._bytes,
    CdiFiles._bytes,
    CdiFiles._tree,
    CdiFiles._link,
    CdiFiles._pipe,
    CdiFiles._directory,
)

_METHODS: tuple[tuple[str, Any], ...] = (
    ("/v1alpha2.Node/NodePrepareResource", single.NodePrepareResourceRequest),
    ("/v1alpha2.Node/NodeUnprepareResource", single.NodeUnprepareResourceRequest),
    ("/v1alpha3.Node/NodePrepareResources", batch.NodePrepareResourcesRequest),
    ("/v1alpha3.Node/NodePrepareResources", devices.NodePrepareResourcesRequest),
    ("/v1alpha3.Node/NodeUnprepareResources", batch.NodeUnprepareResourcesRequest),
    ("/pluginregistration.Registration/NotifyRegistrationStatus", registration.RegistrationStatus),
    ("/pluginregistration.Registration/GetInfo", registration.InfoRequest),
)
_DEFECTS = (grpc.StatusCode.UNKNOWN, grpc.StatusCode.DEADLINE_EXCEEDED)


class Calls:
    """A plugin whose sockets get hostile requests."""

    what = "hostile gRPC requests"
    how = "random bytes, damaged messages and hostile names over a socket, all three dialects"

    def __init__(self, root: Path) -> None:
        self._node = Node(root)
        program = self._node.program
        self._stack = ExitStack()
        for server in (
            program.program.plugin.plugin_server,
            program.program.plugin.registration_server,
        ):
            server.start()
            self._stack.callback(server.stop, 0)
        self._claims, self._registration = (
            self._stack.enter_context(KubeletCalls(place.path))
            for place in (program.places.plugin_socket, program.places.registration_socket)
        )
        self._node.canaries = Canaries(root, *self._node.directories)

    def feed(self, chance: Random) -> None:
        path, request = chance.choice(_METHODS)
        content = _filled(chance, request, self._node.refs).SerializeToString()
        if chance.random() < 0.4:
            content = damaged(chance, content)
        if chance.random() < 0.05:
            path = f"/v1alpha3.Node/{chance.choice(('Node', 'NodeListAndWatchResources', ''))}"
        self._node.api.put(NODES, node_object(chance.choice(("v1.30.14", "v1.31.2"))))
        self._send(path, content)

    def check(self) -> None:
        self._node.recovers()

    def close(self) -> None:
        """Stop the server."""
        self._stack.close()

    def _send(self, path: str, content: bytes) -> None:
        try:
            calls = self._registration if path.startswith("/pluginreg") else self._claims
            answer = calls.send(path, content).decode(errors="replace")
        except grpc.RpcError as error:
            refusal: Any = error
            if refusal.code() in _DEFECTS:
                raise
            answer = refusal.details()
        if "defect" in answer:
            raise Wrong(answer)


def _filled(chance: Random, request: Any, refs: list[ClaimRef]) -> Any:
    """Return a message with claims that are there, are not there, or cannot be."""
    if request is registration.RegistrationStatus:
        return request(plugin_registered=chance.random() < 0.5, error=text(chance))
    if request is registration.InfoRequest:
        return request()
    if "Single" in request.__name__ or "claim_uid" in request.DESCRIPTOR.fields_by_name:
        named = _named(chance, refs)
        return request(
            namespace=named["namespace"], claim_uid=named["uid"], claim_name=named["name"]
        )
    claims = [_named(chance, refs) for _ in range(chance.choice((0, 1, 1, 2, 5)))]
    return request(claims=claims)


def _named(chance: Random, refs: list[ClaimRef]) -> JSON:
    ref = chance.choice(refs)
    named = {"namespace": ref.namespace, "name": ref.name, "uid": str(ref.uid)}
    for field in chance.sample(sorted(named), chance.choice((0, 1, 1, 2, 3))):
        named[field] = text(chance)
    return named


def _forget_copies(node: Node) -> None:
    for copy in node.program.directory.glob(f"{FILE_NAME}.corrupt-*"):
        copy.unlink()


def _forget_files(node: Node) -> None:
    """Let the next process start with nothing on the disk."""
    node.checkpoint.unlink(missing_ok=True)
    _forget_copies(node)
