import pytest

from api import names
from api.resources import CLAIM_PARAMETERS, CLASS_PARAMETERS, STATES, Resource


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARAMETERS_GROUP", "fake.resource.3-shake.com"),
        ("NAS_GROUP", "nas.fake.resource.3-shake.com"),
        ("NAS_PLURAL", "nodeallocationstates"),
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
