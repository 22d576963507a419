"""Health of devices without hardware: people say how they are, by the Node or by a file.

    kubectl annotate node worker health.gpu.example.com/gpu-0='unhealthy: fell off the bus'
    echo 'gpu-0=unhealthy: fell off the bus' >> /etc/gpu/health

A state is `healthy`, `unhealthy` or `unknown`, with a message for people if there is one. A device
of which nothing is said is healthy. Where Node and file disagree, or lines of the file, the worst
counts.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from pathlib import Path
from types import MappingProxyType
from typing import Final

from dra.driver import DeviceHealth
from dra.inventory import Effect, Inventory, Taint
from ops.logs import get_logger

POLL_SECONDS: Final = 1.0
"""After which a file is read again."""

NODE_SECONDS: Final = 5.0
"""For which kubelets wait for what the Node says: else all is well for a moment after a restart."""

_LOG = get_logger("health")


class State(IntEnum):
    """How a device is, the worst last."""

    HEALTHY = 0
    UNKNOWN = 1
    UNHEALTHY = 2


_HEALTHY: Final = {State.HEALTHY: True, State.UNKNOWN: None, State.UNHEALTHY: False}


@dataclass(frozen=True, slots=True)
class Condition:
    """A state, and why."""

    state: State = State.HEALTHY
    message: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """What somebody said: the text of a device's condition, and where it stands."""

    device: str
    text: str
    where: str


@dataclass(frozen=True, slots=True)
class _Heard:
    """All that was said last, None by a Node that was not read, and why the file cannot be read."""

    annotations: tuple[Statement, ...] | None = None
    lines: tuple[Statement, ...] = ()
    fault: tuple[str, ...] = ()


def in_annotations(annotations: Mapping[str, str], driver_name: str) -> Iterator[Statement]:
    """Yield what annotations of a Node say of a driver's devices."""
    for key, text in annotations.items():
        prefix, _, device = key.rpartition("/")
        if prefix == f"health.{driver_name}":
            yield Statement(device, text, f"annotation {key} of the Node")


def in_lines(text: str, path: Path) -> Iterator[Statement]:
    """Yield what the lines of a file say; `#` begins one for people."""
    for number, line in enumerate(text.splitlines(), 1):
        device, _, said = line.partition("=")
        if device.strip() and not device.lstrip().startswith("#"):
            yield Statement(device.strip(), said, f"line {number} of {path}")


def condition_of(text: str) -> Condition | None:
    """Return what a text such as `unhealthy: too hot` says, None if nothing."""
    word, _, message = text.partition(":")
    state = State.__members__.get(word.strip().upper())
    return None if state is None else Condition(state, message.strip())


def judge(
    statements: Iterable[Statement], devices: Collection[str]
) -> tuple[Mapping[str, Condition], frozenset[str]]:
    """Return the devices of which something is said, and what is wrong with what is said."""
    found: dict[str, Condition] = {}
    wrong: set[str] = set()
    for each in statements:
        if each.device not in devices:
            wrong.add(
                f"{each.where} is about {each.device!r}, which is no device of this driver here; "
                "their names are in the ResourceSlices of the node"
            )
            continue
        said = condition_of(each.text)
        if said is None:
            wrong.add(
                f"{each.where} is {each.text.strip()!r}, and {each.device} counts as unknown; "
                "write healthy, unhealthy or unknown, with ': message' after it if there is one"
            )
            said = Condition(State.UNKNOWN, f"{each.where} cannot be understood")
        found[each.device] = worst(found.get(each.device, said), said)
    return found, frozenset(wrong)


def worst(*conditions: Condition) -> Condition:
    """Return the worst condition, the first of several."""
    return max(conditions, key=lambda each: each.state)


