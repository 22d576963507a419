"""What the driver's service accounts asked of a real API server, by the audit events.

A program that Helm is taking away loses its rights a moment before it ends, and has them a moment
after it started; what is refused then is nobody's mistake.
Source: Kubernetes documentation, "Auditing"; audit.k8s.io/v1 Event.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from api.objects import JSON
from tests.support.rbac import Permission, Request, needed

RIGHTS = "rbac.authorization.k8s.io"
SETTLING = timedelta(seconds=5)
"""Until a new role counts: the authorizer watches them."""

CHANGING: Final = timedelta(seconds=60)
"""An upgrade may take a right from a program that is being replaced and still asks."""

_SETTLED_AFTER: Final = {"create": SETTLING, "patch": CHANGING, "update": CHANGING}

_DECISION = "authorization.k8s.io/decision"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of the driver.

    Attributes:
        when: it was answered.
        account: name of the service account, which is that of its roles too.
        request: what an authorizer gets to know of it.
        code: of the answer.
        forbidden: by the authorizer; one of an admission plugin has the same code.
    """

    when: datetime
    account: str
    request: Request
    code: int
    forbidden: bool

    @property
    def component(self) -> str:
        """As of a Permission."""
        return self.account.rpartition("-")[2]


def asked(events: Iterable[JSON], namespace: str) -> list[Asked]:
    """Return the requests of the service accounts of a namespace; a watch may be in it twice."""
    user = f"system:serviceaccount:{namespace}:"
    return [
        Asked(
            _when(event),
            event["user"]["username"].removeprefix(user),
            request_of(event),
            int((event.get("responseStatus") or {}).get("code") or 0),
            (event.get("annotations") or {}).get(_DECISION) == "forbid",
        )
        for event in events
        if event["user"]["username"].startswith(user)
    ]


def request_of(event: JSON) -> Request:
    """Return the request of an event; one for no resource has nothing but its verb."""
    ref = event.get("objectRef")
    if not ref:
        return Request(event["verb"])
    kind = f"{ref.get('apiGroup', '')}/{ref['resource']}"
    if ref.get("subresource"):
        kind += f"/{ref['subresource']}"
    return Request(event["verb"], kind, ref.get("name", ""), ref.get("namespace", ""))


def refused(events: Iterable[JSON], namespace: str) -> list[Asked]:
    """Return the requests that were forbidden while their component had its rights."""
    known = list(events)
    forbidden = [each for each in asked(known, namespace) if each.forbidden]
    return [each for each in forbidden if _has_rights(known, each)]


def used(granted: Iterable[Permission], requests: Iterable[Asked]) -> set[Permission]:
    """Return the permissions that allowed requests."""
    by_component: Mapping[str, list[Permission]] = _by_component(granted)
    return {
        permission
        for each in requests
        for permission in needed(by_component.get(each.component, ()), each.request)
    }


def _by_component(granted: Iterable[Permission]) -> dict[str, list[Permission]]:
    found: dict[str, list[Permission]] = {}
    for permission in granted:
        found.setdefault(permission.component, []).append(permission)
    return found


def _has_rights(events: list[JSON], request: Asked) -> bool:
    """Tell whether all roles and bindings of an account were there, and had settled."""
    latest: dict[str, JSON] = {}
    for event in events:
        ref = event.get("objectRef") or {}
        own = (ref.get("apiGroup"), ref.get("name")) == (RIGHTS, request.account)
        if own and _begins(event) <= request.when:
            latest[ref["resource"]] = event
    return bool(latest) and all(
        event["verb"] in _SETTLED_AFTER
        and _when(event) + _SETTLED_AFTER[event["verb"]] <= request.when
        for event in latest.values()
    )


def _begins(event: JSON) -> datetime:
    """Return when the effect of an event begins; a deletion counts before it is answered."""
    return datetime.fromisoformat(event["requestReceivedTimestamp"])


def _when(event: JSON) -> datetime:
    return datetime.fromisoformat(event["stageTimestamp"])
