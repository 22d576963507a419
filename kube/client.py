"""The API server as Python methods on raw JSON objects; every package above reads and writes by it.

Adds to single requests (calls.py, transport.py) what each caller would otherwise repeat: a rate
limit, retries of what can safely be sent again, and paging.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final, Self, TypeAlias

from api.objects import JSON
from api.resources import Resource
from kube import calls
from kube.cache import revision
from kube.calls import Call, Patch, Scope
from kube.config import load_access
from kube.connections import open_connections
from kube.errors import Gone, NotFound
from kube.pages import ListPage, Transform, joined, whole
from kube.ratelimit import TokenBucket
from kube.sending import RETRY_SECONDS, Sender
from kube.transport import READ_SECONDS, SILENT_SECONDS, RequestObserver, Transport
from kube.waiting import Waiting
from kube.watch import WatchEvent, WatchStream

__all__ = ["Client", "ListPage", "RequestObserver", "WatchEvent", "WatchStream"]

_PAGE: Final = 500
_PROTOBUF: Final = "application/vnd.kubernetes.protobuf, application/json"
_Names: TypeAlias = list[str]


class Client:
    """Reads and writes objects of the API server; thread-safe.

    Every method raises kube.errors.KubeError and nothing else. Failures that pass by themselves are
    retried for a short time: no connection and 429 for every verb; a lost answer and 5xx only where
    a second try does no harm (reads, PUT, DELETE, PATCH guarded by a resourceVersion). So a PUT may
    raise Conflict, and a DELETE NotFound, because the first try had succeeded.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        limiter: TokenBucket,
        stop: threading.Event | None = None,
        retry_seconds: float = RETRY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
        rand: Callable[[], float] = random.random,
    ) -> None:
        """Send calls over `transport`.

        Args:
            transport: carries out single requests.
            limiter: see kube.sending.Sender, as the rest.
            stop: likewise; by default never set.
            retry_seconds: likewise.
            clock: likewise.
            sleep: likewise; a wait for `stop` by default.
            rand: likewise.
        """
        stop = stop if stop is not None else threading.Event()
        self._transport = transport
        self._sender = Sender(limiter, stop, sleep or stop.wait, retry_seconds, clock, rand)

    @classmethod
    def from_kubeconfig(
        cls,
        kubeconfig: str | None,
        *,
        qps: float,
        burst: int,
        user_agent: str,
        observer: RequestObserver | None = None,
        pool: int = 32,
        stop: threading.Event | None = None,
        on_wait: Callable[[str], None] | None = None,
        read_seconds: float = READ_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
    ) -> Self:
        """Return a client for a kubeconfig.

        Args:
            kubeconfig: path; empty or None is the service account of the pod, and outside of a pod
                KUBECONFIG or `~/.kube/config`.
            qps: requests per second, 0 or less for no limit; a watch counts once.
            burst: requests that may go out at once.
            user_agent: for the audit log of the API server.
            observer: hears of every request.
            pool: connections to keep; at least watches plus workers.
            stop: see `__init__`.
            on_wait: hears why there is no first answer: after a second, then every five seconds.
            read_seconds: longest silence of the server in the answer to a call; not for watches.
            retry_seconds: see `__init__`.

        Raises:
            ConfigError: there is no usable configuration.
        """
        access = load_access(kubeconfig)
        transport = Transport(
            access,
            open_connections(access, size=pool),
            user_agent=user_agent,
            observer=observer,
            waiting=Waiting(access.host, on_wait) if on_wait is not None else None,
            read_seconds=read_seconds,
        )
        limiter = TokenBucket(qps, burst)
        return cls(transport, limiter=limiter, stop=stop, retry_seconds=retry_seconds)

    def with_rate(self, qps: float, burst: int) -> Self:
        """Return a client on the same connections with a rate of its own, see `from_kubeconfig`.

        For requests that must not hold up others, such as those of events. One `close` is for both.
        """
        mine = self._sender
        return type(self)(
            self._transport,
            limiter=TokenBucket(qps, burst, clock=mine.clock),
            stop=mine.stop,
            retry_seconds=mine.retry_seconds,
            clock=mine.clock,
            sleep=mine.sleep,
            rand=mine.rand,
        )

    @property
    def url(self) -> str:
        """URL of the API server."""
        return self._transport.url

    def list(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        transform: Transform = whole,
    ) -> ListPage:
        """Return all objects of a collection, with apiVersion and kind filled in.

        Pages of 500 are asked for. When the continue token expires on the way the list starts anew,
        once and in one piece, as client-go's pager does. With `transform` large objects are there
        for the time of their page only.
        """
        scope = Scope(namespace, label_selector, field_selector)
        call = calls.list_objects(resource, scope)
        try:
            return joined(resource, self._pages(call), transform)
        except Gone:
            return joined(resource, [self._send(call)], transform)

    def get(self, resource: Resource, name: str, namespace: str | None = None) -> JSON:
        """Return one object; NotFound if there is none."""
        return self._send(calls.get_object(resource, name, namespace))

    def get_protobuf(self, resource: Resource, name: str, namespace: str | None = None) -> bytes:
        """Return one object as `get` does, in protobuf if the API server can do that, else JSON."""
        call = calls.get_object(resource, name, namespace)
        return self._sender.send(self._transport.raw, replace(call, accept=_PROTOBUF))

    def create(
        self,
        resource: Resource,
        body: JSON,
        namespace: str | None = None,
        *,
        dry_run: bool = False,
    ) -> JSON:
        """Create an object and return it as stored.

        Args:
            resource: of the object.
            body: the object.
            namespace: that of `body.metadata` if None.
            dry_run: return what would be stored, and store nothing.

        Raises:
            AlreadyExists: there is an object of this name.
        """
        return self._send(calls.create_object(resource, body, namespace, dry_run=dry_run))

    def post(self, resource: Resource, body: JSON) -> None:
        """Create an object like `create`, but leave unread what is stored."""
        self._sender.send(self._transport.text, calls.create_object(resource, body, None))

    def update(self, resource: Resource, body: JSON, *, subresource: str | None = None) -> JSON:
        """Replace an object, or only its subresource, and return it as stored.

        Name, namespace and resourceVersion are those of `body.metadata`.

        Raises:
            Conflict: the object has another resourceVersion by now.
        """
        return self._send(calls.update_object(resource, body, subresource))

    def update_verbatim(
        self, resource: Resource, body: JSON, text: str, *, subresource: str | None = None
    ) -> JSON:
        """Do as `update` does, but with JSON that is sent as it is; it says what `body` says."""
        call = calls.update_object(resource, body, subresource)
        return self._send(replace(call, text=text))

    def patch(
        self,
        resource: Resource,
        name: str,
        patch: Patch,
        *,
        namespace: str | None = None,
        subresource: str | None = None,
    ) -> JSON:
        """Change parts of an object and return it as stored.

        Args:
            resource: of the object.
            name: of the object.
            patch: a dict is a JSON merge patch, a list a JSON patch.
            namespace: of the object.
            subresource: e.g. `status`.
        """
        return self._send(calls.patch_object(resource, name, patch, namespace, subresource))

    def delete(
        self,
        resource: Resource,
        name: str,
        namespace: str | None = None,
        *,
        uid: str | None = None,
        resource_version: str | None = None,
        grace_seconds: int | None = None,
    ) -> None:
        """Delete an object; NotFound if there is none.

        Args:
            resource: of the object.
            name: of the object.
            namespace: of the object.
            uid: Conflict if the object has another one.
            resource_version: likewise.
            grace_seconds: `gracePeriodSeconds`; None leaves it to the server.
        """
        self._send(
            calls.delete_object(resource, name, namespace, uid, grace_seconds, resource_version)
        )

    def watch(
        self,
        resource: Resource,
        *,
        resource_version: str,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
        timeout_seconds: int,
        silent_seconds: float = SILENT_SECONDS,
    ) -> WatchStream:
        """Begin a watch with bookmarks; not retried.

        Args:
            resource: what to watch.
            resource_version: of a list or of the last event; changes after it are sent.
            namespace: None is all namespaces.
            label_selector: e.g. `app=x`.
            field_selector: e.g. `spec.nodeName=x`.
            timeout_seconds: after which the server ends the watch.
            silent_seconds: without a word of the server after which the watch fails.

        Raises:
            Gone: the resourceVersion is too old; list again.
        """
        scope = Scope(namespace, label_selector, field_selector)
        call = calls.watch_objects(resource, scope, resource_version, timeout_seconds)
        self._sender.take_turn()
        return self._transport.stream(call, silent_seconds=silent_seconds)

    def current_version(
        self,
        resource: Resource,
        *,
        namespace: str | None = None,
        field_selector: str | None = None,
    ) -> int:
        """Return the resourceVersion that the storage of a collection is at.

        Costs a list of one object. It names no resourceVersion, so that the answer is that of the
        storage and not of a cache. Not retried: that the server was away may be what the caller has
        to know.
        """
        call = calls.list_objects(resource, Scope(namespace, field_selector=field_selector))
        return revision(self._sender.once(self._transport.send, calls.page(call, 1, "")))

    def log(self, namespace: str, pod: str, container: str) -> str:
        """Return what a container has printed so far; ApiError 400 if it has not run."""
        return self._sender.send(self._transport.text, calls.pod_log(namespace, pod, container))

    def versions(self, group: str) -> _Names:
        """Return the versions of a named group that the API server serves; `[]` if it has none."""
        try:
            found = self._send(calls.get_path(f"/apis/{group}"))
        except NotFound:
            return []
        return [str(each["version"]) for each in found.get("versions") or []]

    def server_version(self) -> JSON:
        """Return `GET /version`; its `minor` may carry a suffix, e.g. `28+`."""
        return self._send(calls.get_path("/version"))

    def metrics(self) -> str:
        """Return `GET /metrics` of the API server itself."""
        return self._sender.send(self._transport.text, calls.get_path("/metrics"))

    def close(self) -> None:
        """Close the idle connections; the client must not be used afterwards."""
        self._transport.close()

    def _pages(self, call: Call) -> Iterator[JSON]:
        token = ""
        while True:
            found = self._send(calls.page(call, _PAGE, token))
            yield found
            token = (found.get("metadata") or {}).get("continue") or ""
            if not token:
                return

    def _send(self, call: Call) -> JSON:
        return self._sender.send(self._transport.send, call)
