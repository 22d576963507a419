"""Which version is used, and what is said of a server that has none."""

import pytest

from api.claims.versions import CLAIMS, CLASSIC, READERS, STRUCTURED, choose
from api.errors import UnsupportedVersion


def test_every_version_has_a_reader() -> None:
    assert set(READERS) == set(CLAIMS) == {*CLASSIC, *STRUCTURED}
    assert {version: resource.version for version, resource in CLAIMS.items()} == {
        version: version for version in READERS
    }


@pytest.mark.parametrize(
    ("served", "minor", "version"),
    [
        (["v1alpha2"], "27", "v1alpha2"),
        (["v1alpha2"], "30+", "v1alpha2"),
        (["v1alpha3"], "31", "v1alpha3"),
        (["v1alpha3"], "", "v1alpha3"),
        (["v1alpha3", "v1alpha2"], "31", "v1alpha2"),
    ],
    ids=["1.27", "1.30-with-suffix", "1.31", "unknown-minor", "both"],
)
def test_classic_version_is_one_that_is_served(served: list[str], minor: str, version: str) -> None:
    assert choose(served, CLASSIC, {"major": "1", "minor": minor}) == version


@pytest.mark.parametrize(
    ("served", "version"),
    [
        (["v1beta1", "v1alpha3"], "v1beta1"),
        (["v1alpha3", "v1beta1", "v1beta2"], "v1beta2"),
        (["v1beta1", "v1beta2", "v1"], "v1"),
        (["v1", "v1alpha3"], "v1"),
    ],
    ids=["1.32", "1.33", "1.34-all", "1.34"],
)
def test_structured_version_is_the_newest(served: list[str], version: str) -> None:
    assert choose(served, STRUCTURED) == version


OLD = "--runtime-config=resource.k8s.io/v1alpha2=true"
NEW = "--runtime-config=resource.k8s.io/v1alpha3=true"
BETA1 = "--runtime-config=resource.k8s.io/v1beta1=true"
BETA2 = "--runtime-config=resource.k8s.io/v1beta2=true"
GA = "Kubernetes 1.34 or later"


@pytest.mark.parametrize(
    ("served", "minor", "told", "not_told"),
    [
        ([], "30", ["no version", OLD, "DynamicResourceAllocation"], [NEW, "DRAControlPlane"]),
        (["v1alpha1"], "26", ["in v1alpha1", OLD], [NEW]),
        ([], "31", [NEW, "DynamicResourceAllocation", "DRAControlPlaneController"], [OLD]),
        ([], "", [OLD, NEW], []),
        (["v1beta1"], "32", ["removed in 1.32", "1.27 to 1.31"], [OLD, NEW]),
        (["v1alpha3", "v1beta1"], "33", ["Kubernetes 1.33", "removed in 1.32"], [OLD, NEW]),
        (["v1"], "35", ["removed in 1.32"], [OLD, NEW]),
        (["v1alpha3", "v1beta1"], "", ["1.32 or later", "removed in 1.32"], [OLD, NEW]),
    ],
    ids=[
        "1.30-off",
        "1.26",
        "1.31-off",
        "unknown-minor",
        "1.32",
        "1.33-with-a-v1alpha3-of-its-own",
        "1.35",
        "unknown-minor-with-structured-claims",
    ],
)
def test_server_without_classic_claims_is_told_what_to_do(
    served: list[str], minor: str, told: list[str], not_told: list[str]
) -> None:
    _check_advice(served, CLASSIC, minor, told, [*not_told, BETA1, BETA2, GA])


@pytest.mark.parametrize(
    ("served", "minor", "told", "not_told"),
    [
        (["v1alpha3"], "32", ["in v1alpha3", BETA1, "DynamicResourceAllocation"], [BETA2, GA]),
        ([], "33", ["no version", BETA2], [BETA1, GA]),
        ([], "34", [GA], [BETA1, BETA2]),
        (["v1alpha2"], "30", ["needs v1 or v1beta2 or v1beta1", GA, BETA2, BETA1], []),
        ([], "", [GA, BETA2, BETA1], []),
    ],
    ids=["1.32-off", "1.33-off", "1.34-off", "1.30", "unknown-minor"],
)
def test_server_without_structured_claims_is_told_what_to_do(
    served: list[str], minor: str, told: list[str], not_told: list[str]
) -> None:
    _check_advice(served, STRUCTURED, minor, told, [*not_told, OLD, NEW])


def _check_advice(
    served: list[str], usable: tuple[str, ...], minor: str, told: list[str], not_told: list[str]
) -> None:
    with pytest.raises(UnsupportedVersion) as caught:
        choose(served, usable, {"major": "1", "minor": minor})
    assert all(text in str(caught.value) for text in told)
    assert not any(text in str(caught.value) for text in not_told)
