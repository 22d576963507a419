"""Several controllers on one API server, interleaved at every request, each behind its own watches.

Every controller works on a thread of its own, but one at a time: before each request the turn goes
to another one by lot. Caches see the API server's history in order, some of them later than others.
No time passes and nothing waits for a clock.
"""

import random
import threading
from collections.abc import Callable

from devcluster.apiserver.storage import DELETED, Event
from ops.communication import Communication
from testing.apiserver import MemoryApi
from tests.support.controllerrig import Rig


class Turns:
    """Lets one thread run at a time, and chooses which."""

    def __init__(self, rand: random.Random) -> None:
        self._rand = rand
        self._gates: dict[int, threading.Lock] = {}
        self._whose: int | None = None
        self.errors: list[BaseException] = []

    def run(self, *bodies: Callable[[], None]) -> None:
        """Run all bodies to their ends, then raise the first error of one."""
        threads = [
            threading.Thread(target=self._body, args=(number, body), name=str(number))
            for number, body in enumerate(bodies)
        ]
        self._gates = {number: _closed() for number in range(len(bodies))}
        for thread in threads:
            thread.start()
        self._next()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def turn(self) -> None:
        """Let somebody else run, maybe; called by a thread of `run` only."""
        name = threading.current_thread().name
        if not name.isdigit() or self._whose != int(name):
            return
        self._next()
        self._gates[int(name)].acquire()

    def _body(self, number: int, body: Callable[[], None]) -> None:
        gate = self._gates[number]
        gate.acquire()
        try:
            body()
        except BaseException as error:  # noqa: BLE001 - shown by run
            self.errors.append(error)
        finally:
            del self._gates[number]
            self._next()

    def _next(self) -> None:
        """Open the gate of one thread, which wakes no other; only who has the turn may call it."""
        self._whose = self._rand.choice(list(self._gates)) if self._gates else None
        if self._whose is not None:
            self._gates[self._whose].release()


def _closed() -> threading.Lock:
    gate = threading.Lock()
    gate.acquire()
    return gate


class History(MemoryApi):
    """An API that remembers every change, and that gives the turn away before each request."""

    def __init__(self, turns: Turns, check: Callable[["History"], None]) -> None:
        """Call `check` after every request."""
        super().__init__()
        self.changes: list[Event] = []
        self.listen(self.changes.append)
        self.fault = lambda *_: turns.turn()
        self.answered = lambda: check(self)


class Lagging:
    """A controller whose caches are somewhere in the history."""

    def __init__(
        self,
        api: History,
        version: str,
        clock: Callable[[], float],
        communication: Communication = Communication.NAS,
    ) -> None:
        self.rig = Rig(api=api, version=version, clock=clock, communication=communication)
        self._api = api
        self._seen = len(api.changes)

    def see(self, number: int | None = None) -> None:
        """Let the watches deliver some changes, or all."""
        end = len(self._api.changes) if number is None else self._seen + number
        watched = self.rig.controller.caches.watched
        stores = {(r.group, r.plural): store for r, store in watched.items()}
        for change in self._api.changes[self._seen : end]:
            store = stores.get(change.resource)
            if store is not None and change.stored is not None:
                gone = change.type == DELETED
                (store.remove if gone else store.apply)(change.stored.copy())
        self._seen = min(end, len(self._api.changes))

    def work(self, keys: list[str], rand: random.Random) -> None:
        """Reconcile keys, with caches that see more of the history now and then."""
        for key in keys:
            self.see(rand.choice([0, 1, 5, None]))
            self.rig.controller.reconciler.handle(key)
