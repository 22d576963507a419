"""What the chart renders is valid Kubernetes, in every version and with every kind of values."""

import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from api.objects import JSON
from tests.support.helm import Helm, HelmFailed
from tests.support.tables import cases

VERSIONS = [f"1.{minor}" for minor in range(27, 38)]
EACH_VERSION = pytest.mark.parametrize("version", VERSIONS)
UNKNOWN_TO_KUBERNETES = {"ServiceMonitor", "Issuer", "Certificate"}
"""Custom kinds, for which kubernetes-validate has no schema."""


def offline(version: str) -> list[str]:
    return [f"--kube-version=v{version}.0"]


def check(documents: list[JSON], version: str) -> None:
    for document in documents:
        if document["kind"] not in UNKNOWN_TO_KUBERNETES:
            kubernetes_validate.validate(document, version, strict=True)


@pytest.mark.parametrize("version", ["1.30", "1.37"])
def test_lint_finds_nothing(helm: Helm, overridden: JSON, version: str) -> None:
    for values in ({}, overridden):
        said = helm.lint(values, *offline(version))
        assert "0 chart(s) failed" in said
        # what a template refuses is but a remark to lint
        assert "Fail:" not in said


@EACH_VERSION
def test_defaults_are_valid(helm: Helm, version: str) -> None:
    check(helm.template(None, *offline(version)), version)


@EACH_VERSION
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
        {"webhook": {"enabled": True}},
        {"ui": {"enabled": True}},
        {"webhook": {"enabled": True, "certManager": {"enabled": True}}},
    ],
    ids=lambda off: next(iter(off)),
)
def test_parts_can_be_switched(helm: Helm, rendered: list[JSON], off: JSON) -> None:
    documents = helm.template(off)
    check(documents, "1.30")
    assert documents != rendered


@EACH_VERSION
def test_no_object_is_one_of_an_api_that_comes_and_goes(
    helm: Helm, overridden: JSON, version: str
) -> None:
    """Helm could not upgrade a release whose manifest has what the server no longer knows."""
    for values in ({}, overridden):
        documents = helm.template(values, *offline(version))
        groups = {d["apiVersion"].rpartition("/")[0] for d in documents}
        assert "apps" in groups
        assert "resource.k8s.io" not in groups


def without_admission(documents: list[JSON]) -> list[JSON]:
    return [d for d in documents if "admissionregistration.k8s.io" not in d["apiVersion"]]


@EACH_VERSION
@pytest.mark.parametrize("kind", ["auto", "classic", "structured"])
def test_all_but_admission_is_the_same_in_every_version(
    helm: Helm, version: str, kind: str
) -> None:
    """A release made offline, or before an upgrade of the cluster, is right on any."""
    rendered = [
        without_admission(helm.template({"kind": kind}, *offline(each)))
        for each in (version, VERSIONS[0])
    ]
    assert rendered[0] == rendered[1]


@pytest.mark.parametrize(
    ("version", "present"),
    [("1.27", False), ("1.29", False), ("1.30", True), ("1.31", True), ("1.37", True)],
)
def test_node_restriction_needs_1_30(helm: Helm, version: str, present: bool) -> None:
    kinds = {d["kind"] for d in helm.template(None, *offline(version))}
    assert ("ValidatingAdmissionPolicy" in kinds) is present
    assert ("ValidatingAdmissionPolicyBinding" in kinds) is present


@pytest.mark.parametrize("version", ["1.26", "1.39"])
def test_kubernetes_that_the_programs_do_not_know_is_refused(helm: Helm, version: str) -> None:
    with pytest.raises(HelmFailed, match=rf"incompatible with Kubernetes v{re.escape(version)}\.0"):
        helm.template(None, *offline(version))


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
        "1.32",
        "v1.32.0-alpha.1",
        "v1.33.1-gke.5",
        "v1.36.2+k3s1",
        "v1.38.0-rc.0",
    ],
)
def test_versions_of_vendors_are_known(helm: Helm, version: str) -> None:
    kinds = {d["kind"] for d in helm.template(None, f"--kube-version={version}")}
    assert "Deployment" in kinds
    minor = int(version.split(".")[1])
    assert ("ValidatingAdmissionPolicy" in kinds) is (minor >= 30)


OLD = "v1alpha2/PodSchedulingContext"
GATED = "v1alpha3/PodSchedulingContext"
BESIDE = "v1alpha2/ResourceSlice"
NEW = "v1/ResourceSlice"


def served(*kinds: str) -> list[str]:
    """Options by which Helm takes an API server to have these kinds of resource.k8s.io."""
    found = ["apiregistration.k8s.io/v1/APIService", *(f"resource.k8s.io/{kind}" for kind in kinds)]
    return [f"--api-versions={each}" for each in found]


@cases(
    ("kind", "kinds"),
    {
        "1.30": ("auto", (OLD, BESIDE)),
        "1.31": ("auto", (GATED, "v1alpha3/ResourceSlice")),
        "1.32": ("auto", ("v1beta1/ResourceSlice",)),
        "1.33": ("auto", ("v1beta2/ResourceSlice",)),
        "1.37": ("auto", (NEW, "v1beta2/ResourceSlice", "v1beta1/ResourceSlice")),
        "classic on 1.30": ("classic", (OLD,)),
        "classic on 1.31": ("classic", (GATED,)),
        "structured on 1.37": ("structured", (NEW,)),
    },
)
def test_api_servers_that_have_the_kind_are_taken(
    helm: Helm, kind: str, kinds: tuple[str, ...]
) -> None:
    assert helm.template({"kind": kind}, *served(*kinds))


@cases(
    ("kind", "kinds"),
    {
        "nothing": ("auto", ()),
        "1.34 without claims": ("auto", ("v1alpha3/DeviceTaintRule",)),
        "slices of 1.30 alone": ("auto", (BESIDE,)),
        "classic on 1.37": ("classic", (NEW,)),
        "structured on 1.30": ("structured", (OLD, BESIDE)),
    },
)
def test_api_servers_that_lack_the_kind_are_refused(
    helm: Helm, kind: str, kinds: tuple[str, ...]
) -> None:
    with pytest.raises(HelmFailed, match=f"does not serve .* with kind={kind}") as raised:
        helm.template({"kind": kind}, *served(*kinds))
    for advice in ("DynamicResourceAllocation", "v1beta1 on 1.32", "DRAControlPlaneController"):
        assert advice in str(raised.value)


def test_readme_names_the_versions(chart: Path) -> None:
    text = (chart / "README.md").read_text(encoding="utf-8")
    assert f"- Kubernetes {VERSIONS[0]} to {VERSIONS[-1]}." in text


def test_crds_are_those_of_the_api(root: Path, chart: Path) -> None:
    source = {p.name: p.read_text(encoding="utf-8") for p in (root / "api").glob("*_crd.yaml")}
    copies = {p.name: p.read_text(encoding="utf-8") for p in (chart / "crds").iterdir()}
    assert len(source) == 3
    assert copies == source, "run `make chart`"


@EACH_VERSION
def test_crds_are_valid(chart: Path, version: str) -> None:
    texts = [p.read_text(encoding="utf-8") for p in (chart / "crds").iterdir()]
    check([yaml.safe_load(text) for text in texts], version)
