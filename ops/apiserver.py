"""What is told of an API server that is not as it should be: the same by every program and part."""

from collections.abc import Callable

from api.resources import Resource
from kube.errors import KubeError
from ops.logs import Logger
from ops.metrics import Metrics


def still_waiting(log: Logger) -> Callable[[str], None]:
    """Return the `on_wait` of a program's client."""
    return lambda error: log.warning("API server has not answered yet", error=error)


def watch_failures(
    log: Logger, resource: Resource, metrics: Metrics | None = None
) -> Callable[[KubeError], None]:
    """Return the `on_error` of a reflector: a line in the log, and `fake_dra_watch_failures`.

    Args:
        log: of the part that watches.
        resource: what is watched.
        metrics: of the program; None for one that has none.
    """

    def report(error: KubeError) -> None:
        log.warning("watch failed, trying again", resource=resource.plural, error=str(error))
        if metrics is not None:
            metrics.watch_failed(error)

    return report
