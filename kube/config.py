"""Finds the API server and the credentials, in the way of kubectl and client-go."""

import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from kubernetes.utils.keepalive import tcp_keepalive_socket_options

from kube.errors import ConfigError

_DEAD_PEER_MS: Final = 30_000
_UNREADABLE: Final = (
    ConfigException,
    OSError,
    yaml.YAMLError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
_load_file: Callable[..., None] = load_kube_config
_load_service_account: Callable[..., None] = load_incluster_config


def load_configuration(
    kubeconfig: str | None, *, pool: int, environ: Mapping[str, str] = os.environ
) -> Configuration:
    """Return where the API server is, how to authenticate, and how to hold connections.

    Args:
        kubeconfig: path, or several with colons between them. Empty or None is the service account
            of the pod; outside of a pod KUBECONFIG and then `~/.kube/config`.
        pool: connections that stay open; at least watches plus workers.
        environ: environment variables.

    Raises:
        ConfigError: nothing usable was found.
    """
    configuration = Configuration()
    if kubeconfig:
        _from_file(configuration, kubeconfig)
    elif environ.get("KUBERNETES_SERVICE_HOST"):
        _from_service_account(configuration)
    else:
        _from_file(configuration, environ.get("KUBECONFIG") or "~/.kube/config")
    # One policy of ours decides about retries; urllib3's default would repeat a PUT silently.
    configuration.retries = False
    configuration.connection_pool_maxsize = pool
    configuration.client_side_validation = False
    configuration.socket_options = _socket_options()
    return configuration


def _from_file(configuration: Configuration, path: str) -> None:
    try:
        _load_file(config_file=path, client_configuration=configuration, persist_config=False)
    except _UNREADABLE as error:
        raise ConfigError(
            f"kubeconfig {path}: {error}; "
            "set --kubeconfig or KUBECONFIG to a kubeconfig that this user can read"
        ) from error


def _from_service_account(configuration: Configuration) -> None:
    try:
        _load_service_account(client_configuration=configuration)
    except _UNREADABLE as error:
        raise ConfigError(
            f"service account of the pod: {error}; "
            "set automountServiceAccountToken or give a kubeconfig with --kubeconfig"
        ) from error


def _socket_options() -> list[tuple[int, int, int]]:
    """Find out within a minute that the peer of an idle watch or an unanswered request is gone."""
    options = tcp_keepalive_socket_options()
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        options.append((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_PEER_MS))
    return options
