import re

import pytest

from api import names
from api.resources import CLAIM_PARAMETERS, CLASS_PARAMETERS, STATES, Resource


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DRIVER_NAME", "fake.resource.3-shake.com"),
        ("PARAMETERS_GROUP", "fake.resource.3-shake.com"),
        ("NAS_GROUP", "nas.fake.resource.3-shake.com"),
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
    "resource", [STATES, CLAIM_PARAMETERS, CLASS_PARAMETERS], ids=lambda resource: resource.kind
)
def test_plurals_are_those_of_their_kind(resource: Resource) -> None:
    assert resource.plural.startswith(resource.kind.lower())
    assert resource.plural.islower()


def test_the_finalizer_is_a_qualified_name() -> None:
    prefix, _, name = names.FINALIZER.partition("/")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", prefix)
    assert len(name) <= 63
