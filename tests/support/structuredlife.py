"""What the driver asks for where kube-scheduler allocates, but for what every plugin of dra/ does.

The classic claims of this cluster are those that were there before it was upgraded.
"""

from collections.abc import Iterable
from typing import Final

from api.contract import FAKE
from api.names import STATUS_NOT_READY
from api.objects import JSON
from api.resources import DEFINITIONS, NAMESPACES, STATES, STRUCTURED_VERSIONS, Resource
from controller.leftovers import Leftovers
from devcluster.apiserver.resourceapi import structured
from devcluster.manifests import driver_objects
from fsck.uninstall import check_unused
from tests.support import build
from tests.support.build import NAMESPACE, SYSTEM
from tests.support.classlife import classes_are_kept, classes_go
from tests.support.guardedapi import GuardedApi
from tests.support.promises import Promises
from tests.support.rbac import Permission
from tests.support.structuredobjects import a_slice, claim_body

VERSION: Final = "v1"
KNOWN: Final = STRUCTURED_VERSIONS[VERSION]


class StructuredLife(Promises):
    """One cluster of the newest Kubernetes, without a node.

    Attributes:
        api: the API server.
    """

    def __init__(self, granted: Iterable[Permission]) -> None:
        super().__init__()
        self.api = GuardedApi(granted, structured(37))
        self._admin = self.api.administrator()
        for resource, obj in driver_objects(FAKE.driver_name):
            if resource in (DEFINITIONS, NAMESPACES):
                self._admin.create(resource, obj)

    def live(self) -> None:
        """Go through all of it."""
        controller, hook = self.api.client("controller"), self.api.client("uninstall")
        classes_are_kept(self, controller, self._admin, VERSION)
        self._classic_past_goes(Leftovers(controller, FAKE, SYSTEM))
        checked = self.attempt(lambda: check_unused(hook, SYSTEM, FAKE))
        self.note("the hook looks who uses the driver", checked)
        self._admin.create(KNOWN.slices, a_slice("left", driver=FAKE.driver_name))
        classes_go(self, hook, self._admin, VERSION)
        self.promise("the hook removes slices", lambda: not self._all(KNOWN.slices))

    def _classic_past_goes(self, leftovers: Leftovers) -> None:
        self._admin.create(STATES, build.nas("former", 1, status=STATUS_NOT_READY))
        meta = {"name": "former", "namespace": NAMESPACE, "finalizers": [FAKE.finalizer]}
        self._admin.create(KNOWN.claims, {**claim_body(), "metadata": meta})
        self.attempt(lambda: leftovers.look(VERSION))
        self.promise("a finalizer of classic claims goes", lambda: not self._finalizers())
        self.promise("a state of classic claims goes", lambda: not self._all(STATES))

    def _finalizers(self) -> list[str]:
        (claim,) = self._all(KNOWN.claims)
        return list(claim["metadata"].get("finalizers") or [])

    def _all(self, resource: Resource) -> list[JSON]:
        return self._admin.list(resource).items
