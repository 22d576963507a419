"""The demo manifests are valid, small, and say what demo/expect.py expects of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from api.claims.view import ClaimView
from api.contract import FAKE
from api.names import CLAIM_PARAMETERS_KIND, CLASS_PARAMETERS_KIND
from api.objects import JSON
from api.parameters import ClaimParameters, parse_claim_parameters, parse_class_parameters
from controller.versions.dialect import ClaimRequests
from controller.versions.v1alpha3 import V1Alpha3
from demo.expect import DEMOS, Container, Demo

CLASS = "fake.3-shake.com"


@dataclass(frozen=True)
class Manifest:
    """One demo for some versions of Kubernetes."""

    folder: str
    demo: Demo

    @property
    def path(self) -> str:
        return f"{self.folder}/fake-{self.demo.name}.yaml"


OLD = [Manifest("demo", demo) for demo in DEMOS]
NEW = [Manifest("demo/1.31", demo) for demo in DEMOS]
EACH = pytest.mark.parametrize("manifest", [*OLD, *NEW], ids=lambda m: m.path)


def load(root: Path, manifest: Manifest) -> list[JSON]:
    text = (root / manifest.path).read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


def of_kind(documents: list[JSON], kind: str) -> list[JSON]:
    return [d for d in documents if d["kind"] == kind]


def claims_of(documents: list[JSON]) -> dict[str, tuple[list[Container], JSON]]:
    """Who uses each claim, and its spec; a template makes one claim for each pod."""
    specs = {d["metadata"]["name"]: d["spec"] for d in of_kind(documents, "ResourceClaim")}
    templates = {
        d["metadata"]["name"]: d["spec"]["spec"]
        for d in of_kind(documents, "ResourceClaimTemplate")
    }
    found: dict[str, tuple[list[Container], JSON]] = {}
    for pod in of_kind(documents, "Pod"):
        name = pod["metadata"]["name"]
        for entry in pod["spec"]["resourceClaims"]:
            source = entry.get("source") or entry
            ((way, target),) = [(k, v) for k, v in source.items() if k != "name"]
            template = way == "resourceClaimTemplateName"
            key, spec = (f"{name}/{target}", templates) if template else (target, specs)
            users = found.setdefault(key, ([], spec[target]))[0]
            users += [
                (name, c["name"])
                for c in pod["spec"]["containers"]
                if {"name": entry["name"]} in c["resources"]["claims"]
            ]
    return found


def parameters_of(documents: list[JSON], spec: JSON) -> ClaimParameters:
    """What a claim asks for, as the controller reads it."""
    if "devices" in spec:
        return inline_parameters(spec)
    assert spec["resourceClassName"] == CLASS
    ref: Any = spec.get("parametersRef")
    if ref is None:
        return ClaimParameters()
    assert (ref["apiGroup"], ref["kind"]) == (FAKE.driver_name, CLAIM_PARAMETERS_KIND)
    (found,) = [d for d in of_kind(documents, ref["kind"]) if d["metadata"]["name"] == ref["name"]]
    return parse_claim_parameters(found)


class OneClass:
    """Knows the class of the chart."""

    def get(self, name: str, namespace: str | None) -> JSON | None:
        return {"metadata": {"name": name}, "spec": {}} if name == CLASS else None


def inline_parameters(spec: JSON) -> ClaimParameters:
    claim = {"metadata": {"name": "n", "namespace": "ns", "uid": "u"}, "spec": spec}
    reading = V1Alpha3(FAKE.driver_name, {"DeviceClass": OneClass()}).read(ClaimView(claim))
    assert isinstance(reading, ClaimRequests)
    (request,) = reading.requests
    return request.wanted


@pytest.mark.parametrize(
    ("manifest", "version"),
    [
        *((manifest, f"1.{minor}") for manifest in OLD for minor in (27, 28, 29, 30)),
        *((manifest, "1.31") for manifest in NEW),
    ],
    ids=lambda value: value.path if isinstance(value, Manifest) else value,
)
def test_manifest_is_valid(root: Path, manifest: Manifest, version: str) -> None:
    for document in load(root, manifest):
        if document["kind"] != CLAIM_PARAMETERS_KIND:
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize(
    ("name", "versions"),
    [("time-sliced", (27, 28, 29, 30)), ("time-sliced-1.31", (31,))],
    ids=["1.27 to 1.30", "1.31"],
)
def test_manifest_of_a_shared_device_is_valid(
    root: Path, name: str, versions: tuple[int, ...]
) -> None:
    text = (root / f"demo/sharing/{name}.yaml").read_text(encoding="utf-8")
    documents = list(yaml.safe_load_all(text))
    for minor in versions:
        for document in documents:
            if document["kind"] != CLASS_PARAMETERS_KIND:
                kubernetes_validate.validate(document, f"1.{minor}", strict=True)
    (given,) = [
        *of_kind(documents, CLASS_PARAMETERS_KIND),
        *(
            d["spec"]["config"][0]["opaque"]["parameters"]
            for d in of_kind(documents, "DeviceClass")
        ),
    ]
    assert parse_class_parameters(given, name).max_clients == 2
    assert len(of_kind(documents, "Pod")) == 3


def test_parameters_are_valid_by_the_crd(root: Path) -> None:
    crd = yaml.safe_load((root / "api/claimparameters_crd.yaml").read_text(encoding="utf-8"))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    documents = [
        d for manifest in OLD for d in of_kind(load(root, manifest), CLAIM_PARAMETERS_KIND)
    ]
    assert len(documents) == 2
    for document in documents:
        jsonschema.validate(document, schema)


@EACH
def test_everything_is_in_the_namespace_that_comes_first(root: Path, manifest: Manifest) -> None:
    first, *others = load(root, manifest)
    assert (first["kind"], first["metadata"]["name"]) == ("Namespace", manifest.demo.name)
    assert {d["metadata"]["namespace"] for d in others} == {manifest.demo.name}


@EACH
def test_containers_share_claims_as_expected(root: Path, manifest: Manifest) -> None:
    users = [tuple(sorted(found)) for found, _ in claims_of(load(root, manifest)).values()]
    assert sorted(users) == sorted(tuple(sorted(expected)) for expected in manifest.demo.claims)


@EACH
def test_claims_ask_for_the_expected_devices(root: Path, manifest: Manifest) -> None:
    documents = load(root, manifest)
    expected = ClaimParameters(manifest.demo.count, manifest.demo.split)
    for _, spec in claims_of(documents).values():
        assert parameters_of(documents, spec) == expected


@EACH
def test_containers_print_their_environment_and_end_on_sigterm(
    root: Path, manifest: Manifest
) -> None:
    pods = of_kind(load(root, manifest), "Pod")
    containers = [c for pod in pods for c in pod["spec"]["containers"]]
    assert len(containers) == len(manifest.demo.containers)
    for container in containers:
        assert container["command"] == ["ash", "-c"]
        (script,) = container["args"]
        assert script == "trap 'exit 0' TERM; export; sleep 9999 & wait"


def test_both_kinds_of_manifest_differ_only_in_their_claims(root: Path) -> None:
    for old, new in zip(OLD, NEW, strict=True):
        assert without_claims(load(root, old)) == without_claims(load(root, new))


def without_claims(documents: list[JSON]) -> list[JSON]:
    """The objects without what differs by version: parameters, spec of claims, entries of pods."""
    kept = [d for d in documents if d["kind"] != CLAIM_PARAMETERS_KIND]
    for document in kept:
        if document["kind"].startswith("ResourceClaim"):
            del document["spec"], document["apiVersion"]
        for entry in document.get("spec", {}).get("resourceClaims", []):
            entry.update(entry.pop("source", {}))
    return kept


@pytest.mark.parametrize("folder", ["demo", "demo/1.31"])
def test_manifests_are_those_of_the_demos(root: Path, folder: str) -> None:
    files = {p.name for p in (root / folder).glob("*.yaml")}
    assert files == {f"fake-{demo.name}.yaml" for demo in DEMOS}
