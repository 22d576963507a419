"""Lists as tables: what kubectl asks for instead of objects, so that it need not know the kinds.

Called for lists, single objects and watch events whose client accepts `as=Table`.
Source: k8s.io/apimachinery/pkg/apis/meta/v1, Table.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from api.objects import JSON
from devcluster.apiserver.kinds import Column, Kind

_API_VERSION: Final = "meta.k8s.io/v1"


def table(
    kind: Kind,
    objects: Sequence[JSON],
    *,
    revision: str,
    now: datetime,
    include: str = "Metadata",
    headers: bool = True,
) -> JSON:
    """Return a meta.k8s.io/v1 Table.

    Args:
        kind: of the objects.
        objects: one for each row.
        revision: resourceVersion of the list.
        now: to which ages are counted, with a time zone.
        include: what a row has besides its cells: Metadata, Object or None.
        headers: whether to describe the columns; only the first event of a watch does.
    """
    return {
        "kind": "Table",
        "apiVersion": _API_VERSION,
        "metadata": {"resourceVersion": revision},
        "columnDefinitions": [_definition(c) for c in kind.columns] if headers else None,
        "rows": [_row(kind, obj, now, include) for obj in objects],
    }


def _definition(column: Column) -> JSON:
    return {
        "name": column.name,
        "type": column.type,
        "format": column.format,
        "description": column.description,
        "priority": column.priority,
    }


def _row(kind: Kind, obj: JSON, now: datetime, include: str) -> JSON:
    row: JSON = {"cells": [column.read(obj, now) for column in kind.columns]}
    if include == "Object":
        row["object"] = obj
    elif include != "None":
        row["object"] = _partial(obj)
    return row


def _partial(obj: JSON) -> JSON:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": _API_VERSION,
        "metadata": obj["metadata"],
    }
