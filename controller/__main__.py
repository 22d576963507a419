"""`fake-dra-controller`: the composition root of the controller."""

import gc

import click

from api import __version__
from controller.election import (
    Leadership,
    election_options,
    election_timing,
    new_identity,
    take_part,
)
from controller.wiring import Controller, build
from controller.workers import Workers
from kube.client import Client
from kube.events import EventRecorder
from kube.leases import Timing
from ops.config import CommonConfig, common_config, common_options
from ops.discovery import served_version
from ops.events import event_recorder
from ops.lifecycle import Lifecycle
from ops.logs import configure, get_logger
from ops.metrics import Metrics
from ops.serving import connect, serve_http
from ops.settings import option, program

_LOG = get_logger("controller")
_USER_AGENT = f"fake-dra-controller/{__version__}"


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
@election_options
@common_options
def main(workers: int, unprepare_timeout: float, **others: object) -> int:
    """Allocate fake devices to ResourceClaims, as the central controller of the driver.

    Watches ResourceClaims, PodSchedulingContexts, classes, parameters and the
    NodeAllocationStates that the kubelet plugins publish; negotiates nodes with the scheduler,
    and records every allocation in the state of its node and in the status of the claim.
    """
    config = common_config(others)
    timing = election_timing(others)
    configure(config.logging_format, config.verbosity)
    with Lifecycle() as life:
        life.install_signals()
        return run(life, config, workers, unprepare_timeout, timing)


def run(
    life: Lifecycle,
    config: CommonConfig,
    workers: int,
    unprepare_timeout: float,
    timing: Timing | None,
) -> int:
    """Run until a signal, a crashed thread or lost leadership; return the exit code.

    Raises:
        ConfigError: of kube or ops, nothing can run with these settings or this API server.
    """
    metrics = Metrics()
    client = connect(life, config, metrics, user_agent=_USER_AGENT, logger="controller")
    version = served_version(client, "classic", life.stop)
    if version is None:
        return life.wait()
    _LOG.info("serving classic claims", version=version)
    events = event_recorder(client, config, config.contract.driver_name)
    controller = build(
        *(client, config.contract, events, metrics),
        version=version,
        namespace=config.namespace,
        unprepare_timeout=unprepare_timeout,
    )
    _start(life, controller, events)
    crew = Workers(life, controller, workers)
    if timing is None:
        life.on_stop("workers", crew.stop)
        crew.start()
    else:
        _elect(life, config, metrics, crew, timing)
    _serve(life, config, controller, metrics)
    gc.freeze()
    return life.wait()


def _start(life: Lifecycle, controller: Controller, events: EventRecorder) -> None:
    events.start()
    life.on_stop("events", events.stop)
    for name, body in controller.caches.threads(life.stop):
        life.spawn(name, body)
    life.on_stop("watches", controller.caches.stop)


def _elect(
    life: Lifecycle, config: CommonConfig, metrics: Metrics, crew: Workers, timing: Timing
) -> None:
    """Let the workers start when this controller leads."""
    client = Client.from_kubeconfig(
        config.kubeconfig,
        # of its own, since a renewal must not wait for the requests of workers
        qps=0,
        burst=1,
        user_agent=f"{_USER_AGENT}/leader-election",
        observer=metrics.observe_request,
        pool=2,
        read_seconds=timing.renew_deadline / 4,
        retry_seconds=0,
    )
    life.on_stop("API client of the election", client.close)
    leadership = Leadership(metrics, crew.start, identity=new_identity())
    leave = take_part(life, client, leadership, config.namespace, timing)

    def stop() -> None:
        crew.stop()
        # not reached while a worker hangs: the lease then runs out instead of being released
        leave()

    life.on_stop("workers and lease", stop)


def _serve(life: Lifecycle, config: CommonConfig, controller: Controller, metrics: Metrics) -> None:
    def caches() -> str | None:
        missing = controller.caches.unsynced()
        return f"no list yet of {', '.join(missing)}" if missing else None

    serve_http(life, config, metrics, {"caches": caches})


if __name__ == "__main__":
    main()
