"""`fake-dra convert`: manifests for a cluster of another Kubernetes."""

from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from api.objects import JSON
from api.resources import NAMESPACES, STRUCTURED_VERSIONS, Resource
from cli.__main__ import main
from devcluster.apiserver.resourceapi import structured
from testing.apiserver import MemoryApi

ROOT = Path(__file__).parents[3]
DEMOS = sorted((ROOT / "demo" / "structured").glob("*.yaml"))
CLASSIC = ROOT / "demo" / "1.31" / "fake-test1.yaml"
OF_1_31 = "ResourceClaimTemplate one-fake of resource.k8s.io/v1alpha3 has no other version"
CLAIM = "apiVersion: resource.k8s.io/v1\nkind: ResourceClaim\nmetadata: {name: mine}\n"


def run(*args: str, text: str | None = None) -> Result:
    return CliRunner().invoke(main, ["convert", *args], input=text)


def objects(text: str) -> list[JSON]:
    return list(yaml.safe_load_all(text))


@pytest.mark.parametrize("demo", DEMOS, ids=lambda path: path.stem)
@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_a_demo_is_stored_by_an_older_server_as_v1_has_it(demo: Path, version: str) -> None:
    newest = {each["metadata"]["name"]: each for each in objects(demo.read_text())}
    older = objects(run("-f", str(demo), "--to", version).output)
    server = MemoryApi(api=structured(37, version, "v1"))
    stored = []
    for each in older:
        name, resource = each["metadata"]["name"], known(version, each)
        if each["kind"] == NAMESPACES.kind:
            server.create(NAMESPACES, each)
        elif resource and (v1 := known("v1", each)):
            namespace = each["metadata"]["namespace"]
            server.create(resource, each)
            stored.append((newest[name]["spec"], server.get(v1, name, namespace=namespace)["spec"]))
    assert stored
    assert all(subset(*each) for each in stored)
    back = run("-f", "-", "--to", "v1", text=yaml.safe_dump_all(older))
    assert objects(back.output) == [*newest.values()]


def known(version: str, obj: JSON) -> Resource | None:
    return STRUCTURED_VERSIONS[version].of_kind(obj["kind"])


def subset(asked: object, found: object) -> bool:
    """Tell whether all that was asked is found, beside defaults."""
    if isinstance(asked, dict) and isinstance(found, dict):
        return all(name in found and subset(each, found[name]) for name, each in asked.items())
    if isinstance(asked, list) and isinstance(found, list):
        return len(asked) == len(found) and all(map(subset, asked, found))
    return asked == found


def test_a_list_becomes_its_objects() -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": objects(CLAIM)}
    (made,) = objects(run("-f", "-", "--to", "v1beta2", text=yaml.safe_dump(listed)).output)
    assert made == objects(CLAIM)[0] | {"apiVersion": "resource.k8s.io/v1beta2"}


WRONG = {
    "no-yaml": ("a: [", "<stdin> is not YAML"),
    "no-object": ("- a\n- b\n", "<stdin> has something that is not an object with a kind"),
    "no-kind": ("apiVersion: v1\n", "<stdin> has something that is not an object with a kind"),
    "classic": (CLASSIC.read_text(), OF_1_31),
    "other-kind": (CLAIM.replace("ResourceClaim", "DeviceTaintRule"), "DeviceTaintRule mine of"),
    "no-request": (
        CLAIM + "spec: {devices: {requests: [one]}}\n",
        "ResourceClaim mine does not have the form of its kind",
    ),
    "items": ("kind: List\nitems: [1]\n", "not an object with a kind"),
    "no-items": ("kind: List\nitems: 3\n", "not an object with a kind"),
    "kind-of-another-type": (CLAIM.replace("ResourceClaim", "[a]"), "not an object with a kind"),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG)
def test_what_cannot_be_converted_is_named(text: str, told: str) -> None:
    found = run("-f", "-", "--to", "v1beta1", text=text)
    assert found.exit_code == 2
    assert told in found.output
    assert len(found.output.splitlines()) == 1


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "claim.yaml"
    path.write_text(CLAIM, encoding="utf-16")
    found = run("-f", str(path), "--to", "v1beta1")
    assert found.exit_code == 2
    assert f"{path} is not UTF-8" in found.output
    assert len(found.output.splitlines()) == 1


def test_without_a_cluster_the_version_has_to_be_named(tmp_path: Path) -> None:
    found = run("-f", "-", "--kubeconfig", str(tmp_path / "none"), text=CLAIM)
    assert found.exit_code == 2
    assert "or name a version with --to" in found.output
