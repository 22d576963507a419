"""`fake-dra-controller`: the composition root of the controller."""

import gc

import click

from api import __version__
from api.names import DRIVER_NAME
from controller.discovery import served_version
from controller.wiring import Controller, build
from kube.client import Client
from kube.events import EventRecorder
from ops.config import CommonConfig, common_config, common_options
from ops.health import HttpServer, create_app
from ops.lifecycle import Lifecycle
from ops.logs import configure, get_logger
from ops.metrics import Metrics
from ops.settings import option, program

_LOG = get_logger("controller")


@program("fake-dra-controller")
@option(
    "--workers",
    "WORKERS",
    section="Controller",
    type=click.IntRange(1, 100),
    default=10,
    help="How many claims and pods are worked on at the same time.",
    remedy="give a whole number from 1 to 100",
)
@option(
    "--unprepare-timeout",
    "UNPREPARE_TIMEOUT",
    section="Controller",
    type=click.FloatRange(0, 3600),
    default=60.0,
    help="Seconds that freeing a claim waits for its node to unprepare the devices. A node that "
    "lost power never does; afterwards the devices are taken back without it.",
    remedy="give a number of seconds from 0 to 3600",
)
@common_options
def main(workers: int, unprepare_timeout: float, **common: object) -> int:
    """Allocate fake devices to ResourceClaims, as the central controller of the driver.

    Watches ResourceClaims, PodSchedulingContexts, classes, parameters and the
    NodeAllocationStates that the kubelet plugins publish; negotiates nodes with the scheduler,
    and records every allocation in the state of its node and in the status of the claim.
    """
    config = common_config(common)
    configure(config.logging_format, config.verbosity)
    with Lifecycle() as life:
        life.install_signals()
        return run(life, config, workers, unprepare_timeout)


def run(life: Lifecycle, config: CommonConfig, workers: int, unprepare_timeout: float) -> int:
    """Run until a signal or a crashed thread; return the exit code.

    Raises:
        ConfigError: of kube or ops, nothing can run with these settings or this API server.
    """
    metrics = Metrics()
    client = Client.from_kubeconfig(
        config.kubeconfig,
        qps=config.kube_api_qps,
        burst=config.kube_api_burst,
        user_agent=f"fake-dra-controller/{__version__}",
        observer=metrics.observe_request,
        stop=life.stop,
    )
    life.on_stop("API client", client.close)
    version = served_version(client, life.stop)
    if version is None:
        return life.wait()
    _LOG.info("serving classic claims", version=version)
    events = EventRecorder(client, component=f"resource driver {DRIVER_NAME}")
    controller = build(
        client,
        events,
        metrics,
        version=version,
        namespace=config.namespace,
        unprepare_timeout=unprepare_timeout,
    )
    _start(life, controller, events, workers)
    _serve(life, config, controller, metrics)
    gc.freeze()
    return life.wait()


def _start(life: Lifecycle, controller: Controller, events: EventRecorder, workers: int) -> None:
    events.start()
    life.on_stop("events", events.stop)
    for name, body in controller.caches.threads(life.stop):
        life.spawn(name, body)
    life.on_stop("watches", controller.caches.stop)
    for number in range(workers):
        life.spawn(f"worker-{number}", lambda: _work(life, controller))
    life.on_stop("queue", controller.queue.shutdown)


def _work(life: Lifecycle, controller: Controller) -> None:
    """Work through the queue once every cache has seen a full list."""
    while controller.caches.unsynced():
        if life.stop.wait(0.05):
            return
    controller.reconciler.run()


def _serve(life: Lifecycle, config: CommonConfig, controller: Controller, metrics: Metrics) -> None:
    if not config.http_endpoint:
        return

    def caches() -> str | None:
        missing = controller.caches.unsynced()
        return f"no list yet of {', '.join(missing)}" if missing else None

    app = create_app(
        live={"process": lambda: None},
        ready={"caches": caches},
        registry=metrics.registry,
        metrics_path=config.metrics_path,
        pprof_path=config.pprof_path,
    )
    server = HttpServer(config.http_endpoint, app)
    server.start()
    life.on_stop("HTTP server", server.stop)


if __name__ == "__main__":
    main()
