"""The verbs on objects: which method on which path does what."""

from collections.abc import Callable, Mapping
from typing import Final

from flask import Response, request

from api.objects import JSON
from devcluster.apiserver.backend import Backend
from devcluster.apiserver.errors import MethodNotAllowed, NotFound
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.views import bodies
from devcluster.apiserver.views.answers import (
    list_answer,
    object_answer,
    stored_answer,
    success,
)
from devcluster.apiserver.views.options import (
    delete_options,
    is_true,
    list_options,
    write_options,
)
from devcluster.apiserver.views.paths import Target, parse_path
from devcluster.apiserver.views.subresources import Subresources
from devcluster.apiserver.views.watching import watch_answer

Verb = Callable[[Kind, Target], Response]

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def no_such_path() -> NotFound:
    """Return the 404 of a path, as opposed to that of an object."""
    return NotFound("the server could not find the requested resource", {})


class ObjectViews:
    """Answers requests below /api/v1 and /apis/GROUP/VERSION."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._store = backend.store
        self._subresources = Subresources(backend)
        self._on_collection: Mapping[str, Verb] = {
            "GET": self._list,
            "POST": self._create,
            "DELETE": self._delete_collection,
        }
        self._on_object: Mapping[str, Verb] = {
            "GET": self._get,
            "PUT": self._update,
            "PATCH": self._patch,
            "DELETE": self._delete,
        }

    def __call__(self, rest: str, group: str = "", version: str = "v1") -> Response:
        """Answer the current request.

        Args:
            rest: the path behind the version.
            group: of the path; empty is the core group.
            version: of the path.
        """
        target = parse_path(rest)
        kind = self._backend.registry.find(group, version, target.plural) if target else None
        if target is None or kind is None or not _fits(kind, target):
            raise no_such_path()
        return self._verb(kind, target)(kind, target)

    def _verb(self, kind: Kind, target: Target) -> Verb:
        if target.subresource == "status" and kind.has_status:
            allowed = {m: v for m, v in self._on_object.items() if m != "DELETE"}
        elif target.subresource:
            allowed = dict(self._subresources.verbs(kind, target.subresource))
            if not allowed:
                raise no_such_path()
        elif target.name:
            allowed = dict(self._on_object)
        else:
            # several namespaces are only for reading
            everywhere = kind.namespaced and not target.namespace
            allowed = {"GET": self._list} if everywhere else dict(self._on_collection)
        verb = allowed.get("GET" if request.method == "HEAD" else request.method)
        if verb is None:
            text = "the server does not allow this method on the requested resource"
            raise MethodNotAllowed(text, {})
        return verb

    def _list(self, kind: Kind, target: Target) -> Response:
        if is_true(request.args.get("watch")):
            return watch_answer(self._backend, kind, target.namespace)
        page = self._store.list(kind, target.namespace, list_options(kind, request.args))
        return list_answer(kind, page, self._backend.clock())

    def _get(self, kind: Kind, target: Target) -> Response:
        stored = self._store.get(kind, target.namespace, target.name)
        return stored_answer(kind, stored, self._backend.clock())

    def _create(self, kind: Kind, target: Target) -> Response:
        warnings: list[str] = []
        options = write_options(request.args, warnings.append)
        body = bodies.read_object(request, kind.texts)
        obj = self._store.create(kind, target.namespace, body, options)
        return self._written(kind, obj, warnings, 201)

    def _update(self, kind: Kind, target: Target) -> Response:
        warnings: list[str] = []
        options = write_options(request.args, warnings.append, target.subresource)
        body = bodies.read_object(request, kind.texts)
        obj = self._store.update(kind, target.namespace, target.name, body, options)
        return self._written(kind, obj, warnings)

    def _patch(self, kind: Kind, target: Target) -> Response:
        warnings: list[str] = []
        options = write_options(request.args, warnings.append, target.subresource)
        body = bodies.read_patch(request, custom=kind.custom)
        obj = self._store.patch(kind, target.namespace, target.name, body, options)
        return self._written(kind, obj, warnings)

    def _delete(self, kind: Kind, target: Target) -> Response:
        options = delete_options(request.args, bodies.read_options(request))
        done = self._store.delete(kind, target.namespace, target.name, options)
        if done.gone and not kind.strategy.returns_deleted:
            return success(kind, done.obj)
        return object_answer(kind, done.obj, self._backend.clock())

    def _delete_collection(self, kind: Kind, target: Target) -> Response:
        if "deletecollection" not in kind.verbs:
            text = "the server does not allow this method on the requested resource"
            raise MethodNotAllowed(text, {})
        options = delete_options(request.args, bodies.read_options(request))
        chosen = list_options(kind, request.args)
        page = self._store.delete_collection(kind, target.namespace, chosen, options)
        return list_answer(kind, page, self._backend.clock())

    def _written(self, kind: Kind, obj: JSON, warnings: list[str], code: int = 200) -> Response:
        return object_answer(kind, obj, self._backend.clock(), code, warnings=warnings)


def _fits(kind: Kind, target: Target) -> bool:
    """Tell whether a path has a namespace where the kind wants one."""
    if not kind.namespaced:
        return not target.namespace
    return bool(target.namespace) or not target.name
