"""Several controllers on one FakeApi, interleaved at every request, each behind its own watches.

Every controller works on a thread of its own, but one at a time: before each request the turn goes
to another one by lot. Caches see the API server's history in order, some of them later than others.
No time passes and nothing waits for a clock.
"""

import copy
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from api.objects import JSON, Key
from kube.resources import Resource
from tests.support.controllerrig import Rig
from tests.support.fakeapi import FakeApi


class Turns:
    """Lets one thread run at a time, and chooses which."""

    def __init__(self, rand: random.Random) -> None:
        self._rand = rand
        self._changed = threading.Condition()
        self._waiting: list[int] = []
        self._whose: int | None = None
        self.errors: list[BaseException] = []

    def run(self, *bodies: Callable[[], None]) -> None:
        """Run all bodies to their ends, then raise the first error of one."""
        threads = [
            threading.Thread(target=self._body, args=(number, body), name=str(number))
            for number, body in enumerate(bodies)
        ]
        self._waiting = list(range(len(bodies)))
        self._whose = self._rand.choice(self._waiting)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def turn(self) -> None:
        """Let somebody else run, maybe; called by a thread of `run` only."""
        name = threading.current_thread().name
        if not name.isdigit() or self._whose != int(name):
            return
        with self._changed:
            self._next()
            self._changed.wait_for(lambda: self._whose == int(name))

    def _body(self, number: int, body: Callable[[], None]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._whose == number)
        try:
            body()
        except BaseException as error:  # noqa: BLE001 - shown by run
            self.errors.append(error)
        finally:
            with self._changed:
                self._waiting.remove(number)
                self._next()

    def _next(self) -> None:
        self._whose = self._rand.choice(self._waiting) if self._waiting else None
        self._changed.notify_all()


@dataclass(frozen=True)
class Change:
    """One event of a watch."""

    resource: Resource
    obj: JSON
    gone: bool


class History(FakeApi):
    """A FakeApi that remembers every change, and that gives the turn away before each request."""

    def __init__(self, turns: Turns, check: Callable[["History"], None]) -> None:
        """Call `check` after every write."""
        super().__init__()
        self.changes: list[Change] = []
        self._check_all = check
        self.fault = lambda *_: turns.turn()

    def put(self, resource: Resource, obj: JSON) -> JSON:
        stored = super().put(resource, obj)
        self.changes.append(Change(resource, stored, gone=False))
        return stored

    def delete(self, resource: Resource, name: str, *args: Any, **options: Any) -> None:
        obj = self.find(resource, name, *args)
        super().delete(resource, name, *args, **options)
        if not obj["metadata"].get("finalizers"):
            obj["metadata"]["resourceVersion"] = self.version()
            self.changes.append(Change(resource, obj, gone=True))

    def _store(self, resource: Resource, key: Key, changed: JSON) -> JSON:
        stored = super()._store(resource, key, changed)
        gone = (resource.plural, key) not in self.objects
        self.changes.append(Change(resource, copy.deepcopy(stored), gone))
        self._check_all(self)
        return stored


class Lagging:
    """A controller whose caches are somewhere in the history."""

    def __init__(self, api: History, version: str, clock: Callable[[], float]) -> None:
        self.rig = Rig(api=api, version=version, clock=clock)
        self._api = api
        self._seen = len(api.changes)

    def see(self, number: int | None = None) -> None:
        """Let the watches deliver some changes, or all."""
        end = len(self._api.changes) if number is None else self._seen + number
        for change in self._api.changes[self._seen : end]:
            store = self.rig.stores()[change.resource]
            (store.remove if change.gone else store.apply)(change.obj)
        self._seen = min(end, len(self._api.changes))

    def work(self, keys: list[str], rand: random.Random) -> None:
        """Reconcile keys, with caches that see more of the history now and then."""
        for key in keys:
            self.see(rand.choice([0, 1, 5, None]))
            self.rig.controller.reconciler.handle(key)
