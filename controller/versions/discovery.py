"""Asks the API server for its versions of resource.k8s.io until one can be chosen."""

import threading
from typing import Final

from api.claims.versions import CLASSIC, choose
from api.errors import UnsupportedVersion
from api.names import RESOURCE_GROUP
from kube.client import Client
from kube.errors import KubeError
from ops.errors import ConfigError
from ops.logs import get_logger

RETRY_SECONDS: Final = 2.0

_LOG = get_logger("controller")


def served_version(client: Client, stop: threading.Event) -> str | None:
    """Return the version of resource.k8s.io to use; waits for an API server that is away.

    Returns:
        None when `stop` was set first.

    Raises:
        ConfigError: the server has no version with classic claims.
    """
    while not stop.is_set():
        try:
            return choose(client.versions(RESOURCE_GROUP), CLASSIC, client.server_version())
        except UnsupportedVersion as error:
            raise ConfigError(str(error)) from error
        except KubeError as error:
            _LOG.warning("API server is away, trying again", error=str(error))
            stop.wait(RETRY_SECONDS)
    return None
