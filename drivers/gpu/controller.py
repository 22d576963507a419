"""Says that allocated devices are ready, for which pods with binding conditions wait.

A program of its own beside the plugins, since kube-scheduler waits before there is a node that
prepares anything. A driver of real devices looks whether they are ready, and says it then.
"""

import time
from collections.abc import Iterator
from typing import Final

from api import __version__
from api.claims.versions import CLAIMS, STRUCTURED, read_claim
from api.claims.view import ClaimView, Result, device_of
from api.objects import JSON, Key, key_of
from dra.claims import ClaimReader
from dra.publish.status.publisher import StatusPublisher
from dra.publish.status.told import Told
from drivers.gpu.inventory import ready_condition
from kube.reflector import Reflector
from kube.store import Store
from kube.workqueue import WorkQueue
from ops.apiserver import watch_failures
from ops.checks import Check
from ops.config import ServingConfig, serving_config, serving_options
from ops.discovery import Inquiry, until_kind_changes
from ops.events import event_recorder
from ops.lifecycle import Lifecycle
from ops.logs import configure, get_logger
from ops.metrics import Metrics
from ops.serving import connect, serve_http
from ops.settings import option, program

AGAIN_SECONDS: Final = 10.0
"""After which a claim is looked at again whose devices are still not said to be ready."""

_NAME: Final = "dra-gpu-controller"
_KIND: Final = "structured"
_LOG = get_logger("readiness")


def conditions(claim: ClaimView, driver: str) -> Iterator[tuple[Result, list[JSON]]]:
    """Yield the devices of a driver for which the scheduler waits, with what they have to show."""
    if claim.allocation is None or claim.deleting:
        return
    shown = {device_of(each): each for each in (claim.raw.get("status") or {}).get("devices") or []}
    own = [each for each in claim.allocation.entries if each.get("driver") == driver]
    for entry, result in zip(own, claim.results(driver), strict=True):
        wanted = entry.get("bindingConditions") or []
        had = shown.get(device_of(entry), {}).get("conditions") or []
        true = {each["type"] for each in had if each.get("status") == "True"}
        if set(wanted) - true:
            yield result, [ready_condition(each) for each in wanted]


class Readiness:
    """Works on claims, each by its key."""

    def __init__(self, store: Store, publisher: StatusPublisher, driver: str) -> None:
        """Work on the claims of a store, of which only the devices of a driver count."""
        self._store, self._publisher, self._driver = store, publisher, driver
        self.queue = WorkQueue()
        store.subscribe(lambda _old, new: self.queue.add(key_of(new)) if new else None)

    def run(self) -> None:
        """Work until the queue is shut down."""
        while (key := self.queue.get()) is not None:
            self._work(key)
            self.queue.done(key)

    def _work(self, key: str) -> None:
        """Write what is missing; what the API server did not take is told, and tried again."""
        raw = self._store.get(Key(key))
        claim = read_claim(raw) if raw else None
        missing = list(conditions(claim, self._driver)) if claim else []
        if claim is None or not missing:
            return
        publish = self._publisher.of(claim)
        for result, ready in missing:
            publish(result, conditions=ready)
        _LOG.debug("Devices are ready", claim=key, devices=len(missing))
        self.queue.add_after(key, AGAIN_SECONDS)


@program(_NAME)
@option(
    "--driver-name",
    "DRIVER_NAME",
    section="Driver",
    default="gpu.example.com",
    help="Name of the driver whose devices are made ready.",
    remedy="give the name of the driver that classes and claims have",
)
@serving_options
def main(driver_name: str, **others: object) -> int:
    """Say of every allocated device with binding conditions that it is ready."""
    config = serving_config(others)
    configure(config.logging_format, config.verbosity)
    with Lifecycle() as life:
        life.install_signals()
        return run(life, config, driver_name)


def run(life: Lifecycle, config: ServingConfig, driver: str) -> int:
    """Run until a signal or a crashed thread; return the exit code.

    Raises:
        ConfigError: of kube or ops; nothing can run with these settings, or this API server.
    """
    metrics = Metrics()
    client = connect(life, config, metrics, user_agent=f"{_NAME}/{__version__}", logger="readiness")
    events = event_recorder(client, config, driver)
    events.start()
    life.on_stop("events", events.stop)
    store = Store()
    # alive while it waits for the API server
    inquiry = Inquiry(client, _KIND)
    checks: dict[str, Check] = {"kind": inquiry.problem}
    serve_http(life, config, metrics, checks)
    version = inquiry.served_version(life.stop)
    if version is None:
        return life.wait()
    life.spawn("kind", lambda: until_kind_changes(client, _KIND, version, life.stop, pinned=True))
    resource = CLAIMS[version]
    told = Told(events, metrics.registry, clock=time.monotonic)
    publisher = StatusPublisher(client, ClaimReader(client, STRUCTURED), driver, told)
    readiness = Readiness(store, publisher, driver)
    reflector = Reflector(client, resource, store, on_error=watch_failures(_LOG, resource, metrics))
    life.on_stop("queue", readiness.queue.shutdown)
    life.spawn("readiness", readiness.run)
    life.on_stop("watch", reflector.stop)
    life.spawn("watch", lambda: reflector.run(life.stop))
    checks["claims"] = lambda: _not_synced(store)
    del checks["kind"]
    return life.wait()


def _not_synced(store: Store) -> str | None:
    return None if store.has_synced() else "claims are not listed yet"


if __name__ == "__main__":
    main()
