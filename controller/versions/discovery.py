"""Which version of resource.k8s.io the controller works with: one that the API server has.

By presence; the server's minor version only tells v1alpha3 with classic claims (1.31) from what
later servers have under that name, and chooses the advice. Whether the gate
DRAControlPlaneController is on cannot be found out: without it the API server of 1.31 serves the
same resources, and empties spec.controller of new claims.
Source: kubernetes pkg/registry/resource/rest/storage_resource.go and
pkg/registry/resource/resourceclaim/strategy.go (release-1.31).
"""

import re
import threading
from collections.abc import Collection
from typing import Final, Protocol

from api.names import RESOURCE_GROUP
from api.objects import JSON
from kube.errors import KubeError
from ops.errors import ConfigError
from ops.logs import get_logger

RETRY_SECONDS: Final = 2.0

_LAST_CLASSIC_MINOR: Final = 31
_ADVICE: Final = {
    "v1alpha2": "on Kubernetes 1.27 to 1.30 with the feature gate DynamicResourceAllocation on "
    f"every component and --runtime-config={RESOURCE_GROUP}/v1alpha2=true",
    "v1alpha3": "on Kubernetes 1.31 with the feature gates DynamicResourceAllocation on every "
    "component and DRAControlPlaneController on API server and scheduler, and "
    f"--runtime-config={RESOURCE_GROUP}/v1alpha3=true",
}

_LOG = get_logger("controller")


class Discovery(Protocol):
    """What is needed of kube.client.Client."""

    def versions(self, group: str) -> list[str]:
        """Return the served versions of an API group."""
        ...

    def server_version(self) -> JSON:
        """Return `GET /version`."""
        ...


def served_version(client: Discovery, stop: threading.Event) -> str | None:
    """Return the version of resource.k8s.io to use; waits for an API server that is away.

    Returns:
        None when `stop` was set first.

    Raises:
        ConfigError: the server has no version with classic claims.
    """
    while not stop.is_set():
        try:
            return choose(client.versions(RESOURCE_GROUP), client.server_version())
        except KubeError as error:
            _LOG.warning("API server is away, trying again", error=str(error))
            stop.wait(RETRY_SECONDS)
    return None


def choose(served: Collection[str], server: JSON) -> str:
    """Return the version to use.

    Args:
        served: versions of resource.k8s.io that the server has.
        server: answer of `GET /version`.

    Raises:
        ConfigError: there is none; with what to do about it.
    """
    minor = _minor(server)
    if "v1alpha2" in served:
        return "v1alpha2"
    if minor is not None and minor > _LAST_CLASSIC_MINOR:
        raise ConfigError(
            f"the API server is Kubernetes 1.{minor}, and drivers with a controller (classic "
            "Dynamic Resource Allocation) were removed in 1.32; use Kubernetes 1.27 to 1.31"
        )
    if "v1alpha3" in served:
        return "v1alpha3"
    raise ConfigError(
        f"the API server serves {RESOURCE_GROUP} in {', '.join(served) or 'no version'}, this "
        f"driver needs {' or '.join(_ADVICE)}; start the API server {_advice(minor)}"
    )


def _advice(minor: int | None) -> str:
    if minor is None:
        return ", or ".join(_ADVICE.values())
    return _ADVICE["v1alpha3" if minor == _LAST_CLASSIC_MINOR else "v1alpha2"]


def _minor(server: JSON) -> int | None:
    """Return the minor version; some distributions write `28+`."""
    digits = re.match(r"\d+", str(server.get("minor", "")))
    return int(digits.group()) if digits else None
