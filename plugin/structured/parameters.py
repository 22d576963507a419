"""Opaque parameters of the fake driver where kube-scheduler allocates: there are none.

What the classic kind has in parameters stands in the claim itself there.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from api.names import CLAIM_PARAMETERS_KIND, CLASS_PARAMETERS_KIND
from api.objects import JSON

_INSTEAD: Final[Mapping[object, str]] = {
    CLAIM_PARAMETERS_KIND: (
        "write the number of devices into requests[].exactly.count (in v1beta1 requests[].count), "
        "ask for children by the DeviceClass split.fake.3-shake.com, and for a model by a selector"
    ),
    CLASS_PARAMETERS_KIND: "choose devices by spec.selectors of the DeviceClass",
}


def validate(parameters: JSON) -> Sequence[str]:
    """Return what is wrong with parameters, each with the path of its field."""
    if not parameters:
        return []
    kind = parameters.get("kind")
    instead = _INSTEAD.get(kind) if isinstance(kind, str) else None
    if instead:
        return [f"kind: {kind} is of classic claims, up to Kubernetes 1.31; {instead}"]
    named = f"kind: {kind!r} is not known. " if kind else ""
    return [f"{named}The driver takes no parameters; remove this entry of config"]
