import re

import pytest

from api.contract import FAKE, Contract

OTHER = FAKE.renamed("gpu.example.com")


@pytest.mark.parametrize(
    ("name", "value", "renamed"),
    [
        ("driver_name", "fake.resource.3-shake.com", "gpu.example.com"),
        (
            "finalizer",
            "fake.resource.3-shake.com/deletion-protection",
            "gpu.example.com/deletion-protection",
        ),
        ("moved_annotation", "fake.resource.3-shake.com/moved-at", "gpu.example.com/moved-at"),
        ("cdi_vendor", "k8s.fake.resource.3-shake.com", "k8s.gpu.example.com"),
        ("cdi_kind", "k8s.fake.resource.3-shake.com/fake", "k8s.gpu.example.com/fake"),
        (
            "cdi_file_prefix",
            "k8s.fake.resource.3-shake.com-fake_",
            "k8s.gpu.example.com-fake_",
        ),
        (
            "registration_socket",
            "fake.resource.3-shake.com-reg.sock",
            "gpu.example.com-reg.sock",
        ),
        ("device_key", "fake", "fake"),
        ("device_prefix", "FAKE-", "FAKE-"),
        ("env_node_name", "FAKE_NODE_NAME", "FAKE_NODE_NAME"),
        ("env_device_prefix", "FAKE_DEVICE_", "FAKE_DEVICE_"),
        ("env_claim_prefix", "FAKE_CLAIM_", "FAKE_CLAIM_"),
        ("env_uid_prefix", "FAKE_CLAIMUID_", "FAKE_CLAIMUID_"),
    ],
)
def test_what_users_and_peers_rely_on_stays(name: str, value: str, renamed: str) -> None:
    assert (getattr(FAKE, name), getattr(OTHER, name)) == (value, renamed)


@pytest.mark.parametrize("contract", [FAKE, OTHER], ids=lambda contract: contract.driver_name)
def test_the_finalizer_is_a_qualified_name(contract: Contract) -> None:
    prefix, _, name = contract.finalizer.partition("/")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", prefix)
    assert len(name) <= 63
