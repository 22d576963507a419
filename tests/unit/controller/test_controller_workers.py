"""Work begins when it is allowed to, with everything that the caches hold by then."""

from controller.workers import Workers
from ops.lifecycle import Lifecycle
from tests.support.build import claim, nas, resource_class, scheduling
from tests.support.controllerrig import Rig


def standby() -> Rig:
    """Return a controller with warm caches that does not work."""
    return Rig(claim("early", mode="Immediate"), resource_class(), nas(), scheduling(), begun=False)


def test_a_standby_queues_nothing() -> None:
    rig = standby()
    assert rig.controller.caches.unsynced() == []
    assert len(rig.controller.queue) == 0


def test_beginning_queues_what_is_cached_and_what_changes_later() -> None:
    rig = standby()
    rig.controller.begin()
    assert rig.queued() == ["claim:default/early", "psc:default/pod"]
    rig.cache("claims").apply(rig.api.put(rig.resources.claims, claim("late", mode="Immediate")))
    assert rig.queued() == ["claim:default/late"]


def test_workers_do_what_was_there_before_they_started() -> None:
    rig, life = standby(), Lifecycle()
    workers = Workers(life, rig.controller, 2)
    workers.start()
    rig.api.wait_for(
        rig.resources.claims, "default/early", lambda obj: obj and (obj.get("status") or {})
    )
    life.stop.set()
    workers.stop()
    assert rig.allocated() == {"uid-early": ["node-1-0"]}
    assert life.wait() == 0


def test_workers_do_not_start_while_stopping() -> None:
    rig, life = standby(), Lifecycle()
    life.stop.set()
    workers = Workers(life, rig.controller, 2)
    workers.start()
    workers.stop()
    assert rig.api.writes() == []
    assert life.wait() == 0
