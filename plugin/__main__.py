"""`fake-dra-kubeletplugin`: the composition root of the kubelet plugin."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from api.claims.versions import CLASSIC
from api.limits import MAX_VALUE_BYTES
from api.names import DEFAULT_MODEL
from api.parameters import LONGEST_MODEL
from dra import startup
from dra.settings import NODE, NodeConfig, node_options
from dra.structured import structured
from dra.wiring import Telemetry
from ops.checks import Check
from ops.communication import Communication, communication_option
from ops.config import CommonConfig, common_config, common_options
from ops.discovery import Inquiry, kind_option, until_kind_changes
from ops.lifecycle import Lifecycle
from ops.logs import configure
from ops.serving import serve_http
from ops.settings import option, program
from plugin.classic.heartbeat import PERIOD_SECONDS
from plugin.classic.startup import readiness_checks, start
from plugin.classic.wiring import Site, build
from plugin.devices import MAX_DEVICES, FakeDeviceSource
from plugin.fakes import Fakes
from plugin.structured.driver import StructuredFakeDriver
from plugin.structured.inventory import Division
from plugin.structured.past import FormerFiles
from plugin.structured.settings import device_options

DEVICES: Final = "Devices"


def _model(_context: click.Context, _param: click.Parameter, value: str) -> str:
    """Check that selectors can name a model, and people read it."""
    if not value:
        raise click.BadParameter("it is empty")
    if len(value) > LONGEST_MODEL:
        raise click.BadParameter(
            f"it has {len(value)} characters, selectors take {LONGEST_MODEL} at most"
        )
    if not value.isprintable():
        raise click.BadParameter(f"{value!r} has characters that cannot be printed")
    if len(value.encode()) > MAX_VALUE_BYTES:
        raise click.BadParameter(
            f"it has {len(value.encode())} bytes, attributes take {MAX_VALUE_BYTES} at most"
        )
    return value


@dataclass(frozen=True, slots=True)
class PluginConfig:
    """Settings of the plugin alone.

    Attributes:
        num_devices: how many devices the node offers.
        device_model: of all of them.
        heartbeat_period: seconds from one heartbeat to the next.
        kind: of the claims.
        division: of the devices, where kube-scheduler allocates.
        health_file: that says how they are there.
        communication: where prepared claims are shown, where a controller allocates.
    """

    num_devices: int
    device_model: str
    heartbeat_period: float
    kind: str
    division: Division = field(default_factory=Division)
    health_file: Path | None = None
    communication: str = Communication.NAS.value


@program("fake-dra-kubeletplugin")
@node_options
@option(
    "--heartbeat-period",
    "HEARTBEAT_PERIOD",
    section=NODE,
    type=click.FloatRange(1, 3600),
    default=PERIOD_SECONDS,
    help="Seconds from one heartbeat in the NodeAllocationState to the next. A plugin from which "
    "none has come for two and a half periods is taken for silent, and claims go to other nodes.",
    remedy="give a number of seconds from 1 to 3600",
)
@option(
    "--num-devices",
    "NUM_DEVICES",
    section=DEVICES,
    type=click.IntRange(0, MAX_DEVICES),
    default=8,
    help="How many devices the node offers. Those of a smaller number are the first ones of a "
    "larger number.",
    remedy=f"give a whole number from 0 to {MAX_DEVICES}",
)
@option(
    "--device-model",
    "DEVICE_MODEL",
    section=DEVICES,
    metavar="MODEL",
    callback=_model,
    default=DEFAULT_MODEL,
    help="Model of the node's devices, which the selectors of classes and claims match.",
    remedy=f"give the name of a model of 1 to {LONGEST_MODEL} characters, such as {DEFAULT_MODEL}",
)
@device_options
@communication_option
@kind_option
@common_options
def main(**values: Any) -> int:
    """Offer and prepare fake devices on one node, as the kubelet plugin of the driver.

    Publishes the node's devices in its NodeAllocationState, or from Kubernetes 1.32 on in
    ResourceSlices, registers with the kubelet, and when the kubelet asks, prepares the devices of a
    claim: it writes CDI files, from which the container runtime injects environment variables into
    the pod's containers.
    """
    division = Division(values["splits"], values["static_splits"], values["shares"])
    named = PluginConfig.__dataclass_fields__.keys() & values.keys()
    config = PluginConfig(**{name: values[name] for name in named}, division=division)
    common = common_config(values)
    configure(common.logging_format, common.verbosity)
    with Lifecycle() as life:
        life.install_signals()
        return run(life, NodeConfig.read(values), config, common)


def run(life: Lifecycle, on: NodeConfig, config: PluginConfig, common: CommonConfig) -> int:
    """Run until a signal or a crashed thread; return the exit code.

    Raises:
        ConfigError: of kube or ops, nothing can run with these settings.
        CannotServe: nothing can run on this machine as it is.
    """
    contract = common.contract
    around, lock = startup.surroundings(life, contract, on, common, "fake-dra-kubeletplugin")
    # alive while it waits for the API server
    inquiry = Inquiry(around.client, config.kind)
    checks: dict[str, Check] = {"kind": inquiry.problem}
    serve_http(life, common, around.metrics, checks)
    version = inquiry.served_version(life.stop)
    if version is None:
        return life.wait()
    life.spawn("kind", lambda: until_kind_changes(around.client, config.kind, version, life.stop))
    source = FakeDeviceSource(contract, around.node, config.num_devices, config.device_model)
    if version in CLASSIC:
        communication = Communication(config.communication)
        period = config.heartbeat_period
        site = Site(contract, common.namespace, source, period, communication)
        classic = build(around, site, Telemetry.over(around))
        checks |= readiness_checks(classic)
        begin = partial(start, life, classic)
    else:
        fakes = Fakes(contract, around.node)
        driver = StructuredFakeDriver(fakes, source, config.division, config.health_file)
        plugin = structured(around, driver, rolling=False, files=FormerFiles(fakes))
        checks |= plugin.readiness_checks()
        begin = partial(plugin.start, life, lock)
    del checks["kind"]
    return startup.run(life, around, begin)


if __name__ == "__main__":
    main()
