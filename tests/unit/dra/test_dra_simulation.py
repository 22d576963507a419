"""Health that people say: what they may write, and where it is seen."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import SimpleQueue

import pytest

from allocation.pools import Pool
from api.resources import NODES
from dra.driver import DeviceHealth, ReadsNode, ReportsHealth, Watches
from dra.inventory import Effect, Taint
from dra.simulation import NODE_SECONDS, SwitchedHealth
from testing.node import Node
from testing.waiting import until
from tests.support.driverrig import SLICES, DriverRig
from tests.support.switchedfiles import SwitchedFiles

DRIVER = "gpu.example.com"
FILES = SwitchedFiles.contract.driver_name
WELL, ILL, UNSURE = True, False, None


def annotations(**said: str) -> dict[str, str]:
    return {f"health.{DRIVER}/{device}": text for device, text in said.items()}


def now(health: SwitchedHealth) -> Mapping[str, tuple[bool | None, str]]:
    """Return health and message of all devices."""
    return {each.device: (each.healthy, each.message) for each in next(health.health())}


def switched(devices: Sequence[str] = ("a", "b"), file: Path | None = None) -> SwitchedHealth:
    """Return the health of devices on a Node without annotations."""
    health = SwitchedHealth(DRIVER, devices, file=file)
    health.node_changed({})
    return health


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        str(record.__dict__["keys"]["message"])
        for record in caplog.records
        if record.message == "Health not understood"
    ]


SAID = [
    pytest.param("healthy", WELL, "", id="healthy"),
    pytest.param("unhealthy", ILL, "", id="unhealthy"),
    pytest.param("unknown", UNSURE, "", id="unknown"),
    pytest.param(" Unhealthy : too hot: 99 C ", ILL, "too hot: 99 C", id="message"),
    pytest.param("unhealthy:", ILL, "", id="empty message"),
]


@pytest.mark.parametrize(("text", "healthy", "message"), SAID)
def test_what_an_annotation_says(text: str, healthy: bool | None, message: str) -> None:
    health = SwitchedHealth(DRIVER, ["a", "b"])
    health.node_changed({**annotations(a=text), "health.other/a": "unhealthy", "a": "unhealthy"})
    assert now(health) == {"a": (healthy, message), "b": (WELL, "")}


@pytest.mark.parametrize(("text", "healthy", "message"), SAID)
def test_what_a_file_says(tmp_path: Path, text: str, healthy: bool | None, message: str) -> None:
    file = tmp_path / "health"
    file.write_text(f"# who is well\n\n a = {text}\n#b=unhealthy\n")
    health = switched(file=file)
    assert now(health) == {"a": (healthy, message), "b": (WELL, "")}


@pytest.mark.parametrize(
    ("annotation", "lines", "healthy", "message"),
    [
        ("healthy: so I say", "a=unhealthy: hot", ILL, "hot"),
        ("unhealthy: hot", "a=healthy", ILL, "hot"),
        ("unhealthy: hot", "a=unhealthy: cold", ILL, "hot"),
        ("unknown", "a=healthy", UNSURE, ""),
        ("healthy", "a=unhealthy: hot\na=unknown", ILL, "hot"),
        ("healthy: so I say", "", WELL, "so I say"),
    ],
)
def test_the_worst_that_is_said_counts(
    tmp_path: Path, annotation: str, lines: str, healthy: bool | None, message: str
) -> None:
    (tmp_path / "health").write_text(lines)
    health = SwitchedHealth(DRIVER, ["a"], file=tmp_path / "health")
    health.node_changed(annotations(a=annotation))
    assert now(health) == {"a": (healthy, message)}


def test_a_part_is_no_better_than_the_whole() -> None:
    health = SwitchedHealth(DRIVER, ["a", "a-1", "a-2"], parents={"a-1": "a", "a-2": "a"})
    health.node_changed(annotations(**{"a": "unknown: odd", "a-1": "unhealthy: hot"}))
    assert now(health) == {"a": (UNSURE, "odd"), "a-1": (ILL, "hot"), "a-2": (UNSURE, "odd")}
    health.node_changed(annotations(a="unhealthy"))
    assert all(health.taints(each) for each in ("a", "a-1", "a-2"))


@pytest.mark.parametrize("effect", [Effect.NO_SCHEDULE, Effect.NO_EXECUTE])
def test_an_unhealthy_device_has_a_taint(effect: Effect) -> None:
    health = SwitchedHealth(DRIVER, ["a", "b", "c"], effect=effect)
    health.node_changed(annotations(a="unhealthy", b="unknown"))
    wanted = (Taint("gpu.example.com/unhealthy", effect),)
    assert [health.taints(each) for each in ("a", "b", "c")] == [wanted, (), ()]


WRONG = [
    pytest.param(
        annotations(a="broken"),
        f"annotation health.{DRIVER}/a of the Node is 'broken', and a counts as unknown; write "
        "healthy, unhealthy or unknown, with ': message' after it if there is one",
        (UNSURE, f"annotation health.{DRIVER}/a of the Node cannot be understood"),
        id="state",
    ),
    pytest.param(
        annotations(z="unhealthy"),
        f"annotation health.{DRIVER}/z of the Node is about 'z', which is no device of this driver "
        "here; their names are in the ResourceSlices of the node",
        (WELL, ""),
        id="device",
    ),
]


@pytest.mark.parametrize(("said", "text", "known"), WRONG)
def test_what_is_wrong_is_told_once(
    said: Mapping[str, str],
    text: str,
    known: tuple[bool | None, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    health = SwitchedHealth(DRIVER, ["a"])
    health.node_changed(said)
    health.node_changed({**said, "other": "x"})
    assert (warnings(caplog), now(health)) == ([text], {"a": known})
    health.node_changed({})
    health.node_changed(said)
    assert warnings(caplog) == [text, text]


def test_a_wrong_line_is_told_with_its_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "health"
    file.write_text("# here\na\n=unhealthy\n")
    health = switched(["a"], file)
    assert now(health)["a"][0] is UNSURE
    (text,) = warnings(caplog)
    assert text.startswith(f"line 2 of {file} is '', and a counts as unknown; write healthy")


def test_bytes_that_are_no_text_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "health"
    file.write_bytes(b"a=\xff\xfe\nb=unhealthy\n")
    health = switched(file=file)
    assert [each for each, _ in now(health).values()] == [UNSURE, ILL]
    assert len(warnings(caplog)) == 1


class Following:
    """The health of devices `a` and `b` by a file, read when a test says so.

    Attributes:
        file: that is read.
        published: one entry for each change.
    """

    def __init__(self, directory: Path) -> None:
        self.file = directory / "health"
        self.published: SimpleQueue[None] = SimpleQueue()
        self._waits = threading.Semaphore(0)
        self._goes_on: SimpleQueue[bool] = SimpleQueue()
        self.health = SwitchedHealth(DRIVER, ["a", "b"], file=self.file, wait=self._wait)
        self.health.node_changed({})
        self.health.start(lambda: self.published.put(None))
        assert self._waits.acquire(timeout=10)

    def look(self) -> int:
        """Have the file read; return how often there was something to publish."""
        self._goes_on.put(False)
        assert self._waits.acquire(timeout=10)
        found = self.published.qsize()
        for _ in range(found):
            self.published.get()
        return found

    def stop(self) -> None:
        self._goes_on.put(True)

    def _wait(self, _seconds: float) -> bool:
        self._waits.release()
        return self._goes_on.get(timeout=20)


@pytest.fixture
def following(tmp_path: Path) -> Iterator[Following]:
    made = Following(tmp_path)
    yield made
    made.stop()


def test_a_file_is_followed(following: Following) -> None:
    assert (following.look(), now(following.health)["a"]) == (0, (WELL, ""))
    following.file.write_text("a=unhealthy: hot\n")
    assert (following.look(), now(following.health)["a"]) == (1, (ILL, "hot"))
    following.file.write_text("# as before\na=unhealthy: hot\n")
    assert following.look() == 0
    following.file.unlink()
    assert (following.look(), now(following.health)["a"]) == (1, (WELL, ""))


def test_a_file_that_cannot_be_read_says_what_it_said_last(
    following: Following, caplog: pytest.LogCaptureFixture
) -> None:
    following.file.write_text("a=unhealthy: hot\n")
    following.look()
    following.file.unlink()
    following.file.mkdir()
    assert [following.look(), following.look()] == [0, 0]
    assert now(following.health)["a"] == (ILL, "hot")
    (text,) = warnings(caplog)
    assert text.startswith(f"{following.file} cannot be read, and what it said last counts: Is a")
    following.file.rmdir()
    assert (following.look(), now(following.health)["a"]) == (1, (WELL, ""))


@pytest.mark.parametrize(
    ("said", "first"),
    [
        pytest.param(annotations(a="unhealthy"), ILL, id="heard"),
        pytest.param(None, UNSURE, id="not heard in time"),
    ],
)
def test_the_first_list_waits_for_the_node(
    said: Mapping[str, str] | None,
    first: bool | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "health").write_text("a=unknown")
    health = SwitchedHealth(DRIVER, ["a"], file=tmp_path / "health")
    waited: list[tuple[bool, float]] = []

    def wait(heard: Callable[[], bool], seconds: float) -> bool:
        waited.append((heard(), seconds))
        if said is not None:
            health.node_changed(said)
        return heard()

    monkeypatch.setattr(health._changed, "wait_for", wait)
    assert now(health)["a"][0] is first
    assert waited == [(False, NODE_SECONDS)]


def test_each_change_is_told_to_who_listens() -> None:
    health = switched(["a"])
    told: SimpleQueue[Sequence[DeviceHealth]] = SimpleQueue()
    lists = health.health()

    def listen() -> None:
        for _ in range(3):
            told.put(next(lists))

    listener = threading.Thread(target=listen)
    listener.start()
    assert told.get(timeout=10) == [DeviceHealth("", "a", WELL)]
    health.node_changed(annotations(a="unhealthy: hot"))
    assert told.get(timeout=10) == [DeviceHealth("", "a", ILL, "hot")]
    health.node_changed(annotations(a="unhealthy: hot"))
    health.node_changed({})
    assert told.get(timeout=10) == [DeviceHealth("", "a", WELL)]
    listener.join(10)


def test_it_has_the_ports_of_drivers() -> None:
    health = SwitchedHealth(DRIVER, ["a"])
    assert isinstance(health, ReadsNode)
    assert isinstance(health, Watches)
    assert isinstance(health, ReportsHealth)


class Switched:
    """Two files of a node, as the kubelet and a scheduler see them."""

    def __init__(self, node: Node, directory: Path) -> None:
        self.node = node
        self.file = directory / "health"
        self.driver = SwitchedFiles(2, directory / "files", self.file)

    def annotate(self, text: str | None) -> None:
        said = {f"health.{FILES}/file1": text}
        self.node.api.patch(NODES, self.node.name, {"metadata": {"annotations": said}})

    def taints(self) -> list[list[tuple[str, str]]]:
        """Return keys and effects of the taints of each published device."""
        (pool,) = self.node.published(FILES)
        return tainted(pool)


def tainted(pool: Pool) -> list[list[tuple[str, str]]]:
    return [[(t["key"], t["effect"]) for t in each.get("taints", ())] for each in pool.devices]


@pytest.fixture
def files(dra_node: Node, tmp_path: Path) -> Switched:
    return Switched(dra_node, tmp_path)


UNHEALTHY = [[(f"{FILES}/unhealthy", "NoSchedule")], []]


def say(files: Switched, by: str, text: str | None) -> None:
    if by == "annotation":
        files.annotate(text)
    elif text is None:
        files.file.unlink()
    else:
        files.file.write_text(f"file1={text}\n")


@pytest.mark.parametrize("by", ["annotation", "file"])
def test_an_unhealthy_device_is_seen_by_kubelet_and_scheduler_and_recovers(
    files: Switched, by: str
) -> None:
    with files.node.running(files.driver):
        told = files.node.kubelet.health(FILES)
        here = files.node.name
        assert next(told) == {(here, "file1"): "HEALTHY", (here, "file2"): "HEALTHY"}
        say(files, by, "unhealthy: torn")
        assert next(told) == {(here, "file1"): "UNHEALTHY", (here, "file2"): "HEALTHY"}
        until("the taint", lambda: files.taints() == UNHEALTHY)
        say(files, by, None)
        assert next(told) == {(here, "file1"): "HEALTHY", (here, "file2"): "HEALTHY"}
        until("no taint", lambda: files.taints() == [[], []])
        told.close()


def test_a_taint_outlives_a_restart_with_its_time(files: Switched) -> None:
    files.annotate("unhealthy")
    api = files.node.api
    with files.node.running(files.driver):
        assert files.taints() == UNHEALTHY
        (before,) = api.all(SLICES)
    files = Switched(files.node, files.file.parent)
    with files.node.running(files.driver):
        assert files.taints() == UNHEALTHY
        assert api.all(SLICES) == [before]


def test_a_taint_that_is_not_stored_is_told(short_path: Path) -> None:
    rig = DriverRig(short_path, SwitchedFiles(2, short_path / "files"), minor=35)
    with rig:
        until("the devices", lambda: rig.plugin.readiness_checks()["slices"]() is None)
        said = {f"health.{FILES}/file1": "unhealthy"}
        rig.api.patch(NODES, "node-1", {"metadata": {"annotations": said}})
        until("the event", lambda: [r for _, r, _ in rig.events.told] == ["FieldsNotStored"])
        assert "DRADeviceTaints" in rig.events.told[0][2]
        (found,) = rig.api.all(SLICES)
        assert "taints" not in found["spec"]["devices"][0]
