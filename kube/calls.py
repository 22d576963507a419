"""The requests of the Kubernetes REST API as values: which method, path, query and body.

Pure; the client makes calls here and transport.py sends them.
Source: Kubernetes API concepts; apimachinery pkg/apis/meta/v1 ListOptions, DeleteOptions.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from api.objects import JSON
from api.resources import PODS, Resource

Patch: TypeAlias = JSON | list[JSON]
"""A dict is a JSON merge patch (RFC 7386), a list a JSON patch (RFC 6902)."""

_MERGE_PATCH: Final = "application/merge-patch+json"
_JSON_PATCH: Final = "application/json-patch+json"
_REVISION: Final = "/metadata/resourceVersion"


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        verb: Kubernetes verb, for observers and the text of errors.
        resource: plural, or the path for a request outside of resources; for the same.
        method: of HTTP.
        path: with quoted parts.
        target: which object or collection, for the text of errors.
        query: parameters of the URL.
        body: None for no body.
        text: the body as JSON, if it matters how that is written.
        content_type: of the body.
        accept: media types of the answer.
        repeatable: whether sending it twice does no harm when the first answer was lost.
    """

    verb: str
    resource: str
    method: str
    path: str
    target: str = ""
    query: Mapping[str, str] = field(default_factory=dict)
    body: Patch | None = None
    text: str | None = None
    content_type: str = "application/json"
    accept: str = "application/json, */*"
    repeatable: bool = False

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.target}".rstrip()


@dataclass(frozen=True, slots=True)
class Scope:
    """Which part of a collection is listed or watched.

    Attributes:
        namespace: None is all namespaces.
        label_selector: e.g. `app=x`.
        field_selector: e.g. `spec.nodeName=x`; each resource supports few fields.
    """

    namespace: str | None = None
    label_selector: str | None = None
    field_selector: str | None = None

    def query(self) -> dict[str, str]:
        """Return the selectors as parameters of the URL."""
        named = {"labelSelector": self.label_selector, "fieldSelector": self.field_selector}
        return {name: value for name, value in named.items() if value}


def get_path(path: str) -> Call:
    """Read something that is no resource, e.g. `/version`."""
    return Call("get", path, "GET", path, repeatable=True)


def list_objects(resource: Resource, scope: Scope) -> Call:
    """Read a whole collection."""
    return Call(
        "list",
        resource.plural,
        "GET",
        resource.path(scope.namespace),
        target=_in(scope.namespace),
        query=scope.query(),
        repeatable=True,
    )


def page(call: Call, limit: int, token: str) -> Call:
    """Read only a page of a list, the first one if `token` is empty."""
    extra = {"limit": str(limit), "continue": token} if token else {"limit": str(limit)}
    return replace(call, query={**call.query, **extra})


def watch_objects(
    resource: Resource, scope: Scope, resource_version: str, timeout_seconds: int
) -> Call:
    """Hear of the changes of a collection after a resourceVersion."""
    return Call(
        "watch",
        resource.plural,
        "GET",
        resource.path(scope.namespace),
        target=_in(scope.namespace),
        query={
            **scope.query(),
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds),
        },
    )


def get_object(resource: Resource, name: str, namespace: str | None) -> Call:
    """Read one object."""
    return Call(
        "get",
        resource.plural,
        "GET",
        resource.path(namespace, name),
        target=_named(name, namespace),
        repeatable=True,
    )


def pod_log(namespace: str, pod: str, container: str) -> Call:
    """Read what a container has printed so far; the answer is text."""
    return Call(
        "get",
        PODS.plural,
        "GET",
        PODS.path(namespace, pod, "log"),
        target=_named(pod, namespace, "log"),
        query={"container": container},
        repeatable=True,
    )


def create_object(
    resource: Resource, body: JSON, namespace: str | None, *, dry_run: bool = False
) -> Call:
    """Create an object, in the namespace of its metadata if none is given."""
    meta = body["metadata"]
    namespace = namespace or meta.get("namespace")
    return Call(
        "create",
        resource.plural,
        "POST",
        resource.path(namespace),
        target=_named(meta.get("name") or meta.get("generateName", ""), namespace),
        query={"dryRun": "All"} if dry_run else {},
        body=body,
    )


def update_object(resource: Resource, body: JSON, subresource: str | None) -> Call:
    """Replace an object as a whole; its metadata says which one and which resourceVersion."""
    name, namespace = body["metadata"]["name"], body["metadata"].get("namespace")
    return Call(
        "update",
        resource.plural,
        "PUT",
        resource.path(namespace, name, subresource),
        target=_named(name, namespace, subresource),
        body=body,
        repeatable=True,
    )


def patch_object(
    resource: Resource, name: str, patch: Patch, namespace: str | None, subresource: str | None
) -> Call:
    """Change parts of an object; repeatable only if the patch names a resourceVersion."""
    return Call(
        "patch",
        resource.plural,
        "PATCH",
        resource.path(namespace, name, subresource),
        target=_named(name, namespace, subresource),
        body=patch,
        content_type=_JSON_PATCH if isinstance(patch, list) else _MERGE_PATCH,
        repeatable=_is_guarded(patch),
    )


def delete_object(
    resource: Resource,
    name: str,
    namespace: str | None,
    uid: str | None,
    grace_seconds: int | None,
    resource_version: str | None = None,
) -> Call:
    """Delete one object, on condition that it has the uid and resourceVersion that are given."""
    options: JSON = {"apiVersion": "v1", "kind": "DeleteOptions"}
    conditions = {"uid": uid, "resourceVersion": resource_version}
    if given := {name: value for name, value in conditions.items() if value is not None}:
        options["preconditions"] = given
    if grace_seconds is not None:
        options["gracePeriodSeconds"] = grace_seconds
    return Call(
        "delete",
        resource.plural,
        "DELETE",
        resource.path(namespace, name),
        target=_named(name, namespace),
        body=options,
        repeatable=True,
    )


def _in(namespace: str | None) -> str:
    return f"in namespace {namespace}" if namespace else ""


def _named(name: str, namespace: str | None, subresource: str | None = None) -> str:
    return "/".join(part for part in (namespace, name, subresource) if part)


def _is_guarded(patch: Patch) -> bool:
    """Tell whether a patch fails on another revision: it tests that, or is refused for it."""
    if isinstance(patch, list):
        guards = [step for step in patch if step.get("path") == _REVISION]
        return any(step.get("op") in ("test", "replace") for step in guards)
    return "resourceVersion" in (patch.get("metadata") or {})
