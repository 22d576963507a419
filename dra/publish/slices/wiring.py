"""Puts the parts together that keep a node's slices; nothing runs yet."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from dra.publish.slices.ports import FormerDevices, Site, StaticLayout
from dra.publish.slices.publisher import SlicePublisher
from dra.publish.slices.server import SliceServer
from dra.publish.slices.told import Told
from dra.publish.slices.watching import SliceWatch, selector
from kube.client import Client
from kube.errors import KubeError
from kube.store import Store
from kube.workqueue import WorkQueue


@dataclass(frozen=True, slots=True)
class Slices:
    """The parts that a program starts and stops.

    Attributes:
        publisher: `run` in a thread; gets the inventory by `update`.
        watch: `run` in another one.
        queue: of the publisher.
    """

    publisher: SlicePublisher
    watch: SliceWatch
    queue: WorkQueue

    def stop(self) -> None:
        """Let both threads end; call it after the event of `run` is set."""
        self.watch.stop()
        self.queue.shutdown()


def build(
    client: Client,
    told: Told,
    site: Site,
    *,
    static: StaticLayout | None = None,
    former: FormerDevices | None = None,
    any_node: bool = False,
    on_error: Callable[[KubeError], None] = lambda _error: None,
    sleep: Callable[[threading.Event, float], object] = threading.Event.wait,
) -> Slices:
    """Return the parts.

    Args:
        client: the API server.
        told: hears what goes wrong.
        site: whose slices.
        static: of the driver, if it has one.
        former: likewise.
        any_node: whether devices of the inventory select nodes.
        on_error: hears of failures of the watch.
        sleep: waits some seconds, less if the event is set.
    """
    server, store, queue = SliceServer(client), Store(), WorkQueue()
    publisher = SlicePublisher(server, store, queue, told, site, static=static, former=former)
    store.subscribe(publisher.on_change)

    def failed(error: KubeError) -> None:
        on_error(error)
        # it may come back with another version, which stores more or less
        publisher.republish()

    watch = SliceWatch(
        client,
        server,
        store,
        told,
        field_selector=selector(site.driver, site.node, any_node=any_node),
        on_error=failed,
        sleep=sleep,
    )
    return Slices(publisher, watch, queue)
