"""What the server serves, in the forms that clients ask for before anything else.

Source: k8s.io/apimachinery/pkg/apis/meta/v1, k8s.io/api/apidiscovery/v2, and for the order of
versions k8s.io/apimachinery/pkg/version, CompareKubeAwareVersionStrings.
"""

import re
from typing import Final

from api.objects import JSON
from devcluster.apiserver.kinds import Kind, Subresource
from devcluster.apiserver.registry import Registry

_VERSION: Final = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STAGES: Final = {None: 3, "beta": 2, "alpha": 1}


def version_rank(version: str) -> tuple[int, int, int]:
    """Return a key that sorts a better version higher: v2, v1, v1beta1, v1alpha1, any other."""
    parts = _VERSION.fullmatch(version)
    if parts is None:
        return (0, 0, 0)
    major, stage, minor = parts.groups()
    return (_STAGES[stage], int(major), int(minor or 0))


def group_names(registry: Registry) -> list[str]:
    """Return the groups except the core group, in the order in which they came."""
    return list(dict.fromkeys(kind.group for kind in registry.all() if kind.group))


def versions_of(registry: Registry, group: str) -> list[str]:
    """Return the versions of a group, the preferred one first."""
    versions = sorted({kind.version for kind in registry.all() if kind.group == group})
    return sorted(versions, key=version_rank, reverse=True)


def api_versions(_registry: Registry) -> JSON:
    """Return what GET /api answers."""
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def api_group_list(registry: Registry) -> JSON:
    """Return what GET /apis answers."""
    groups = [_group(registry, name) for name in group_names(registry)]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def api_group(registry: Registry, group: str) -> JSON | None:
    """Return what GET /apis/GROUP answers, None when there is no such group."""
    if group not in group_names(registry):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(registry, group)}


def resource_list(registry: Registry, group: str, version: str) -> JSON | None:
    """Return what GET /apis/GROUP/VERSION or /api/v1 answers, None when that is not served."""
    kinds = _kinds(registry, group, version)
    if not kinds:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group}/{version}" if group else version,
        "resources": [entry for kind in kinds for entry in _resources(kind)],
    }


def aggregated(registry: Registry, *, core: bool) -> JSON:
    """Return the APIGroupDiscoveryList of the core group or of all others."""
    groups = [""] if core else group_names(registry)
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": group, "creationTimestamp": None},
                "versions": [_discovered(registry, group, v) for v in versions_of(registry, group)],
            }
            for group in groups
        ],
    }


def version(git_version: str) -> JSON:
    """Return what GET /version answers.

    Args:
        git_version: such as `v1.30.0`.
    """
    major, minor = git_version.removeprefix("v").split(".")[:2]
    return {
        "major": major,
        "minor": minor,
        "gitVersion": git_version,
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "",
        "platform": "",
    }


def _kinds(registry: Registry, group: str, version: str) -> list[Kind]:
    return [kind for kind in registry.all() if (kind.group, kind.version) == (group, version)]


def _group(registry: Registry, name: str) -> JSON:
    versions = [
        {"groupVersion": f"{name}/{each}", "version": each} for each in versions_of(registry, name)
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _resources(kind: Kind) -> list[JSON]:
    own: JSON = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        own["shortNames"] = list(kind.short_names)
    if kind.categories:
        own["categories"] = list(kind.categories)
    return [own, *(_subresource(kind, sub) for sub in kind.subresources)]


def _subresource(kind: Kind, sub: Subresource) -> JSON:
    entry: JSON = {
        "name": f"{kind.plural}/{sub.name}",
        "singularName": "",
        "namespaced": kind.namespaced,
        "kind": sub.kind or kind.kind,
        "verbs": list(sub.verbs),
    }
    if sub.version:
        entry.update(group=sub.group, version=sub.version)
    return entry


def _discovered(registry: Registry, group: str, version: str) -> JSON:
    return {
        "version": version,
        "freshness": "Current",
        "resources": [_discovered_kind(kind) for kind in _kinds(registry, group, version)],
    }


def _discovered_kind(kind: Kind) -> JSON:
    found: JSON = {
        "resource": kind.plural,
        "responseKind": _response_kind(kind.group, kind.version, kind.kind),
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": list(kind.verbs),
    }
    if kind.short_names:
        found["shortNames"] = list(kind.short_names)
    if kind.categories:
        found["categories"] = list(kind.categories)
    if kind.subresources:
        found["subresources"] = [_discovered_subresource(kind, sub) for sub in kind.subresources]
    return found


def _discovered_subresource(kind: Kind, sub: Subresource) -> JSON:
    version, group = (sub.version, sub.group) if sub.version else (kind.version, kind.group)
    return {
        "subresource": sub.name,
        "responseKind": _response_kind(group, version, sub.kind or kind.kind),
        "verbs": list(sub.verbs),
    }


def _response_kind(group: str, version: str, kind: str) -> JSON:
    return {"group": group, "version": version, "kind": kind}
