"""The demo manifests are valid, small, and say what demo/expect.py expects of them."""

from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from api.names import CLAIM_PARAMETERS_KIND, DRIVER_NAME
from api.objects import JSON
from api.parameters import ClaimParameters, parse_claim_parameters
from demo.expect import DEMOS, Container, Demo

EACH = pytest.mark.parametrize("demo", DEMOS, ids=lambda d: d.name)


def load(root: Path, demo: Demo) -> list[JSON]:
    text = (root / f"demo/fake-{demo.name}.yaml").read_text(encoding="utf-8")
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
            ((way, target),) = entry["source"].items()
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
    ref: Any = spec.get("parametersRef")
    if ref is None:
        return ClaimParameters()
    assert (ref["apiGroup"], ref["kind"]) == (DRIVER_NAME, CLAIM_PARAMETERS_KIND)
    (found,) = [d for d in of_kind(documents, ref["kind"]) if d["metadata"]["name"] == ref["name"]]
    return parse_claim_parameters(found)


@pytest.mark.parametrize("version", ["1.27", "1.28", "1.29", "1.30"])
@EACH
def test_manifest_is_valid(root: Path, demo: Demo, version: str) -> None:
    for document in load(root, demo):
        if document["kind"] != CLAIM_PARAMETERS_KIND:
            kubernetes_validate.validate(document, version, strict=True)


def test_parameters_are_valid_by_the_crd(root: Path) -> None:
    crd = yaml.safe_load((root / "api/claimparameters_crd.yaml").read_text(encoding="utf-8"))
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    documents = [d for demo in DEMOS for d in of_kind(load(root, demo), CLAIM_PARAMETERS_KIND)]
    assert len(documents) == 2
    for document in documents:
        jsonschema.validate(document, schema)


@EACH
def test_everything_is_in_the_namespace_that_comes_first(root: Path, demo: Demo) -> None:
    first, *others = load(root, demo)
    assert (first["kind"], first["metadata"]["name"]) == ("Namespace", demo.name)
    assert {d["metadata"]["namespace"] for d in others} == {demo.name}


@EACH
def test_containers_share_claims_as_expected(root: Path, demo: Demo) -> None:
    users = [tuple(sorted(found)) for found, _ in claims_of(load(root, demo)).values()]
    assert sorted(users) == sorted(tuple(sorted(expected)) for expected in demo.claims)


@EACH
def test_claims_ask_for_the_expected_devices(root: Path, demo: Demo) -> None:
    documents = load(root, demo)
    for _, spec in claims_of(documents).values():
        assert spec["resourceClassName"] == "fake.3-shake.com"
        assert parameters_of(documents, spec) == ClaimParameters(demo.count, demo.split)


@EACH
def test_containers_print_their_environment_and_end_on_sigterm(root: Path, demo: Demo) -> None:
    pods = of_kind(load(root, demo), "Pod")
    containers = [c for pod in pods for c in pod["spec"]["containers"]]
    assert len(containers) == len(demo.containers)
    for container in containers:
        assert container["command"] == ["ash", "-c"]
        (script,) = container["args"]
        assert script == "trap 'exit 0' TERM; export; sleep 9999 & wait"


def test_manifests_are_those_of_the_demos(root: Path) -> None:
    files = {p.name for p in (root / "demo").glob("*.yaml")}
    assert files == {f"fake-{demo.name}.yaml" for demo in DEMOS}
