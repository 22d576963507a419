"""The classes by which users ask for the driver's devices, in each version of resource.k8s.io.

The controller makes and keeps them, `fake-dra uninstall` removes them. A class is the driver's by
its label; an annotation says what was written, so that an edit by somebody else is seen. Pure.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from api.claims.versions import CLASSIC
from api.contract import Contract
from api.objects import JSON
from api.resources import DRA_VERSIONS, STRUCTURED_VERSIONS, Resource

CLASSES: Final[Mapping[str, Resource]] = {
    **{name: known.classes for name, known in DRA_VERSIONS.items()},
    **{name: known.classes for name, known in STRUCTURED_VERSIONS.items()},
}
"""The class in each version of resource.k8s.io."""

MANAGED_BY: Final = "app.kubernetes.io/managed-by"
"""Label whose value is the name of the driver."""

SPLIT: Final = "split."
"""Prefix of the name of the class of split devices."""

_OUTSIDE: Final = frozenset({"apiVersion", "kind", "metadata"})


class Verdict(StrEnum):
    """What is to be done about a class."""

    KEEP = "keep"
    CREATE = "create"
    REPLACE = "replace"
    FOREIGN = "foreign"
    EDITED = "edited"


def wanted_classes(version: str, contract: Contract, name: str) -> tuple[JSON, ...]:
    """Return the classes that there have to be.

    Args:
        version: of resource.k8s.io.
        contract: of the driver.
        name: of the class of whole devices; empty is no class.
    """
    if not name:
        return ()
    if version == "v1alpha2":
        return (_made(version, contract, name, {"driverName": contract.driver_name}),)
    if version in CLASSIC:
        # claims of 1.31 name the driver in spec.controller; the class says only which devices
        return (_made(version, contract, name, {"spec": {}}),)
    return tuple(
        _made(version, contract, prefix + name, _selecting(contract.driver_name, kind))
        for prefix, kind in (("", "whole"), (SPLIT, "split"))
    )


def is_ours(obj: JSON, contract: Contract) -> bool:
    """Tell whether the driver has made a class, and nobody has copied it under another name."""
    meta = obj["metadata"]
    marked = (meta.get("labels") or {}).get(MANAGED_BY) == contract.driver_name
    applied = _applied(obj, contract)
    return marked and (applied is None or _named(meta["name"]) in applied)


def managed_selector(contract: Contract) -> str:
    """Return the label selector of the classes that the driver has made."""
    return f"{MANAGED_BY}={contract.driver_name}"


def verdict(found: JSON | None, wanted: JSON, contract: Contract) -> Verdict:
    """Decide about a class: what others made or edited is left to them."""
    if found is None:
        return Verdict.CREATE
    if not is_ours(found, contract):
        return Verdict.FOREIGN
    content = _content(found)
    if content == _content(wanted):
        return Verdict.KEEP
    written = _text(found["metadata"]["name"], content)
    return Verdict.REPLACE if written == _applied(found, contract) else Verdict.EDITED


def replaced(found: JSON, wanted: JSON) -> JSON:
    """Return a class with the wanted content, to be written over the one that was found."""
    meta, new = found["metadata"], wanted["metadata"]
    merged = {
        field: {**(meta.get(field) or {}), **new[field]} for field in ("labels", "annotations")
    }
    return {**wanted, "metadata": {**meta, **merged}}


def _made(version: str, contract: Contract, name: str, content: JSON) -> JSON:
    resource = CLASSES[version]
    metadata = {
        "name": name,
        "labels": {MANAGED_BY: contract.driver_name},
        "annotations": {contract.applied_annotation: _text(name, _content(content))},
    }
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    return {**kind, "metadata": metadata, **content}


def _selecting(driver: str, kind: str) -> JSON:
    """Return the content of a DeviceClass for devices of one type.

    The driver comes first, and an attribute is asked for before it is read: one device without it
    would end the scheduler's attempt on all nodes.
    """
    own = f'device.attributes["{driver}"].type'
    expression = f'device.driver == "{driver}" && has({own}) && {own} == "{kind}"'
    return {"spec": {"selectors": [{"cel": {"expression": expression}}]}}


def _content(obj: JSON) -> JSON:
    """Return what a class says, without what is empty: API servers leave that out or fill it in."""
    return {name: value for name, value in obj.items() if value and name not in _OUTSIDE}


def _text(name: str, content: JSON) -> str:
    return json.dumps({"name": name, **content}, sort_keys=True, separators=(",", ":"))


def _named(name: str) -> str:
    """Return the part of a text that has the name of the class."""
    return f'"name":{json.dumps(name)}'


def _applied(found: JSON, contract: Contract) -> str | None:
    annotations = found["metadata"].get("annotations") or {}
    return annotations.get(contract.applied_annotation)
