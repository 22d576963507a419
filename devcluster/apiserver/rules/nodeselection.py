"""Rules of the fields by which slices and devices select their nodes.

Source: kubernetes pkg/apis/resource/validation/validation.go.
"""

from typing import Final

from api import validation
from api.objects import JSON
from devcluster.apiserver import fielderrors
from devcluster.apiserver.rules.entries import Errors

_SLICE: Final = ("nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection")
_DEVICE: Final = _SLICE[:3]
_ONE_OF_SLICE: Final = (
    "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
)
_ONE_OF_DEVICE: Final = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when "
    "`perDeviceNodeSelection` is set to true in the ResourceSlice spec"
)
_NOT_OF_DEVICE: Final = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set "
    "to true in the ResourceSlice spec"
)


def slice_selection_errors(path: str, spec: JSON) -> Errors:
    """Return what is wrong with how a slice selects nodes."""
    yield from _value_errors(path, spec, "must be either unset or set to a non-empty string")
    selector = spec.get("nodeSelector")
    if selector is not None and len(selector.get("nodeSelectorTerms") or ()) != 1:
        yield fielderrors.bad_value(
            f"{path}.nodeSelector.nodeSelectorTerms",
            selector.get("nodeSelectorTerms") or [],
            "must have exactly one node selector term",
        )
    several = f"{_ONE_OF_SLICE}, but multiple fields are set"
    yield from _count_errors(path, [f for f in _SLICE if spec.get(f)], _ONE_OF_SLICE, several)


def device_selection_errors(path: str, device: JSON, spec: JSON) -> Errors:
    """Return what is wrong with how a device selects nodes."""
    if spec.get("perDeviceNodeSelection"):
        yield from _value_errors(path, device, "must not be empty")
        given = [field for field in _DEVICE if device.get(field)]
        yield from _count_errors(path, given, _ONE_OF_DEVICE, _ONE_OF_DEVICE)
    elif any(device.get(field) is not None for field in _DEVICE):
        yield fielderrors.bad_value(path, None, _NOT_OF_DEVICE)


def _value_errors(path: str, holder: JSON, empty: str) -> Errors:
    name = holder.get("nodeName")
    if name is not None and not name:
        yield fielderrors.bad_value(f"{path}.nodeName", name, empty)
    elif name is not None and (wrong := validation.subdomain(name)):
        yield fielderrors.bad_value(f"{path}.nodeName", name, wrong)
    for field in ("allNodes", "perDeviceNodeSelection"):
        if holder.get(field) is False:
            why = "must be either unset or set to true"
            yield fielderrors.bad_value(f"{path}.{field}", False, why)


def _count_errors(path: str, given: list[str], none: str, several: str) -> Errors:
    if not given:
        yield fielderrors.required(path, none)
    elif len(given) > 1:
        shown = ", ".join(f"`{field}`" for field in given)
        yield fielderrors.bad_value(path, f"{{{shown}}}", several)
