"""What a CustomResourceDefinition becomes, and which ones are refused."""

import copy
from datetime import UTC, datetime
from importlib import resources
from typing import Any

import pytest
import yaml

from devcluster.apiserver.builtinschemas import meta_properties, schema_of
from devcluster.apiserver.crd import accepted, check_crd, kinds_of
from devcluster.apiserver.kinds import Kind
from devcluster.apiserver.schema import check
from devcluster.apiserver.strategy import Strategy
from tests.support.tables import cases
from tests.support.unknownfields import unknown_fields

JSON = dict[str, Any]

NOW = datetime(2024, 5, 6, 12, 0, 0, tzinfo=UTC)
CREATED = "2024-05-06T11:00:00Z"
RULES = Strategy()


def crd(*versions: JSON, **spec: Any) -> JSON:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.example.com", "creationTimestamp": CREATED},
        "spec": {
            "group": "example.com",
            "names": {"plural": "things", "kind": "Thing"},
            "scope": "Namespaced",
            "versions": list(versions) or [version()],
            **spec,
        },
    }


def version(name: str = "v1", *, storage: bool = True, **more: Any) -> JSON:
    schema = {"type": "object", "properties": {"spec": {"type": "object"}}}
    base = {"name": name, "served": True, "storage": storage}
    return {**base, "schema": {"openAPIV3Schema": schema}, **more}


def one_kind(definition: JSON) -> Kind:
    (kind,) = kinds_of(accepted(definition), RULES)
    return kind


def cells(kind: Kind, obj: JSON) -> list[object]:
    return [column.read(obj, NOW) for column in kind.columns]


def test_kind_has_what_the_definition_says() -> None:
    names = {
        "plural": "things",
        "singular": "thing",
        "kind": "Thing",
        "shortNames": ["th"],
        "categories": ["all"],
    }
    kind = one_kind(crd(names=names, scope="Cluster"))
    assert (kind.group, kind.version, kind.plural) == ("example.com", "v1", "things")
    assert (kind.singular, kind.kind, kind.namespaced) == ("thing", "Thing", False)
    assert (kind.short_names, kind.categories) == (("th",), ("all",))
    assert kind.custom
    assert kind.generation
    assert kind.strategy is RULES
    assert kind.subresources == ()


def test_schema_gets_the_metadata_that_all_objects_have() -> None:
    kind = one_kind(crd())
    assert kind.schema["properties"] == {"spec": {"type": "object"}, **meta_properties()}


def test_served_versions_only() -> None:
    definition = crd(
        version("v1"), version("v2", storage=False), version("v3", storage=False, served=False)
    )
    assert [kind.version for kind in kinds_of(accepted(definition), RULES)] == ["v1", "v2"]


OBJ: JSON = {
    "metadata": {"name": "n", "creationTimestamp": CREATED},
    "spec": {"count": 3, "half": 0.5, "on": True, "text": "t", "list": ["a", "b"], "map": {"a": 1}},
}


def test_columns_without_any_of_its_own() -> None:
    kind = one_kind(crd())
    assert [(c.name, c.type) for c in kind.columns] == [("Name", "string"), ("Age", "date")]
    assert cells(kind, OBJ) == ["n", "60m"]


@pytest.mark.parametrize(
    ("kind", "path", "cell"),
    [
        ("integer", ".spec.count", 3),
        ("integer", ".spec.half", 0),
        ("integer", ".spec.text", None),
        ("integer", ".spec.on", None),
        ("number", ".spec.half", 0.5),
        ("boolean", ".spec.on", True),
        ("boolean", ".spec.text", None),
        ("string", ".spec.text", "t"),
        ("string", ".spec.count", "3"),
        ("string", ".spec.on", "true"),
        ("string", ".spec.map", '{"a":1}'),
        ("string", ".spec.list[*]", "a b"),
        ("string", ".spec.absent", None),
        ("date", ".metadata.creationTimestamp", "60m"),
        ("date", ".spec.text", "<invalid>"),
        ("other", ".spec.text", None),
    ],
)
def test_cells(kind: str, path: str, cell: object) -> None:
    column = {"name": "C", "type": kind, "jsonPath": path, "priority": 1, "description": "D."}
    served = one_kind(crd(version(additionalPrinterColumns=[column])))
    name, own = served.columns
    assert (own.name, own.type, own.priority, own.description) == ("C", kind, 1, "D.")
    assert [name.read(OBJ, NOW), own.read(OBJ, NOW)] == ["n", cell]


