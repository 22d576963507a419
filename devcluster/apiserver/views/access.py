"""Answers whether a request would be allowed: this server allows everything to everybody.

Source: k8s.io/api/authorization/v1; asked by `kubectl auth can-i` and by programs at their start.
"""

from flask import Response, request

from devcluster.apiserver.views import bodies
from devcluster.apiserver.views.answers import json_answer


def access_review() -> Response:
    """Answer POST of a SelfSubjectAccessReview or SubjectAccessReview."""
    review = bodies.read_object(request)
    status = {"allowed": True, "reason": "the embedded API server allows everything"}
    return json_answer({**review, "metadata": review.get("metadata") or {}, "status": status}, 201)
