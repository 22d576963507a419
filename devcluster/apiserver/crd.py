"""CustomResourceDefinitions: the kinds that they define, and their own status.

The store calls `check_crd` before it takes a definition, `accepted` to fill in its status, and
`kinds_of` for the registry. Conversion between versions is not offered: all versions of a
resource serve the stored object under their own apiVersion, like the strategy `None`.
Source: k8s.io/apiextensions-apiserver/pkg/{apis/apiextensions/validation,registry/
customresource/tableconvertor,apiserver/schema}.
"""

import copy
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from api.humantime import age
from api.objects import JSON
from devcluster.apiserver import fielderrors, jsonpath
from devcluster.apiserver.builtinschemas import meta_properties
from devcluster.apiserver.crdschema import check_structural
from devcluster.apiserver.fielderrors import FieldError
from devcluster.apiserver.kinds import STATUS, Cell, Column, Kind
from devcluster.apiserver.strategy import Strategy


def kinds_of(crd: JSON, strategy: Strategy) -> list[Kind]:
    """Return the kinds that a definition adds, one for each served version.

    Args:
        crd: which passed `check_crd` and went through `accepted`.
        strategy: the rules of custom resources, the same for all of them.
    """
    names = crd["spec"]["names"]
    return [
        Kind(
            group=crd["spec"]["group"],
            version=version["name"],
            plural=names["plural"],
            singular=names.get("singular") or names["kind"].lower(),
            kind=names["kind"],
            strategy=strategy,
            schema=_whole_schema(version["schema"]["openAPIV3Schema"]),
            columns=tuple(_columns(version)),
            namespaced=crd["spec"]["scope"] == "Namespaced",
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
            subresources=(STATUS,) if _has_status(version) else (),
            custom=True,
            generation=True,
        )
        for version in crd["spec"]["versions"]
        if version.get("served")
    ]


def accepted(crd: JSON) -> JSON:
    """Return the definition with its names completed and the status of one that is served.

    The status has the conditions NamesAccepted and Established since the definition's creation,
    `acceptedNames`, and in `storedVersions` every version that was ever the storage version.
    """
    done = copy.deepcopy(crd)
    names = done["spec"]["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", f"{names['kind']}List")
    done["spec"].setdefault("conversion", {"strategy": "None"})
    stored = list((crd.get("status") or {}).get("storedVersions") or ())
    stored += (v["name"] for v in done["spec"]["versions"] if v.get("storage"))
    since = done["metadata"].get("creationTimestamp")
    done["status"] = {
        "conditions": [
            _condition("NamesAccepted", "NoConflicts", "no conflicts found", since),
            _condition("Established", "InitialNamesAccepted", _ESTABLISHED, since),
        ],
        "acceptedNames": copy.deepcopy(names),
        "storedVersions": list(dict.fromkeys(stored)),
    }
    return done


def check_crd(crd: JSON) -> list[FieldError]:
    """Return what is wrong with a definition; an empty list means that it can be served.

    Args:
        crd: which its own schema has found to have fields of the right types.
    """
    return list(_check(crd))


_ESTABLISHED = "the initial names have been accepted"


def _condition(kind: str, reason: str, message: str, since: str | None) -> JSON:
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": since,
    }


def _has_status(version: JSON) -> bool:
    return "status" in (version.get("subresources") or {})


def _whole_schema(schema: JSON) -> JSON:
    properties = {**(schema.get("properties") or {}), **meta_properties()}
    return {**schema, "properties": properties}


def _columns(version: JSON) -> Iterator[Column]:
    yield Column("Name", "string", _name, format="name", description="Name of the object.")
    given = version.get("additionalPrinterColumns")
    if given is None:
        yield Column("Age", "date", _created, description="How long the object exists.")
    for column in given or ():
        yield Column(
            name=column["name"],
            type=column["type"],
            read=_cell(column["type"], column["jsonPath"]),
            priority=column.get("priority", 0),
            format=column.get("format", ""),
            description=column.get("description", ""),
        )


def _name(obj: JSON, _now: datetime) -> object:
    return obj["metadata"]["name"]


def _created(obj: JSON, now: datetime) -> object:
    return age(obj["metadata"].get("creationTimestamp"), now)


def _cell(kind: str, path: str) -> Cell:
    find = jsonpath.parse(path)

    def read(obj: JSON, now: datetime) -> object:
        found = find(obj)
        if not found or found[0] is None:
            return None
        if kind == "string":
            return " ".join(_text(value) for value in found)
        return _typed(kind, found[0], now)

    return read


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _typed(kind: str, value: Any, now: datetime) -> object:
    """Return the value of a cell, None when it does not have the type of its column."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    match kind:
        case "integer":
            return int(value) if is_number else None
        case "number":
            return value if is_number else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return age(value, now)
    return None


def _check(crd: JSON) -> Iterator[FieldError]:
    spec = crd["spec"]
    yield from _check_names(crd["metadata"].get("name", ""), spec)
    versions = spec["versions"]
    if sum(bool(version.get("storage")) for version in versions) != 1:
        why = "must have exactly one version marked as storage version"
        yield FieldError("spec.versions", f"Invalid value: {_names_of(versions)}: {why}")
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        if version["name"] in seen:
            yield fielderrors.duplicate(f"{path}.name", version["name"])
        seen.add(version["name"])
        yield from _check_version(version, path)


def _names_of(versions: list[JSON]) -> str:
    return ", ".join(version["name"] for version in versions)


def _check_names(name: str, spec: JSON) -> Iterator[FieldError]:
    expected = f"{spec['names']['plural']}.{spec['group']}"
    if name != expected:
        yield fielderrors.bad_value(
            "metadata.name", name, 'must be spec.names.plural+"."+spec.group'
        )
    if "." not in spec["group"]:
        why = "should be a domain with at least one dot"
        yield fielderrors.bad_value("spec.group", spec["group"], why)
    if spec.get("preserveUnknownFields"):
        yield fielderrors.bad_value("spec.preserveUnknownFields", True, "must be false")
    if spec["names"]["kind"] == spec["names"].get("listKind"):
        why = "kind and listKind may not be the same"
        yield fielderrors.bad_value("spec.names.listKind", spec["names"]["kind"], why)


def _check_version(version: JSON, path: str) -> Iterator[FieldError]:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema is None:
        yield fielderrors.required(f"{path}.schema.openAPIV3Schema", "schemas are required")
    else:
        yield from check_structural(schema, f"{path}.schema.openAPIV3Schema")
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        try:
            jsonpath.parse(column["jsonPath"])
        except jsonpath.BadPath as error:
            here = f"{path}.additionalPrinterColumns[{index}].jsonPath"
            yield fielderrors.bad_value(here, column["jsonPath"], str(error))
