"""Where the API server is and who we are, as a value that its connections are made of.

Made by serviceaccount.py or kubeconfig.py, chosen by config.py, used by connections.py and
transport.py.
"""

from collections.abc import Callable
from dataclasses import dataclass


def no_credentials() -> str:
    """Return the Authorization header of somebody who has none, or a client certificate."""
    return ""


@dataclass(frozen=True, slots=True)
class Access:
    """The way to one API server.

    Attributes:
        host: URL without a slash at its end.
        authorization: returns the present Authorization header, empty for none; called for each
            request and from any thread. Raises ConfigError when the credentials cannot be read.
        ca_file: certificates that the server is checked against; None is those of the system.
        cert_file: client certificate.
        key_file: its key.
        verify: whether the server's certificate is checked at all.
        server_name: that the certificate has to have, if not that of the host.
        proxy: URL of a proxy; None leaves it to the environment.
    """

    host: str
    authorization: Callable[[], str] = no_credentials
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    verify: bool = True
    server_name: str | None = None
    proxy: str | None = None
