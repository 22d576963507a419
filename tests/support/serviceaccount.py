"""Clients with the rights of a service account on a real cluster."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from api.objects import JSON
from kube.client import Client
from tests.support.kubectl import Kubectl

As = Callable[..., Client]
"""Makes a client with a token for a pod, which names its node, or for no pod."""


@contextmanager
def clients_of(kubectl: Kubectl, namespace: str, account: str, path: Path) -> Iterator[As]:
    """Make clients with tokens of a service account.

    Args:
        kubectl: of the administrator.
        namespace: of the account.
        account: its name.
        path: for a kubeconfig.
    """
    with ExitStack() as stack:

        def make(pod: JSON | None = None) -> Client:
            bound = ["--bound-object-kind=Pod"] if pod else []
            if pod:
                meta = pod["metadata"]
                bound += [
                    f"--bound-object-name={meta['name']}",
                    f"--bound-object-uid={meta['uid']}",
                ]
            token = kubectl.run("create", "token", account, "-n", namespace, *bound).strip()
            path.write_text(yaml.safe_dump(_with_token(Path(kubectl.kubeconfig), token)))
            client = Client.from_kubeconfig(str(path), qps=0, burst=1, user_agent="tests")
            stack.callback(client.close)
            return client

        yield make


def _with_token(kubeconfig: Path, token: str) -> JSON:
    """Return a kubeconfig for the same cluster with other credentials."""
    found: JSON = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))
    return {**found, "users": [{**user, "user": {"token": token}} for user in found["users"]]}
