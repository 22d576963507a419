"""The built-in schemas: complete, the same as those of Kubernetes, and described.

Structured parameters are compared with 1.37, all else with 1.30.
"""

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from api.claims.versions import STRUCTURED
from devcluster.apiserver.builtinschemas import meta_properties, package_of, schema_of
from devcluster.apiserver.schema import apply_defaults, check, prune
from tests.support.tables import cases
from tests.support.unknownfields import unknown_fields

JSON = dict[str, Any]

KINDS = [
    ("", "v1", "Namespace"),
    ("", "v1", "Node"),
    ("", "v1", "Pod"),
    ("", "v1", "Event"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "Secret"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "Binding"),
    ("apps", "v1", "Deployment"),
    ("apps", "v1", "ReplicaSet"),
    ("batch", "v1", "Job"),
    ("coordination.k8s.io", "v1", "Lease"),
    ("resource.k8s.io", "v1alpha2", "ResourceClaim"),
    ("resource.k8s.io", "v1alpha2", "ResourceClaimTemplate"),
    ("resource.k8s.io", "v1alpha2", "ResourceClass"),
    ("resource.k8s.io", "v1alpha2", "PodSchedulingContext"),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
    *(
        ("resource.k8s.io", version, kind)
        for version in STRUCTURED
        for kind in ("DeviceClass", "ResourceClaim", "ResourceClaimTemplate", "ResourceSlice")
    ),
]
MERGING = (
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-patch-merge-key",
    "x-kubernetes-patch-strategy",
)


def each_kind(function: Any) -> Any:
    ids = [f"{kind}-{version}" for _, version, kind in KINDS]
    return pytest.mark.parametrize(("group", "version", "kind"), KINDS, ids=ids)(function)


@pytest.fixture(scope="module")
def published() -> dict[str, JSON]:
    """Return the published definitions of two minors."""
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema"
    files = {m: folder / f"v1.{m}.0-local" / "_definitions.json" for m in ("30", "37")}
    return {m: json.loads(file.read_text("utf-8"))["$defs"] for m, file in files.items()}


def fields(schema: JSON, path: str = "") -> Iterator[tuple[str, JSON]]:
    """Yield every field of a schema with its path."""
    yield path, schema
    for name, inner in (schema.get("properties") or {}).items():
        yield from fields(inner, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from fields(schema[name], f"{path}[]")


def resolved(schema: JSON, definitions: JSON) -> JSON:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rsplit("/", 1)[1]]
    return schema


def keyword_differences(own: JSON, theirs: JSON, merging: JSON, path: str) -> Iterator[str]:
    """Yield where type, required fields and merging of one field are not as published."""
    types = theirs.get("type", own.get("type"))
    if "type" in own and own["type"] not in types:
        yield f"{path}: type {own['type']}, not {types}"
    if set(own.get("required") or ()) != set(theirs.get("required") or ()):
        yield f"{path}: requires {own.get('required')}, not {theirs.get('required')}"
    if "items" in own:
        wrong = (name for name in MERGING if own.get(name) != merging.get(name))
        yield from (f"{path}: {n} is {own.get(n)}, not {merging.get(n)}" for n in wrong)


def differences(own: JSON, theirs: JSON, definitions: JSON, path: str) -> Iterator[str]:
    """Yield where a schema of ours is not as the published one, except where it is open."""
    if own.get("x-kubernetes-preserve-unknown-fields"):
        return
    merging, theirs = theirs, resolved(theirs, definitions)
    yield from keyword_differences(own, theirs, merging, path)
    ours, published = own.get("properties") or {}, theirs.get("properties") or {}
    if set(ours) != set(published):
        yield f"{path}: fields differ by {sorted(set(ours) ^ set(published))}"
    for name in sorted(set(ours) & set(published)):
        yield from differences(ours[name], published[name], definitions, f"{path}.{name}")
    for name in ("items", "additionalProperties"):
        if isinstance(own.get(name), dict) and isinstance(theirs.get(name), dict):
            yield from differences(own[name], theirs[name], definitions, f"{path}[]")


