"""Who takes in what a program says of objects: a port, which kube.events.EventRecorder fills."""

from typing import Protocol

from api.objects import JSON


class Events(Protocol):
    """Records Kubernetes Events."""

    def normal(self, obj: JSON, reason: str, message: str) -> None:
        """Record that something went as it should."""

    def warning(self, obj: JSON, reason: str, message: str) -> None:
        """Record a Warning about an object."""
