"""Access as a kubeconfig describes it, with all that those know: several files, exec, OIDC.

The `kubernetes` package reads them. It imports a model of every type of Kubernetes with it, which
takes 21 MiB and 0.3 s; so config.py imports this module only when there is a file to read.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml
from kubernetes.client import Configuration
from kubernetes.config import ConfigException, list_kube_config_contexts, load_kube_config

from kube.access import Access
from kube.errors import ConfigError

_UNREADABLE: Final = (
    ConfigException,
    OSError,
    yaml.YAMLError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
)
_load: Callable[..., None] = load_kube_config
_contexts: Callable[..., tuple[list[Any], Any]] = list_kube_config_contexts


def read_kubeconfig(path: str) -> Access:
    """Return the access of the current context.

    Args:
        path: of the file, or several with colons between them.

    Raises:
        ConfigError: nothing usable was found.
    """
    found = Configuration()
    # leaves the proxies of the environment to kube.proxies, now and at each renewal of the token
    found.proxy = None
    try:
        _check_exists(path)
        _load(config_file=path, client_configuration=found, persist_config=False)
    except _UNREADABLE as error:
        # the package takes the file to be one, and fails at what is not there
        is_other = isinstance(error, LookupError | TypeError | AttributeError)
        raise ConfigError(
            f"kubeconfig {path}: {'it is no kubeconfig' if is_other else error}; "
            "set --kubeconfig or KUBECONFIG to a kubeconfig that this user can read"
        ) from error
    return Access(
        host=found.host,
        authorization=lambda: _authorization(found),
        ca_file=found.ssl_ca_cert,
        cert_file=found.cert_file,
        key_file=found.key_file,
        verify=found.verify_ssl,
        server_name=found.tls_server_name,
        proxy=found.proxy,
    )


def read_namespace(path: str) -> str:
    """Return the namespace of the current context, empty if there is none.

    Args:
        path: see `read_kubeconfig`.
    """
    try:
        _, current = _contexts(config_file=path)
        return str(current["context"].get("namespace") or "")
    except _UNREADABLE:
        return ""


def _check_exists(path: str) -> None:
    """Refuse files of which none is there; of several some may be missing, as with kubectl."""
    files = [Path(each).expanduser() for each in path.split(os.pathsep) if each]
    if not any(file.exists() for file in files):
        raise FileNotFoundError("no such file")


def _authorization(found: Configuration) -> str:
    """Return the present header; the package runs the exec plugin anew when it has expired."""
    try:
        return found.get_api_key_with_prefix("BearerToken", alias="authorization") or ""
    except _UNREADABLE as error:
        raise ConfigError(f"the credentials cannot be read: {error}") from error
