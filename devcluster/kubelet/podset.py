"""The pods of one node: a worker and a thread for each, from its first event to its end.

The kubelet subscribes `changed` to its cache of pods.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from api.objects import JSON, uid_of
from devcluster.kubelet.podworker import NodePorts, PodWorker


@dataclass(slots=True)
class _Entry:
    """A pod that is known until it is gone and its worker has nothing left to do."""

    worker: PodWorker
    thread: threading.Thread
    gone: bool = False
    done: bool = False


class PodSet:
    """Workers by pod uid; thread-safe."""

    def __init__(self, ports: NodePorts, stop: threading.Event) -> None:
        """Begin empty; workers end when `stop` is set and `wake_all` is called."""
        self._ports = ports
        self._stop = stop
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}

    def changed(self, old: JSON | None, new: JSON | None) -> None:
        """Take in a change of a pod of this node; see kube.store.Handler."""
        if new is not None:
            self._seen(new)
        elif old is not None:
            self._lost(uid_of(old))

    def get(self, uid: str) -> PodWorker | None:
        """Return the worker of a pod."""
        with self._lock:
            entry = self._entries.get(uid)
        return entry.worker if entry is not None else None

    def uids(self) -> set[str]:
        """Return the uids of all pods that have a worker."""
        with self._lock:
            return set(self._entries)

    def wake_all(self) -> None:
        """Have every worker look at its pod again."""
        for entry in self._all():
            entry.worker.wake()

    def join(self, left: Callable[[], float]) -> None:
        """Wait for the threads; `left` returns the seconds that are left for that."""
        for entry in self._all():
            entry.thread.join(left())

    def _all(self) -> list[_Entry]:
        with self._lock:
            return list(self._entries.values())

    def _seen(self, pod: JSON) -> None:
        uid = uid_of(pod)
        with self._lock:
            entry = self._entries.get(uid)
            if entry is None and not self._stop.is_set():
                self._entries[uid] = self._begin(uid, pod)
        if entry is not None:
            entry.worker.update(pod)

    def _begin(self, uid: str, pod: JSON) -> _Entry:
        worker = PodWorker(pod, self._ports)
        thread = threading.Thread(
            target=self._run, args=(uid, worker), name=f"pod-{uid}", daemon=True
        )
        thread.start()
        return _Entry(worker, thread)

    def _run(self, uid: str, worker: PodWorker) -> None:
        worker.run(self._stop)
        self._mark(uid, done=True)

    def _lost(self, uid: str) -> None:
        worker = self.get(uid)
        if worker is not None:
            worker.remove()
            self._mark(uid, gone=True)

    def _mark(self, uid: str, *, gone: bool = False, done: bool = False) -> None:
        """Forget a pod once both are true: late events of a dead pod start no second worker."""
        with self._lock:
            entry = self._entries[uid]
            entry.gone |= gone
            entry.done |= done
            if entry.gone and entry.done:
                del self._entries[uid]
