"""The stand-in for `kubectl describe`; the cluster tests compare it with the real one."""

import pytest

from demo.describe import label, section

NAS = {
    "apiVersion": "nas.fake.resource.3-shake.com/v1alpha1",
    "kind": "NodeAllocationState",
    "metadata": {"name": "n", "namespace": "s"},
    "spec": {"allocatableDevice": [{"fake": {"name": "M", "uuid": "FAKE-1"}}]},
    "status": "Ready",
}


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("allocatableDevice", "Allocatable Device"),
        ("parentUUID", "Parent UUID"),
        ("uuid", "Uuid"),
        ("uid", "UID"),
        ("apiVersion", "API Version"),
        ("FAKE-1", "FAKE-1"),
        ("claimInfo", "Claim Info"),
    ],
)
def test_labels(field: str, shown: str) -> None:
    assert label(field) == shown


def test_a_section_has_its_headings() -> None:
    assert section(NAS, "spec", "allocatableDevice").splitlines() == [
        "Spec:",
        "  Allocatable Device:",
        "    Fake:",
        "      Name:  M",
        "      Uuid:  FAKE-1",
    ]
    assert section(NAS, "spec", "preparedDevices") == "Spec:"
