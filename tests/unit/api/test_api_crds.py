import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from marshmallow import Schema, fields, validate

from api import names, nas, nasschema, parameters
from api.contract import FAKE
from api.objects import JSON, NodeName
from api.parameters import ClaimParameters, parse_claim_parameters
from api.resources import CLAIM_PARAMETERS, CLASS_PARAMETERS, STATES, Resource

FOLDER = Path(nas.__file__).parent
NAS_PARTS: Any = nasschema.parts_schema(FAKE.device_key)
FILES = ["nas_crd.yaml", "claimparameters_crd.yaml", "classparameters_crd.yaml"]
SCHEMAS: dict[str, Schema] = {
    "nas_crd.yaml": NAS_PARTS.fields["spec"].schema,
    "claimparameters_crd.yaml": parameters._ClaimParametersSchema(),
    "classparameters_crd.yaml": parameters._ClassParametersSchema(),
}
ALLOWED = frozenset(
    {"type", "description", "default", "properties", "additionalProperties", "items", "required"}
    | {"enum", "minimum", "maximum", "minLength", "maxLength", "minItems"}
)
"""Keywords of a structural schema that these files need; others want thought and a test."""

every_file = pytest.mark.parametrize("file", FILES)


def crd(file: str) -> Any:
    return yaml.safe_load((FOLDER / file).read_text(encoding="utf-8"))


def version(file: str) -> Any:
    (only,) = crd(file)["spec"]["versions"]
    return only


def root(file: str) -> Any:
    return version(file)["schema"]["openAPIV3Schema"]


