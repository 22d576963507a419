"""The certificate that new connections get, exchanged while the server runs."""

import os
import ssl
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Final

from kube.errors import Conflict, KubeError
from ops.logs import get_logger
from webhook import certificates
from webhook.certificates import Pair
from webhook.errors import UnusableCertificate
from webhook.metrics import WebhookMetrics
from webhook.sources import Source

RETRY_SECONDS: Final = 2.0
SILENT_SECONDS: Final = 5.0
"""After which a client that says nothing amid a handshake or a request is hung up on."""

NOT_YET: Final = "no certificate yet"

_LOG = get_logger("certificate")


class _Connection(ssl.SSLSocket):
    """Waits for a client amid a handshake or a request for so long, and not for ever.

    gunicorn makes connections blocking, and one that says nothing would keep a thread of few.
    """

    def settimeout(self, value: float | None) -> None:
        super().settimeout(SILENT_SECONDS if value is None else value)

    def setblocking(self, flag: bool) -> None:
        self.settimeout(None if flag else 0.0)


def new_context() -> ssl.SSLContext:
    """Return the context of a server that has no certificate yet."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = _Connection
    return context


def context_of(pair: Pair) -> ssl.SSLContext:
    """Return the context of a server with a certificate.

    Raises:
        UnusableCertificate: it cannot be used.
    """
    context = new_context()
    # OpenSSL reads files only, and a key has no business on a disk
    memory = os.memfd_create("certificate")
    try:
        with open(memory, "w", closefd=False) as file:
            file.write(f"{pair.key}\n{pair.certificate}")
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    except ssl.SSLError as error:
        raise UnusableCertificate(f"certificate and key cannot be used: {error}") from error
    finally:
        os.close(memory)
    return context


class Serving:
    """Looks at a source again and again, and has the context of what it gave last.

    Attributes:
        context: for the next connection; without certificate until there is one.
    """

    def __init__(
        self,
        source: Source,
        period: float,
        clock: Callable[[], datetime],
        metrics: WebhookMetrics,
    ) -> None:
        """Look every `period` seconds."""
        self._source = source
        self._period = period
        self._clock = clock
        self._metrics = metrics
        self._pair: Pair | None = None
        self._over: datetime | None = None
        self._problem = NOT_YET
        self.context = new_context()

    def ready(self) -> str | None:
        """Say why no connection can be served, None if it can; a check of ops.checks."""
        if self._over is None:
            return self._problem
        over = self._over <= self._clock()
        return f"the certificate is over since {self._over:%Y-%m-%dT%H:%M:%SZ}" if over else None

    def look(self) -> None:
        """Serve what the source gives now.

        Raises:
            UnusableCertificate: that cannot be served; what was served before still is.
            KubeError: the source could not do what was due.
        """
        pair = self._source.look()
        if pair == self._pair:
            return
        over = certificates.over(pair)
        self.context = context_of(pair)
        self._pair, self._over = pair, over
        self._metrics.certificate_until(over)
        _LOG.info("Serving with a certificate", until=f"{over:%Y-%m-%dT%H:%M:%SZ}")

    def run(self, stop: threading.Event) -> None:
        """Look until `stop`."""
        while not stop.is_set():
            stop.wait(self._period if self._try() else RETRY_SECONDS)

    def _try(self) -> bool:
        try:
            self.look()
        except Conflict as error:
            _LOG.debug("Another replica was faster, looking again", error=str(error))
        except (KubeError, UnusableCertificate) as error:
            self._problem = f"{NOT_YET}: {error}"
            _LOG.warning("Certificate not renewed, trying again", error=str(error))
        else:
            return True
        return False
