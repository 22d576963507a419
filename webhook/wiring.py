"""Puts the parts of the webhook together."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from inspect import signature
from typing import Final

from api.contract import Contract
from dra.cli import load
from dra.driver import Driver, Validates
from dra.drivercode import complaints, driver_code
from dra.errors import NoDriver
from dra.settings import NODE_NAME
from drivers.gpu import config as gpu
from drivers.gpu import nics
from ops.config import ServingConfig
from ops.health import create_pages
from ops.lifecycle import Lifecycle
from ops.metrics import Metrics
from ops.serving import serve_http
from plugin.structured import parameters as fake
from webhook.app import create_app
from webhook.metrics import WebhookMetrics
from webhook.server import Program
from webhook.serving import Serving
from webhook.sources import Source
from webhook.validators import FAKE_CLASSIC, Validator, Validators

DRAINING: Final = "shutting down"

_NO_NODE: Final = "webhook"
_IN_IMAGE: Final[Mapping[str, Validator]] = {
    "gpu.example.com": gpu.errors,
    "net.example.com": nics.errors,
}


def utc_now() -> datetime:
    """Return the time."""
    return datetime.fromtimestamp(time.time(), UTC)


def validators(contract: Contract, targets: Iterable[str]) -> Validators:
    """Return the validators of the drivers of this image, and of others.

    Args:
        contract: who the fake driver is.
        targets: of other drivers, `module:Driver`.

    Raises:
        DriverError: one cannot be loaded, or has no parameters.
    """
    name = contract.driver_name
    others = dict(map(_validator_of, targets))
    return Validators({**_IN_IMAGE, name: fake.validate, **others}, {name: FAKE_CLASSIC})


def _validator_of(target: str) -> tuple[str, Validator]:
    make: Callable[..., Driver] = load(target)
    on_node = {NODE_NAME: _NO_NODE} if NODE_NAME in signature(make).parameters else {}
    with driver_code("__init__", target):
        driver = make(**on_node)
    if not isinstance(driver, Validates):
        raise NoDriver(f"{target} has no method validate, so that there is nothing to ask it")
    name = driver.contract.driver_name
    return name, partial(complaints, driver, of=name)


def build(
    life: Lifecycle,
    config: ServingConfig,
    metrics: Metrics,
    source: Source,
    known: Validators,
    period: float,
) -> Program:
    """Return the program; nothing is started yet.

    Args:
        life: of the program.
        config: where health and metrics are served without TLS.
        metrics: of the program.
        source: of the certificate.
        known: the validators.
        period: seconds after which the source is looked at again.
    """
    own = WebhookMetrics(metrics.registry)
    serving = Serving(source, period, utc_now, own)
    ready = {
        "certificate": serving.ready,
        "running": lambda: DRAINING if life.stop.is_set() else None,
    }
    pages = create_pages(
        live={"process": lambda: None},
        ready=ready,
        registry=metrics.registry,
        metrics_path=config.metrics_path,
        pprof_path=config.pprof_path,
    )

    def start() -> None:
        serve_http(life, config, metrics, ready)
        life.spawn("certificate", lambda: serving.run(life.stop))

    return Program(life, create_app(known, pages, own), start, serving)
