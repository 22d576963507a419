"""Errors of the admission webhook.

DriverError                     (api.errors)
└─ WebhookError                 every error of this package
   ├─ MalformedReview           a request is no AdmissionReview
   └─ UnusableCertificate       files or a Secret hold no certificate to serve with
"""

from api.errors import DriverError


class WebhookError(DriverError):
    """Base of the errors of the webhook."""


class MalformedReview(WebhookError):
    """A request is no AdmissionReview of admission.k8s.io/v1."""


class UnusableCertificate(WebhookError):
    """A certificate and its key cannot be read, do not belong together, or are over."""
