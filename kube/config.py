"""Finds the API server and the credentials, in the way of kubectl and client-go."""

import os
from collections.abc import Mapping

from kube.access import Access
from kube.serviceaccount import HOST, service_account


def load_access(kubeconfig: str | None, *, environ: Mapping[str, str] = os.environ) -> Access:
    """Return where the API server is and how to authenticate.

    Args:
        kubeconfig: path, or several with colons between them. Empty or None is the service account
            of the pod; outside of a pod KUBECONFIG and then `~/.kube/config`.
        environ: environment variables.

    Raises:
        ConfigError: nothing usable was found.
    """
    if not kubeconfig and environ.get(HOST):
        return service_account(environ)
    # Here and not above, since a pod does without what it brings along.
    from kube.kubeconfig import read_kubeconfig

    return read_kubeconfig(kubeconfig or environ.get("KUBECONFIG") or "~/.kube/config")


def current_namespace(kubeconfig: str | None, *, environ: Mapping[str, str] = os.environ) -> str:
    """Return the namespace that kubectl would use; empty if nothing names one.

    Args:
        kubeconfig: as in `load_access`.
        environ: environment variables.
    """
    if not kubeconfig and environ.get(HOST):
        return ""
    from kube.kubeconfig import read_namespace

    return read_namespace(kubeconfig or environ.get("KUBECONFIG") or "~/.kube/config")