class SwitchedHealth:
    """Has what `ReadsNode`, `Watches` and `ReportsHealth` need; thread-safe."""

    def __init__(
        self,
        driver_name: str,
        devices: Iterable[str],
        *,
        parents: Mapping[str, str] = MappingProxyType({}),
        file: Path | None = None,
        effect: Effect = Effect.NO_SCHEDULE,
        wait: Callable[[float], bool | None] = time.sleep,
    ) -> None:
        """Take in what the file says; all other devices are healthy.

        Args:
            driver_name: of the driver.
            devices: their names, in a pool that is named like the node.
            parents: by devices that are parts of others; a part is no better than the whole.
            file: with lines `<device>=<state>: <message>`; it need not be there.
            effect: of the taint on unhealthy devices.
            wait: for so many seconds; true ends the reading of the file.
        """
        self._driver_name = driver_name
        self._devices = tuple(devices)
        self._parents = dict(parents)
        self._file = file
        self._taint = Taint(f"{driver_name}/unhealthy", effect)
        self._wait = wait
        self._publish: Callable[[], None] = lambda: None
        self._changed = threading.Condition()
        self._heard = _Heard()
        self._conditions: Mapping[str, Condition] = {}
        self._told: frozenset[str] = frozenset()
        self._read()

    def node_changed(self, annotations: Mapping[str, str]) -> None:
        """Take in what the Node says."""
        said = tuple(in_annotations(annotations, self._driver_name))
        self._take(lambda heard: replace(heard, annotations=said))

    def start(self, publish: Callable[[], None]) -> None:
        """Call `publish` after each change from now on."""
        with self._changed:
            self._publish = publish
        if self._file is not None:
            threading.Thread(target=self._follow, name="health-file", daemon=True).start()

    def health(self) -> Iterator[Sequence[DeviceHealth]]:
        """Yield the health of all devices, once the Node was read, and after each change."""
        told: Mapping[str, Condition] | None = None
        with self._changed:
            self._changed.wait_for(lambda: self._heard.annotations is not None, NODE_SECONDS)
        while True:
            with self._changed:
                while self._conditions is told:
                    self._changed.wait()
                told = self._conditions
            conditions = ((name, self._of(name, told)) for name in self._devices)
            yield [
                DeviceHealth("", name, _HEALTHY[each.state], each.message)
                for name, each in conditions
            ]

    def taints(self, device: str) -> tuple[Taint, ...]:
        """Return the taint of an unhealthy device, always the same, and none of another."""
        with self._changed:
            unhealthy = self._of(device, self._conditions).state is State.UNHEALTHY
        return (self._taint,) if unhealthy else ()

    def _of(self, device: str, conditions: Mapping[str, Condition]) -> Condition:
        own = conditions.get(device, Condition())
        return worst(own, conditions.get(self._parents.get(device, ""), own))

    def _follow(self) -> None:
        self._read()
        while not self._wait(POLL_SECONDS):
            self._read()

    def _read(self) -> None:
        """Take in what the file says; one that cannot be read says what it said last."""
        if self._file is None:
            return
        try:
            text = self._file.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            text = ""
        except OSError as error:
            fault = (
                f"{self._file} cannot be read, and what it said last counts: {error.strerror}; "
                "make it a file that the driver may read, or remove it"
            )
            self._take(lambda heard: replace(heard, fault=(fault,)))
            return
        lines = tuple(in_lines(text, self._file))
        self._take(lambda heard: replace(heard, lines=lines, fault=()))

    def _take(self, hear: Callable[[_Heard], _Heard]) -> None:
        """Take in something that was said; tell of a change, and once of what is wrong with it."""
        with self._changed:
            self._heard = heard = hear(self._heard)
            found, wrong = judge((*(heard.annotations or ()), *heard.lines), self._devices)
            wrong = wrong.union(heard.fault)
            news, self._told = wrong - self._told, wrong
            changed = found != self._conditions
            if changed:
                self._conditions = found
            self._changed.notify_all()
            publish = self._publish
        for each in sorted(news):
            _LOG.warning("Health not understood", message=each)
        if changed:
            publish()


class Switched:
    """Base of a driver whose devices are as `switched` says.

    Attributes:
        switched: made by the driver's constructor.
    """

    switched: SwitchedHealth

    def node_changed(self, annotations: Mapping[str, str]) -> None:
        """Take in what the Node says."""
        self.switched.node_changed(annotations)

    def start(self, publish: Callable[[], None]) -> None:
        """Publish after each change."""
        self.switched.start(publish)

    def health(self) -> Iterator[Sequence[DeviceHealth]]:
        """Tell kubelets how the devices are."""
        return self.switched.health()


def tainted(found: Inventory, taints: Callable[[str], tuple[Taint, ...]]) -> Inventory:
    """Return the same devices with the taints that they have now, by name."""
    return Inventory(
        tuple(
            replace(
                pool,
                devices=tuple(replace(each, taints=taints(each.name)) for each in pool.devices),
            )
            for pool in found.pools
        )
    )
