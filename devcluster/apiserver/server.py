"""The API server as one object: the composition root of this package, for `devcluster`."""

import threading
from collections.abc import Callable
from typing import Final

from flask import Flask

from devcluster.apiserver import admission
from devcluster.apiserver.app import create_app, routes
from devcluster.apiserver.backend import Backend
from devcluster.apiserver.builtinkinds import builtin_kinds
from devcluster.apiserver.clock import Clock, system_clock
from devcluster.apiserver.customkinds import CustomKinds
from devcluster.apiserver.garbage import GarbageCollector
from devcluster.apiserver.logs import LogSource
from devcluster.apiserver.registry import Registry
from devcluster.apiserver.remotecommand import CommandSource
from devcluster.apiserver.resourceapi import CLASSIC, ResourceApi
from devcluster.apiserver.storage import Storage
from devcluster.apiserver.store import Store, random_suffix, random_uid
from devcluster.apiserver.watch import Pace

NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")
"""Namespaces that are there from the start."""


class ApiServer:
    """An empty cluster's API server; serve `app` with any threaded WSGI server.

    It answers from the moment it is made; `start` lets deletions have their consequences, `stop`
    ends the watches, so that the WSGI server can stop.
    """

    def __init__(
        self,
        *,
        logs: LogSource,
        commands: CommandSource,
        version: str = "v1.30.14",
        resource_api: ResourceApi = CLASSIC,
        clock: Clock = system_clock,
        new_uid: Callable[[], str] = random_uid,
        new_suffix: Callable[[], str] = random_suffix,
        pace: Pace | None = None,
    ) -> None:
        """Make a server.

        Args:
            logs: where logs of containers come from.
            commands: where commands in containers run.
            version: that it claims to have, as `kubectl version` shows it.
            resource_api: what is served of resource.k8s.io.
            clock: time of day.
            new_uid: makes the uid of a new object.
            new_suffix: makes the end of a generated name.
            pace: of watches.
        """
        self._storage = Storage()
        self._registry = Registry(builtin_kinds(resource_api, clock))
        self._storage.listen(CustomKinds(self._registry))
        self._store = Store(self._storage, clock=clock, new_uid=new_uid, new_suffix=new_suffix)
        self._garbage = GarbageCollector(self._store, self._registry)
        self._stopping = threading.Event()
        self._create_namespaces()
        self.app: Flask = create_app(
            Backend(
                store=self._store,
                registry=self._registry,
                logs=logs,
                commands=commands,
                version=version,
                stopping=self._stopping.is_set,
                clock=clock,
                pace=pace or Pace(),
            ),
            routes(),
        )

    def start(self) -> None:
        """Start the garbage collector."""
        self._garbage.start()

    def stop(self) -> None:
        """End all watches and the garbage collector; later watches end at once."""
        self._stopping.set()
        self._storage.close_subscriptions()
        self._garbage.stop()

    def _create_namespaces(self) -> None:
        for kind in self._registry.all():
            for name in NAMESPACES if kind.resource_id == admission.NAMESPACES else ():
                self._store.create(kind, "", {"metadata": {"name": name}})
