"""The demo manifests for kube-scheduler are valid, and ask for what their first lines say."""

import copy
from collections.abc import Iterator
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from api.contract import FAKE
from api.objects import JSON
from api.resources import STRUCTURED_VERSIONS
from demo.expect import DEMOS
from devcluster.apiserver.resourceapi import structured
from testing.apiserver import MemoryApi

FOLDER = "demo/structured"
NAMES = [f"test{number}" for number in range(1, 8)]
EACH = pytest.mark.parametrize("name", NAMES)
WHOLE, SPLIT = "fake.3-shake.com", "split.fake.3-shake.com"


def load(root: Path, name: str, folder: str = FOLDER) -> list[JSON]:
    return list(yaml.safe_load_all((root / folder / f"fake-{name}.yaml").read_text("utf-8")))


def spec_of(document: JSON) -> JSON:
    """Return what a claim, or each claim of a template, asks for."""
    spec: JSON = document["spec"]
    return spec["spec"] if document["kind"] == "ResourceClaimTemplate" else spec


def asked(root: Path, name: str) -> Iterator[tuple[str, int, int]]:
    """Yield class, split and number of each request, or alternative, of a demo."""
    for document in load(root, name):
        if not document["kind"].startswith("ResourceClaim"):
            continue
        for request in spec_of(document)["devices"]["requests"]:
            for wish in request.get("firstAvailable") or [request["exactly"]]:
                cel = [each["cel"]["expression"] for each in wish.get("selectors", ())]
                splits = [
                    split
                    for split in (2, 4, 8, 16)
                    if cel == [f'device.attributes["{FAKE.driver_name}"].split == {split}']
                ]
                yield wish["deviceClassName"], *(splits or [1]), wish.get("count", 1)


@EACH
@pytest.mark.parametrize("version", ["1.34", "1.35", "1.36", "1.37"])
def test_manifest_is_valid(root: Path, name: str, version: str) -> None:
    for document in load(root, name):
        kubernetes_validate.validate(document, version, strict=True)


@EACH
@pytest.mark.parametrize("minor", [34, 36, 37])
def test_an_api_server_stores_the_claims_as_they_are(root: Path, name: str, minor: int) -> None:
    api, resources = MemoryApi(api=structured(minor)), STRUCTURED_VERSIONS["v1"]
    for document in load(root, name):
        if document["kind"].startswith("ResourceClaim"):
            document["metadata"]["namespace"] = "default"
            template = document["kind"] == "ResourceClaimTemplate"
            kind = resources.templates if template else resources.claims
            sent = copy.deepcopy(spec_of(document))
            stored = spec_of(api.create(kind, document))
            assert contains(stored, sent)


def contains(stored: object, sent: object) -> bool:
    """Tell whether everything that was sent is stored; defaults may be added."""
    if isinstance(stored, dict) and isinstance(sent, dict):
        return all(name in stored and contains(stored[name], sent[name]) for name in sent)
    if isinstance(stored, list) and isinstance(sent, list):
        return len(stored) == len(sent) and all(map(contains, stored, sent))
    return stored == sent


@pytest.mark.parametrize(
    ("name", "requests"),
    [
        *((f"test{number}", [(WHOLE, 1, 1)]) for number in (1, 2, 3)),
        ("test4", [(WHOLE, 1, 4)]),
        ("test5", [(SPLIT, 2, 2)] * 4),
        ("test6", [(SPLIT, 2, 1), (SPLIT, 4, 2)]),
        ("test7", [(SPLIT, 4, 1), (SPLIT, 8, 1)]),
    ],
)
def test_claims_ask_for_the_expected_devices(
    root: Path, name: str, requests: list[tuple[str, int, int]]
) -> None:
    assert list(asked(root, name)) == requests


@pytest.mark.parametrize(
    ("name", "groups"),
    [("test5", [[f"fake{number}"] for number in range(4)]), ("test6", [["half", "quarters"]])],
)
def test_children_that_belong_together_are_of_one_parent(
    root: Path, name: str, groups: list[list[str]]
) -> None:
    (claim,) = [d for d in load(root, name) if d["kind"] == "ResourceClaimTemplate"]
    constraints = spec_of(claim)["devices"]["constraints"]
    attribute = f"{FAKE.driver_name}/parentUUID"
    assert constraints == [{"requests": each, "matchAttribute": attribute} for each in groups]


@pytest.mark.parametrize("name", [demo.name for demo in DEMOS if demo.name <= "test5"])
def test_pods_of_the_five_demos_are_those_of_the_classic_kind(root: Path, name: str) -> None:
    structured_pods, classic = (
        [d for d in load(root, name, folder) if d["kind"] in ("Pod", "Namespace")]
        for folder in (FOLDER, "demo/1.31")
    )
    assert structured_pods == classic


@EACH
def test_everything_is_in_the_namespace_that_comes_first(root: Path, name: str) -> None:
    first, *others = load(root, name)
    assert (first["kind"], first["metadata"]["name"]) == ("Namespace", name)
    assert {d["metadata"]["namespace"] for d in others} == {name}


@EACH
def test_containers_print_their_environment_and_end_on_sigterm(root: Path, name: str) -> None:
    pods = [d for d in load(root, name) if d["kind"] == "Pod"]
    scripts = {tuple(c["args"]) for pod in pods for c in pod["spec"]["containers"]}
    assert scripts == {("trap 'exit 0' TERM; export; sleep 9999 & wait",)}


def test_manifests_are_those_of_the_demos(root: Path) -> None:
    assert sorted(p.name for p in (root / FOLDER).iterdir()) == [f"fake-{n}.yaml" for n in NAMES]
