import threading
from pathlib import Path
from unittest.mock import create_autospec

from api.contract import FAKE
from api.resources import NODES, STATES
from dra.patience import Patience
from dra.places import Places
from dra.wiring import Surroundings, Telemetry
from kube.events import EventRecorder
from ops.metrics import Metrics
from plugin.classic.wiring import Site, build
from plugin.devices import FakeDeviceSource
from testing.apiserver import MemoryApi
from tests.support.backups import Backup
from tests.support.build import SYSTEM
from tests.support.pluginrig import NODE, node_object

SECONDS = 20.0


def test_watch_follows_an_api_server_that_was_restored(tmp_path: Path) -> None:
    api, metrics, stop = MemoryApi(), Metrics(), threading.Event()
    api.put(NODES, node_object())
    places = Places.of(FAKE, *(str(tmp_path / name) for name in ("cdi", "registry", "plugins")))
    site = Site(FAKE, SYSTEM, FakeDeviceSource(FAKE, NODE, 2, "M"))
    events = create_autospec(EventRecorder, instance=True)
    around = Surroundings(api, events, metrics, NODE, places, Patience(stop.wait))
    plugin = build(around, site, Telemetry.over(around))
    plugin.node_state.ensure()
    seen = threading.Condition()
    statuses: list[str] = []

    def take(_old: object, new: dict[str, str] | None) -> None:
        with seen:
            statuses.append(new["status"] if new else "")
            seen.notify_all()

    def sees(status: str) -> bool:
        with seen:
            return seen.wait_for(lambda: status in statuses, SECONDS)

    def set_status(status: str) -> None:
        api.patch(STATES, NODE, {"status": status}, namespace=SYSTEM)

    plugin.cache.subscribe(take)
    thread = threading.Thread(target=plugin.reflector.run, args=(stop,))
    thread.start()
    try:
        assert plugin.cache.wait_synced(SECONDS)
        backup = Backup.of(api._storage)
        for number in range(10):
            set_status(f"lost{number}")
        assert sees("lost9")
        backup.restore(api._storage, STATES)
        set_status("new")
        assert sees("new")
    finally:
        stop.set()
        plugin.reflector.stop()
        thread.join(SECONDS)
    labels = {"error": "WentBack"}
    assert metrics.registry.get_sample_value("fake_dra_watch_failures_total", labels) == 1
