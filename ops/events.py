"""The recorder of a program's events, as its settings want it."""

from kube.client import Client
from kube.events import EventRecorder
from ops.config import ServingConfig


def event_recorder(
    client: Client, config: ServingConfig, driver_name: str, *, host: str = ""
) -> EventRecorder:
    """Return a recorder of the driver's events that is not started.

    It has a rate of its own: what nobody waits for must not hold up what somebody does.

    Args:
        client: the API server.
        config: how many requests, and whether to tell of successes.
        driver_name: of the driver.
        host: node of the program, if it matters.
    """
    return EventRecorder(
        client.with_rate(config.kube_api_qps, config.kube_api_burst),
        component=f"resource driver {driver_name}",
        host=host,
        normal=config.normal_events,
    )