def nodes(schema: JSON, path: str = "") -> Iterator[tuple[str, JSON]]:
    """Return the schema and all schemas in it, by the path of what they describe."""
    yield path, schema
    for name, inner in (schema.get("properties") or {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for keyword, suffix in (("items", "[*]"), ("additionalProperties", "{*}")):
        if keyword in schema:
            yield from nodes(schema[keyword], path + suffix)


def openapi(field: fields.Field[Any]) -> JSON:
    """Return what a CRD has to say to check the same as a marshmallow field."""
    if isinstance(field, fields.Nested):
        return document(field.schema)
    if isinstance(field, fields.List):
        return {"type": "array", "items": openapi(field.inner), **bounds(field)}
    if isinstance(field, fields.Dict):
        assert field.value_field is not None
        return {"type": "object", "additionalProperties": openapi(field.value_field)}
    kind = {fields.Integer: "integer", fields.String: "string"}[type(field)]
    return {"type": kind, **bounds(field)}


def document(schema: Schema) -> JSON:
    found = {field.data_key or name: field for name, field in schema.fields.items()}
    required = sorted(name for name, field in found.items() if field.required)
    made: JSON = {"type": "object", "properties": {n: openapi(f) for n, f in found.items()}}
    return made | ({"required": required} if required else {})


def bounds(field: fields.Field[Any]) -> JSON:
    made: JSON = {}
    for check in field.validators:
        if isinstance(check, validate.Range):
            made |= {"minimum": check.min, "maximum": check.max}
        elif isinstance(check, validate.Length) and isinstance(field, fields.List):
            made |= {"minItems": check.min, "maxItems": check.max}
        elif isinstance(check, validate.Length):
            made |= {"minLength": check.min, "maxLength": check.max}
        elif isinstance(check, validate.OneOf):
            made["enum"] = list(check.choices)
        elif isinstance(check, validate.Equal):
            made["enum"] = [check.comparable]
        else:
            raise AssertionError(f"no keyword of OpenAPI for {check!r}")
    return {keyword: bound for keyword, bound in made.items() if bound is not None}


def bare(schema: JSON) -> JSON:
    """Return a schema without what does not decide whether an object is valid."""
    made = {k: v for k, v in schema.items() if k not in ("description", "default")}
    if "properties" in made:
        made["properties"] = {name: bare(inner) for name, inner in made["properties"].items()}
    for keyword in ("items", "additionalProperties"):
        if keyword in made:
            made[keyword] = bare(made[keyword])
    return made


@every_file
def test_the_crd_checks_what_the_driver_checks(file: str) -> None:
    assert bare(root(file)["properties"]["spec"]) == document(SCHEMAS[file])


def test_the_status_of_a_nas_is_the_one_that_the_driver_reads() -> None:
    found = root("nas_crd.yaml")["properties"]
    assert bare(found["status"]) == openapi(NAS_PARTS.fields["status"])
    assert set(found) == {
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        "status",
        "summary",
        "heartbeat",
    }


def test_the_summary_of_a_nas_is_the_one_that_the_driver_writes() -> None:
    state = nas.NodeAllocationState(NodeName("node-1"), "fake-system")
    written = nas.inventory_patch(state, [], FAKE.device_key)["summary"]
    assert set(root("nas_crd.yaml")["properties"]["summary"]["properties"]) == set(written)


def test_the_heartbeat_of_a_nas_is_the_one_that_the_driver_writes_and_reads() -> None:
    checked = document(nasschema._HeartbeatSchema())
    assert bare(root("nas_crd.yaml")["properties"]["heartbeat"]) == checked
    written = nas.heartbeat_patch(nas.Heartbeat("now", 5))["heartbeat"]
    assert set(checked["properties"]) == set(written)


def test_nothing_separates_the_status_of_a_nas() -> None:
    assert "subresources" not in version("nas_crd.yaml")


@pytest.mark.parametrize(
    ("file", "resource", "singular"),
    [
        ("nas_crd.yaml", STATES, "nas"),
        ("claimparameters_crd.yaml", CLAIM_PARAMETERS, "fakeclaimparameters"),
        ("classparameters_crd.yaml", CLASS_PARAMETERS, "deviceclassparameters"),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_the_crd_has_the_names_of_the_contract(
    file: str, resource: Resource, singular: str
) -> None:
    spec, kind = crd(file)["spec"], resource.kind
    scope = "Namespaced" if resource.namespaced else "Cluster"
    assert (spec["group"], spec["scope"]) == (resource.group, scope)
    assert spec["names"] | {"shortNames": None} == {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": resource.plural,
        "singular": singular,
        "categories": ["dra"],
        "shortNames": None,
    }
    assert crd(file)["metadata"]["name"] == f"{resource.plural}.{resource.group}"


@every_file
def test_one_version_is_served_and_stored(file: str) -> None:
    found = version(file)
    assert (found["name"], found["served"], found["storage"]) == (names.CRD_VERSION, True, True)


def test_short_names_are_of_one_kind_only() -> None:
    spoken = [crd(file)["spec"]["names"] for file in FILES]
    words = [w for n in spoken for w in {n["plural"], n["singular"], *n.get("shortNames", [])}]
    assert len(words) == len(set(words))


@every_file
def test_the_schema_is_structural(file: str) -> None:
    for path, schema in nodes(root(file)):
        assert schema["type"] in {"object", "array", "string", "integer"}, path
        assert set(schema) <= ALLOWED, path
        assert ("items" in schema) == (schema["type"] == "array"), path
        assert not {"properties", "additionalProperties"} <= set(schema), path
        assert set(schema.get("required", [])) <= set(schema.get("properties", {})), path


@every_file
def test_metadata_is_left_to_kubernetes(file: str) -> None:
    """An API server refuses a CRD that says more about it, be it a description."""
    assert root(file)["properties"]["metadata"] == {"type": "object"}


@every_file
def test_every_field_has_a_description(file: str) -> None:
    mute = [p for p, schema in nodes(root(file)) if not schema.get("description", "").endswith(".")]
    assert mute == [".metadata"]


@every_file
def test_the_schema_names_its_own_version(file: str) -> None:
    found, spec = root(file)["properties"], crd(file)["spec"]
    assert f"{spec['group']}/{names.CRD_VERSION}" in found["apiVersion"]["description"]
    assert spec["names"]["kind"] in found["kind"]["description"]


def described(schema: JSON, path: str) -> JSON:
    """Return the schema of what a column's path reads."""
    assert re.fullmatch(r"(\.\w+)+", path), path
    for name in path[1:].split("."):
        schema = schema["properties"][name]
    return schema


@every_file
def test_columns_show_fields_of_the_schema(file: str) -> None:
    *columns, last = version(file)["additionalPrinterColumns"]
    for column in columns:
        shown = described(root(file), column["jsonPath"])["type"]
        assert column["type"] == "date" or column["type"] == (
            "string" if shown == "array" else shown
        )
        assert column["description"].endswith(".")
    age = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}
    assert last == age


def test_columns_of_a_nas_tell_what_people_ask_for() -> None:
    columns = version("nas_crd.yaml")["additionalPrinterColumns"]
    assert [c["name"] for c in columns] == ["Status", "Devices", "Free", "Used", "Heartbeat", "Age"]


def test_defaults_of_the_crd_are_those_of_the_driver() -> None:
    spec = root("claimparameters_crd.yaml")["properties"]["spec"]
    count = spec["properties"]["count"]["default"]
    assert spec["default"] == {}
    assert count == ClaimParameters().count
    defaulted = {"metadata": {"name": "p", "namespace": "n"}, "spec": {"count": count}}
    assert parse_claim_parameters(defaulted) == ClaimParameters()


@every_file
def test_there_are_no_other_defaults(file: str) -> None:
    places = {path for path, schema in nodes(root(file)) if "default" in schema}
    assert places <= {".spec", ".spec.count"}


def test_these_are_all_the_crds() -> None:
    assert sorted(path.name for path in FOLDER.glob("*.yaml")) == sorted(FILES)
