"""Where a server's certificate comes from: files that somebody renews, or a Secret of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from api.objects import JSON
from api.resources import SECRETS, VALIDATING_WEBHOOKS
from kube.client import Client
from kube.errors import Forbidden, NotFound
from webhook import certificates, configuration, rotation, secret
from webhook.certificates import Pair
from webhook.errors import UnusableCertificate
from webhook.rotation import TIMING, Kept, Timing


class Source(Protocol):
    """Gives the certificate that is to serve."""

    def look(self) -> Pair:
        """Return the certificate as of now, after whatever is due was done.

        Raises:
            UnusableCertificate: there is none.
            KubeError: the API server did not do what was due.
        """


@dataclass(frozen=True, slots=True)
class Files:
    """Files that others keep, such as cert-manager's Secret as a volume.

    Attributes:
        certificate: with those that lead to its authority.
        key: of it.
    """

    certificate: Path
    key: Path

    def look(self) -> Pair:
        """Return what the files have now."""
        return Pair(_read(self.certificate), _read(self.key))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnusableCertificate(f"{path} cannot be read: {error}") from error


@dataclass(frozen=True, slots=True)
class Names:
    """The objects that a server without files works with.

    Attributes:
        namespace: of Service and Secret.
        service: by which API servers reach it.
        secret: holds the certificate, for all replicas.
        configuration: ValidatingWebhookConfiguration whose webhooks get the authorities.
    """

    namespace: str
    service: str
    secret: str
    configuration: str

    @property
    def hosts(self) -> tuple[str, ...]:
        """What API servers and people call the server; the first is what API servers do."""
        qualified = f"{self.service}.{self.namespace}.svc"
        return qualified, f"{qualified}.cluster.local", f"{self.service}.{self.namespace}"


class OwnSecret:
    """A Secret that replicas keep together: whose write comes too late reads again."""

    def __init__(
        self,
        client: Client,
        names: Names,
        clock: Callable[[], datetime],
        timing: Timing = TIMING,
    ) -> None:
        """Keep the Secret; `clock` gives the time of the day, with its zone."""
        self._client = client
        self._names = names
        self._clock = clock
        self._timing = timing

    def look(self) -> Pair:
        """Return the pair that is to serve; Conflict if another replica was faster."""
        names = self._names
        config = self._client.get(VALIDATING_WEBHOOKS, names.configuration)
        stored = self._stored()
        kept = secret.read(stored) if stored else None
        wanted = self._advanced(kept, configuration.trusted(config))
        if wanted != kept:
            self._write(secret.write(wanted, names.secret, names.namespace, stored), stored)
        trusting = configuration.trusting(config, wanted.authorities)
        if trusting != config:
            self._client.update(VALIDATING_WEBHOOKS, trusting)
        return wanted.serving

    def _advanced(self, kept: Kept | None, trusted: str) -> Kept:
        now, hosts = self._clock(), self._names.hosts
        lifetime = self._timing.lifetime
        return rotation.advance(
            *(kept, now, trusted, hosts),
            lambda: certificates.make(hosts, now, lifetime),
            self._timing,
        )

    def _stored(self) -> JSON | None:
        try:
            return self._client.get(SECRETS, self._names.secret, self._names.namespace)
        except NotFound:
            return None

    def _write(self, wanted: JSON, stored: JSON | None) -> None:
        if stored is not None:
            self._client.update(SECRETS, wanted)
            return
        try:
            self._client.create(SECRETS, wanted)
        except Forbidden as error:
            name, namespace = self._names.secret, self._names.namespace
            raise UnusableCertificate(
                f"Secret {namespace}/{name} does not exist, and may not be made ({error.refusal}); "
                f"make it, without data: kubectl create secret generic {name} --namespace "
                f"{namespace}"
            ) from error
