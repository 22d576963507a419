"""`fake-dra-controller`: the composition root of the controller."""

import gc
from dataclasses import dataclass
from typing import Any

import click

from api import __version__
from api.claims.versions import CLASSIC
from api.classes import SPLIT
from api.validation import SUBDOMAIN_LENGTH, subdomain
from controller.classes import ClassKeeper
from controller.election import (
    Leadership,
    election_options,
    election_timing,
    new_identity,
    take_part,
)
from controller.kinds import Around, Parts, classic, structured
from kube.client import Client
from kube.leases import Timing
from ops.checks import Check
from ops.communication import Communication, communication_option
from ops.config import CommonConfig, common_config, common_options
from ops.discovery import (
    Inquiry,
    kind_of,
    kind_option,
    until_kind_changes,
)
from ops.events import event_recorder
from ops.lifecycle import Lifecycle
from ops.logs import configure, get_logger
from ops.metrics import Metrics
from ops.serving import connect, serve_http
from ops.settings import option, program

_LOG = get_logger("controller")
_USER_AGENT = f"fake-dra-controller/{__version__}"
_LONGEST_CLASS = SUBDOMAIN_LENGTH - len(SPLIT)


def _class_name(_context: click.Context, _param: click.Parameter, value: str) -> str:
    """Check that classes can have a name."""
    if value and (len(value) > _LONGEST_CLASS or subdomain(value)):
        raise click.BadParameter(f"{value!r} is no name of a class")
    return value


@dataclass(frozen=True, slots=True)
class ControllerConfig:
    """Settings of the controller alone.

    Attributes:
        kind: of the claims.
        class_name: of the class that it keeps; empty is none.
        workers: how many claims and pods are worked on at the same time.
        unprepare_timeout: seconds that freeing a claim waits for its node.
        communication: where allocations are written down.
    """

    kind: str
    class_name: str
    workers: int
    unprepare_timeout: float
    communication: Communication


@program("fake-dra-controller")
@kind_option
@option(
    "--class-name",
    "CLASS_NAME",
    section="Controller",
    metavar="NAME",
    callback=_class_name,
    default="fake.3-shake.com",
    empty=True,
    help="Name of the class by which claims ask for devices, which the controller makes and keeps: "
    "a ResourceClass up to Kubernetes 1.30, then a DeviceClass. Where claims are structured, "
    "split.NAME is the one of split devices. Empty is no class.",
    remedy=f"give a DNS name of at most {_LONGEST_CLASS} lower-case characters, or nothing",
)
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
@communication_option
@election_options
@common_options
def main(**values: Any) -> int:
    """Allocate fake devices to ResourceClaims, as the central controller of the driver.

    Watches ResourceClaims, PodSchedulingContexts, classes, parameters and the
    NodeAllocationStates that the kubelet plugins publish; negotiates nodes with the scheduler,
    and records every allocation in the state of its node and in the status of the claim.

    From Kubernetes 1.32 on, where kube-scheduler allocates, it keeps the DeviceClasses, and
    removes what claims of former versions have left.
    """
    values["communication"] = Communication(values["communication"])
    config = ControllerConfig(
        **{name: values[name] for name in ControllerConfig.__dataclass_fields__}
    )
    common = common_config(values)
    timing = election_timing(values)
    configure(common.logging_format, common.verbosity)
    with Lifecycle() as life:
        life.install_signals()
        return run(life, config, common, timing)


def run(
    life: Lifecycle, config: ControllerConfig, common: CommonConfig, timing: Timing | None
) -> int:
    """Run until a signal, a crashed thread, lost leadership or another kind of claims.

    Returns:
        The exit code.

    Raises:
        ConfigError: of kube or ops, nothing can run with these settings or this API server.
    """
    metrics = Metrics()
    client = connect(life, common, metrics, user_agent=_USER_AGENT, logger="controller")
    # alive while it waits for the API server
    inquiry = Inquiry(client, config.kind)
    checks: dict[str, Check] = {"kind": inquiry.problem}
    serve_http(life, common, metrics, checks)
    version = inquiry.served_version(life.stop)
    if version is None:
        return life.wait()
    _LOG.info(f"serving {kind_of(version)} claims", version=version)
    life.spawn("kind", lambda: until_kind_changes(client, config.kind, version, life.stop))
    events = event_recorder(client, common, common.contract.driver_name)
    events.start()
    life.on_stop("events", events.stop)
    around = Around(life, common, client, events, metrics)
    keeper = ClassKeeper(client, common.contract, config.class_name, events)
    if version in CLASSIC:
        parts = classic(
            *(around, keeper, version, config.workers, config.unprepare_timeout),
            config.communication,
        )
    else:
        parts = structured(around, keeper)
    _lead(life, common, metrics, parts, timing)
    checks |= parts.checks
    del checks["kind"]
    gc.freeze()
    return life.wait()


def _lead(
    life: Lifecycle, config: CommonConfig, metrics: Metrics, parts: Parts, timing: Timing | None
) -> None:
    """Let the parts work: at once, or when this controller leads."""
    if timing is None:
        life.on_stop("workers", parts.stop)
        parts.start()
        return
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
    leadership = Leadership(metrics, parts.start, identity=new_identity())
    leave = take_part(life, client, leadership, config.namespace, timing)

    def stop() -> None:
        parts.stop()
        # not reached while a worker hangs: the lease then runs out instead of being released
        leave()

    life.on_stop("workers and lease", stop)


if __name__ == "__main__":
    main()
