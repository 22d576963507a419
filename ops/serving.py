"""What every program does with the settings that all share: API client, health endpoints."""

from collections.abc import Mapping

from kube.client import Client
from ops.apiserver import still_waiting
from ops.checks import Check
from ops.config import ServingConfig
from ops.health import HttpServer, create_pages
from ops.lifecycle import Lifecycle
from ops.logs import get_logger
from ops.metrics import Metrics


def connect(
    life: Lifecycle, config: ServingConfig, metrics: Metrics, *, user_agent: str, logger: str
) -> Client:
    """Return a client of the API server that is closed when the program ends.

    Args:
        life: of the program.
        config: where the API server is, and how many requests it gets.
        metrics: measures the requests.
        user_agent: of the requests.
        logger: name of the log that says that the API server is waited for.

    Raises:
        ConfigError: of kube; there is no way to the API server.
    """
    client = Client.from_kubeconfig(
        config.kubeconfig,
        qps=config.kube_api_qps,
        burst=config.kube_api_burst,
        user_agent=user_agent,
        observer=metrics.observe_request,
        stop=life.stop,
        on_wait=still_waiting(get_logger(logger)),
    )
    life.on_stop("API client", client.close)
    return client


def serve_http(
    life: Lifecycle, config: ServingConfig, metrics: Metrics, ready: Mapping[str, Check]
) -> None:
    """Serve /healthz, /readyz and metrics until the program ends, if the settings want it.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    if not config.http_endpoint:
        return
    pages = create_pages(
        live={"process": lambda: None},
        ready=ready,
        registry=metrics.registry,
        metrics_path=config.metrics_path,
        pprof_path=config.pprof_path,
    )
    server = HttpServer(config.http_endpoint, pages)
    server.start()
    life.on_stop("HTTP server", server.stop)
