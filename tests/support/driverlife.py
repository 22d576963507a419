"""A life of the driver under permissions: every request that its programs make, and what for.

The scheduler, the users and the kubelet are played by an administrator. What a step is there for is
a promise; a refused request breaks promises, and never ends the life.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from api.contract import FAKE
from api.names import CLAIM_PARAMETERS_KIND, STATUS_NOT_READY, STATUS_READY
from api.nas import NodeAllocationState, parse_nas
from api.objects import JSON, ClaimUID, uid_of
from api.resources import DEFINITIONS, DRA_VERSIONS, EVENTS, NODES, PODS, STATES, Resource
from api.selectors import only_node
from controller.claims.repair import GRACE_SECONDS
from devcluster.manifests import install
from dra.claims import ClaimRef
from fsck.uninstall import Patience, await_plugins, check_unused, remove_states
from kube.errors import NotFound
from plugin.classic.set_nas_status import set_status
from plugin.classic.wiring import REPAIR, STATUS
from tests.support import build
from tests.support.build import CLASS, NAMESPACE, POD_CLAIM, SYSTEM
from tests.support.classlife import classes_are_kept, classes_go
from tests.support.guardedapi import GuardedApi
from tests.support.guardedprograms import NODE, Candidate, ControllerProgram, PluginProgram
from tests.support.promises import Promises
from tests.support.rbac import Permission

WISH = "wish"
CLASS_WISH = "class-wish"


class Life(Promises):
    """One cluster with one node, from the start of the programs to the end of the driver.

    Attributes:
        api: the API server.
    """

    def __init__(
        self, root: Path, granted: Iterable[Permission], *, version: str = "v1alpha2"
    ) -> None:
        super().__init__()
        self.api = GuardedApi(granted)
        self.resources = DRA_VERSIONS[version]
        self._old = version == "v1alpha2"
        self._admin = self.api.administrator()
        install(self._admin, FAKE.driver_name)
        if not self._old:
            for resource in (
                self.resources.claims,
                self.resources.contexts,
                self.resources.classes,
            ):
                self._admin.create(DEFINITIONS, definition(resource))
        self._admin.create(NODES, build.node(NODE))
        self.plugin = PluginProgram(self.api, root)
        self.controller = ControllerProgram(self.api, version)

    def live(self) -> None:
        """Go through all that Kubernetes 1.27 to 1.30 asks of the driver."""
        with self._events_written():
            self.plugin_starts()
            self.controllers_elect()
            self.controller_starts()
            classes_are_kept(self, self.controller.client, self._admin, "v1alpha2")
            self.claim_comes()
            self.claim_is_prepared()
            self.claim_fails()
            self.claim_goes()
            self.immediate_claim_comes()
            self.losses_are_repaired()
        self.users_were_told()
        self.programs_end()
        self.driver_goes()

    def live_on_1_31(self) -> None:
        """Go through what is another request there, on a node whose state was made by others."""
        self._admin.create(STATES, build.nas(NODE, 2))
        self.controller_starts()
        self.claim_comes()

    # chapters

    def plugin_starts(self) -> None:
        self.plugin.watch()
        self.promise("the plugin sees its state", self.plugin.parts.cache.has_synced)
        self.attempt(self.plugin.recover)
        self.promise("a node offers devices", self._offers)
        self.attempt(self.plugin.serve)
        self.promise("a node is Ready", partial(self._is, STATUS_READY))
        self.plugin.watch()

    def controllers_elect(self) -> None:
        """One leads, renews and gives back; another one sees it."""
        first, second = Candidate(self.api, "first"), Candidate(self.api, "second")
        first.attempt()
        self.promise("a controller leads", lambda: first.leads)
        first.attempt()
        self.promise("the lease is renewed", lambda: first.leads and not first.failures)
        second.watch()
        self.promise("others watch the lease", lambda: not second.failures)
        first.release()
        second.attempt()
        self.promise("the lease is handed over", lambda: second.leads)

    def controller_starts(self) -> None:
        self.controller.watch()
        for plural in self.controller.resources():
            filled = plural not in self.controller.parts.caches.unsynced()
            self.note(f"the cache of {plural} is filled", filled)

    def claim_comes(self) -> None:
        """All that a claim needs comes with it, and the controller's caches see it later."""
        self._make_classes()
        self._make_claim("one")
        self._make_pod("pod", "one")
        # a write that the controller has not seen, so that it has to read the state again
        unseen = {"metadata": {"labels": {"a": "b"}}}
        self.attempt(lambda: self._admin.patch(STATES, NODE, unseen, namespace=SYSTEM))
        self.controller.watch("resourceclaims", "podschedulingcontexts")
        self.controller.work()
        self.promise("a claim is allocated", partial(self._is_allocated, "one"))
        self.promise("the scheduler gets an answer", self._is_answered)

    def claim_is_prepared(self) -> None:
        self.attempt(lambda: self.plugin.driver.prepare(self._ref("one")))
        self.promise("a claim is prepared", lambda: self._uid("one") in self._state().prepared)

    def claim_fails(self) -> None:
        """Parameters are missing; kubelet and controller try twice."""
        self._make_claim("vain", parameters="missing")
        self._make_pod("waiting", "vain")
        for _ in range(2):
            self.attempt(lambda: self.plugin.driver.prepare(self._ref("vain")))
            self.controller.watch()
            self.controller.work()

    def claim_goes(self) -> None:
        self.attempt(lambda: self.plugin.driver.unprepare(self._ref("one")))
        self._admin.delete(PODS, "pod", NAMESPACE, grace_seconds=0)
        self._admin.delete(self.resources.contexts, "pod", NAMESPACE)
        self._free("one")
        self.promise("a claim goes", lambda: self._claim("one") is None)

    def immediate_claim_comes(self) -> None:
        self._make_claim("now", mode="Immediate")
        self.controller.watch()
        self.controller.work()
        self.promise("an Immediate claim is allocated", partial(self._is_allocated, "now"))

    def losses_are_repaired(self) -> None:
        """Somebody deletes the state of the node, and takes the finalizer from a claim."""
        self.attempt(lambda: self._admin.delete(STATES, NODE, SYSTEM))
        self.plugin.watch()
        for task in (REPAIR, STATUS):
            self.plugin.parts.sync.handle(task)
        self.promise("a lost state comes back", self._offers)
        bare = {"metadata": {"finalizers": None}}
        self._admin.patch(self.resources.claims, "now", bare, namespace=NAMESPACE)
        for _ in range(5):
            self.controller.watch()
            self.controller.work()
            self.controller.clock.now += 2 * GRACE_SECONDS
        self.promise(
            "a lost finalizer comes back", lambda: FAKE.finalizer in self._finalizers("now")
        )

    def users_were_told(self) -> None:
        events = self._admin.list(EVENTS).items
        for program in (self.controller, self.plugin):
            counts = [e["count"] for e in events if e["source"]["component"] == program.name]
            self.note(f"the {program.name} tells users", bool(counts))
            self.note(f"the {program.name} counts what repeats", max(counts, default=0) > 1)

    def programs_end(self) -> None:
        self.attempt(self.plugin.parts.readiness.end)
        self.promise("a node that ends is NotReady", partial(self._is, STATUS_NOT_READY))
        client = self.api.client(self.plugin.name)
        self.attempt(lambda: set_status(client, NODE, SYSTEM, STATUS_READY))
        self.promise("set-nas-status works", partial(self._is, STATUS_READY))

    def driver_goes(self) -> None:
        self._free("now")
        self._admin.delete(self.resources.claims, "vain", NAMESPACE)
        hook = self.api.client("uninstall")
        used = self.attempt(lambda: check_unused(hook, SYSTEM, FAKE))
        self.note("the hook looks who uses the driver", used)
        patience = Patience(0, clock=lambda: 0.0, sleep=lambda _: None)
        waited = self.attempt(lambda: await_plugins(hook, SYSTEM, "app=plugin", patience))
        self.note("the hook waits for the plugins", waited)
        self.attempt(lambda: remove_states(hook, SYSTEM))
        left = partial(self._admin.list, STATES)
        self.promise("the hook removes the states", lambda: not left().items)
        classes_go(self, hook, self._admin, "v1alpha2")

    # what users and the scheduler do

    def _make_classes(self) -> None:
        if not self._old:
            self._admin.create(self.resources.classes, build.device_class())
            return
        by_kind = {resource.kind: resource for resource in self.resources.parameters}
        of_claims = by_kind.pop(CLAIM_PARAMETERS_KIND)
        (of_classes,) = by_kind.values()
        self._admin.create(of_classes, parameters(of_classes, CLASS_WISH))
        self._admin.create(of_claims, parameters(of_claims, WISH))
        nodes = only_node(NODE)
        ref = {"apiGroup": FAKE.driver_name, "kind": of_classes.kind, "name": CLASS_WISH}
        made = build.resource_class(CLASS, parametersRef=ref, suitableNodes=nodes)
        self._admin.create(self.resources.classes, made)

    def _make_claim(self, name: str, *, parameters: str = WISH, mode: str = "") -> None:
        ref = {"apiGroup": FAKE.driver_name, "kind": CLAIM_PARAMETERS_KIND, "name": parameters}
        mode = mode or "WaitForFirstConsumer"
        old = build.claim(name, mode=mode, parametersRef=ref)
        self._admin.create(self.resources.claims, old if self._old else build.device_claim(name))

    def _make_pod(self, name: str, claim: str) -> None:
        container = {"name": "c", "image": "busybox"}
        pod = build.pod(name, (POD_CLAIM, claim), containers=[container])
        uid = uid_of(self._admin.create(PODS, pod))
        context = build.scheduling(name, potential=[NODE], selected=NODE)
        context["apiVersion"] = self.resources.contexts.api_version
        context["metadata"]["ownerReferences"][0]["uid"] = uid
        self._admin.create(self.resources.contexts, context)

    def _free(self, name: str) -> None:
        """Take a claim's consumers, delete it, and let the controller see it."""
        claim = self._claim(name)
        if claim is None:
            return
        status = {**(claim.get("status") or {}), "reservedFor": None}
        self._admin.update(self.resources.claims, {**claim, "status": status}, subresource="status")
        self._admin.delete(self.resources.claims, name, NAMESPACE)
        self.controller.watch()
        self.controller.work()

    # what came of it

    @contextmanager
    def _events_written(self) -> Iterator[None]:
        """Let both programs report, and wait until all is written."""
        recorders = (self.plugin.events, self.controller.events)
        for recorder in recorders:
            recorder.start()
        try:
            yield
        finally:
            for recorder in recorders:
                recorder.stop()

    def _state(self) -> NodeAllocationState:
        return parse_nas(self._admin.get(STATES, NODE, SYSTEM), FAKE.device_key)

    def _offers(self) -> bool:
        return bool(self._state().allocatable)

    def _is(self, status: str) -> bool:
        return self._admin.get(STATES, NODE, SYSTEM).get("status") == status

    def _claim(self, name: str) -> JSON | None:
        try:
            return self._admin.get(self.resources.claims, name, NAMESPACE)
        except NotFound:
            return None

    def _is_allocated(self, name: str) -> bool:
        claim = self._claim(name) or {}
        return bool((claim.get("status") or {}).get("allocation"))

    def _is_answered(self) -> bool:
        context = self._admin.get(self.resources.contexts, "pod", NAMESPACE)
        return bool((context.get("status") or {}).get("resourceClaims"))

    def _finalizers(self, name: str) -> list[str]:
        return list((self._claim(name) or {"metadata": {}})["metadata"].get("finalizers") or [])

    def _uid(self, name: str) -> ClaimUID:
        return ClaimUID(uid_of(self._admin.get(self.resources.claims, name, NAMESPACE)))

    def _ref(self, name: str) -> ClaimRef:
        return ClaimRef(NAMESPACE, name, self._uid(name))


def parameters(resource: Resource, name: str) -> JSON:
    """Return parameters that ask for nothing special."""
    place = {"namespace": NAMESPACE} if resource.kind == CLAIM_PARAMETERS_KIND else {}
    meta = {"name": name, **place}
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": meta, "spec": {}}


def definition(resource: Resource) -> JSON:
    """Return a definition by which the API server serves a resource in another version."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    names = {"plural": resource.plural, "kind": resource.kind}
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": anything},
    }
    return {
        "apiVersion": DEFINITIONS.api_version,
        "kind": DEFINITIONS.kind,
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "names": names,
            "versions": [version],
        },
    }
