import pytest

from tests.e2e.cluster.errors import UnknownVersion
from tests.e2e.cluster.versions import Version, parse


@pytest.mark.parametrize(
    ("text", "release"),
    [
        pytest.param("1.30", Version(30, 14), id="minor"),
        pytest.param("v1.27", Version(27, 4), id="with v"),
        pytest.param("1.30.2", Version(30, 2), id="patch"),
        pytest.param("1.29.4", Version(29, 4), id="minor without a known patch"),
    ],
)
def test_names_a_release(text: str, release: Version) -> None:
    assert parse(text) == release


@pytest.mark.parametrize("text", ["1.25", "1.32", "1.32.0", "2.30", "latest", "1.30.x", ""])
def test_refuses_what_has_no_classic_claims(text: str) -> None:
    with pytest.raises(UnknownVersion, match=r"one of 1\.27, 1\.28, 1\.30, 1\.31"):
        parse(text)


def test_refuses_a_minor_whose_modules_are_not_known_to_be_complete() -> None:
    with pytest.raises(UnknownVersion, match="needs its patch"):
        parse("1.29")


@pytest.mark.parametrize(
    ("minor", "api"),
    [(26, "v1alpha1"), (27, "v1alpha2"), (30, "v1alpha2"), (31, "v1alpha3")],
)
def test_api_of_claims(minor: int, api: str) -> None:
    assert Version(minor, 1).resource_api == f"resource.k8s.io/{api}"


def test_only_1_31_needs_a_gate_of_its_own_for_classic_claims() -> None:
    assert Version(30, 1).gates == ("DynamicResourceAllocation",)
    assert Version(31, 1).gates == ("DynamicResourceAllocation", "DRAControlPlaneController")


def test_modules_of_a_release() -> None:
    release = Version(30, 14)
    assert (release.module, release.staging_module) == ("v1.30.14", "v0.30.14")
