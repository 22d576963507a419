"""The subresources other than status: binding, eviction, exec and log of pods, scale, finalize."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from flask import Response, request

from api.objects import JSON
from devcluster.apiserver.backend import Backend
from devcluster.apiserver.clock import timestamp
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.logs import check_started, choose_container
from devcluster.apiserver.rules.binding import bind
from devcluster.apiserver.scale import scale_of, scaled
from devcluster.apiserver.views import bodies
from devcluster.apiserver.views.answers import json_answer, object_answer, success
from devcluster.apiserver.views.connection import client_socket, has_hung_up
from devcluster.apiserver.views.executing import exec_answer
from devcluster.apiserver.views.options import (
    check_log_options,
    delete_options,
    is_true,
    optional_number,
    write_options,
)
from devcluster.apiserver.views.paths import Target

Verb = Callable[[Kind, Target], Response]

_PODS: Final = ("", "pods")
_NAMESPACES: Final = ("", "namespaces")


class Subresources:
    """Answers requests for subresources of built-in kinds."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._store = backend.store

    def verbs(self, kind: Kind, subresource: str) -> Mapping[str, Verb]:
        """Return what can be done with a subresource, by method; nothing if there is none."""
        known: Mapping[tuple[tuple[str, str], str], Mapping[str, Verb]] = {
            (_PODS, "binding"): {"POST": self._bind},
            (_PODS, "eviction"): {"POST": self._evict},
            (_PODS, "exec"): {"GET": self._exec, "POST": self._exec},
            (_PODS, "log"): {"GET": self._log},
            (_NAMESPACES, "finalize"): {"PUT": self._finalize},
        }
        if subresource == "scale" and any(sub.name == "scale" for sub in kind.subresources):
            return {"GET": self._scale, "PUT": self._set_scale, "PATCH": self._set_scale}
        return known.get((kind.resource_id, subresource), {})

    def _scale(self, kind: Kind, target: Target) -> Response:
        stored = self._store.get(kind, target.namespace, target.name)
        return json_answer(scale_of(stored.obj))

    def _set_scale(self, kind: Kind, target: Target) -> Response:
        patching = request.method == "PATCH"
        patch = bodies.read_patch(request, custom=False) if patching else None
        body = bodies.read_object(request) if not patching else {}
        warnings: list[str] = []

        def change(old: JSON) -> JSON:
            return scaled(kind, old, patch.apply("Scale", scale_of(old)) if patch else body)

        options = write_options(request.args, warnings.append)
        obj = self._store.rewrite(kind, target.namespace, target.name, change, options)
        return json_answer(scale_of(obj), warnings=warnings)

    def _bind(self, kind: Kind, target: Target) -> Response:
        binding, now = bodies.read_object(request), timestamp(self._backend.clock())
        pod = self._store.edit(
            kind, target.namespace, target.name, lambda pod: bind(kind, pod, binding, now)
        )
        return success(kind, pod, 201)

    def _evict(self, kind: Kind, target: Target) -> Response:
        body = bodies.read_object(request)
        options = delete_options(request.args, body.get("deleteOptions") or {})
        done = self._store.delete(kind, target.namespace, target.name, options)
        return success(kind, done.obj, 201)

    def _finalize(self, kind: Kind, target: Target) -> Response:
        wanted = (bodies.read_object(request).get("spec") or {}).get("finalizers") or []

        def change(namespace: JSON) -> JSON:
            namespace["spec"] = {**namespace["spec"], "finalizers": wanted}
            return namespace

        obj = self._store.edit(kind, "", target.name, change)
        return object_answer(kind, obj, self._backend.clock())

    def _exec(self, kind: Kind, target: Target) -> Response:
        pod = self._store.get(kind, target.namespace, target.name).obj
        container = choose_container(pod, request.args.get("container", ""))
        return exec_answer(request, self._backend.commands, pod, container)

    def _log(self, kind: Kind, target: Target) -> Response:
        query = request.args
        check_log_options(query)
        pod = self._store.get(kind, target.namespace, target.name).obj
        container = choose_container(pod, query.get("container", ""))
        previous = is_true(query.get("previous"))
        check_started(pod, container, previous=previous)
        pieces = self._backend.logs.read(
            pod,
            container,
            follow=is_true(query.get("follow")),
            previous=previous,
            tail=optional_number(query, "tailLines"),
        )
        limit = optional_number(query, "limitBytes")
        connection = client_socket(request.environ)

        def body() -> Iterator[bytes]:
            yield b""  # sends the headers
            for piece in limited(pieces, limit):
                if not piece and has_hung_up(connection):
                    return
                yield piece

        return Response(body(), content_type="text/plain; charset=utf-8")


def limited(pieces: Iterator[bytes], limit: int | None) -> Iterator[bytes]:
    """Return the pieces up to a number of bytes; None is all."""
    left = limit
    for piece in pieces:
        if left is None:
            yield piece
            continue
        yield piece[:left]
        left -= len(piece)
        if left <= 0:
            return
