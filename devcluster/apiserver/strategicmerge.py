"""The strategic merge patch: a merge patch that knows which lists are maps and which are sets.

Directives: `$patch: delete|replace|merge`, `$deleteFromPrimitiveList/<field>`, `$retainKeys`;
`$setElementOrder/<field>` only concerns the order of entries and is dropped. Pure.
Source: apimachinery pkg/util/strategicpatch; merge keys from the patchMergeKey tags of
k8s.io/api v0.30.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from api.objects import JSON
from devcluster.apiserver.errors import BadRequest

_DIRECTIVE: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_DELETE_FROM: Final = "$deleteFromPrimitiveList/"

_EVERYWHERE: Final = {"ownerReferences": "uid", "finalizers": ""}
_POD: Final = {
    **_EVERYWHERE,
    "conditions": "type",
    "containers": "name",
    "env": "name",
    "ephemeralContainers": "name",
    "hostAliases": "ip",
    "hostIPs": "ip",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "podIPs": "ip",
    "ports": "containerPort",
    "resourceClaimStatuses": "name",
    "resourceClaims": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeDevices": "devicePath",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
_KEYS: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        **dict.fromkeys(("Pod", "Deployment", "ReplicaSet", "Job"), _POD),
        "Node": {**_EVERYWHERE, "addresses": "type", "conditions": "type", "podCIDRs": ""},
        "Namespace": {**_EVERYWHERE, "conditions": "type"},
        "ResourceClaim": {**_EVERYWHERE, "reservedFor": "uid"},
        "ServiceAccount": {**_EVERYWHERE, "secrets": "name"},
    }
)


def strategic_merge(kind: str, target: JSON, patch: JSON) -> JSON:
    """Return `target` with a patch.

    Args:
        kind: of the object; one that is not known here has atomic lists only.
        target: as stored; not changed.
        patch: the patch; not changed.

    Raises:
        BadRequest: a directive is unknown, or an entry of a keyed list lacks its key.
    """
    return _merge_object(_KEYS.get(kind, _EVERYWHERE), target, patch)


def _merge_object(keys: Mapping[str, str], target: JSON, patch: JSON) -> JSON:
    directive = patch.get(_DIRECTIVE, "merge")
    if directive == "delete":
        return {}
    if directive == "replace":
        replaced: JSON = _plain(patch)
        return replaced
    if directive != "merge":
        raise BadRequest(f"unknown {_DIRECTIVE} directive {directive!r}")
    merged = _retained(target, patch)
    for key, value in patch.items():
        if key.startswith(_DELETE_FROM):
            _delete_values(merged, key.removeprefix(_DELETE_FROM), value)
    for key, value in patch.items():
        if not key.startswith("$"):
            _merge_field(keys, merged, key, value)
    return merged


def _retained(target: JSON, patch: JSON) -> JSON:
    if _RETAIN not in patch:
        return dict(target)
    wanted = _list_of(_RETAIN, patch[_RETAIN])
    return {key: value for key, value in target.items() if key in wanted}


def _delete_values(merged: JSON, field: str, given: Any) -> None:
    values = _list_of(f"{_DELETE_FROM}{field}", given)
    if field in merged:
        merged[field] = [each for each in merged[field] if each not in values]


def _merge_field(keys: Mapping[str, str], merged: JSON, field: str, value: Any) -> None:
    if value is None or (isinstance(value, dict) and value.get(_DIRECTIVE) == "delete"):
        merged.pop(field, None)
    elif isinstance(value, dict):
        before = merged.get(field)
        merged[field] = _merge_object(keys, before if isinstance(before, dict) else {}, value)
    elif isinstance(value, list) and field in keys:
        merged[field] = _merge_list(keys, field, merged.get(field) or [], value)
    else:
        merged[field] = _plain(value)


def _merge_list(
    keys: Mapping[str, str], field: str, target: list[Any], patch: list[Any]
) -> list[Any]:
    key = keys[field]
    if not key:
        return [*target, *(each for each in patch if each not in target)]
    if not all(isinstance(entry, dict) for entry in patch):
        raise BadRequest(f"{field}: entries with the merge key {key} have to be objects")
    if any(entry.get(_DIRECTIVE) == "replace" and len(entry) == 1 for entry in patch):
        return [_plain(entry) for entry in patch if _DIRECTIVE not in entry]
    merged = list(target)
    for entry in patch:
        if key not in entry:
            raise BadRequest(f"map: {entry} does not contain declared merge key: {key}")
        _merge_entry(keys, key, merged, entry)
    return merged


def _merge_entry(keys: Mapping[str, str], key: str, merged: list[Any], entry: JSON) -> None:
    places = [n for n, each in enumerate(merged) if each.get(key) == entry[key]]
    if entry.get(_DIRECTIVE) == "delete":
        merged[:] = [each for each in merged if each.get(key) != entry[key]]
    elif places:
        merged[places[0]] = _merge_object(keys, merged[places[0]], entry)
    else:
        merged.append(_merge_object(keys, {}, entry))


def _list_of(directive: str, given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise BadRequest(f"{directive} takes a list")
    return given


def _plain(value: Any) -> Any:
    """Return a value of a patch without directives and nulls, as it is stored."""
    if isinstance(value, dict):
        kept = value.items()
        return {k: _plain(v) for k, v in kept if not k.startswith("$") and v is not None}
    return [_plain(each) for each in value] if isinstance(value, list) else value