def test_accepted_completes_names_and_status() -> None:
    given = crd()
    before = copy.deepcopy(given)
    done = accepted(given)
    assert given == before
    names = {"plural": "things", "kind": "Thing", "singular": "thing", "listKind": "ThingList"}
    assert done["spec"]["names"] == names
    assert done["spec"]["conversion"] == {"strategy": "None"}
    assert done["status"]["acceptedNames"] == names
    assert done["status"]["storedVersions"] == ["v1"]
    said = [(c["type"], c["status"], c["lastTransitionTime"]) for c in done["status"]["conditions"]]
    assert said == [("NamesAccepted", "True", CREATED), ("Established", "True", CREATED)]


def test_versions_once_stored_are_remembered() -> None:
    before = accepted(crd(version("v1"), version("v2", storage=False)))
    before["spec"]["versions"] = [version("v1", storage=False), version("v2")]
    assert accepted(before)["status"]["storedVersions"] == ["v1", "v2"]
    assert accepted(accepted(before)) == accepted(before)


def test_accepted_definition_fits_the_schema_of_definitions() -> None:
    schema = schema_of("apiextensions.k8s.io", "v1", "CustomResourceDefinition")
    assert unknown_fields(schema, accepted(crd())) == []
    assert check(schema, accepted(crd())) == []


@pytest.mark.parametrize("name", ["nas", "claimparameters", "classparameters"])
def test_definitions_of_the_driver_are_served(name: str) -> None:
    text = resources.files("api").joinpath(f"{name}_crd.yaml").read_text("utf-8")
    definition = yaml.safe_load(text)
    assert check_crd(definition) == []
    kind = one_kind(definition)
    assert kind.columns[0].name == "Name"


def schema_version(schema: JSON) -> JSON:
    return version(schema={"openAPIV3Schema": {"type": "object", "properties": {"spec": schema}}})


