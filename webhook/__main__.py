"""`fake-dra-webhook`: the composition root of the admission webhook."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click

from api import __version__
from api.contract import Contract
from ops.config import (
    ServingConfig,
    driver_option,
    eventless_options,
    namespace_of,
    serving_config,
)
from ops.endpoint import listen
from ops.errors import ConfigError
from ops.lifecycle import Lifecycle
from ops.logs import configure
from ops.metrics import Metrics
from ops.serving import connect
from ops.settings import option, program
from webhook.server import Server
from webhook.sources import Files, Names, OwnSecret, Source
from webhook.wiring import build, utc_now, validators

SERVER: Final = "Server"
CERTIFICATE: Final = "Certificate"
ENDPOINT: Final = "--https-endpoint (env HTTPS_ENDPOINT)"

_NAME: Final = "fake-dra-webhook"


@dataclass(frozen=True, slots=True)
class WebhookConfig:
    """Settings of the webhook alone.

    Attributes:
        https_endpoint: `host:port` or `:port`.
        drivers: `module:Driver` of drivers that are not in the image.
        shutdown_delay: seconds from a signal to the end of listening.
        tls_cert_file: path; empty is a certificate of our own.
        tls_private_key_file: path.
        service: name.
        certificate_secret: name.
        webhook_configuration: name.
        certificate_check_period: seconds.
    """

    https_endpoint: str
    drivers: tuple[str, ...]
    shutdown_delay: float
    tls_cert_file: str
    tls_private_key_file: str
    service: str
    certificate_secret: str
    webhook_configuration: str
    certificate_check_period: float


@program(_NAME)
@option(
    "--https-endpoint",
    "HTTPS_ENDPOINT",
    section=SERVER,
    metavar="[HOST]:PORT",
    default=":8443",
    help="Address that API servers reach the webhook at, by its Service.",
    remedy='give ":8443" or "127.0.0.1:8443"',
)
@option(
    "--driver,drivers",
    "DRIVERS",
    section=SERVER,
    metavar="MODULE:DRIVER",
    multiple=True,
    show_default="none",
    help="Another driver whose parameters are validated, by its own method validate; may be "
    "repeated, or several with spaces in the variable. It is made with its default settings.",
    remedy="give the module and the class, such as gpu_driver:GpuDriver",
)
@option(
    "--shutdown-delay",
    "SHUTDOWN_DELAY",
    section=SERVER,
    type=click.FloatRange(0, 60),
    default=5.0,
    help="Seconds from the signal to stop until no new connection is taken: as long as it may take "
    "until nobody is sent here any more. The pod's terminationGracePeriodSeconds has to be 15 "
    "more.",
    remedy="give a number of seconds from 0 to 60",
)
@option(
    "--tls-cert-file",
    "TLS_CERT_FILE",
    section=CERTIFICATE,
    default="",
    show_default="the program makes a certificate of its own",
    help="Certificate in PEM that others keep, such as cert-manager in a Secret that is mounted; "
    "it is read again while the program runs. They tell API servers whom to trust, too.",
    remedy="give the path of a PEM file",
)
@option(
    "--tls-private-key-file",
    "TLS_PRIVATE_KEY_FILE",
    section=CERTIFICATE,
    default="",
    show_default="likewise",
    help="Its private key in PEM.",
    remedy="give the path of a PEM file",
)
@option(
    "--namespace",
    ("POD_NAMESPACE", "NAMESPACE"),
    section=CERTIFICATE,
    default="",
    show_default="the pod's own",
    help="Namespace of the Service, and of the Secret of the program's own certificate.",
    remedy="give the name of a namespace",
)
@option(
    "--service",
    "SERVICE",
    section=CERTIFICATE,
    default=_NAME,
    help="Service that API servers reach the webhook by; the program's own certificate is for it.",
    remedy="give the name of a Service",
)
@option(
    "--certificate-secret",
    "CERTIFICATE_SECRET",
    section=CERTIFICATE,
    default=f"{_NAME}-certificate",
    help="Secret that keeps the program's own certificate, for all replicas; it is made.",
    remedy="give the name of a Secret",
)
@option(
    "--webhook-configuration",
    "WEBHOOK_CONFIGURATION",
    section=CERTIFICATE,
    default=_NAME,
    help="ValidatingWebhookConfiguration that has to trust the program's own certificate: its "
    "caBundle is kept up to date.",
    remedy="give the name of a ValidatingWebhookConfiguration",
)
@option(
    "--certificate-check-period",
    "CERTIFICATE_CHECK_PERIOD",
    section=CERTIFICATE,
    type=click.FloatRange(0.1, 300),
    default=60.0,
    help="Seconds after which files, or Secret and configuration, are looked at again.",
    remedy="give a number of seconds from 0.1 to 300",
)
@driver_option
@eventless_options
def main(contract: Contract, **values: Any) -> int:
    """Refuse claims and classes whose parameters a driver could not use, before they are stored.

    Validates the opaque parameters of ResourceClaims, ResourceClaimTemplates and DeviceClasses, and
    the parameter objects of classic claims, with the code that reads them when devices are
    prepared. What is for other drivers is let pass.
    """
    own = WebhookConfig(**{name: values[name] for name in WebhookConfig.__dataclass_fields__})
    config = serving_config({**values, "normal_events": False})
    configure(config.logging_format, config.verbosity)
    if own.drivers:
        sys.path.append(os.getcwd())  # noqa: PTH109 - as the command dra does
    known = validators(contract, own.drivers)
    life, metrics = Lifecycle(), Metrics()
    source = _source(life, config, own, values, metrics)
    made = build(life, config, metrics, source, known, own.certificate_check_period)
    return Server(made, listen(own.https_endpoint, ENDPOINT), own.shutdown_delay).serve()


def _source(
    life: Lifecycle,
    config: ServingConfig,
    own: WebhookConfig,
    values: Mapping[str, Any],
    metrics: Metrics,
) -> Source:
    if bool(own.tls_cert_file) != bool(own.tls_private_key_file):
        raise ConfigError(
            "--tls-cert-file (env TLS_CERT_FILE) and --tls-private-key-file (env "
            "TLS_PRIVATE_KEY_FILE) go together; give both, or none for a certificate of our own"
        )
    if own.tls_cert_file:
        return Files(Path(own.tls_cert_file), Path(own.tls_private_key_file))
    names = Names(
        namespace_of(values), own.service, own.certificate_secret, own.webhook_configuration
    )
    agent = f"{_NAME}/{__version__}"
    client = connect(life, config, metrics, user_agent=agent, logger="webhook")
    return OwnSecret(client, names, utc_now)


if __name__ == "__main__":
    main()
