"""Proxies of the environment, without exceptions: nothing on this machine is reached through them.

On a cluster of its own, whose programs inherit the environment of the test.
"""

import tempfile
from pathlib import Path

import pytest

from tests.support.demolife import STEPS
from tests.support.embedded import embedded

NOBODY = "http://127.0.0.1:9"
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy")


@pytest.mark.embedded
@pytest.mark.timeout(180)
def test_proxy_of_the_environment_is_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, NOBODY)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    # pytest's own temporary directories make socket paths too long
    with (
        tempfile.TemporaryDirectory(prefix="dra-") as path,
        embedded(Path(path), nodes=1) as cluster,
    ):
        for begin, finish in STEPS:
            begin(cluster)
            assert finish(cluster) == []