ROOT = "spec.versions[0].schema.openAPIV3Schema"
SPEC = f"{ROOT}.properties[spec]"
REFUSED = {
    "name": (
        {**crd(), "metadata": {"name": "things"}},
        'metadata.name: Invalid value: "things": must be spec.names.plural+"."+spec.group',
    ),
    "group": (
        {**crd(group="example"), "metadata": {"name": "things.example"}},
        'spec.group: Invalid value: "example": should be a domain with at least one dot',
    ),
    "preserve-unknown": (
        crd(preserveUnknownFields=True),
        "spec.preserveUnknownFields: Invalid value: true: must be false",
    ),
    "list-kind": (
        crd(names={"plural": "things", "kind": "Thing", "listKind": "Thing"}),
        'spec.names.listKind: Invalid value: "Thing": kind and listKind may not be the same',
    ),
    "no-storage": (
        crd(version(storage=False)),
        "spec.versions: Invalid value: v1: must have exactly one version marked as storage version",
    ),
    "two-storage": (
        crd(version("v1"), version("v2")),
        (
            "spec.versions: Invalid value: v1, v2: "
            "must have exactly one version marked as storage version"
        ),
    ),
    "same-version": (
        crd(version(), version(storage=False)),
        'spec.versions[1].name: Duplicate value: "v1"',
    ),
    "no-schema": (crd(version(schema={})), f"{ROOT}: Required value: schemas are required"),
    "column": (
        crd(version(additionalPrinterColumns=[{"name": "C", "type": "string", "jsonPath": ".a["}])),
        (
            'spec.versions[0].additionalPrinterColumns[0].jsonPath: Invalid value: ".a[": '
            "JSONPath '.a[' cannot be read from column 3 on"
        ),
    ),
    "root-type": (
        crd(version(schema={"openAPIV3Schema": {"type": "string"}})),
        f'{ROOT}.type: Invalid value: "string": must be object at the root',
    ),
}
SCHEMAS = {
    "no-type": (
        {"properties": {}},
        "@.type: Required value: must not be empty for specified object fields",
    ),
    "item-type": (
        {"type": "array", "items": {"description": "d"}},
        "@.items.type: Required value: must not be empty for specified array items",
    ),
    "no-items": ({"type": "array"}, "@.items: Required value: must be specified"),
    "unknown-type": (
        {"type": "int"},
        (
            '@.type: Unsupported value: "int": supported values: '
            '"array", "boolean", "integer", "number", "object", "string"'
        ),
    ),
    "properties-and-additional": (
        {
            "type": "object",
            "properties": {"a": {"type": "string"}},
            "additionalProperties": {"type": "string"},
        },
        (
            "@.additionalProperties: Forbidden: "
            "additionalProperties and properties are mutual exclusive"
        ),
    ),
    "additional-false": (
        {"type": "object", "additionalProperties": False},
        "@.additionalProperties: Forbidden: additionalProperties cannot be set to false",
    ),
    "additional-text": (
        {"type": "object", "additionalProperties": "x"},
        ('@.additionalProperties: Invalid value: "string": must be a schema object or a boolean'),
    ),
    "unique-items": (
        {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        (
            "@.uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime "
            "complexity becomes quadratic"
        ),
    ),
    "list-map-keys": (
        {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"},
        (
            "@.x-kubernetes-list-map-keys: Required value: "
            "must not be empty if x-kubernetes-list-type is map"
        ),
    ),
    "pattern": (
        {"type": "string", "pattern": "["},
        (
            '@.pattern: Invalid value: "[": must be a valid regular expression, but isn\'t: '
            "unterminated character set at position 0"
        ),
    ),
    "keyword-type": (
        {"type": "integer", "maximum": "5"},
        '@.maximum: Invalid value: "string": must be of type number',
    ),
    "required-type": (
        {"type": "object", "required": [1]},
        '@.required[0]: Invalid value: "integer": must be of type string',
    ),
    "no-schema-object": (
        {"type": "object", "properties": {"a": "string"}},
        '@.properties[a]: Invalid value: "string": must be a schema object',
    ),
    "reference": ({"type": "object", "$ref": "#/x"}, "@.$ref: Forbidden: $ref is not supported"),
    "type-in-rule": (
        {"type": "object", "anyOf": [{"type": "object"}]},
        "@.anyOf[0].type: Forbidden: must be empty to be structural",
    ),
    "default": (
        {"type": "integer", "default": 5, "maximum": 4},
        ("@.default: Invalid value: 5: @.default in body should be less than or equal to 4"),
    ),
}


@cases(("definition", "text"), REFUSED)
def test_refused(definition: JSON, text: str) -> None:
    assert [str(error) for error in check_crd(definition)] == [text]


@cases(("schema", "text"), SCHEMAS)
def test_refused_schemas(schema: JSON, text: str) -> None:
    found = check_crd(crd(schema_version(schema)))
    assert [str(error) for error in found] == [text.replace("@", SPEC)]


@cases(
    "schema",
    {
        "int-or-string": {
            "x-kubernetes-int-or-string": True,
            "anyOf": [{"type": "integer"}, {"type": "string"}],
        },
        "preserve": {"x-kubernetes-preserve-unknown-fields": True},
        "additional": {
            "type": "object",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "one-of": {"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
        "default": {"type": "integer", "default": 4, "minimum": 4},
    },
)
def test_structural_schemas_are_accepted(schema: JSON) -> None:
    assert check_crd(crd(schema_version(schema))) == []
