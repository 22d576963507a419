"""An API server's write semantics in memory, for tests of code that takes a kube Client.

Optimistic concurrency, the split of main resource and /status, and merge patches are real; there
are no watches: `FakeApi.store` caches are fed by hand or by the writes themselves.
"""

import copy
import itertools
from collections.abc import Callable

from api.objects import JSON, Key, key_of, object_key, uid_of
from devcluster.apiserver import errors
from devcluster.apiserver.patch import json_patch
from kube.calls import Patch
from kube.client import ListPage
from kube.errors import AlreadyExists, Conflict, Invalid, KubeError, NotFound
from kube.resources import PODS, Resource

Fault = Callable[[str, str, Patch | None], KubeError | None]


def merge(target: object, patch: object) -> object:
    """Apply an RFC 7396 merge patch."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), value)
    return result


def _json_patched(stored: JSON, operations: list[JSON]) -> JSON:
    try:
        changed = json_patch(copy.deepcopy(stored), operations)
    except errors.Invalid as error:
        raise Invalid(422, "Invalid", str(error), {}) from error
    assert isinstance(changed, dict)
    return changed


class FakeApi:
    """Stands in for kube.client.Client."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, Key], JSON] = {}
        self.calls: list[tuple[str, str, Key]] = []
        self.fault: Fault = lambda verb, plural, body: None
        self._versions = itertools.count(100)

    def put(self, resource: Resource, obj: JSON) -> JSON:
        """Store an object as a test's given."""
        stored = copy.deepcopy(obj)
        stored["metadata"].setdefault("resourceVersion", str(next(self._versions)))
        self.objects[resource.plural, key_of(stored)] = stored
        return copy.deepcopy(stored)

    def put_spec(self, body: JSON) -> JSON:
        """Store an object that another writer changed, with a new resourceVersion."""
        (place,) = [p for p, o in self.objects.items() if o["metadata"]["uid"] == uid_of(body)]
        stored = {**copy.deepcopy(body)}
        stored["metadata"]["resourceVersion"] = str(next(self._versions))
        self.objects[place] = stored
        return copy.deepcopy(stored)

    def all(self, resource: Resource) -> list[JSON]:
        """Return everything that is stored of a resource."""
        return [copy.deepcopy(o) for (p, _), o in self.objects.items() if p == resource.plural]

    def version(self) -> str:
        """Return the resourceVersion of a list that is made now."""
        return str(next(self._versions))

    def find(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Return what is stored, for a test's assertions."""
        return copy.deepcopy(self.objects[resource.plural, object_key(namespace, name)])

    def writes(self) -> list[tuple[str, str]]:
        """Return verb and resource of every write, in order."""
        return [(verb, plural) for verb, plural, _ in self.calls if verb != "get"]

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        key = self._seen("get", resource.plural, object_key(namespace, name), None)
        return copy.deepcopy(self._existing(resource, key))

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
    ) -> ListPage:
        """List as the server does; of selectors it knows those that name labels with `=`."""
        self._seen("get", resource.plural, Key(""), None)
        wanted = dict(term.split("=") for term in (label_selector or "").split(",") if term)
        found = [
            obj
            for obj in self.all(resource)
            if namespace in (None, obj["metadata"].get("namespace"))
            and wanted.items() <= (obj["metadata"].get("labels") or {}).items()
        ]
        return ListPage(found, self.version())

    def create(self, resource: Resource, body: JSON, namespace: str | None = None) -> JSON:
        meta = {**copy.deepcopy(body["metadata"])}
        number = next(self._versions)
        meta["name"] = meta.get("name") or f"{meta['generateName']}{number}"
        meta.setdefault("namespace", namespace)
        key = self._seen("create", resource.plural, key_of({"metadata": meta}), body)
        if resource.kind == "Binding":
            return self._bind(key, body)
        if (resource.plural, key) in self.objects:
            raise AlreadyExists(409, "AlreadyExists", f"{resource.plural} {key} exists", {})
        created = {**copy.deepcopy(body), "metadata": {**meta, "uid": f"uid-{number}"}}
        created.pop("status", None)
        return self._store(resource, key, created)

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        grace_seconds: int | None = None,
    ) -> None:
        key = self._seen("delete", resource.plural, object_key(namespace, name), None)
        stored = self._existing(resource, key)
        self._check(stored, {"metadata": {"uid": uid}})
        if stored["metadata"].get("finalizers"):
            meta = {**stored["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
            self._store(resource, key, {**stored, "metadata": meta})
        else:
            del self.objects[resource.plural, key]

    def _bind(self, key: Key, body: JSON) -> JSON:
        pod = self._existing(PODS, key)
        self._check(pod, body)
        if pod["spec"].get("nodeName"):
            raise Conflict(409, "Conflict", f"pod {key} is already assigned to a node", {})
        spec = {**pod["spec"], "nodeName": body["target"]["name"]}
        self._store(PODS, key, {**pod, "spec": spec})
        return {"kind": "Status", "status": "Success"}

    def update(self, resource: Resource, body: JSON, *, subresource: str | None = None) -> JSON:
        plural = f"{resource.plural}/{subresource}" if subresource else resource.plural
        key = self._seen("update", plural, key_of(body), body)
        stored = self._existing(resource, key)
        self._check(stored, body)
        if subresource == "status":
            changed = {**stored, "status": copy.deepcopy(body.get("status") or {})}
        else:
            changed = {**copy.deepcopy(body), "status": stored.get("status") or {}}
        return self._store(resource, key, changed)

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: Patch,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> JSON:
        key = self._seen("patch", resource.plural, object_key(namespace, name), patch)
        stored = self._existing(resource, key)
        if isinstance(patch, list):
            return self._store(resource, key, _json_patched(stored, patch))
        self._check(stored, patch)
        merged = merge(stored, patch)
        assert isinstance(merged, dict)
        return self._store(resource, key, merged)

    def _seen(self, verb: str, plural: str, key: Key, body: Patch | None) -> Key:
        self.calls.append((verb, plural, key))
        error = self.fault(verb, plural, body)
        if error is not None:
            raise error
        return key

    def _existing(self, resource: Resource, key: Key) -> JSON:
        try:
            return self.objects[resource.plural, key]
        except KeyError:
            raise NotFound(404, "NotFound", f"{resource.plural} {key} not found", {}) from None

    def _check(self, stored: JSON, body: JSON) -> None:
        wanted = (body.get("metadata") or {}).get("resourceVersion")
        if wanted and wanted != stored["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", f"{key_of(stored)} has been modified", {})
        uid = (body.get("metadata") or {}).get("uid")
        if uid and uid != uid_of(stored):
            raise Conflict(409, "Conflict", f"{key_of(stored)} has another uid", {})

    def _store(self, resource: Resource, key: Key, changed: JSON) -> JSON:
        version = str(next(self._versions))
        changed["metadata"] = {**changed["metadata"], "resourceVersion": version}
        meta = changed["metadata"]
        if meta.get("deletionTimestamp") and not meta.get("finalizers"):
            del self.objects[resource.plural, key]
        else:
            self.objects[resource.plural, key] = changed
        return copy.deepcopy(changed)
