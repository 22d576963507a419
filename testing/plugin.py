"""The pytest plugin: fixtures for tests of a driver, there as soon as the package is installed.

Loaded by every pytest of the environment, so that it imports what a fixture needs when it is asked.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testing.apiserver import MemoryApi
    from testing.clock import Clock
    from testing.kubelet import Kubelet
    from testing.node import Node


@pytest.fixture
def dra_minor() -> int:
    """Minor version of Kubernetes; `parametrize("dra_minor", [32, 37])` gives others."""
    from testing.kubelet import NEWEST

    return NEWEST


@pytest.fixture
def dra_clock() -> "Clock":
    """A clock that passes when told to, for whatever takes one as an argument."""
    from testing.clock import Clock

    return Clock()


@pytest.fixture
def dra_api_server(dra_minor: int) -> "MemoryApi":
    """An empty cluster's API server, which is a client of itself."""
    from testing.node import api_server

    return api_server(dra_minor)


@pytest.fixture
def dra_kubelet(dra_api_server: "MemoryApi", dra_minor: int) -> Iterator["Kubelet"]:
    """The kubelet of the Node `node-1`, with directories of its own."""
    from testing.node import kubelet_of

    with kubelet_of(dra_api_server, dra_minor) as kubelet:
        yield kubelet


@pytest.fixture
def dra_node(dra_api_server: "MemoryApi", dra_kubelet: "Kubelet") -> Iterator["Node"]:
    """The Node `node-1` with that kubelet, and that API server over HTTP; drivers run on it."""
    from testing.node import node_of

    with node_of(dra_api_server, dra_kubelet) as node:
        yield node
