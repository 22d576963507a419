"""Keeps the driver's own classes: makes what is missing, renews what a former version has made.

In the program rather than in the chart, since what is served changes with the cluster below a
release of Helm.
"""

from typing import Final

from api.classes import CLASSES, Verdict, is_ours, replaced, verdict, wanted_classes
from api.contract import Contract
from api.objects import JSON
from api.resources import Resource
from kube.client import Client
from kube.errors import AlreadyExists, NotFound
from kube.events import EventRecorder
from ops.logs import get_logger

_FOREIGN: Final = (
    "this class was not made by the driver {driver}, which leaves it as it is; delete it to get "
    "the driver's own, or give that another name with --class-name (env CLASS_NAME)"
)
_EDITED: Final = (
    "this class of the driver {driver} was edited, so it is not renewed; delete it to get the "
    "driver's own anew"
)
_LEFT_ALONE: Final = {
    Verdict.FOREIGN: ("ForeignClass", _FOREIGN),
    Verdict.EDITED: ("EditedClass", _EDITED),
}
_LOG = get_logger("classes")


class ClassKeeper:
    """Looks at the classes now and then."""

    def __init__(
        self, client: Client, contract: Contract, name: str, events: EventRecorder
    ) -> None:
        """Keep the classes of a driver; `name` is empty if there are to be none."""
        self._client = client
        self._contract = contract
        self._name = name
        self._events = events
        self._told: set[tuple[str, Verdict]] = set()

    def look(self, version: str) -> None:
        """Bring the classes to what they have to be in a version of resource.k8s.io.

        Raises:
            KubeError: one could not be read or written; the next look goes on.
        """
        resource = CLASSES[version]
        found = {str(obj["metadata"]["name"]): obj for obj in self._client.list(resource).items}
        wanted = wanted_classes(version, self._contract, self._name)
        names = {obj["metadata"]["name"] for obj in wanted}
        for obj in wanted:
            self._keep(resource, obj, found.get(obj["metadata"]["name"]))
        for name, obj in found.items():
            if name not in names and is_ours(obj, self._contract):
                self._delete(resource, name)

    def _keep(self, resource: Resource, wanted: JSON, found: JSON | None) -> None:
        decided = verdict(found, wanted, self._contract)
        name = wanted["metadata"]["name"]
        if decided is Verdict.CREATE:
            self._create(resource, wanted)
        elif decided is Verdict.REPLACE and found is not None:
            self._client.update(resource, replaced(found, wanted))
            _LOG.info("class renewed", kind=resource.kind, name=name)
        elif decided in _LEFT_ALONE and found is not None:
            self._tell(found, decided)
        self._told = {told for told in self._told if told[0] != name or told[1] is decided}

    def _create(self, resource: Resource, wanted: JSON) -> None:
        try:
            self._client.create(resource, wanted)
        except AlreadyExists:
            # somebody was faster, or our own first try whose answer was lost; the next look tells
            return
        _LOG.info("class made", kind=resource.kind, name=wanted["metadata"]["name"])

    def _delete(self, resource: Resource, name: str) -> None:
        try:
            self._client.delete(resource, name)
        except NotFound:
            return
        _LOG.info("class deleted, as it is not wanted any more", kind=resource.kind, name=name)

    def _tell(self, found: JSON, decided: Verdict) -> None:
        told = found["metadata"]["name"], decided
        if told in self._told:
            return
        self._told.add(told)
        reason, text = _LEFT_ALONE[decided]
        message = text.format(driver=self._contract.driver_name)
        _LOG.warning("class left alone", kind=found["kind"], name=told[0], why=message)
        self._events.warning(found, reason, message)
