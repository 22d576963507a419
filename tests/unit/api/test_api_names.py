import re

import pytest

from api import names


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DRIVER_NAME", "fake.resource.3-shake.com"),
        ("DRIVER_GROUP_VERSION", "fake.resource.3-shake.com/v1alpha1"),
        ("NAS_GROUP_VERSION", "nas.fake.resource.3-shake.com/v1alpha1"),
        ("NAS_PLURAL", "nodeallocationstates"),
        ("FINALIZER", "fake.resource.3-shake.com/deletion-protection"),
        ("CDI_KIND", "k8s.fake.resource.3-shake.com/fake"),
        ("ENV_DEVICE_PREFIX", "FAKE_DEVICE_"),
        ("ENV_NODE_NAME", "FAKE_NODE_NAME"),
        ("ENV_DRIVER_NAME", "DRA_RESOURCE_DRIVER_NAME"),
        ("DEFAULT_MODEL", "LATEST-FAKE-MODEL"),
    ],
)
def test_what_users_and_peers_rely_on_stays(name: str, value: str) -> None:
    assert getattr(names, name) == value


@pytest.mark.parametrize(
    "kind_and_plural",
    [
        (names.NAS_KIND, names.NAS_PLURAL),
        (names.CLAIM_PARAMETERS_KIND, names.CLAIM_PARAMETERS_PLURAL),
        (names.CLASS_PARAMETERS_KIND, names.CLASS_PARAMETERS_PLURAL),
    ],
    ids=lambda pair: pair[0],
)
def test_plurals_are_those_of_their_kind(kind_and_plural: tuple[str, str]) -> None:
    kind, plural = kind_and_plural
    assert plural.startswith(kind.lower())
    assert plural.islower()


def test_the_finalizer_is_a_qualified_name() -> None:
    prefix, _, name = names.FINALIZER.partition("/")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", prefix)
    assert len(name) <= 63


def test_every_version_of_ours_is_the_same() -> None:
    assert names.DRIVER_GROUP_VERSION.endswith(f"/{names.CRD_VERSION}")
    assert f"{names.NAS_GROUP}/{names.CRD_VERSION}" == names.NAS_GROUP_VERSION
