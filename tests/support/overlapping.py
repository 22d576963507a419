"""A kubelet that repeats, cancels and overlaps its calls for a few claims, over a real socket."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from random import Random
from typing import Any

import grpc

from dra.claims import ClaimRef
from dra.kubelet.protocol import dra_v1alpha3_pb2 as batch
from testing.kubeletcalls import SECONDS, KubeletCalls
from testing.waiting import until
from tests.support.hostile import defects
from tests.support.pluginrig import PluginRig

THREADS = 8
_CLAIMS = 4
_PREPARE = (
    "/v1alpha3.Node/NodePrepareResources",
    batch.NodePrepareResourcesRequest,
    batch.NodePrepareResourcesResponse,
)
_UNPREPARE = (
    "/v1alpha3.Node/NodeUnprepareResources",
    batch.NodeUnprepareResourcesRequest,
    batch.NodeUnprepareResourcesResponse,
)


class Overlapping:
    """A plugin and a kubelet that calls it from several threads."""

    def __init__(self, root: Path) -> None:
        """Allocate some claims, and serve them on a socket below `root`."""
        self.rig = PluginRig(root)
        self.refs = [self.rig.allocate(f"c{n}", n, split=n) for n in range(_CLAIMS)]
        self._socket = self.rig.socket

    def wrong(self, calls: int, seed: int) -> list[str]:
        """Make that many calls; return what was wrong with the answers, or at the end."""
        with ExitStack() as stack:
            logged = stack.enter_context(defects())
            first = self._answers(stack.enter_context(self.rig.serving()))
            with ThreadPoolExecutor(THREADS) as pool:
                work = [(calls // THREADS, Random(f"{seed}/{n}"), first) for n in range(THREADS)]
                found = [each for some in pool.map(self._calls, work) for each in some]
        until("the calls that were cancelled have ended", self._idle)
        return [*found, *logged, *self._end()]

    def _idle(self) -> bool:
        """Tell whether no thread serves a call any more: nobody waits for one that is cancelled."""
        serving = (f"{self._socket.stem}_", "claim")
        return not any(t.name.startswith(serving) for t in threading.enumerate())

    def _answers(self, calls: KubeletCalls) -> dict[str, list[str]]:
        return {uid: list(a.cdi_devices) for uid, a in calls.prepare(*self.refs).items()}

    def _calls(self, work: tuple[int, Random, dict[str, list[str]]]) -> list[str]:
        number, chance, first = work
        with grpc.insecure_channel(f"unix:{self._socket}") as channel:
            return [each for _ in range(number) for each in self._call(channel, chance, first)]

    def _call(self, channel: Any, chance: Random, first: dict[str, list[str]]) -> Iterator[str]:
        """Make one call, which is cancelled now and then, at whatever moment that is."""
        path, request, response = chance.choice((_PREPARE, _PREPARE, _UNPREPARE))
        refs = chance.choices(self.refs, k=chance.randint(1, 3))
        unary = channel.unary_unary(
            path, request_serializer=request.SerializeToString, response_deserializer=None
        )
        call = unary.future(request(claims=[_named(ref) for ref in refs]), timeout=SECONDS)
        if chance.random() < 0.3:
            call.cancel()
            return
        try:
            answers = response.FromString(call.result()).claims
        except grpc.RpcError as error:
            yield f"call failed: {error}"[:200]
            return
        for uid, answer in answers.items():
            if answer.error:
                yield f"claim {uid} failed: {answer.error}"
            elif path == _PREPARE[0] and list(answer.cdi_devices) != first[uid]:
                yield f"claim {uid} got other devices than before"

    def _end(self) -> Iterator[str]:
        rig = self.rig
        if not rig.injected() == rig.saved() == rig.shown():
            yield f"files {rig.injected()}, checkpoint {rig.saved()}, NAS {rig.shown()}"
        for ref in self.refs:
            rig.driver.unprepare(ref)
        if rig.injected() or rig.saved() or rig.shown():
            yield "claims are left although all were unprepared"


def _named(ref: ClaimRef) -> batch.Claim:
    return batch.Claim(namespace=ref.namespace, name=ref.name, uid=ref.uid)
