import pytest

from tests.e2e.cluster.errors import UnknownGate, UnknownVersion
from tests.e2e.cluster.versions import Version, gates_text, parse
from tests.support.tables import cases


@cases(
    ("text", "release"),
    {
        "minor": ("1.30", Version(30, 14)),
        "with v": ("v1.27", Version(27, 4)),
        "patch": ("1.30.2", Version(30, 2)),
        "minor without a known patch": ("1.38.4", Version(38, 4)),
    },
)
def test_names_a_release(text: str, release: Version) -> None:
    assert parse(text) == release


@pytest.mark.parametrize("text", ["1.25", "1.39", "1.39.0", "2.30", "latest", "1.30.x", ""])
def test_refuses_what_has_no_claims(text: str) -> None:
    with pytest.raises(UnknownVersion, match=r"one of 1\.27, .*1\.30, .*1\.32, .*1\.36, 1\.37"):
        parse(text)


def test_refuses_a_minor_whose_modules_are_not_known_to_be_complete() -> None:
    with pytest.raises(UnknownVersion, match="needs its patch"):
        parse("1.38")


@pytest.mark.parametrize(
    ("minor", "apis"),
    [
        (26, ["v1alpha1"]),
        (27, ["v1alpha2"]),
        (30, ["v1alpha2"]),
        (31, ["v1alpha3"]),
        (32, ["v1beta1"]),
        (33, ["v1beta1", "v1beta2"]),
        (34, []),
        (37, []),
    ],
)
def test_apis_of_claims_that_are_switched_on(minor: int, apis: list[str]) -> None:
    assert Version(minor, 1).resource_apis == tuple(f"resource.k8s.io/{api}" for api in apis)


@pytest.mark.parametrize(
    ("minor", "gates", "kubelet"),
    [
        (30, ["DynamicResourceAllocation"], ["DynamicResourceAllocation"]),
        (
            31,
            ["DynamicResourceAllocation", "DRAControlPlaneController"],
            ["DynamicResourceAllocation"],
        ),
        (33, ["DynamicResourceAllocation"], ["DynamicResourceAllocation"]),
        (34, [], []),
        (38, [], []),
    ],
)
def test_feature_gates(minor: int, gates: list[str], kubelet: list[str]) -> None:
    assert Version(minor, 1).gates == dict.fromkeys(gates, True)
    assert Version(minor, 1).kubelet_gates == dict.fromkeys(kubelet, True)


@cases(
    ("text", "gates"),
    {
        "none": ("", {}),
        "one": ("DRAPartitionableDevices=true", {"DRAPartitionableDevices": True}),
        "both ways": ("A=true,B=false", {"A": True, "B": False}),
    },
)
def test_gates_are_switched_in_every_component(text: str, gates: dict[str, bool]) -> None:
    version = parse("1.35", text)
    assert version.gates == version.kubelet_gates == gates
    assert gates_text(version.switched) == text


def test_switched_gates_come_over_those_that_claims_need() -> None:
    needed = {"DynamicResourceAllocation": True, "DRAPartitionableDevices": True}
    assert parse("1.33", "DRAPartitionableDevices=true").kubelet_gates == needed


@pytest.mark.parametrize("text", ["A", "A=on", "=true", "A=true;B=true", "A=true, B=true"])
def test_refuses_what_switches_no_gate(text: str) -> None:
    with pytest.raises(UnknownGate, match="give NAME=true or NAME=false"):
        parse("1.35", text)


@cases(
    ("text", "gates", "on"),
    {
        "alpha": ("1.35", "", False),
        "beta": ("1.36", "", True),
        "switched on": ("1.33", "DRAPartitionableDevices=true", True),
        "switched off": ("1.37", "DRAPartitionableDevices=false", False),
    },
)
def test_knows_what_is_on(text: str, gates: str, on: bool) -> None:
    assert parse(text, gates).has("DRAPartitionableDevices") is on


def test_modules_of_a_release() -> None:
    release = Version(30, 14)
    assert (release.module, release.staging_module) == ("v1.30.14", "v0.30.14")
