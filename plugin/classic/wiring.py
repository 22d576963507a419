"""Puts the plugin together: node state, files, services, and the sync; nothing runs yet."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from api.claims.versions import CLASSIC
from api.contract import Contract
from api.names import TIME_SLICED
from api.objects import NodeName
from api.resources import STATES
from dra.claims import ClaimReader
from dra.devicestate.directory import CdiDirectory
from dra.devicestate.publisher import Publisher
from dra.devicestate.state import State
from dra.kubelet.services import CLASSIC_SERVICES
from dra.node import NoStatus
from dra.publish.nas import NasPublisher
from dra.publish.nodestate import NodeState
from dra.publish.withheld import Withheld
from dra.sync import NodeSync, Task
from dra.wiring import AllocationModel, Plugin, Surroundings, Telemetry
from dra.wiring import build as build_plugin
from kube.reflector import Reflector
from kube.store import Store
from kube.workqueue import WorkQueue
from ops.apiserver import watch_failures
from ops.communication import Communication
from ops.logs import get_logger
from ops.pruning import ComparedWrites
from plugin.classic.driver import FakeDriver, FromController, offered, with_parents
from plugin.classic.heartbeat import PERIOD_SECONDS, Heartbeats
from plugin.classic.readiness import Readiness
from plugin.classic.repairs import Repairs
from plugin.devices import DeviceSource
from plugin.fakes import Fakes

REPAIR = "repair"
STATUS = "status"
HEARTBEAT = "heartbeat"

CHECKPOINT: Final = "checkpoint"
"""Where prepared claims are shown that are not in the NAS."""

_LOG = get_logger("plugin")


@dataclass(frozen=True, slots=True)
class Site:
    """The node that a plugin is for.

    Attributes:
        contract: of the driver.
        namespace: of its NAS.
        source: of its devices.
        heartbeat_period: seconds.
        communication: where prepared claims are shown.
    """

    contract: Contract
    namespace: str
    source: DeviceSource
    heartbeat_period: float = PERIOD_SECONDS
    communication: Communication = Communication.NAS


@dataclass(frozen=True, slots=True)
class ClassicPlugin:
    """The parts that the program starts and stops.

    Attributes:
        plugin: what every plugin has.
        cache: of the node's NAS.
        reflector: fills it.
        node_state: the node's NAS.
        publisher: shows the prepared claims there, or sees to it that none are.
        readiness: the status of the NAS.
        heartbeats: in the NAS.
        queue: of the sync.
        sync: keeps the NAS.
    """

    plugin: Plugin
    cache: Store
    reflector: Reflector
    node_state: NodeState
    publisher: NasPublisher | Withheld
    readiness: Readiness
    heartbeats: Heartbeats
    queue: WorkQueue
    sync: NodeSync


def build(around: Surroundings, site: Site, telemetry: Telemetry) -> ClassicPlugin:
    """Return the plugin of a node, not yet running.

    Args:
        around: what it works with.
        site: the node.
        telemetry: how it tells what it does.
    """
    cache, queue = Store(), WorkQueue(observer=around.metrics.queue("node"))
    driver = FakeDriver(Fakes(site.contract, around.node), site.source)
    node_state = NodeState(
        *(ComparedWrites(around.client, around.events), cache, around.node, site.namespace),
        offered(driver.discover()),
        site.contract.device_key,
        (TIME_SLICED,),
        CHECKPOINT if site.communication is Communication.HANDLE else "",
    )
    directory = driver.fakes.directory(around.places.cdi_root.path)
    publisher = _publisher(site, around.node, node_state, directory, telemetry)
    tested = isinstance(publisher, NasPublisher)
    allocations = FromController(site.contract, node_state, around.node, tested=tested)
    model = _allocation_model(around, driver, allocations, lambda: sync.request(STATUS))
    state = _state(around, driver, directory, publisher, telemetry)
    plugin = build_plugin(around, driver, model, state, telemetry)
    readiness = Readiness(node_state, plugin.registration)
    heartbeats = Heartbeats(node_state, site.heartbeat_period, telemetry.measured.beat)
    repairs = Repairs(node_state, publisher, lambda: sync.request(STATUS), telemetry.report)
    tasks = {
        REPAIR: Task(repairs.run),
        STATUS: Task(readiness.write, periodic=False),
        **plugin.tasks,
        HEARTBEAT: Task(heartbeats.beat),
    }
    sync = NodeSync(tasks, queue)
    cache.subscribe(lambda _old, _new: sync.request(REPAIR))
    reflector = _reflector(around, cache, site)
    kept = (node_state, publisher, readiness, heartbeats)
    return ClassicPlugin(plugin, cache, reflector, *kept, queue, sync)


def _publisher(
    site: Site,
    node: NodeName,
    node_state: NodeState,
    directory: CdiDirectory,
    telemetry: Telemetry,
) -> NasPublisher | Withheld:
    if site.communication is Communication.HANDLE:
        return Withheld(directory, node_state, partial(with_parents, site.source, node))
    return NasPublisher(node_state, report=telemetry.report)


def _allocation_model(
    around: Surroundings,
    driver: FakeDriver,
    allocations: FromController,
    status_changed: Callable[[], None],
) -> AllocationModel:
    return AllocationModel(
        services=CLASSIC_SERVICES,
        claims=ClaimReader(around.client, CLASSIC),
        allocations=allocations,
        status=NoStatus(),
        answer=driver.answer,
        registration_changed=status_changed,
    )


def _reflector(around: Surroundings, cache: Store, site: Site) -> Reflector:
    return Reflector(
        around.client,
        STATES,
        cache,
        namespace=site.namespace,
        field_selector=f"metadata.name={around.node}",
        on_error=watch_failures(_LOG, STATES, around.metrics),
    )


def _state(
    around: Surroundings,
    driver: FakeDriver,
    directory: CdiDirectory,
    publisher: Publisher,
    telemetry: Telemetry,
) -> State:
    fakes = driver.fakes
    return State(
        directory,
        fakes.checkpoint(around.places.directory.path),
        publisher,
        report=telemetry.report,
        write_ahead=False,
        remake=driver.remake,
    )
