"""What the roles of a chart allow, as single permissions, and which one a request needs.

Source: kubernetes apiserver pkg/endpoints/request/requestinfo.go for the attributes of a request,
plugin/pkg/auth/authorizer/rbac for what a rule allows.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Self

from api.objects import JSON

_NAMED = re.compile(r"(?:^|,)metadata\.name=([^,]+)")


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """One verb on one resource for one component.

    Attributes:
        component: last part of the service account's name.
        verb: of Kubernetes, such as `list`.
        resource: group, slash, plural, and the subresource after another slash.
        name: of the only object; empty for any.
        namespace: the only one; empty for all.
    """

    component: str
    verb: str
    resource: str
    name: str = ""
    namespace: str = ""

    def __str__(self) -> str:
        place = f" in {self.namespace}" if self.namespace else ""
        return (
            f"{self.component}: {self.verb} {self.resource}{self.name and f' {self.name}'}{place}"
        )

    def allows(self, request: "Request") -> bool:
        """Tell whether a request needs no other permission than this one."""
        return (
            (request.verb, request.resource) == (self.verb, self.resource)
            and self.name in ("", request.name)
            and self.namespace in ("", request.namespace)
        )


@dataclass(frozen=True, slots=True)
class Request:
    """What an authorizer gets to know of a request.

    Attributes:
        verb: of Kubernetes.
        resource: as of a Permission; empty for a path that is no resource.
        name: of the object; of a list or watch the one that a field selector names.
        namespace: empty for a cluster-scoped resource and for all namespaces.
    """

    verb: str
    resource: str = ""
    name: str = ""
    namespace: str = ""

    @classmethod
    def of(cls, method: str, path: str, query: Mapping[str, str]) -> Self:
        """Return what a request to a path is about."""
        match path.strip("/").split("/"):
            case ["api", _, *rest] if rest:
                group = ""
            case ["apis", group, _, *rest] if rest:
                pass
            case _:
                return cls(method.lower())
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            _, namespace, *rest = rest
        plural, name, subresource = [*rest, "", ""][:3]
        if not name and (named := _NAMED.search(query.get("fieldSelector", ""))):
            name = named[1]
        kind = f"{group}/{plural}" + (f"/{subresource}" if subresource else "")
        return cls(_verb(method, len(rest) > 1, query), kind, name, namespace)


def _verb(method: str, one: bool, query: Mapping[str, str]) -> str:
    if method == "GET" and not one:
        return "watch" if query.get("watch") in ("1", "true") else "list"
    return {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}[
        method
    ]


def permissions(documents: Iterable[JSON]) -> set[Permission]:
    """Return all that the bindings of rendered manifests give to service accounts."""
    found = list(documents)
    roles = {(d["kind"], d["metadata"]["name"]): d for d in found if d["kind"].endswith("Role")}
    return {
        permission
        for binding in found
        if binding["kind"] in ("RoleBinding", "ClusterRoleBinding")
        for subject in binding["subjects"]
        for permission in _given(
            roles[binding["roleRef"]["kind"], binding["roleRef"]["name"]],
            subject["name"].rpartition("-")[2],
            binding["metadata"].get("namespace", ""),
        )
    }


def _given(role: JSON, component: str, namespace: str) -> Iterator[Permission]:
    for rule in role["rules"]:
        for group, resource, verb, name in product(
            rule["apiGroups"], rule["resources"], rule["verbs"], rule.get("resourceNames") or [""]
        ):
            yield Permission(component, verb, f"{group}/{resource}", name, namespace)


def needed(granted: Iterable[Permission], request: Request) -> set[Permission]:
    """Return the permissions each of which allows a request; empty if it is to be refused."""
    return {permission for permission in granted if permission.allows(request)}
