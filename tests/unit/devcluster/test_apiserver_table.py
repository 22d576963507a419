"""Lists as tables."""

from datetime import UTC, datetime
from typing import Any

from api.resources import Resource
from devcluster.apiserver.kinds import Column, Kind
from devcluster.apiserver.strategy import Strategy
from devcluster.apiserver.table import table
from tests.support.tables import cases

NOW = datetime(2024, 5, 6, 12, 0, 0, tzinfo=UTC)
KIND = Kind.of(
    Resource("example.com", "v1", "things", "Thing"),
    strategy=Strategy(),
    schema={},
    columns=(
        Column("Name", "string", lambda obj, _: obj["metadata"]["name"], format="name"),
        Column("Hour", "integer", lambda _, now: now.hour, 1, description="Now."),
    ),
)
OBJ: dict[str, Any] = {"kind": "Thing", "metadata": {"name": "n", "uid": "u"}, "spec": {}}


def test_table_describes_columns_and_has_a_row_for_each_object() -> None:
    made = table(KIND, [OBJ, OBJ], revision="7", now=NOW)
    assert (made["apiVersion"], made["kind"]) == ("meta.k8s.io/v1", "Table")
    assert made["metadata"] == {"resourceVersion": "7"}
    name, hour = made["columnDefinitions"]
    assert name == {
        "name": "Name",
        "type": "string",
        "format": "name",
        "description": "",
        "priority": 0,
    }
    assert (hour["priority"], hour["description"]) == (1, "Now.")
    assert [row["cells"] for row in made["rows"]] == [["n", 12]] * 2


@cases(
    ("include", "row"),
    {
        "metadata": (
            "Metadata",
            {
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": OBJ["metadata"],
                }
            },
        ),
        "object": ("Object", {"object": OBJ}),
        "none": ("None", {}),
    },
)
def test_what_rows_include(include: str, row: dict[str, Any]) -> None:
    made = table(KIND, [OBJ], revision="7", now=NOW, include=include)
    assert made["rows"] == [{"cells": ["n", 12], **row}]


def test_headers_can_be_left_out() -> None:
    assert table(KIND, [], revision="7", now=NOW, headers=False)["columnDefinitions"] is None
