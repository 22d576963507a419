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


@pytest.mark.parametrize(
    ("name", "key", "text"),
    [
        pytest.param("Serial_X", "serial", "driver name 'Serial_X'", id="name"),
        pytest.param("a" * 64, "serial", "at most 63", id="long-name"),
        pytest.param("", "serial", "driver name ''", id="no-name"),
        pytest.param("serial.example.com", "s", "class of devices 's'", id="one-letter"),
        pytest.param("serial.example.com", "a/b", "class of devices 'a/b'", id="slash"),
        pytest.param("serial.example.com", "serial port", "'serial port'", id="space"),
        pytest.param("serial.example.com", "", "class of devices ''", id="no-class"),
    ],
)
def test_what_no_cluster_and_no_runtime_takes_is_refused(name: str, key: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Contract(name, key)
