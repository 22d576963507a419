"""The embedded API server in this process, behind an authorizer that knows permissions only.

Clients are the programs' own, above a transport that needs no socket. A watch is over as soon as
it has told what there is to tell, so that nothing waits and every step is the test's.
"""

import json
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from devcluster.apiserver.resourceapi import CLASSIC, ResourceApi
from kube.calls import Call
from kube.client import Client
from kube.errors import api_error
from kube.ratelimit import TokenBucket
from kube.watch import WatchStream
from testing.appconnections import Observed
from tests.support.apiserverweb import Web
from tests.support.rbac import Permission, Request, needed

RELEASE = "fake-dra-driver"
SYSTEM = "fake-system"


class Turn(threading.Event):
    """Stops a reflector after a watch, or after it has reported that it was refused one."""

    def __init__(self) -> None:
        super().__init__()
        self._refused = False

    def refused(self) -> None:
        """Stop once the error was reported, which a reflector does not do that has to stop."""
        self._refused = True
        self.set()

    def is_set(self) -> bool:
        refused, self._refused = self._refused, False
        return super().is_set() and not refused


class GuardedApi:
    """An empty API server.

    Attributes:
        granted: what its clients may do.
        used: what of it they needed.
        refused: requests for which no permission was granted, with the component.
    """

    def __init__(self, granted: Iterable[Permission], api: ResourceApi = CLASSIC) -> None:
        self.granted = frozenset(granted)
        self.used: set[Permission] = set()
        self.refused: list[tuple[str, Request]] = []
        self.app = Web(api=api).server.app

    def administrator(self) -> Client:
        """Return a client that may do everything."""
        return _client(_Transport(self, ""))

    def client(self, component: str, turn: Turn | None = None) -> Client:
        """Return a client of a component; `turn` is set at the end of each of its watches."""
        return _client(_Transport(self, component, turn or Turn()))

    def check(self, component: str, request: Request) -> None:
        """Note a request that is allowed, refuse any other with LookupError."""
        if not request.resource:
            # discovery and the version, which Kubernetes lets everybody read who is known to it
            return
        allowing = needed((p for p in self.granted if p.component == component), request)
        if not allowing:
            self.refused.append((component, request))
            raise LookupError(refusal(component, request))
        self.used |= allowing


class _Transport(Observed):
    """Authorizes each request of a component; those of the administrator have none."""

    def __init__(self, api: GuardedApi, component: str, turn: Turn | None = None) -> None:
        super().__init__(api.app, self._authorize)
        self._api = api
        self._component = component
        self._turn = turn or Turn()

    def stream(self, call: Call, *, silent_seconds: float) -> WatchStream:
        body = self.raw(replace(call, query={**call.query, "timeoutSeconds": "1"}))
        return WatchStream(_Whole(body, self._turn), call=str(call))

    def _authorize(self, call: Call) -> None:
        if not self._component:
            return
        try:
            self._api.check(self._component, Request.of(call.method, call.path, call.query))
        except LookupError as error:
            if call.verb in ("list", "watch"):
                self._turn.refused()
            status = {"reason": "Forbidden", "message": str(error.args[0]), "code": 403}
            raise api_error(403, status, call=str(call)) from None


class _Whole:
    """The body of a watch that has ended."""

    def __init__(self, body: bytes, turn: Turn) -> None:
        self._body = body
        self._turn = turn

    def read(self) -> bytes:
        body, self._body = self._body, b""
        return body

    def abort(self) -> None:
        return

    def close(self) -> None:
        self._turn.set()


def refusal(component: str, request: Request) -> str:
    """Return what the API server says; source: kubernetes apiserver forbidden message."""
    group, plural, subresource = [*request.resource.split("/"), ""][:3]
    qualified = f"{plural}.{group}" if group else plural
    what = f"{qualified} {json.dumps(request.name)}" if request.name else qualified
    whole = f"{plural}/{subresource}" if subresource else plural
    place = f'in the namespace "{request.namespace}"' if request.namespace else ""
    return (
        f"{what} is forbidden: User "
        f'"system:serviceaccount:{SYSTEM}:{RELEASE}-{component}" cannot {request.verb} resource '
        f'"{whole}" in API group "{group}" {place or "at the cluster scope"}'
    )


def _client(transport: Any) -> Client:
    return Client(transport, limiter=TokenBucket(0, 1), retry_seconds=0, sleep=lambda _: None)
