"""From watch events to queue keys: which objects to look at again when another one changes."""

from typing import Final

from api.claims.versions import read_claim
from api.contract import Contract
from api.objects import JSON, ClaimUID, NodeName, key_of, uid_of
from api.pods import PodSchedulingContext
from controller.claims.sync import rests
from controller.nodes.infos import NodeInfos
from controller.outcome import ANY_NODE, Topic
from controller.queue.reconcile import CLAIM, SCHEDULING, STATE, Waiters, queue_key
from kube.store import Handler, Store
from kube.workqueue import WorkQueue

REPAIR_SECONDS: Final = 5.0
"""Between a change of a NAS and the look for what is wrong there: one look for many changes."""


class Wakeups:
    """Handlers for the watch caches of the controller."""

    def __init__(
        self,
        contract: Contract,
        queue: WorkQueue,
        waiters: Waiters,
        infos: NodeInfos,
        contexts: Store,
    ) -> None:
        """Put keys into `queue`; `contexts` is the cache of PodSchedulingContexts."""
        self._contract = contract
        self._queue = queue
        self._waiters = waiters
        self._infos = infos
        self._contexts = contexts

    def on_claim(self, old: JSON | None, new: JSON | None) -> None:
        """Look at a claim that was added or changed, and at the holders of one that is gone.

        Most changes of a claim are steps of a walk that somebody else is on, or our own writes.
        """
        if not (self._rests(new) and (old is None or self._rests(old))):
            self._enqueue(CLAIM, old, new)
        node = self._freed(old, new)
        if node is not None:
            self._wake(Topic("node", node))
            self._wake(ANY_NODE)
        if new is None and old is not None:
            for node in self._infos.holders(ClaimUID(uid_of(old))):
                self._queue.add(queue_key(STATE, self._infos.key(node)))

    def on_context(self, old: JSON | None, new: JSON | None) -> None:
        """Look at a PodSchedulingContext; what its pod had reserved is free when it is gone.

        A change of its status alone is an answer, ours or another driver's, and asks nothing.
        """
        if old is None or new is None or _question(old) != _question(new):
            self._enqueue(SCHEDULING, old, new)
        if new is None and old is not None:
            node = self._infos.release(PodSchedulingContext(old).owner_uid or "")
            if node is not None:
                self._wake(Topic("node", node))

    def on_pod(self, _old: JSON | None, new: JSON | None) -> None:
        """Look at the PodSchedulingContext of a pod whose claims may be known now."""
        if new is not None and self._contexts.get(key_of(new)) is not None:
            self._queue.add(queue_key(SCHEDULING, key_of(new)))

    def on_state(self, old: JSON | None, new: JSON | None) -> None:
        """Wake whoever waits for a node that may serve more than before; look at it later."""
        name = (new or old or {})["metadata"]["name"]
        if old is not None and new is not None and old.get("heartbeat") != new.get("heartbeat"):
            self._wake(Topic("heartbeat", name))
            if _but_heartbeat(old) == _but_heartbeat(new):
                return
        if new is not None:
            self._queue.add_after(queue_key(STATE, key_of(new)), REPAIR_SECONDS)
        elif old is not None:
            self._forget(queue_key(STATE, key_of(old)))
        if not may_serve_more(old, new):
            return
        self._wake(Topic("node", name))
        self._wake(ANY_NODE)

    def on_node(self, old: JSON | None, new: JSON | None) -> None:
        """Wake whoever waits for any node when a Node says something else than before."""
        if old is None or new is None or _said(old) != _said(new):
            self._wake(ANY_NODE)

    def on_class(self, old: JSON | None, new: JSON | None) -> None:
        """Wake whoever waits for a class to appear or change."""
        self._wake(Topic("class", (new or old or {})["metadata"]["name"]))

    def on_parameters(self, kind: str) -> Handler:
        """Return the handler that wakes whoever waits for parameters of a kind."""

        def changed(old: JSON | None, new: JSON | None) -> None:
            self._wake(Topic(kind, key_of(new or old or {})))

        return changed

    def _freed(self, old: JSON | None, new: JSON | None) -> NodeName | None:
        """Return the node whose devices a claim had, by its own words, and has no more."""
        driver = self._contract.driver_name
        freed = read_claim(old).told_node(driver) if old is not None else None
        if freed is None or new is None:
            return freed
        return freed if read_claim(new).told_node(driver) is None else None

    def _rests(self, obj: JSON | None) -> bool:
        return obj is not None and rests(read_claim(obj), self._contract)

    def _enqueue(self, kind: str, old: JSON | None, new: JSON | None) -> None:
        if new is not None:
            self._queue.add(queue_key(kind, key_of(new)))
        elif old is not None:
            self._forget(queue_key(kind, key_of(old)))

    def _forget(self, queued: str) -> None:
        self._waiters.wait(queued, ())
        self._queue.forget(queued)

    def _wake(self, topic: Topic) -> None:
        for queued in self._waiters.wake(topic):
            self._queue.add(queued)


def may_serve_more(old: JSON | None, new: JSON | None) -> bool:
    """Tell whether a change of a NAS is more than new allocations and new prepared devices.

    A NAS that is gone counts too: nothing is prepared there any more.
    """
    if old is None or new is None:
        return True
    before, after = _facts(old), _facts(new)
    grew = all(_within(before[key], after[key]) for key in ("allocated", "prepared"))
    same = before["offer"] == after["offer"]
    return not (grew and same)


def _but_heartbeat(state: JSON) -> JSON:
    return {name: part for name, part in state.items() if name not in ("metadata", "heartbeat")}


def _said(node: JSON) -> tuple[object, ...]:
    return (node["metadata"].get("labels"), node.get("spec"), node.get("status"))


def _question(context: JSON) -> tuple[object, object, object]:
    meta = context["metadata"]
    return (meta.get("uid"), meta.get("deletionTimestamp"), context.get("spec"))


def _within(before: JSON, after: JSON) -> bool:
    return all(key in after and after[key] == value for key, value in before.items())


def _facts(obj: JSON) -> dict[str, JSON]:
    spec = _map(obj.get("spec"))
    return {
        "allocated": _map(spec.get("allocatedClaims")),
        "prepared": _map(spec.get("preparedDevices")),
        "offer": {
            "status": obj.get("status"),
            "devices": spec.get("allocatableDevice"),
            "sharing": spec.get("sharing"),
        },
    }


def _map(value: object) -> JSON:
    return value if isinstance(value, dict) else {}
