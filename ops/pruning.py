"""Finds out that the API server does not store all that a program writes.

An API server drops fields that a CustomResourceDefinition does not have, and says nothing that a
program would hear. Helm installs definitions once and never upgrades them, so a program may be
newer than they are. Each program wraps its writes of such objects, and says what is missing.
"""

import json
from collections.abc import Iterator
from typing import Final, Protocol

from api.events import Events
from api.names import NAS_GROUP, NAS_PLURAL
from api.objects import JSON, key_of, uid_of
from api.resources import CLASS_PARAMETERS, Resource
from kube.calls import Patch
from ops.logs import get_logger

REASON: Final = "OutdatedDefinition"
"""Of the event."""

_CRDS: Final = "kubectl apply -f deploy/helm/fake-dra-driver/crds"
APPLY: Final = f"{_CRDS}/nas_crd.yaml"
"""Brings the definition of a NAS up to date, from the sources of the program's version."""

APPLY_CLASSES: Final = f"{_CRDS}/classparameters_crd.yaml"
"""The same of DeviceClassParameters."""

_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"

_ABSENT: Final = object()
_LOG = get_logger("pruning")


class Api(Protocol):
    """What is needed of kube.client.Client."""

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Read an object."""

    def create(self, resource: Resource, body: JSON, namespace: str | None = None) -> JSON:
        """Store a new object."""

    def patch(
        self, resource: Resource, name: str, patch: Patch, *, namespace: str | None = None
    ) -> JSON:
        """Apply a merge patch, or a JSON patch if it is a list."""


class ComparedWrites:
    """The API server, as far as a NodeAllocationState goes; compares what it was sent and keeps."""

    def __init__(self, api: Api, events: Events) -> None:
        """Tell `events` and the log of each field that is dropped, once."""
        self._api = api
        self._events = events
        self._told: set[str] = set()

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Read an object."""
        return self._api.get(resource, name, namespace)

    def create(self, resource: Resource, body: JSON, namespace: str | None = None) -> JSON:
        """Store a new object."""
        return self._compared(body, self._api.create(resource, body, namespace))

    def patch(
        self, resource: Resource, name: str, patch: Patch, *, namespace: str | None = None
    ) -> JSON:
        """Apply a merge patch, or a JSON patch if it is a list."""
        stored = self._api.patch(resource, name, patch, namespace=namespace)
        return stored if isinstance(patch, list) else self._compared(patch, stored)

    def _compared(self, sent: JSON, stored: JSON) -> JSON:
        dropped = [field for field in missing(sent, stored) if field not in self._told]
        if dropped:
            self._told.update(dropped)
            text = (
                f"the API server does not store {', '.join(dropped)}: its CustomResourceDefinition "
                f"{NAS_PLURAL}.{NAS_GROUP} is older than this program, and Helm does not upgrade "
                f"it; run: {APPLY}"
            )
            _LOG.warning("Fields dropped", object=key_of(stored), reason=REASON, message=text)
            self._events.warning(stored, REASON, text)
        return stored


class AppliedClassParameters:
    """Looks for fields of DeviceClassParameters that users applied, and that are not stored.

    These count as absent: a class offers its devices as if nobody had applied them.
    """

    def __init__(self, events: Events) -> None:
        """Tell `events` and the log of each version of an object, once."""
        self._events = events
        self._told: dict[str, list[str]] = {}

    def saw(self, _old: JSON | None, new: JSON | None) -> None:
        """Look at an object that was added or changed."""
        dropped = list(unstored(new)) if new is not None else []
        if new is None or self._told.get(uid_of(new), []) == dropped:
            return
        self._told[uid_of(new)] = dropped
        if dropped:
            text = (
                f"{', '.join(dropped)} was applied, and is not stored: if nobody took it out, "
                f"the CustomResourceDefinition {CLASS_PARAMETERS.plural}.{CLASS_PARAMETERS.group} "
                f"is older than this program, and Helm does not upgrade it; run: {APPLY_CLASSES}, "
                "and apply the object again"
            )
            _LOG.warning("Fields dropped", object=key_of(new), reason=REASON, message=text)
            self._events.warning(new, REASON, text)


def unstored(obj: JSON) -> Iterator[str]:
    """Yield the paths of the fields of its spec with which an object was applied, and has not."""
    applied = (obj["metadata"].get("annotations") or {}).get(_APPLIED)
    try:
        given = json.loads(applied) if applied else {}
    except ValueError:
        return
    if isinstance(given, dict):
        yield from missing({"spec": given.get("spec")}, obj)


def missing(sent: object, stored: object) -> Iterator[str]:
    """Yield the paths of the fields of a merge patch that are not in the object afterwards."""
    left: list[tuple[str, object, object]] = [("", sent, stored)]
    while left:
        path, wanted, kept = left.pop()
        if kept is _ABSENT and wanted is not None:
            yield path
        elif isinstance(wanted, dict) and isinstance(kept, dict):
            start = f"{path}." if path else ""
            fields = reversed(wanted.items())
            left += [(f"{start}{name}", each, kept.get(name, _ABSENT)) for name, each in fields]
        elif isinstance(wanted, list) and isinstance(kept, list):
            pairs = reversed([*zip(wanted, kept, strict=False)])
            left += [(f"{path}[]", each, its) for each, its in pairs]
