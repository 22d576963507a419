"""What the views work on: one value, made by `devcluster.apiserver.server`."""

from collections.abc import Callable
from dataclasses import dataclass, field

from devcluster.apiserver.clock import Clock, system_clock
from devcluster.apiserver.logs import LogSource
from devcluster.apiserver.registry import Registry
from devcluster.apiserver.remotecommand import CommandSource
from devcluster.apiserver.store import Store
from devcluster.apiserver.watch import Pace


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """The parts of a running API server.

    Attributes:
        version: as `kubectl version` shows it.
        stopping: whether watches have to end.
    """

    store: Store
    registry: Registry
    logs: LogSource
    commands: CommandSource
    version: str
    stopping: Callable[[], bool]
    clock: Clock = system_clock
    pace: Pace = field(default_factory=Pace)
