"""What the webhook counts and measures."""

from datetime import datetime
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Histogram

ALLOWED: Final = "allowed"
DENIED: Final = "denied"
MALFORMED: Final = "malformed"
VERDICTS: Final = (ALLOWED, DENIED, MALFORMED)
BUCKETS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 5)


class WebhookMetrics:
    """The families of the webhook."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register them, with a series for every verdict."""
        self._reviews = Histogram(
            "fake_dra_webhook_review_duration_seconds",
            "Seconds that a review took, by verdict; malformed is what was no AdmissionReview.",
            ["verdict"],
            registry=registry,
            buckets=BUCKETS,
        )
        for verdict in VERDICTS:
            self._reviews.labels(verdict)
        self._until = Gauge(
            "fake_dra_webhook_certificate_expiration_timestamp_seconds",
            "When the certificate that is served is over, in seconds since 1970; 0 without one.",
            registry=registry,
        )

    def reviewed(self, verdict: str, seconds: float) -> None:
        """Count a review."""
        self._reviews.labels(verdict).observe(seconds)

    def certificate_until(self, over: datetime) -> None:
        """Take in when what is served now is over."""
        self._until.set(over.timestamp())
