"""`fake-dra-kubeletplugin`: the composition root of the kubelet plugin."""

import gc
from dataclasses import dataclass
from typing import Any, Final

import click

from api import __version__
from api.names import DEFAULT_MODEL
from api.objects import NodeName
from api.parameters import LONGEST_MODEL
from dra.patience import Patience
from dra.places import NodeLock, Places
from ops.config import CommonConfig, common_config, common_options
from ops.events import event_recorder
from ops.lifecycle import Lifecycle
from ops.logs import configure
from ops.metrics import Metrics
from ops.serving import connect, serve_http
from ops.settings import option, program
from plugin.devices import MAX_DEVICES, FakeDeviceSource
from plugin.heartbeat import PERIOD_SECONDS
from plugin.startup import readiness_checks, start
from plugin.wiring import Site, build

NODE: Final = "Node"
DEVICES: Final = "Devices"
DIRECTORIES: Final = "Directories of the node"


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
    return value


@dataclass(frozen=True, slots=True)
class PluginConfig:
    """Settings of the plugin alone.

    Attributes:
        node_name: of the Node that the plugin runs on.
        num_devices: how many devices the node offers.
        device_model: of all of them.
        cdi_root: directory that the container runtime reads CDI files from.
        kubelet_registrar_directory_path: in which the kubelet looks for plugins.
        kubelet_plugins_directory_path: of the plugins' own directories.
        heartbeat_period: seconds from one heartbeat to the next.
    """

    node_name: str
    num_devices: int
    device_model: str
    cdi_root: str
    kubelet_registrar_directory_path: str
    kubelet_plugins_directory_path: str
    heartbeat_period: float


@program("fake-dra-kubeletplugin")
@option(
    "--node-name",
    "NODE_NAME",
    section=NODE,
    metavar="NAME",
    required=True,
    show_default=False,
    help="Name of the Node that the plugin runs on; in a pod, the field spec.nodeName.",
    remedy="give the name that kubectl get nodes shows for this machine",
)
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
@option(
    "--cdi-root",
    "CDI_ROOT",
    section=DIRECTORIES,
    metavar="DIRECTORY",
    default="/etc/cdi",
    help="Where CDI files are written for the container runtime, which has to read them there; "
    "usual ones are /etc/cdi and /var/run/cdi.",
    remedy="give a directory that the container runtime reads",
)
@option(
    "--kubelet-registrar-directory-path",
    "KUBELET_REGISTRAR_DIRECTORY_PATH",
    section=DIRECTORIES,
    metavar="DIRECTORY",
    default="/var/lib/kubelet/plugins_registry",
    help="Where the kubelet looks for plugins: plugins_registry below its --root-dir.",
    remedy="give the kubelet's directory plugins_registry",
)
@option(
    "--kubelet-plugins-directory-path",
    "KUBELET_PLUGINS_DIRECTORY_PATH",
    section=DIRECTORIES,
    metavar="DIRECTORY",
    default="/var/lib/kubelet/plugins",
    help="Where the plugin has a directory named like the driver, with its socket and its "
    "checkpoint. In a pod, mount it at the same path, since the kubelet is told where the socket "
    "is.",
    remedy="give a directory that is the same for plugin and kubelet",
)
@common_options
def main(**values: Any) -> int:
    """Offer and prepare fake devices on one node, as the kubelet plugin of the driver.

    Publishes the node's devices in its NodeAllocationState, registers with the kubelet, and when
    the kubelet asks, prepares the devices of a claim: it writes CDI files, from which the container
    runtime injects environment variables into the pod's containers.
    """
    config = PluginConfig(**{name: values[name] for name in PluginConfig.__dataclass_fields__})
    common = common_config(values)
    configure(common.logging_format, common.verbosity)
    with Lifecycle() as life:
        life.install_signals()
        return run(life, config, common)


def run(life: Lifecycle, config: PluginConfig, common: CommonConfig) -> int:
    """Run until a signal or a crashed thread; return the exit code.

    Raises:
        ConfigError: of kube or ops, nothing can run with these settings.
        CannotServe: nothing can run on this machine as it is.
    """
    places = Places.of(
        common.contract,
        config.cdi_root,
        config.kubelet_registrar_directory_path,
        config.kubelet_plugins_directory_path,
    )
    places.make_usable()
    life.on_stop("node lock", NodeLock(places.directory).release)
    metrics = Metrics()
    agent = f"fake-dra-kubeletplugin/{__version__}"
    client = connect(life, common, metrics, user_agent=agent, logger="plugin")
    events = event_recorder(client, common, common.contract.driver_name, host=config.node_name)
    node = NodeName(config.node_name)
    source = FakeDeviceSource(common.contract, node, config.num_devices, config.device_model)
    site = Site(common.contract, node, common.namespace, source, places, config.heartbeat_period)
    plugin = build(client, events, metrics, site, Patience(life.stop.wait))
    serve_http(life, common, metrics, readiness_checks(plugin))
    events.start()
    life.on_stop("events", events.stop)
    start(life, plugin)
    gc.freeze()
    return life.wait()


if __name__ == "__main__":
    main()
