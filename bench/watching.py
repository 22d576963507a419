"""Waits for what others write, and tells when it was seen; the benchmark's informers."""

import threading
import time
from collections.abc import Callable
from typing import Self

from api.objects import JSON, Key, key_of
from api.resources import Resource
from bench.errors import NotSeen
from kube.client import Client
from kube.reflector import Reflector
from kube.store import Store

Look = Callable[[JSON | None], bool]
"""Tells whether an object, None once it is gone, is as expected."""


class Expectation:
    """One change of one object that is waited for."""

    def __init__(self, key: Key, look: Look) -> None:
        self._key = key
        self._look = look
        self._seen = threading.Event()
        self._at = 0.0
        self._object: JSON | None = None

    def offer(self, obj: JSON | None, now: float) -> None:
        """Take note of the object as it is now."""
        if not self._seen.is_set() and self._look(obj):
            self._at, self._object = now, obj
            self._seen.set()

    def wait(self, seconds: float = 60.0) -> tuple[float, JSON | None]:
        """Return when the object became as expected, and the object.

        Raises:
            NotSeen: it did not in time.
        """
        if not self._seen.wait(seconds):
            raise NotSeen(f"waited {seconds:g} s for {self._key}; see the log of the program")
        return self._at, self._object


class Watched:
    """Watches one resource for as long as the context lasts."""

    def __init__(self, client: Client, resource: Resource, namespace: str | None = None) -> None:
        """Watch the objects of a namespace, or those that have none."""
        self._store = Store()
        self._reflector = Reflector(client, resource, self._store, namespace=namespace)
        self._stop = threading.Event()
        self._name = resource.plural
        self._thread = threading.Thread(target=self._reflector.run, args=(self._stop,))
        self._lock = threading.Lock()
        self._expected: dict[Key, Expectation] = {}
        self._store.subscribe(self._changed)

    def __enter__(self) -> Self:
        self._thread.start()
        if not self._store.wait_synced(120.0):
            raise NotSeen(f"the API server sent no list of {self._name} within 120 s")
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._reflector.stop()
        self._thread.join()

    def expect(self, key: Key, look: Look) -> Expectation:
        """Return an expectation of an object; it replaces the former one for that object.

        To be called before whatever brings the change about.
        """
        expectation = Expectation(key, look)
        with self._lock:
            self._expected[key] = expectation
        return expectation

    def get(self, key: Key) -> JSON | None:
        """Return an object as it was seen last."""
        return self._store.get(key)

    def list(self) -> list[JSON]:
        """Return all objects as they were seen last."""
        return list(self._store.list())

    def _changed(self, old: JSON | None, new: JSON | None) -> None:
        now = time.monotonic()
        key = key_of(new or old or {})
        with self._lock:
            expectation = self._expected.get(key)
        if expectation is not None:
            expectation.offer(new, now)
