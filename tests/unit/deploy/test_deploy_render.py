"""What the chart renders is valid Kubernetes, in every version and with every kind of values."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from api.objects import JSON
from tests.support.helm import Helm, HelmFailed

VERSIONS = ["1.27", "1.28", "1.29", "1.30", "1.31"]
UNKNOWN_TO_KUBERNETES = {"ServiceMonitor"}
"""Custom kinds, for which kubernetes-validate has no schema."""


def offline(version: str) -> list[str]:
    return [f"--kube-version=v{version}.0"]


def check(documents: list[JSON], version: str) -> None:
    for document in documents:
        if document["kind"] not in UNKNOWN_TO_KUBERNETES:
            kubernetes_validate.validate(document, version, strict=True)


def test_lint_finds_nothing(helm: Helm, overridden: JSON) -> None:
    assert "0 chart(s) failed" in helm.lint()
    assert "0 chart(s) failed" in helm.lint(overridden)


@pytest.mark.parametrize("version", VERSIONS)
def test_defaults_are_valid(helm: Helm, version: str) -> None:
    check(helm.template(None, *offline(version)), version)


@pytest.mark.parametrize("version", ["1.27", "1.30", "1.31"])
def test_overridden_values_are_valid(helm: Helm, overridden: JSON, version: str) -> None:
    check(helm.template(overridden, *offline(version)), version)


def test_validation_would_find_an_unknown_field(rendered: list[JSON]) -> None:
    broken = next(d for d in rendered if d["kind"] == "Deployment")
    broken = {**broken, "spec": {**broken["spec"], "replicaz": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        check([broken], "1.30")


@pytest.mark.parametrize(
    "off",
    [
        {"resourceClass": {"create": False}},
        {"serviceAccount": {"create": False, "name": "present"}},
        {"uninstallHooks": {"enabled": False}},
        {"metrics": {"service": {"enabled": False}}},
        {"kubeletPlugin": {"nodeRestriction": {"enabled": False}}},
        {"controller": {"probes": {"startup": None, "liveness": None, "readiness": None}}},
        {"controller": {"replicas": 0}},
    ],
    ids=lambda off: next(iter(off)),
)
def test_parts_can_be_switched_off(helm: Helm, rendered: list[JSON], off: JSON) -> None:
    documents = helm.template(off)
    check(documents, "1.30")
    assert documents != rendered


@pytest.mark.parametrize(
    ("version", "api_version", "kind"),
    [
        ("1.27", "resource.k8s.io/v1alpha2", "ResourceClass"),
        ("1.30", "resource.k8s.io/v1alpha2", "ResourceClass"),
        ("1.31", "resource.k8s.io/v1alpha3", "DeviceClass"),
    ],
)
def test_class_is_the_one_of_the_version(
    helm: Helm, version: str, api_version: str, kind: str
) -> None:
    documents = helm.template(None, *offline(version))
    found = [d for d in documents if d["apiVersion"].startswith("resource.k8s.io/")]
    assert [(d["apiVersion"], d["kind"], d["metadata"]["name"]) for d in found] == [
        (api_version, kind, "fake.3-shake.com")
    ]


@pytest.mark.parametrize(
    ("version", "present"), [("1.27", False), ("1.29", False), ("1.30", True), ("1.31", True)]
)
def test_node_restriction_needs_1_30(helm: Helm, version: str, present: bool) -> None:
    kinds = {d["kind"] for d in helm.template(None, *offline(version))}
    assert ("ValidatingAdmissionPolicy" in kinds) is present
    assert ("ValidatingAdmissionPolicyBinding" in kinds) is present


def test_kubernetes_older_than_classic_dra_is_refused(helm: Helm) -> None:
    with pytest.raises(AssertionError, match=r"incompatible with Kubernetes v1\.26\.0"):
        helm.template(None, *offline("1.26"))


@pytest.mark.parametrize(
    "version",
    [
        "1.27",
        "1.31",
        "v1.27.16-eks-2d5f260",
        "v1.28.15+k3s1",
        "v1.30.0-alpha.1",
        "v1.30.14-gke.1150000",
        "v1.31.4-gke.100",
        "v1.31.14+vmware.1-fips",
    ],
)
def test_versions_of_vendors_are_known(helm: Helm, version: str) -> None:
    kinds = {d["kind"] for d in helm.template(None, f"--kube-version={version}")}
    assert "Deployment" in kinds
    assert ("DeviceClass" in kinds) is ("1.31" in version)


@pytest.mark.parametrize("version", ["1.32", "v1.32.0-alpha.1", "v1.33.1-gke.5", "v1.36.2+k3s1"])
def test_kubernetes_newer_than_classic_dra_is_refused(helm: Helm, version: str) -> None:
    with pytest.raises(HelmFailed, match=r"this driver needs 1\.27 to 1\.31") as raised:
        helm.template(None, f"--kube-version={version}")
    assert "Kubernetes v1.3" in str(raised.value)
    assert "--kube-version 1.30" in str(raised.value)


def test_readme_names_the_versions(chart: Path) -> None:
    text = (chart / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"Kubernetes (1\.\d+) to (1\.\d+)", text) == [(VERSIONS[0], VERSIONS[-1])]


def test_crds_are_those_of_the_api(root: Path, chart: Path) -> None:
    source = {p.name: p.read_text(encoding="utf-8") for p in (root / "api").glob("*_crd.yaml")}
    copies = {p.name: p.read_text(encoding="utf-8") for p in (chart / "crds").iterdir()}
    assert len(source) == 3
    assert copies == source, "run `make chart`"


@pytest.mark.parametrize("version", ["1.27", "1.31"])
def test_crds_are_valid(chart: Path, version: str) -> None:
    texts = [p.read_text(encoding="utf-8") for p in (chart / "crds").iterdir()]
    check([yaml.safe_load(text) for text in texts], version)
