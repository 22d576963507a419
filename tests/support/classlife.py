"""The part of the driver's life that is about its classes, in any version of resource.k8s.io."""

import json
from typing import Any, Final
from unittest.mock import Mock

from api.classes import CLASSES
from api.contract import FAKE
from api.objects import JSON
from api.selectors import only_node
from controller.classes import ClassKeeper
from fsck.uninstall import remove_published
from kube.client import Client
from kube.events import EventRecorder
from tests.support.promises import Promises

OWN: Final = "own.example.com"

_FORMER: Final[dict[str, JSON]] = {
    "v1alpha2": {"driverName": FAKE.driver_name, "suitableNodes": only_node("former")},
    "v1": {"spec": {"selectors": [{"cel": {"expression": "true"}}]}},
}
"""What the class may have said in a former version of the driver."""


def classes_are_kept(life: Promises, controller: Client, admin: Client, version: str) -> None:
    """Make the class, renew one that a former version has made, delete one that is not wanted."""
    keeper = _keeper(controller)
    life.attempt(lambda: keeper.look(version))
    life.promise("the driver has its class", lambda: OWN in _classes(admin, version))
    _make_former(admin, version)
    life.attempt(lambda: keeper.look(version))
    life.promise("a former class is renewed", lambda: not _is_former(admin, version))
    without = _keeper(controller, "")
    life.attempt(lambda: without.look(version))
    life.promise("a class that is not wanted goes", lambda: OWN not in _classes(admin, version))


def classes_go(life: Promises, hook: Client, admin: Client, version: str) -> None:
    """Uninstall the driver where it has a class."""
    _keeper(admin).look(version)
    life.attempt(lambda: remove_published(hook, FAKE))
    life.promise("the hook removes the classes", lambda: OWN not in _classes(admin, version))


def _keeper(client: Client, name: str = OWN) -> ClassKeeper:
    events: Any = Mock(spec_set=EventRecorder)
    return ClassKeeper(client, FAKE, name, events)


def _classes(admin: Client, version: str) -> dict[str, JSON]:
    return {obj["metadata"]["name"]: obj for obj in admin.list(CLASSES[version]).items}


def _make_former(admin: Client, version: str) -> None:
    _keeper(admin).look(version)
    found, content = _classes(admin, version)[OWN], _FORMER[version]
    applied = json.dumps({"name": OWN, **content}, sort_keys=True, separators=(",", ":"))
    meta = {**found["metadata"], "annotations": {FAKE.applied_annotation: applied}}
    admin.update(CLASSES[version], {**found, **content, "metadata": meta})


def _is_former(admin: Client, version: str) -> bool:
    found = _classes(admin, version)[OWN]
    return all(found.get(name) == value for name, value in _FORMER[version].items())