@each_kind
def test_schema_is_that_of_kubernetes(
    group: str, version: str, kind: str, published: dict[str, JSON]
) -> None:
    definitions = published["37" if version in STRUCTURED and "resource" in group else "30"]
    theirs = definitions[f"{package_of(group, version, kind)}.{kind}"]
    assert list(differences(schema_of(group, version, kind), theirs, definitions, kind)) == []


PUBLIC_KEYWORDS = {
    *MERGING,
    "additionalProperties",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxItems",
    "maxLength",
    "nullable",
    "oneOf",
    "properties",
    "required",
    "type",
    "x-kubernetes-map-type",
    "x-kubernetes-preserve-unknown-fields",
}


@each_kind
def test_every_field_is_described_in_known_keywords(group: str, version: str, kind: str) -> None:
    schema = schema_of(group, version, kind)
    assert schema["description"]
    for path, field in fields(schema):
        assert set(field) <= PUBLIC_KEYWORDS, path
        assert path.endswith("[]") or field.get("description", "").endswith("."), path


def test_kind_without_schema() -> None:
    with pytest.raises(KeyError, match="CronJob of batch/v1 is not built in"):
        schema_of("batch", "v1", "CronJob")


def test_meta_is_shared_by_all_kinds() -> None:
    pod = schema_of("", "v1", "Pod")["properties"]
    assert {name: pod[name] for name in ("apiVersion", "kind", "metadata")} == meta_properties()


def test_custom_kind_has_no_package() -> None:
    assert package_of("example.com", "v1", "Pod") is None


CLAIM_POD: JSON = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "p", "namespace": "default", "creationTimestamp": None},
    "spec": {
        "resourceClaims": [{"name": "fake", "source": {"resourceClaimTemplateName": "t"}}],
        "containers": [
            {
                "name": "c",
                "image": "busybox",
                "command": ["sh"],
                "env": [{"name": "A", "value": "b"}],
                "resources": {
                    "claims": [{"name": "fake"}],
                    "limits": {"cpu": 0.5, "memory": "1Gi"},
                },
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {"medium": "Memory"}}],
        "tolerations": [{"operator": "Exists"}],
    },
}


def test_pod_with_claims_is_accepted_and_defaulted() -> None:
    schema = schema_of("", "v1", "Pod")
    assert unknown_fields(schema, CLAIM_POD) == []
    pod = apply_defaults(schema, prune(schema, CLAIM_POD))
    assert check(schema, pod) == []
    assert pod["metadata"] == {"name": "p", "namespace": "default"}
    assert pod["spec"]["restartPolicy"] == "Always"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 30
    assert pod["spec"]["volumes"] == CLAIM_POD["spec"]["volumes"]


@cases(
    ("kind", "spec", "said"),
    {
        "restart-policy": (
            ("", "v1", "Pod"),
            {"containers": [{"name": "c"}], "restartPolicy": "Sometimes"},
            """spec.restartPolicy: Unsupported value: "Sometimes": \
supported values: "Always", "Never", "OnFailure\"""",
        ),
        "container-name": (
            ("", "v1", "Pod"),
            {"containers": [{"image": "i"}]},
            "spec.containers[0].name: Required value",
        ),
        "quantity": (
            ("", "v1", "Pod"),
            {"containers": [{"name": "c", "resources": {"limits": {"cpu": True}}}]},
            """spec.containers[0].resources.limits.cpu: Invalid value: "": \
"spec.containers[0].resources.limits.cpu" must validate one and only one schema (oneOf). \
Found none valid""",
        ),
        "class-name": (
            ("resource.k8s.io", "v1alpha2", "ResourceClaim"),
            {"allocationMode": "Immediate"},
            "spec.resourceClassName: Required value",
        ),
    },
)
def test_wrong_specs(kind: tuple[str, str, str], spec: JSON, said: str) -> None:
    found = check(schema_of(*kind), {"metadata": {"name": "x"}, "spec": spec})
    assert str(found[0]) == said
